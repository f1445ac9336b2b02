//! `waxcell audit`: the record, for people and programs.

use waxcell_journal::{ReadError, Reader, Record};

use crate::args::{Audit, Common};
use crate::edge;
use crate::exit::Exit;

pub(crate) fn run(command: &Audit, common: &Common) -> Exit {
    let directory = match edge::state_directory(common) {
        Some(directory) => directory.join("journal"),
        None => {
            edge::complain(
                "no record to look at: set HOME, XDG_STATE_HOME or WAXCELL_STATE, or use --state DIR",
            );
            return Exit::UNCHECKED;
        }
    };
    match command {
        Audit::Show { run, last } => {
            show(&directory, run.as_deref(), last.map(|count| count as usize), common)
        }
        Audit::Verify { complete } => verify(&directory, *complete, common),
    }
}

fn show(directory: &std::path::Path, run: Option<&str>, last: Option<usize>, common: &Common) -> Exit {
    let records = match (run, last) {
        // Every name begins with nothing.
        (Some(""), _) => Ok(Vec::new()),
        (Some(prefix), _) => of_run(directory, prefix),
        (None, Some(count)) => Reader::last(directory, count),
        (None, None) => Reader::last(directory, 1).and_then(|newest| match newest.first() {
            Some(record) => of_run(directory, &record.span.to_string()),
            None => Ok(newest),
        }),
    };
    let records = match records {
        Ok(records) => records,
        Err(error) => return unreadable(&error),
    };
    if records.is_empty() {
        edge::complain(run.map_or("nothing is on record yet", |_| "no run of that name is on record"));
        return Exit::FOUND;
    }
    let text: String = records.iter().map(|record| render(record, common.json)).collect();
    edge::print(&text, Exit::SUCCESS)
}

fn unreadable(error: &ReadError) -> Exit {
    match error {
        ReadError::NotAJournal(journal) => edge::complain(&format!(
            "there is no journal `{}`: nothing was recorded there yet, or it is elsewhere (--state DIR, WAXCELL_STATE)",
            journal.display()
        )),
        error => edge::complain_of(error),
    }
    Exit::UNCHECKED
}

fn of_run(directory: &std::path::Path, prefix: &str) -> Result<Vec<Record>, ReadError> {
    let prefix = prefix.to_ascii_lowercase();
    Reader::open(directory)?
        .filter(|record| record.as_ref().map_or(true, |record| record.span.to_string().starts_with(&prefix)))
        .collect()
}

/// One line of JSON with the proof, or the record spread out for people.
fn render(record: &Record, json: bool) -> String {
    let leaf_hash: String = record.leaf_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(&record.payload) else {
        return format!("record {}: {} bytes that are no JSON\n", record.index, record.payload.len());
    };
    if json {
        if let serde_json::Value::Object(fields) = &mut value {
            fields.insert("leaf_hash".to_owned(), leaf_hash.into());
        }
        return format!("{value}\n");
    }
    let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
    format!("record {} (leaf {leaf_hash})\n{}\n", record.index, edge::printable_lines(&pretty))
}

fn verify(directory: &std::path::Path, complete: bool, common: &Common) -> Exit {
    let report = match waxcell_journal::verify(directory) {
        Ok(report) => report,
        Err(error) => return unreadable(&error),
    };
    let open = report.open.len();
    let exit = match () {
        () if report.is_only_torn() => Exit::INCOMPLETE,
        () if !report.is_sound() => Exit::FOUND,
        () if complete && open > 0 => Exit::INCOMPLETE,
        () => Exit::SUCCESS,
    };
    if common.json {
        let value = serde_json::json!({
            "sound": report.is_sound(),
            "records": report.records,
            "segments": report.segments,
            "open_runs": report.open.iter().map(|span| span.span.to_string()).collect::<Vec<_>>(),
            "faults": report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "more_faults": report.more_faults,
        });
        return edge::print(&format!("{value}\n"), exit);
    }
    for fault in &report.faults {
        eprintln!("waxcell: {}", edge::printable(&fault.to_string()));
    }
    if report.more_faults > 0 {
        eprintln!("waxcell: and {} faults more", report.more_faults);
    }
    if exit == Exit::SUCCESS && !common.quiet {
        let runs = if open > 0 { format!("; {open} runs are open") } else { String::new() };
        let text = format!("sound: {} records in {} segments{runs}\n", report.records, report.segments);
        return edge::print(&text, exit);
    } else if exit == Exit::INCOMPLETE {
        if open > 0 {
            eprintln!(
                "waxcell: not whole: {open} runs are open; the next run closes those that nobody watches"
            );
        } else {
            eprintln!(
                "waxcell: not whole: the last write was never finished; the next run removes and records it"
            );
        }
    }
    exit
}
