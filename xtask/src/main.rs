//! Developer commands: `cargo xtask test | controls | foreign | tidy | ledger | stdlib | bench | vm`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool for developers: it prints, starts programs and reads the environment"
)]

mod bench;
mod controls;
mod deny;
mod foreign;
mod ledger;
mod ordinary;
mod packages;
mod sarif;
mod shell;
mod skips;
mod stdlib;
mod test;
mod tidy;
mod vm;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                everything: install what the tests need, format, lints, tests, tidy, tests as an ordinary
                      user (when run as root), licences and sources of dependencies
  controls            the attack corpus without the layers that stop each case, in a test build: all have to escape
  foreign             the log of real runs, checked by the software of others: Go's x/mod, pymerkle, sigstore; its exports
  foreign --sarif     the SARIF of `waxcell check` alone, by Microsoft's validator (which is 104 MB)
  tidy                the invariants of ARCHITECTURE.md that are checked on the source
  ledger              writes attacks/LEDGER.md from the catalogue and the cases
  stdlib [MODULES]    the standard library's own tests inside and outside: the tables of docs/compatibility.md;
                      --all: every module of the list (takes long)
  bench [--runs N]    against bare Python, pairwise: the tables of docs/performance.md; N pairs each, 40 without it
  bench --network     the way out of a run's network, against the same without it and against slirp4netns
  bench --check       `waxcell check` against ruff and Bandit, on the standard library and on one script
  bench --journal     what a durable record costs, against one wait for the disk
  vm [PARTS] [DEBS]   boots other kernels in a virtual machine, and runs checks and tests there; parts: basics,
                      landlock, groups, tests; kernels: those that apt knows, or these .deb files (takes long)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["test"] => test::test(),
        ["controls"] => controls::test(),
        ["tidy"] => tidy::tidy(),
        ["ledger"] => ledger::ledger(),
        ["stdlib", ref modules @ ..] => stdlib::stdlib(modules),
        ["bench"] => bench::bench(40),
        ["bench", "--runs", runs] if runs.parse::<usize>().is_ok_and(|runs| runs > 0) => {
            bench::bench(runs.parse().unwrap_or(40))
        }
        ["foreign"] => foreign::alone(),
        ["foreign", "--sarif"] => sarif::alone(),
        ["bench", "--journal"] => bench::journal(),
        ["bench", "--check"] => bench::check(9),
        ["bench", "--network"] => bench::network(9),
        ["vm", ref words @ ..] => vm::vm(words),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
