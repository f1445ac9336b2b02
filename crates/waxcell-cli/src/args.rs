//! Arguments as typed.

mod approve;
mod audit;
mod check;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub(crate) use approve::Approve;
pub(crate) use audit::{
    Audit, Before, Export, Format, KeyArgs, SignerCommand, Verify, Watchers, WitnessCommand,
};
pub(crate) use check::{Check, CheckFormat};

/// What `--version` says.
pub(crate) const VERSION: &str = if cfg!(feature = "switches") {
    concat!(env!("CARGO_PKG_VERSION"), " (a test build, which is no sandbox)")
} else {
    env!("CARGO_PKG_VERSION")
};

/// Runs Python scripts that nobody has to trust: one policy file says what a script may do, the Linux kernel holds it
/// to that, and every run is on record.
#[derive(Debug, Parser)]
#[command(name = "waxcell", version = VERSION, propagate_version = true, after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Commands that are known and not there yet.
const LATER: [&str; 6] = ["events", "stats", "alerts", "incidents", "diff", "test"];

impl Arguments {
    /// Reads the command line; ends the process with usage and exit code 2 where it makes no sense.
    pub(crate) fn of_command_line() -> Arguments {
        let parsed = Arguments::try_parse().unwrap_or_else(|error| {
            let typed = |what| error.get(what).map(ToString::to_string).unwrap_or_default();
            let (option, command) = (typed(ContextKind::InvalidArg), typed(ContextKind::InvalidSubcommand));
            match error.kind() {
                ErrorKind::UnknownArgument if ["-c", "-m"].contains(&option.as_str()) => {
                    usage(PYTHON_OPTIONS)
                }
                ErrorKind::InvalidSubcommand if LATER.contains(&command.as_str()) => {
                    usage(&format!("`{command}` is not part of this version yet"))
                }
                _ => error.exit(),
            }
        });
        match &parsed.command {
            Command::Run(run) if run.command().0 == "-" => usage(FROM_STDIN),
            Command::Run(run) if run.command().0.as_os_str().is_empty() => {
                usage("the name of the script is empty")
            }
            Command::Audit(Audit::Export(export)) if export.is_statement_about_no_run() => {
                usage("`--format in-toto` states something about one run: name it, and no `--since`")
            }
            _ => parsed,
        }
    }
}

const PYTHON_OPTIONS: &str = "there is no `-c` and no `-m`: `run` takes a script that lies in a file; write the code, or `import runpy; runpy.run_module(NAME, run_name='__main__', alter_sys=True)`, into one";
const FROM_STDIN: &str =
    "there is no script from standard input: `run` takes one that lies in a file (`./-` if it is named `-`)";

fn usage(message: &str) -> ! {
    Arguments::command().error(ErrorKind::InvalidValue, message).exit()
}

const AFTER: &str = "\
Start here:
  waxcell doctor                          can this machine hold a script?
  waxcell policy init > security_policy.yml
  waxcell policy explain                  what each line becomes on this machine
  waxcell run scripts/tally.py --bip 25   instead of `python3 scripts/tally.py --bip 25`
  waxcell why                             what was refused in the last run, and what would allow it
  waxcell audit show                      what the last run did

Exit codes of `run`: the script's own; 124 timeout, 125 waxcell failed, 126 refused, 127 not found,
128+n killed by signal n (137 memory, 152 CPU); 2 wrong usage.";

/// Options of every command.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The policy file [default: $WAXCELL_POLICY, else security_policy.yml in the project root, its config/ or scripts/config/, or in the
    /// working directory; else a strict built-in one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Where runs are recorded [default: $WAXCELL_STATE, else $XDG_STATE_HOME/waxcell or ~/.local/state/waxcell; /var/lib/waxcell for root]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Colours in messages
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a script as `python3 SCRIPT ARGS` would, held to its policy and recorded
    Run(Run),
    /// Analyse scripts and whole trees without running them
    Check(Check),
    /// Let a script that the gate refuses through, as it is: who, and why, goes on record
    Approve(Approve),
    /// Check, explain and write policies
    #[command(subcommand)]
    Policy(Policy),
    /// What was refused in a run, by which line of the policy, and what would allow it
    Why(WhyArgs),
    /// Look into the record
    #[command(subcommand)]
    Audit(Audit),
    /// Look at what runs with `write_mode: overlay` wrote, and commit or discard it
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Watch the logs of others: cosign their checkpoints, and never one that does not go on from the last
    #[command(subcommand)]
    Witness(WitnessCommand),
    /// Hold the key of a record in a process of its own, under another user: it signs what goes on from what it signed last
    #[command(subcommand)]
    Signer(SignerCommand),
    /// What this host can enforce, and what is missing
    Doctor,
    /// Run the attack corpus against this host: exit code 0 if every case is contained or this host cannot show it, else 1
    Attack(Attack),
    /// Print completions for a shell
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

const OF_ATTACK: &str = "\
Examples:
  waxcell attack
  waxcell attack --class A,B
  waxcell attack --case A01-absolute-path --json
  waxcell attack --against 'bwrap --ro-bind / / --dev /dev --unshare-all --chdir {project} {python} {probe}'";

#[derive(Args, Debug)]
#[command(after_help = OF_ATTACK)]
pub(crate) struct Attack {
    /// Only cases of these classes, as A,B
    #[arg(long, value_name = "LETTERS", value_delimiter = ',')]
    pub(crate) class: Vec<char>,
    /// Only these cases, by name, id or the beginning of a name
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) case: Vec<String>,
    /// Only print the names of the cases
    #[arg(long)]
    pub(crate) list: bool,
    /// Another sandbox's command line, in place of waxcell: {python}, {probe} and {project} are filled in; without any of
    /// them, interpreter and probe are appended. What it records is not judged
    #[arg(long, value_name = "COMMAND")]
    pub(crate) against: Option<String>,
    /// Cases of a folder that looks as `attacks/` does, in place of those that are built in
    #[arg(long, value_name = "DIR")]
    pub(crate) corpus: Option<PathBuf>,
    /// How many times as long as written each case may take: for a slow machine
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) patience: u32,
    /// With each case's layers switched off, which only a test build can do: every attack has to succeed
    #[cfg(feature = "switches")]
    #[arg(long, hide = true, conflicts_with = "against")]
    without_layers: bool,
}

impl Attack {
    /// Whether each case's layers are switched off.
    #[cfg(feature = "switches")]
    pub(crate) fn without_layers(&self) -> bool {
        self.without_layers
    }

    /// Whether each case's layers are switched off; nobody can do so in this build.
    #[cfg(not(feature = "switches"))]
    pub(crate) fn without_layers(&self) -> bool {
        false
    }
}

const OF_RUN: &str = "\
Example:
  waxcell run --reason 'monthly tally' scripts/tally.py --bip 25

Exit codes: the script's own; 124 timeout, 125 waxcell failed, 126 refused,
127 script or interpreter not found, 128+n killed by signal n (137 memory, 152 CPU); 2 wrong usage.";

#[derive(Args, Debug)]
#[command(after_help = OF_RUN)]
pub(crate) struct Run {
    /// Also write the JSON report of the run to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Why this is run: goes into the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The Python script; everything behind it belongs to it, also what looks like an option
    #[arg(required = true, trailing_var_arg = true, value_names = ["SCRIPT", "ARGS"])]
    command: Vec<OsString>,
}

impl Run {
    /// The script and its arguments. One positional for both: of two, the options behind the first would be ours.
    pub(crate) fn command(&self) -> (&Path, &[OsString]) {
        match self.command.split_first() {
            Some((script, args)) => (Path::new(script), args),
            None => (Path::new(""), &[]),
        }
    }
}

const OF_WHY: &str = "\
Example:
  waxcell why --patch | patch -p0         allow all of it that a policy can allow

Exit codes: 0 told; 1 no such run, or with --patch: not all of it can be changed so;
3 the record cannot be read; 126 with --patch: the policy cannot be used; 2 wrong usage.";

#[derive(Args, Debug)]
#[command(after_help = OF_WHY)]
pub(crate) struct WhyArgs {
    /// A run's name, its first digits, or `last` [default: the run that began last]
    pub(crate) run: Option<String>,
    /// Print the change of the policy that would allow it, as a diff
    #[arg(long)]
    pub(crate) patch: bool,
    /// The folder with archives of old records [default: `archive` in the journal]
    #[arg(long, value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
}

const OF_INIT: &str = "\
Examples:
  waxcell policy init > security_policy.yml
  waxcell policy init --from scripts/tally.py > security_policy.yml

Exit codes: 0 written; 3 a script cannot be read or analysed; 2 wrong usage.";

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Check a policy file: every problem with its line, column and remedy
    Lint {
        /// The file [default: as for run]
        file: Option<PathBuf>,
    },
    /// What each line becomes, and by which mechanism of the kernel on this host
    Explain {
        /// The file [default: as for run]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of policies, for editors
    Schema,
    /// Print a commented policy to start from
    #[command(after_help = OF_INIT)]
    Init {
        /// One that gives this script what it can use, and nothing else; several times for several scripts
        #[arg(long, value_name = "SCRIPT")]
        from: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// The runs that wait, the oldest first
    List,
    /// What a run wants to change, with the lines of texts
    Show {
        /// The run's name, or its first digits
        run: String,
        /// Without the lines
        #[arg(long)]
        names: bool,
    },
    /// Put what a run wrote into its place, all of it or nothing; refused if anything there has changed since the run began
    Commit {
        /// The run's name, or its first digits
        run: String,
        /// Also make the symbolic links that the script made, wherever they lead
        #[arg(long)]
        allow_links: bool,
    },
    /// Throw away what a run wrote
    Discard {
        /// The run's name, or its first digits
        run: String,
    },
}
