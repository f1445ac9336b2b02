#![no_main]
//! `cargo +nightly fuzz run policy seeds/policy` in `crates/waxcell-journal/fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| waxcell_journal::fuzz_policy(bytes));
