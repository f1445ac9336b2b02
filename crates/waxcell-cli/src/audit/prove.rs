//! `waxcell audit prove`, `checkpoint` and `key`: what is given to those who check.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use waxcell_journal::tlog::Proof;
use waxcell_journal::{Log, Publisher, Record};

use super::{NO_PLACE, of_run, unreadable};
use crate::edge;
use crate::exit::Exit;

/// Writes the proof of a run's last record, or of the one with this number.
pub(super) fn prove(
    run: Option<&str>,
    record: Option<u64>,
    output: Option<&Path>,
    state: Option<&Path>,
) -> Exit {
    let proof = state.ok_or_else(|| NO_PLACE.to_owned()).and_then(|state| proof(state, run, record));
    let proof = match proof {
        Ok(proof) => proof.to_string(),
        Err(message) => {
            edge::complain(&message);
            return Exit::UNCHECKED;
        }
    };
    let Some(path) = output else { return edge::print(&proof, Exit::SUCCESS) };
    // Not over something else: a proof that was given away is not made anew by mistake.
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file.and_then(|mut file| file.write_all(proof.as_bytes())) {
        Ok(()) => Exit::SUCCESS,
        Err(error) => {
            edge::complain(&format!("cannot write `{}`: {error}", path.display()));
            Exit::FAILED
        }
    }
}

fn proof(state: &Path, run: Option<&str>, record: Option<u64>) -> Result<Proof, String> {
    let journal = state.join("journal");
    let index = match (record, run) {
        (Some(index), _) => index,
        (None, Some(run)) => closing(&journal, run)?.index,
        (None, None) => return Err("name a run, or a record with --record".to_owned()),
    };
    let log = Log::at(&journal.join("tlog"));
    let told = |error: waxcell_journal::LogError| edge::with_causes(&error);
    let signed = log.checkpoint(&log.keys().map_err(told)?).map_err(told)?;
    let size = signed.checkpoint.size();
    if index >= size {
        return Err(format!(
            "record {index} is not signed yet (the log has {size} records): `waxcell audit checkpoint` signs it"
        ));
    }
    let path = log.inclusion(index, &signed).map_err(told)?;
    let extra = Some(log.record(index, size).map_err(told)?);
    let proof = Proof { extra, index, path, checkpoint: signed.note.to_string() };
    // What would not convince anybody is not given away.
    let leaf = waxcell_journal::leaf_hash(proof.extra.as_deref().unwrap_or_default());
    let keys: Vec<_> = signed.signatures.iter().map(|signature| signature.key.clone()).collect();
    proof.verify(&leaf, &waxcell_journal::tlog::Policy::of_logs(&keys)).map_err(|error| {
        format!("the log is damaged, `waxcell audit verify` says where: {}", edge::with_causes(&error))
    })?;
    Ok(proof)
}

/// The record that closes a run, or the last one about it.
fn closing(journal: &Path, run: &str) -> Result<Record, String> {
    let mut records = of_run(journal, run).map_err(|error| unreadable(&error))?;
    let Some(first) = records.first() else { return Err("no run of that name is on record".to_owned()) };
    let span = first.span;
    if records.iter().any(|record| record.span != span) {
        return Err(format!("several runs begin with `{run}`: give more of the name"));
    }
    let closing = records.iter().rposition(|record| record.mark == waxcell_journal::Mark::Close);
    let at = closing.unwrap_or(records.len() - 1);
    Ok(records.swap_remove(at))
}

/// Signs all that is on record, and prints the checkpoint: to be kept where nobody can change it.
pub(super) fn checkpoint(state: Option<&Path>) -> Exit {
    publish(state).map_or_else(
        |message| {
            edge::complain(&message);
            Exit::UNCHECKED
        },
        |note| edge::print(&note, Exit::SUCCESS),
    )
}

fn publish(state: Option<&Path>) -> Result<String, String> {
    let journal = state.ok_or(NO_PLACE)?.join("journal");
    // Asking for a checkpoint begins no journal.
    waxcell_journal::Reader::last(&journal, 1).map_err(|error| unreadable(&error))?;
    let told = |error: &dyn std::error::Error| edge::with_causes(error);
    let publisher = Publisher::open(&journal, &edge::host_name()).map_err(|error| told(&error))?;
    let mut open = waxcell_journal::Journal::open(&journal).map_err(|error| told(&error))?;
    let records = open.durable().map_err(|error| told(&error))?;
    publisher.publish(records).map_err(|error| told(&error))
}

/// Prints the public keys of the log.
pub(super) fn key(state: Option<&Path>) -> Exit {
    let Some(state) = state else {
        edge::complain(NO_PLACE);
        return Exit::UNCHECKED;
    };
    let log = Log::at(&state.join("journal/tlog"));
    match log.keys() {
        Ok(keys) if keys.is_empty() => {
            edge::complain("nothing was signed there yet: the first run makes the key");
            Exit::UNCHECKED
        }
        Ok(keys) => {
            let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
            edge::print(&lines, Exit::SUCCESS)
        }
        Err(error) => {
            edge::complain_of(&error);
            Exit::UNCHECKED
        }
    }
}
