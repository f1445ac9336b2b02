#![no_main]
//! `cargo +nightly fuzz run dns seeds/dns` in `crates/waxcell-egress/fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| waxcell_egress::fuzz_dns(bytes));
