//! One checker for a whole journal, called after every step.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Entry, Journal, Mark, OpenSpan, Reader, Receipt, SpanId, leaf_hash, verify};

/// A record as the test remembers it.
pub(super) type Kept = (Mark, SpanId, Vec<u8>);

/// A scratch directory, in memory where there is one: these tests wait for the disk thousands of times.
pub(super) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(super) fn span(name: u8) -> SpanId {
    SpanId::new([name; 16])
}

pub(super) fn append(journal: &mut Journal, kept: &mut Vec<Kept>, mark: Mark, span: SpanId, payload: &[u8]) {
    let receipt = journal.append(Entry { mark, span, payload }).unwrap();
    expect_receipt(&receipt, kept.len(), payload);
    kept.push((mark, span, payload.to_vec()));
}

pub(super) fn expect_receipt(receipt: &Receipt, index: usize, payload: &[u8]) {
    assert_eq!((receipt.index(), receipt.leaf_hash()), (index as u64, leaf_hash(payload)));
}

/// The journal is sound and holds exactly these records, whichever way one looks at it.
#[track_caller]
pub(super) fn check(directory: &Path, kept: &[Kept]) {
    let report = verify(directory).unwrap();
    assert_eq!(report.faults, []);
    assert_eq!(report.records, kept.len() as u64);
    assert_eq!(report.open, open_spans(kept));
    let read: Vec<_> = Reader::open(directory).unwrap().map(Result::unwrap).collect();
    assert_eq!(read.len(), kept.len());
    for (nth, (record, (mark, span, payload))) in read.iter().zip(kept).enumerate() {
        assert_eq!((record.index, record.mark, record.span), (nth as u64, *mark, *span));
        assert_eq!((&record.payload, record.leaf_hash), (payload, leaf_hash(payload)));
    }
    for count in [0, 1, 3, kept.len() + 1] {
        let last = Reader::last(directory, count).unwrap();
        assert_eq!(last, read[read.len().saturating_sub(count)..]);
    }
    let mut journal = Journal::open(directory).unwrap();
    assert_eq!(journal.take_recovered(), []);
    assert_eq!(journal.next_index(), kept.len() as u64);
    assert_eq!(journal.open_spans().unwrap(), report.open);
}

pub(super) fn open_spans(kept: &[Kept]) -> Vec<OpenSpan> {
    let mut open: Vec<OpenSpan> = Vec::new();
    for (opened_at, &(mark, span, _)) in (0..).zip(kept) {
        match mark {
            Mark::None => {}
            Mark::Open => open.push(OpenSpan { span, opened_at }),
            Mark::Close => open.retain(|other| other.span != span),
        }
    }
    open
}

/// Four small records, the middle two of one span.
pub(super) fn small(directory: &Path) -> Vec<Kept> {
    let mut journal = Journal::open(directory).unwrap();
    let mut kept = Vec::new();
    append(&mut journal, &mut kept, Mark::None, SpanId::NONE, b"first");
    append(&mut journal, &mut kept, Mark::Open, span(1), b"a run begins");
    append(&mut journal, &mut kept, Mark::Close, span(1), b"and ends");
    append(&mut journal, &mut kept, Mark::None, span(1), b"");
    kept
}

pub(super) fn segment_file(directory: &Path, number: u64) -> PathBuf {
    directory.join(crate::segment::name(number))
}
