//! The seeds of the fuzz targets, as an ordinary test: what holds for any bytes holds for them and for all their pieces.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands, and is run from a copy as well"
)]

use std::path::Path;

fn each(target: &str, fuzz: fn(&[u8])) {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let folder = Path::new(&package).join("fuzz/seeds").join(target);
    let mut count = 0;
    for seed in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(seed.unwrap().path()).unwrap();
        for length in 0..=bytes.len() {
            fuzz(&bytes[..length]);
            let mut changed = bytes.clone();
            for flip in [0x80, 0x81] {
                if let Some(byte) = changed.get_mut(length) {
                    *byte ^= flip;
                }
                fuzz(&changed);
            }
        }
        count += 1;
    }
    assert!(count >= 4, "{target} has seeds");
}

#[test]
fn bundle() {
    each("bundle", waxcell_journal::fuzz_bundle);
}

#[test]
fn canonical() {
    each("canonical", waxcell_journal::fuzz_canonical);
}

#[test]
fn checkpoint() {
    each("checkpoint", waxcell_journal::fuzz_checkpoint);
}

#[test]
fn key() {
    each("key", waxcell_journal::fuzz_key);
}

#[test]
fn note() {
    each("note", waxcell_journal::fuzz_note);
}

#[test]
fn policy() {
    each("policy", waxcell_journal::fuzz_policy);
}

#[test]
fn proof() {
    each("proof", waxcell_journal::fuzz_proof);
}

#[test]
fn submission() {
    each("submission", waxcell_journal::fuzz_submission);
}
