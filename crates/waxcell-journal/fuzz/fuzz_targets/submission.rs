#![no_main]
//! `cargo +nightly fuzz run submission seeds/submission` in `crates/waxcell-journal/fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| waxcell_journal::fuzz_submission(bytes));
