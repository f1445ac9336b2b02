//! Any sequence of steps keeps the journal equal to a list.

use std::fs;

use proptest::prelude::*;

use super::support::{Kept, check, expect_receipt, scratch, segment_file};
use crate::frame::padded;
use crate::segment::used;
use crate::state::State;
use crate::{AppendError, Entry, Journal, MAX_PAYLOAD, Mark, SpanId};

#[derive(Clone, Debug)]
enum Step {
    /// By the first or second writer.
    Append(usize, Vec<(u8, u8, usize)>),
    Reopen(usize),
    Prepare(usize),
    /// The last record lost so many bytes at its end; all writers are gone.
    Tear(usize),
    /// A write stopped after so many bytes; all writers are gone.
    Stop(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![5 => 0..300usize, 1 => 0..=MAX_PAYLOAD, 1 => Just(MAX_PAYLOAD)];
    let entries = prop::collection::vec((0..3u8, 1..6u8, length), 1..6);
    prop_oneof![
        12 => (0..2usize, entries).prop_map(|(writer, entries)| Step::Append(writer, entries)),
        1 => (0..2usize).prop_map(Step::Reopen),
        1 => (0..2usize).prop_map(Step::Prepare),
        1 => (1..200usize).prop_map(Step::Tear),
        1 => prop::collection::vec(any::<u8>(), 1..300).prop_map(Step::Stop),
    ]
}

fn tail(directory: &std::path::Path) -> (std::path::PathBuf, Vec<u8>, usize) {
    let last = (0..).take_while(|&number| segment_file(directory, number).exists()).last().unwrap();
    let file = segment_file(directory, last);
    let bytes = fs::read(&file).unwrap();
    let header = crate::header::Header::decode(&bytes).unwrap();
    let mut frames = crate::segment::Frames::new(crate::frame::seed(&header.journal), &bytes[header.len()..]);
    while let crate::segment::Step::Frame(_) = frames.step() {}
    let end = header.len() + frames.at();
    (file, bytes, end)
}

fn run(steps: &[Step]) {
    let home = scratch();
    let directory = home.path().join("journal");
    let open = || Journal::open(&directory).unwrap();
    let mut writers = [open(), open()];
    let mut kept: Vec<Kept> = Vec::new();
    for step in steps {
        match step {
            Step::Append(writer, entries) => append(&mut writers[*writer], &mut kept, entries),
            Step::Reopen(writer) => writers[*writer] = open(),
            Step::Prepare(writer) => writers[*writer].prepare_next().unwrap(),
            Step::Tear(bytes) => {
                let (file, mut content, end) = tail(&directory);
                let Some((_, _, payload)) = kept.last() else { continue };
                let frame = padded(payload.len());
                if end < 88 + frame || segment_is_fresh(&content, end) {
                    continue;
                }
                let from = end - (*bytes).min(frame - 1);
                content[from..end].fill(0xee);
                fs::write(&file, content).unwrap();
                kept.pop();
                writers = [open(), open()];
                assert_eq!(writers[0].take_recovered().len(), 1);
            }
            Step::Stop(bytes) => {
                let (file, mut content, end) = tail(&directory);
                let there = bytes.len().min(content.len() - end);
                content[end..end + there].copy_from_slice(&bytes[..there]);
                let torn = used(&content) > end;
                fs::write(&file, content).unwrap();
                writers = [open(), open()];
                assert_eq!(writers[0].take_recovered().len(), usize::from(torn));
            }
        }
        check(&directory, &kept);
    }
}

fn segment_is_fresh(content: &[u8], end: usize) -> bool {
    crate::header::Header::decode(content).unwrap().len() == end
}

fn append(journal: &mut Journal, kept: &mut Vec<Kept>, entries: &[(u8, u8, usize)]) {
    let entries: Vec<Kept> = entries
        .iter()
        .map(|&(mark, span, length)| {
            let mark = [Mark::None, Mark::Open, Mark::Close][usize::from(mark)];
            (mark, SpanId::new([span; 16]), vec![span; length])
        })
        .collect();
    let borrowed: Vec<_> =
        entries.iter().map(|(mark, span, payload)| Entry { mark: *mark, span: *span, payload }).collect();
    match journal.append_all(&borrowed) {
        Ok(receipts) => {
            assert_eq!(receipts.len(), entries.len());
            for (receipt, entry) in receipts.iter().zip(entries) {
                expect_receipt(receipt, kept.len(), &entry.2);
                kept.push(entry);
            }
        }
        // Whether the rules of spans are right is for other tests; here, that a refusal changes nothing.
        Err(AppendError::Mark { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_is_a_list(steps in prop::collection::vec(step(), 1..25)) {
        run(&steps);
    }

    #[test]
    fn no_bytes_make_the_verifier_or_the_reader_panic(
        start in any::<[u8; 16]>(),
        noise in prop::collection::vec((0..2000usize, any::<u8>()), 0..20),
        fields in prop::collection::vec((0..9usize, any::<u64>()), 0..4),
        cut in 0..4000usize,
    ) {
        let home = scratch();
        let directory = home.path().join("journal");
        super::support::small(&directory);
        let file = segment_file(&directory, 0);
        let mut bytes = fs::read(&file).unwrap();
        for (at, byte) in noise {
            bytes[at] = byte;
        }
        for (field, value) in fields {
            bytes[88 + 8 * field..96 + 8 * field].copy_from_slice(&value.to_le_bytes());
        }
        if cut < 2000 {
            bytes.truncate(cut);
        }
        fs::write(&file, &bytes).unwrap();
        fs::write(segment_file(&directory, u64::MAX), start).unwrap();
        prop_assert!(!crate::verify(&directory).unwrap().is_sound());
        if let Ok(reader) = crate::Reader::open(&directory) {
            prop_assert!(reader.take(1000).count() < 1000);
        }
        drop(crate::Reader::last(&directory, 3));
        drop(Journal::open(&directory));
    }

    /// Valid checksums around absurd fields.
    #[test]
    fn no_forged_header_or_frame_makes_them_panic(
        first_index in prop_oneof![any::<u64>(), Just(u64::MAX), Just(0)],
        index in prop_oneof![any::<u64>(), Just(u64::MAX), Just(0)],
        unsettled in any::<u32>(),
        mark in 0..3usize,
        number in prop_oneof![Just(0), Just(u64::MAX)],
    ) {
        let home = scratch();
        let directory = home.path().join("journal");
        drop(Journal::open(&directory).unwrap());
        let journal = [3; 16];
        let mut state = State::empty(&journal);
        state.next_index = first_index;
        let mut bytes = crate::header::Header::of(journal, number, &state).encode();
        let mark = [Mark::None, Mark::Open, Mark::Close][mark];
        for index in [first_index, index] {
            let frame = crate::frame::Frame {
                index, mark, unsettled, span: SpanId::new([1; 16]), chain: [0; 32], payload: b"x",
            };
            frame.encode(crate::frame::seed(&journal), &mut bytes);
        }
        bytes.resize(crate::SEGMENT_BYTES, 0);
        fs::write(segment_file(&directory, number), &bytes).unwrap();
        prop_assert!(!crate::verify(&directory).unwrap().is_sound());
        drop(crate::Reader::open(&directory).map(|reader| reader.take(1000).count()));
        drop(crate::Reader::last(&directory, 3));
        if let Ok(mut journal) = Journal::open(&directory) {
            drop(journal.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"y" }));
        }
    }
}
