#![no_main]
//! `cargo +nightly fuzz run tls seeds/tls` in `crates/waxcell-egress/fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| waxcell_egress::fuzz_tls(bytes));
