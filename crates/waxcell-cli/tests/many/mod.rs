//! A journal with many runs, without running them.

use std::fs;

use serde_json::json;
use waxcell_journal::tlog::to_canonical;
use waxcell_journal::{Entry, Journal, Mark, Publisher, SpanId};

use crate::support::Place;

/// The name of one of them.
pub(crate) fn run(number: u64) -> SpanId {
    SpanId::new((0xabc_0000_0000_0000_0000_0000_0000_0000 + u128::from(number)).to_be_bytes())
}

/// Makes a journal of so many runs, 25 on each day of January; 2 KiB a record.
pub(crate) fn runs(place: &Place, runs: u64) {
    fs::create_dir(place.state()).expect("a folder");
    let publisher = Publisher::open(&place.journal(), "host").expect("a publisher");
    let mut journal = Journal::open(&place.journal()).expect("a journal");
    let record = |index: u64| {
        let kind = if index.is_multiple_of(2) { "started" } else { "finished" };
        let time = format!("2026-01-{:02}T00:00:00.000000Z", 1 + index / 50);
        let record = json!({
            "index": index, "run": run(index / 2).to_string(), "time": time, "type": kind, "v": 1,
            "reason": "x".repeat(2000),
        });
        to_canonical(&record).expect("a record")
    };
    let records: Vec<_> = (0..2 * runs).map(record).collect();
    for group in (0..).zip(&records).collect::<Vec<(u64, _)>>().chunks(200) {
        let entries = group.iter().map(|(index, payload)| Entry {
            mark: if index.is_multiple_of(2) { Mark::Open } else { Mark::Close },
            span: run(index / 2),
            payload,
        });
        journal.append_all(&entries.collect::<Vec<_>>()).expect("appended");
    }
    publisher.publish(2 * runs).expect("published");
}
