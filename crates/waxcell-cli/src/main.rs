//! The command line: the only place that prints, parses arguments and picks exit codes.

#![expect(clippy::print_stderr, reason = "this crate is the one that prints")]
#![expect(clippy::disallowed_methods, reason = "this crate is the edge that reads clock and environment")]

mod approve;
mod args;
mod attack;
mod audit;
mod check;
mod doctor;
mod edge;
mod exit;
mod policy;
mod quarantine;
mod report_file;
mod run;
mod signer;
mod why;
mod witness;

use clap::CommandFactory;

use args::{Arguments, Command};
use exit::Exit;

fn main() -> std::process::ExitCode {
    waxcell::serve_if_asked(std::env::args_os());
    let arguments = Arguments::of_command_line();
    // A caller's limit on the size of files is to be an error with a name, not the end of this process.
    waxcell::SignalSet::of(&[rustix::process::Signal::XFSZ.as_raw()]).block();
    let common = &arguments.common;
    let exit = match &arguments.command {
        Command::Run(run) => run::run(run, common),
        Command::Check(check) => check::run(check, common),
        Command::Approve(approve) => approve::run(approve, common),
        Command::Policy(policy) => policy::run(policy, common),
        Command::Why(why) => why::run(why, common),
        Command::Audit(audit) => audit::run(audit, common),
        Command::Attack(attack) => attack::run(attack, common),
        Command::Quarantine(quarantine) => quarantine::run(quarantine, common),
        Command::Witness(witness) => witness::run(witness, common),
        Command::Signer(signer) => signer::run(signer, common),
        Command::Doctor => doctor::run(common),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "waxcell", &mut text);
            edge::print(&String::from_utf8_lossy(&text), Exit::SUCCESS)
        }
    };
    exit.into()
}
