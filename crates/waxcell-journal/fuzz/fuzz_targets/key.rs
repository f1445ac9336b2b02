#![no_main]
//! `cargo +nightly fuzz run key seeds/key` in `crates/waxcell-journal/fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| waxcell_journal::fuzz_key(bytes));
