//! The machine loses power after any call. What was synced stays; of the rest, any part may be there, page by page,
//! whichever was written first. No record with a receipt is lost, and what is left is a journal.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use super::support::{scratch, span};
use crate::disk::faults::{Call, Manner, Plan, record, under};
use crate::{Entry, Journal, Mark, Reader, SpanId, verify};

const PAGE: usize = 4096;

/// The disk, as a list of calls leaves it.
#[derive(Clone, Default)]
struct Disk {
    files: HashMap<u64, File>,
    /// By name: durable entries, and names given since the directory was synced.
    names: BTreeMap<String, u64>,
    names_since: Vec<(String, u64)>,
    directory: u64,
}

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    /// Pages written since, in order.
    since: Vec<(usize, Vec<u8>)>,
}

impl Disk {
    fn take(&mut self, call: &Call) {
        match call {
            Call::Write { file, at, bytes } => {
                let file = self.files.entry(*file).or_default();
                let mut done = 0;
                while done < bytes.len() {
                    let end = (PAGE - (at + done) % PAGE).min(bytes.len() - done);
                    file.since.push((at + done, bytes[done..done + end].to_vec()));
                    done += end;
                }
            }
            Call::Empty { file } => drop(self.files.insert(*file, File::default())),
            Call::Sync { file } if *file == self.directory => {
                self.names.extend(self.names_since.drain(..));
            }
            Call::Sync { file } => {
                let file = self.files.entry(*file).or_default();
                let since = std::mem::take(&mut file.since);
                since.iter().for_each(|(at, bytes)| put(&mut file.durable, *at, bytes));
            }
            Call::Name { directory, file, name } => {
                self.directory = *directory;
                self.names_since.push((name.clone(), *file));
            }
        }
    }

    /// What is found after the power is back, when `survives` decides over all that was not synced.
    fn after_loss(&self, directory: &Path, mut survives: impl FnMut() -> bool) {
        let mut names = self.names.clone();
        for (name, file) in &self.names_since {
            // Names change in their order.
            if !survives() {
                break;
            }
            names.retain(|_, other| other != file);
            names.insert(name.clone(), *file);
        }
        fs::create_dir(directory).unwrap();
        for (name, file) in names {
            let file = &self.files[&file];
            let mut bytes = file.durable.clone();
            for (at, page) in &file.since {
                if survives() {
                    put(&mut bytes, *at, page);
                }
            }
            fs::write(directory.join(name), bytes).unwrap();
        }
        // The lock file needs no sync: it says nothing.
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.resize(bytes.len().max(at + new.len()), 0);
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// A small generator: the same decisions in every run of the test.
fn coin(mut seed: u64) -> impl FnMut() -> bool {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 63 == 1
    }
}

/// Several writers; one of them dies between its write and its sync, twice: the other appends behind it, and the other
/// begins a new segment behind it. Gives for each receipt how many calls had been made, and the payload.
fn story(directory: &Path) -> Vec<(usize, u64, Vec<u8>)> {
    record();
    let mut receipts = Vec::new();
    let mut append = |journal: &mut Journal, mark, span, payload: &[u8]| {
        let receipt = journal.append(Entry { mark, span, payload }).unwrap();
        receipts.push((record().len(), receipt.index(), payload.to_vec()));
    };
    let dies = |journal: &mut Journal, payload: &[u8]| {
        let plan = Plan { after: 1, manner: Manner::Lost, errno: 5, then_dead: true };
        let entry = Entry { mark: Mark::None, span: SpanId::NONE, payload };
        let (refused, struck) = under(plan, || journal.append(entry));
        assert!(struck && refused.is_err());
    };
    let mut one = Journal::open(directory).unwrap();
    let mut other = Journal::open(directory).unwrap();
    append(&mut one, Mark::Open, span(1), b"started");
    append(&mut other, Mark::None, span(1), &[2; 9_000]);
    dies(&mut one, &[3; 5_000]);
    // A third one has read that, knows it no better, and dies as well.
    dies(&mut Journal::open(directory).unwrap(), &[3; 5_000]);
    append(&mut other, Mark::None, span(1), &[4; 6_000]);
    for _ in 0..61 {
        append(&mut other, Mark::None, SpanId::NONE, &[5; 16 * 1024]);
    }
    let mut one = Journal::open(directory).unwrap();
    dies(&mut one, &[6; 16_000]);
    append(&mut other, Mark::None, span(1), &[7; 16 * 1024]);
    append(&mut other, Mark::Close, span(1), b"finished");
    receipts
}

#[test]
fn a_power_cut_loses_no_record_that_has_a_receipt() {
    let home = scratch();
    let receipts = story(&home.path().join("journal"));
    let calls = record();
    assert!(calls.len() > 40);
    let directory_of = |call: &Call| match call {
        Call::Name { directory, .. } => Some(*directory),
        _ => None,
    };
    let mut disk = Disk { directory: calls.iter().find_map(directory_of).unwrap(), ..Disk::default() };
    for made in 0..=calls.len() {
        for luck in 0..8 {
            let after = home.path().join(format!("{made}-{luck}"));
            let mut random = coin(made as u64 * 64 + luck);
            disk.after_loss(&after, || match luck {
                0 => false,
                1 => true,
                _ => random(),
            });
            let mut journal = Journal::open(&after)
                .unwrap_or_else(|error| panic!("cut after {made} calls, luck {luck}: {error}"));
            assert_eq!(verify(&after).unwrap().faults, []);
            let read: Vec<_> = Reader::open(&after).unwrap().map(Result::unwrap).collect();
            for (given, index, payload) in &receipts {
                if *given <= made {
                    let there = read.get(usize::try_from(*index).unwrap()).map(|record| &record.payload);
                    assert!(
                        there == Some(payload),
                        "record {index} is lost: cut after {made} calls, luck {luck}"
                    );
                }
            }
            journal.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"and on" }).unwrap();
            assert_eq!(verify(&after).unwrap().faults, []);
            fs::remove_dir_all(&after).unwrap();
        }
        if let Some(call) = calls.get(made) {
            disk.take(call);
        }
    }
}
