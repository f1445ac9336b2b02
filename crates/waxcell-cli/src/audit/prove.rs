//! `waxcell audit prove` and `checkpoint`: what is given to those who check.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use waxcell_journal::tlog::{MAX_PROOF, Proof};
use waxcell_journal::{Cosigned, Disclosures, Journal, Proven, Publisher, Record, SpanId, unseal};

use super::{NO_PLACE, Place, of_run, unreadable};
use crate::args::Common;
use crate::edge;
use crate::exit::Exit;

/// Writes the proof of a run's last record, or of the one with this number.
pub(super) fn prove(
    run: Option<&str>,
    record: Option<u64>,
    disclose: &[String],
    output: Option<&Path>,
    place: Option<Place>,
) -> Exit {
    let proof =
        place.ok_or_else(|| NO_PLACE.to_owned()).and_then(|place| proof(&place, run, record, disclose));
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

fn proof(
    place: &Place,
    run: Option<&str>,
    record: Option<u64>,
    disclose: &[String],
) -> Result<Proof, String> {
    let journal = place.journal.clone();
    let index = match (record, run) {
        (Some(index), _) => index,
        (None, Some(run)) => closing(place, run)?.index,
        (None, None) => return Err("name a run, or a record with --record".to_owned()),
    };
    let log = place.log();
    let told = |error: waxcell_journal::LogError| edge::with_causes(&error);
    let signed = log.checkpoint(&log.keys().map_err(told)?).map_err(told)?;
    let size = signed.checkpoint.size();
    if index >= size {
        return Err(format!(
            "record {index} is not signed yet (the log has {size} records): `waxcell audit checkpoint` signs it"
        ));
    }
    let mut proof = log.prove(index, &signed).map_err(told)?;
    // What would not convince anybody is not given away.
    let record = proof.extra.take().unwrap_or_default();
    let leaf = waxcell_journal::leaf_hash(&record);
    let keys = log.successors(&log.keys().map_err(told)?).map_err(told)?;
    proof.verify(&leaf, &waxcell_journal::tlog::Policy::of_logs(&keys)).map_err(|error| {
        format!("the log is damaged, `waxcell audit verify` says where: {}", edge::with_causes(&error))
    })?;
    proof.extra = Some(disclosed(&journal, index, record, disclose)?);
    if proof.to_string().len() > MAX_PROOF {
        return Err(format!("a proof has at most {MAX_PROOF} bytes, and this would be more: disclose less"));
    }
    Ok(proof)
}

/// A record with the values that are to be shown, each as it was salted.
fn disclosed(journal: &Path, index: u64, record: Vec<u8>, names: &[String]) -> Result<Vec<u8>, String> {
    if names.is_empty() {
        return Ok(record);
    }
    let mut value: serde_json::Value =
        serde_json::from_slice(&record).map_err(|error| format!("record {index} is none: {error}"))?;
    let run = value["run"].as_str().and_then(SpanId::from_hex).unwrap_or(SpanId::NONE);
    let texts = Disclosures::of_journal(journal).of(run).map_err(|error| edge::with_causes(&error))?.texts;
    let apart = unseal(&mut value, &texts);
    let mut shown = Vec::new();
    for name in names {
        let before = shown.len();
        let asked = apart.iter().filter(|one| one.value.is_some() && (name.is_empty() || one.is_at(name)));
        shown.extend(asked.filter_map(|one| texts.get(&one.digest)).map(String::as_str));
        if shown.len() == before {
            let what = if name.is_empty() { "value" } else { name };
            return Err(format!(
                "record {index} keeps no `{what}` apart, or it is erased (what a script was given is in the record that began its run: --record)"
            ));
        }
    }
    shown.sort_unstable();
    shown.dedup();
    Ok(Proven::extra(&record, &shown))
}

/// The record that closes a run, or the last one about it.
fn closing(place: &Place, run: &str) -> Result<Record, String> {
    let mut records = of_run(place, run).map_err(|error| unreadable(&error))?;
    let Some(first) = records.first() else { return Err(place.unknown()) };
    let span = first.span;
    if records.iter().any(|record| record.span != span) {
        return Err(format!("several runs begin with `{run}`: give more of the name"));
    }
    let closing = records.iter().rposition(|record| record.mark == waxcell_journal::Mark::Close);
    let at = closing.unwrap_or(records.len() - 1);
    Ok(records.swap_remove(at))
}

/// Signs all that is on record, has it cosigned, and prints the checkpoint: to be kept where nobody can change it.
pub(super) fn checkpoint(state: Option<&Path>, common: &Common) -> Exit {
    told(newest(state).map(|(note, cosigned)| {
        if common.json {
            let value = serde_json::json!({
                "checkpoint": note,
                "state": if cosigned.is_some_and(|cosigned| cosigned.by > 0) { "cosigned" } else { "signed" },
                "cosigned": cosigned.map(|cosigned| cosigned.by),
                "witnesses": cosigned.map(|cosigned| cosigned.of),
                "quorum": cosigned.map(|cosigned| cosigned.quorum),
            });
            return format!("{value}\n");
        }
        if let Some(cosigned) = cosigned.filter(|_| !common.quiet) {
            edge::note(&cosigned.to_string());
        }
        note
    }))
}

fn newest(state: Option<&Path>) -> Result<(String, Option<Cosigned>), String> {
    let (publisher, mut journal) = opened(state)?;
    let records = journal.durable().map_err(|error| edge::with_causes(&error))?;
    publisher.publish(records).map_err(|error| edge::with_causes(&error))?;
    super::witness::cosign(&publisher)?;
    let newest = publisher.newest().map_err(|error| edge::with_causes(&error))?;
    newest.ok_or_else(|| "nothing was signed".to_owned())
}

pub(super) fn told(done: Result<String, String>) -> Exit {
    match done {
        Ok(text) => edge::print(&text, Exit::SUCCESS),
        Err(message) => {
            edge::complain(&message);
            Exit::UNCHECKED
        }
    }
}

/// A journal that is there: asking for a checkpoint begins none.
pub(super) fn opened(state: Option<&Path>) -> Result<(Publisher, Journal), String> {
    let journal = state.ok_or(NO_PLACE)?.join("journal");
    waxcell_journal::Reader::last(&journal, 1).map_err(|error| unreadable(&error))?;
    let publisher =
        Publisher::open(&journal, &edge::host_name()).map_err(|error| edge::with_causes(&error))?;
    let signed = publisher.signed().map_err(|error| edge::with_causes(&error))?;
    let journal = Journal::open(&journal).map_err(|error| edge::with_causes(&error))?;
    if journal.next_index() < signed {
        let records = journal.next_index();
        return Err(waxcell_journal::PublishError::Shrunk { records, signed }.to_string());
    }
    Ok((publisher, journal))
}
