//! The command line: the only place that prints, parses arguments and picks exit codes.

#![expect(clippy::print_stderr, reason = "this crate is the one that prints")]
#![expect(clippy::disallowed_methods, reason = "this crate is the edge that reads clock and environment")]

mod args;
mod audit;
mod doctor;
mod edge;
mod exit;
mod policy;
mod run;

use clap::CommandFactory;

use args::{Arguments, Command};
use exit::Exit;

fn main() -> std::process::ExitCode {
    let arguments = args::parse();
    // A caller's limit on the size of files is to be an error with a name, not the end of this process.
    waxcell::SignalSet::of(&[rustix::process::Signal::XFSZ.as_raw()]).block();
    let common = &arguments.common;
    let exit = match &arguments.command {
        Command::Run(run) => run::run(run, common),
        Command::Policy(policy) => policy::run(policy, common),
        Command::Audit(audit) => audit::run(audit, common),
        Command::Doctor => doctor::run(common),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), "waxcell", &mut std::io::stdout());
            Exit::SUCCESS
        }
    };
    exit.into()
}
