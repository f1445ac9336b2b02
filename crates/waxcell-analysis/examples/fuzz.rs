//! Scripts that were changed by lot, analysed with everything that is asked: none may end the program or take long.
//! `cargo run --release -p waxcell-analysis --example fuzz -- COUNT [SEED]`.
//!
//! What is changed are the examples of the rules and the ways to hide of `tests/evasions.txt`: pieces are taken out,
//! doubled, exchanged with those of another script, put between, and bytes are changed.
#![expect(clippy::print_stdout, reason = "a developer's measurement")]

use std::time::{Duration, Instant};

use waxcell_analysis::{Profile, PythonVersion, RULES, scan};

const EVASIONS: &str = include_str!("../tests/evasions.txt");
/// No script of this size may take longer.
const LONG: Duration = Duration::from_millis(500);
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "f'{",
    "}'",
    "'",
    "\"\"\"",
    "\n",
    "\n    ",
    "\\\n",
    "\r",
    "lambda: ",
    "lambda x=x: ",
    " if x else ",
    " for x in x",
    "async ",
    "await ",
    "yield ",
    "*",
    "**",
    ":=",
    " = ",
    ".",
    ",",
    ":",
    "@",
    "-",
    "~",
    "not ",
    "0x",
    "1e9999",
    "9",
    "b'\\x00'",
    "chr(",
    "exec(",
    "getattr(",
    "''.join(",
    "[::-1]",
    ".decode('rot13')",
    "% (",
    ".format(",
    "import os\n",
    "from os import *\n",
    "global x\n",
    "def f(x=x): return f\n",
    "class A(A): pass\n",
    "# nosec\n",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "ｏｓ",
    "del x\n",
    "match x:\n case x: x\n",
    "type X = X\n",
    "x += x\n",
    "# -*- coding: utf-7 -*-\n",
];

fn main() {
    let mut words = std::env::args().skip(1);
    let count: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(100_000);
    let seed: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    let mut seeds: Vec<&str> = EVASIONS.split("\n=== ").flat_map(|case| case.split("\n---\n")).collect();
    seeds.extend(RULES.iter().flat_map(|rule| [rule.fires, rule.silent]).filter(|text| text.len() < 10_000));
    let profile = Profile { capabilities: true, ..Profile::default() };
    let mut chance = Chance(seed);
    let (mut read, mut found, mut slowest) = (0u64, 0u64, Duration::ZERO);
    for _ in 0..count {
        let script = changed(&seeds, &mut chance);
        let begun = Instant::now();
        let analysis = scan("script.py", &script, PythonVersion::NEWEST, &profile);
        let took = begun.elapsed();
        read += u64::from(!analysis.blocks());
        found += analysis.findings.len() as u64;
        slowest = slowest.max(took);
        if took > LONG {
            println!("{took:.2?}: {:?}", String::from_utf8_lossy(&script));
        }
    }
    println!(
        "{count} scripts from seed {seed}: {read} could be read, {found} findings, the slowest took {slowest:.2?}"
    );
}

fn changed(seeds: &[&str], chance: &mut Chance) -> Vec<u8> {
    let one = |chance: &mut Chance| seeds[chance.below(seeds.len())].as_bytes();
    let mut script = one(chance).to_vec();
    for _ in 0..=chance.below(3) {
        let (from, to) = (chance.below(script.len() + 1), chance.below(script.len() + 1));
        let (from, to) = (from.min(to), from.max(to));
        match chance.below(7) {
            0 => drop(script.drain(from..to)),
            1 => {
                let piece = script[from..to].to_vec();
                script.splice(from..from, piece).for_each(drop);
            }
            2 => {
                let other = one(chance);
                let start = chance.below(other.len());
                script.splice(from..to, other[start..].iter().copied()).for_each(drop);
            }
            3 | 4 => {
                let piece = PIECES[chance.below(PIECES.len())].as_bytes();
                for _ in 0..=chance.below(2) * chance.below(40) {
                    script.splice(from..from, piece.iter().copied()).for_each(drop);
                }
            }
            5 => {
                if let Some(byte) = script.get_mut(from) {
                    *byte ^= 1 << chance.below(8);
                }
            }
            _ => script.extend_from_slice(one(chance)),
        }
        script.truncate(8192);
    }
    script
}

/// Numbers that are the same in every run (Knuth's multiplier).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}
