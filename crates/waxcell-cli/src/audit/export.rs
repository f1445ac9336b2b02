//! `waxcell audit export`: records in forms that other software reads, one a line.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;

use serde_json::Value;
use waxcell::export::{Exported, Ocsf, STATEMENT_TYPE, cloud_event, statement};
use waxcell_journal::{History, Log, Publisher, Record};

use super::{NO_PLACE, Place, unreadable};
use crate::args::{Export, Format};
use crate::edge;
use crate::exit::Exit;

/// Why there is no export, or only the beginning of one.
enum Failed {
    /// There is nothing of that name.
    Nothing(String),
    /// The journal cannot be read, or the statement not be signed.
    Journal(String),
    /// It cannot be written.
    Output(String),
    /// Who reads it has gone away.
    ReaderGone,
}

pub(super) fn run(command: &Export, state: Option<&Path>) -> Exit {
    let (message, exit) =
        match state.ok_or(Failed::Journal(NO_PLACE.to_owned())).and_then(|state| export(command, state)) {
            Ok(()) | Err(Failed::ReaderGone) => return Exit::SUCCESS,
            Err(Failed::Nothing(message)) => (message, Exit::FOUND),
            Err(Failed::Journal(message)) => (message, Exit::UNCHECKED),
            Err(Failed::Output(message)) => (message, Exit::FAILED),
        };
    edge::complain(&message);
    exit
}

fn export(command: &Export, state: &Path) -> Result<(), Failed> {
    let journal = state.join("journal");
    // Before a file is made for nothing.
    let reader = records(command, &Place::of(state, command.archive.as_deref()))?;
    let origin = match command.format {
        Format::Jsonl => String::new(),
        _ => origin(&journal)?,
    };
    let Some(path) = &command.output else {
        let out = io::stdout().as_fd().try_clone_to_owned().map_err(|error| to_standard_output(&error))?;
        return write(command, state, reader, &origin, File::from(out), &to_standard_output);
    };
    let told = |error: &io::Error| Failed::Output(format!("cannot write `{}`: {error}", path.display()));
    // Not over something else.
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| told(&error))?;
    write(command, state, reader, &origin, file, &told).inspect_err(|_| {
        // The beginning of an export is not to be taken for one.
        let _ = std::fs::remove_file(path);
    })
}

fn to_standard_output(error: &io::Error) -> Failed {
    match error.kind() {
        ErrorKind::BrokenPipe => Failed::ReaderGone,
        _ => Failed::Output(format!("cannot write to standard output: {error}")),
    }
}

/// The records from the first one on that the form has to see.
fn records(command: &Export, place: &Place) -> Result<History, Failed> {
    let first = match command.format {
        // How a run ended is told together with how it began.
        Format::Ocsf | Format::InToto => 0,
        Format::Jsonl | Format::Cloudevents => command.since.unwrap_or(0),
    };
    place.records(first).map_err(|error| Failed::Journal(unreadable(&error)))
}

/// The name of the log: that of its first key.
fn origin(journal: &Path) -> Result<String, Failed> {
    let keys = Log::at(&journal.join("tlog")).keys();
    let keys = keys.map_err(|error| Failed::Journal(edge::with_causes(&error)))?;
    let unsigned =
        || Failed::Journal("nothing was signed there yet: `waxcell audit checkpoint` does".to_owned());
    Ok(keys.first().ok_or_else(unsigned)?.name().to_string())
}

fn write(
    command: &Export,
    state: &Path,
    reader: History,
    origin: &str,
    out: File,
    told: &dyn Fn(&io::Error) -> Failed,
) -> Result<(), Failed> {
    let mut out = BufWriter::new(out);
    let mut line = |text: &str| writeln!(out, "{text}").map_err(|error| told(&error));
    let prefix = command.run.as_deref().map(str::to_ascii_lowercase);
    // Every name begins with nothing.
    let wanted = |record: &Record| {
        prefix.as_ref().is_none_or(|prefix| !prefix.is_empty() && record.span.to_string().starts_with(prefix))
    };
    let mut ocsf = Ocsf::new(origin);
    let mut of_run: Vec<Exported> = Vec::new();
    let (mut found, mut span) = (false, None);
    for record in reader {
        let record = record.map_err(|error| Failed::Journal(unreadable(&error)))?;
        if !wanted(&record) {
            continue;
        }
        found = true;
        let exported = exported(command, state, &record)?;
        let events = match command.format {
            Format::Jsonl => vec![exported.json_line()],
            Format::Cloudevents => vec![cloud_event(&exported, origin)],
            Format::Ocsf => ocsf.events(&exported),
            Format::InToto => {
                if span.is_some_and(|span| span != record.span) {
                    let run = command.run.as_deref().unwrap_or_default();
                    return Err(Failed::Nothing(format!(
                        "several runs begin with `{run}`: give more of the name"
                    )));
                }
                span = Some(record.span);
                of_run.push(exported);
                continue;
            }
        };
        if command.since.is_none_or(|since| record.index >= since) {
            events.iter().try_for_each(|event| line(&event.to_string()))?;
        }
    }
    if !found && command.run.is_some() {
        return Err(Failed::Nothing("no run of that name is on record".to_owned()));
    }
    if command.format == Format::InToto {
        line(&signed(&state.join("journal"), &of_run, origin)?)?;
    }
    out.flush().map_err(|error| told(&error))
}

fn exported(command: &Export, state: &Path, record: &Record) -> Result<Exported, Failed> {
    let value = match command.disclose {
        true => waxcell::read_archived(state, &record.payload, record.object.as_deref()),
        false => serde_json::from_slice(&record.payload).unwrap_or_default(),
    };
    if let Value::Object(_) = value {
        return Ok(Exported { index: record.index, record: value, leaf_hash: record.leaf_hash });
    }
    Err(Failed::Journal(format!(
        "record {} is no JSON object: `waxcell audit verify` says more",
        record.index
    )))
}

/// A statement about a run in an envelope that the key of the log has signed.
fn signed(journal: &Path, records: &[Exported], origin: &str) -> Result<String, Failed> {
    let statement = statement(records, origin).map_err(|error| Failed::Nothing(error.to_string()))?;
    let publisher = Publisher::open(journal, &edge::host_name());
    publisher
        .and_then(|publisher| publisher.sign_envelope(STATEMENT_TYPE, statement.to_string().as_bytes()))
        .map_err(|error| Failed::Journal(edge::with_causes(&error)))
}
