//! Arguments of `waxcell audit`, `waxcell signer` and `waxcell witness`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

const OF_REDACT: &str = "\
Examples:
  waxcell audit redact 0193a4f0c1d2 --reason 'asked for by the subject'
  waxcell audit redact --record 41 --field args.2 --reason 'a password by mistake'

Every proof stays valid: the log has only digests. Exit codes: 0 erased, 1 nothing to erase, 3 failed; 2 wrong usage.";

const OF_ARCHIVE: &str = "\
Examples:
  waxcell audit archive --before 90d
  waxcell audit archive --before 2026-01-01 --to /srv/records/this-host

Exit codes: 0 archived, 1 there is nothing to archive, 3 failed; 2 wrong usage.";

const OF_PRUNE: &str = "\
Every byte of the archives is read before. What is in no archive stays, and what belongs to a run that goes on; where the
journal has witnesses, also what no quorum of them has cosigned.

Example:
  waxcell audit archive --before 90d && waxcell audit prune --before 90d

Exit codes: 0 taken away, 1 nothing could be, 3 failed; 2 wrong usage.";

const OF_EXPORT: &str = "\
Examples:
  waxcell audit export --format ocsf --since 4711 --output events.jsonl
  waxcell audit export --format in-toto 0193a4f0c1d2

Exit codes: 0 exported, 1 no such run, or nothing to state about it, 3 the journal cannot be read,
125 it cannot be written; 2 wrong usage.";

const OF_HEARTBEAT: &str = "\
Examples:
  waxcell audit heartbeat --every 60s     as a service that is started with the host
  waxcell audit heartbeat                 from a timer

Exit codes: 0 recorded, and with --every: its end as well; 125 failed; 2 wrong usage.";

/// How often there may be a heartbeat: from each second to once in 30 days.
fn interval(text: &str) -> Result<std::time::Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let days = 24 * 60 * 60;
    if (1..=30 * days).contains(&every.as_secs()) {
        Ok(every)
    } else {
        Err("between `1s` and `30days`".to_owned())
    }
}

/// From before when records are old.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before {
    Time(std::time::SystemTime),
    Age(std::time::Duration),
}

impl Before {
    fn parse(text: &str) -> Result<Before, String> {
        let time = humantime::parse_rfc3339_weak(text)
            .or_else(|_| humantime::parse_rfc3339_weak(&format!("{text}T00:00:00Z")));
        time.map(Before::Time)
            .or_else(|_| humantime::parse_duration(text).map(Before::Age))
            .map_err(|_| "neither a date, nor a time, nor an age such as `90d`".to_owned())
    }

    /// The time; nothing before 1970.
    pub(crate) fn at(self, now: std::time::SystemTime) -> std::time::SystemTime {
        match self {
            Before::Time(time) => time,
            Before::Age(age) => now.checked_sub(age).unwrap_or(std::time::SystemTime::UNIX_EPOCH),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Print records, the last one's run by default
    Show {
        /// A run's name, or its first digits
        run: Option<String>,
        /// The last N records instead
        #[arg(long, value_name = "N", conflicts_with = "run", value_parser = clap::value_parser!(u32).range(1..))]
        last: Option<u32>,
        /// The folder with archives of old records [default: `archive` in the journal]
        #[arg(long, value_name = "DIR")]
        archive: Option<PathBuf>,
        /// As the log has them: with digests in place of the values that are kept apart, and without what was too long
        #[arg(long)]
        sealed: bool,
    },
    /// Check that the journal is whole and unchanged: exit code 0 sound, 1 tampered, 2 incomplete, 3 not checked
    Verify(Verify),
    /// Write the proof that a run's last record is in the log: a file that anybody can check who has the public key
    Prove {
        /// A run's name, or its first digits
        #[arg(required_unless_present = "record")]
        run: Option<String>,
        /// The record with this number instead
        #[arg(long, value_name = "INDEX", conflicts_with = "run")]
        record: Option<u64>,
        /// Show values that the record keeps apart from the log as well: all, or those of this field and below it; may be repeated.
        /// Whoever has the proof then has them for good
        #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
        disclose: Vec<String>,
        /// The folder with archives of old records [default: `archive` in the journal]
        #[arg(long, value_name = "DIR")]
        archive: Option<PathBuf>,
        /// Write into this file, which must not be there yet, and not to standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print records in a form that other software reads, one event a line
    #[command(after_help = OF_EXPORT)]
    Export(Export),
    /// Erase the values of a run's records that are kept apart from the log: arguments, and what looks like a secret
    #[command(after_help = OF_REDACT)]
    Redact {
        /// A run's name, or its first digits
        #[arg(required_unless_present = "record")]
        run: Option<String>,
        /// The record with this number instead
        #[arg(long, value_name = "INDEX", conflicts_with = "run")]
        record: Option<u64>,
        /// Only this field, or what is below it
        #[arg(long, value_name = "NAME")]
        field: Option<String>,
        /// Why: goes into the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Record that nothing else happened, so that this can be proved later: once, or at an interval until this is ended
    #[command(after_help = OF_HEARTBEAT)]
    Heartbeat {
        /// Again after each such time, as `60s` or `5m`, until SIGTERM or SIGINT; `audit verify --complete` names every time that
        /// was longer without one
        #[arg(long, value_name = "DURATION", value_parser = interval)]
        every: Option<std::time::Duration>,
    },
    /// Pack old records, 256 at a time, into compressed archives: a copy, until `prune` takes the first one away
    #[command(after_help = OF_ARCHIVE)]
    Archive {
        /// Only records from before this: a date (2026-11-28), a time (RFC 3339), or an age (90d) [default: all]
        #[arg(long, value_name = "DATE|AGE", value_parser = Before::parse)]
        before: Option<Before>,
        /// Where to [default: `archive` in the journal]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Take away records that lie in archives; their hashes stay, so that every one of them can still be proved
    #[command(after_help = OF_PRUNE)]
    Prune {
        /// Only records from before this: a date (2026-11-28), a time (RFC 3339), or an age (90d) [default: all that are archived]
        #[arg(long, value_name = "DATE|AGE", value_parser = Before::parse)]
        before: Option<Before>,
        /// The folder with the archives [default: `archive` in the journal]
        #[arg(long, value_name = "DIR")]
        archive: Option<PathBuf>,
    },
    /// Sign all that is on record, and print the checkpoint: keep it where nobody can change it
    Checkpoint,
    /// Print the public keys that check what is signed here, the first one first
    #[command(after_help = OF_KEY)]
    Key(KeyArgs),
    /// Go on where the key is lost or in wrong hands, or where the record holds less than was signed
    #[command(after_help = OF_RECOVER)]
    Recover {
        /// The file with the recovery key: ends the present epoch, and lets a new key follow
        #[arg(long, value_name = "FILE", required_unless_present = "accept_loss")]
        key: Option<PathBuf>,
        /// Begin another log: the old one is kept beside it, and the first record says what was lost
        #[arg(long, conflicts_with = "key")]
        accept_loss: bool,
        /// Why: goes into the record
        #[arg(long, value_name = "TEXT", conflicts_with = "key")]
        reason: Option<String>,
    },
    /// Who watches this log from elsewhere
    #[command(subcommand)]
    Witness(Watchers),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Watchers {
    /// Have every checkpoint cosigned by the witnesses of a policy (C2SP tlog-policy) from now on
    Set {
        /// The policy; witnesses with an address `http://ADDRESS[:PORT]` are asked
        file: PathBuf,
        /// Refuse to run anything while records are on record that no quorum has signed for so many seconds
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
        require_within: Option<u64>,
    },
    /// Print the policy, and what the witnesses have signed
    Show,
    /// Ask nobody any more
    None,
}

const OF_KEY: &str = "\
Examples:
  waxcell audit key --new-recovery /media/stick/recovery.key   then carry it away
  waxcell audit key --recovery 'host/waxcell-1c2d3e4f+9a8b7c6d+AX...'
  waxcell audit key --signer /run/waxcell/signer.sock          after `waxcell signer serve` there";

const OF_RECOVER: &str = "\
Exit codes: 0 done, 1 there is nothing to recover from, 3 not done; 2 wrong usage.";

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Let another key follow the present one first, which is destroyed: what it signed, nobody can sign anew
    #[arg(long, group = "change")]
    pub(crate) rotate: bool,
    /// Let the key of the signer at this socket follow the present one, which is destroyed; the signer is asked from then on
    #[arg(long, value_name = "SOCKET", group = "change")]
    pub(crate) signer: Option<PathBuf>,
    /// Name the recovery key, once for all: it may end an epoch whose own key is lost or in wrong hands
    #[arg(long, value_name = "KEY", group = "change")]
    pub(crate) recovery: Option<String>,
    /// Draw a recovery key into this new file, and print its public part; nothing is named yet
    #[arg(long, value_name = "FILE", group = "change")]
    pub(crate) new_recovery: Option<PathBuf>,
    /// With --new-recovery on another machine: the name of the log, which its public keys begin with
    #[arg(long, value_name = "NAME", requires = "new_recovery")]
    pub(crate) origin: Option<String>,
}

const OF_SIGNER: &str = "\
Example:
  waxcell --state /var/lib/waxcell-signer signer serve --socket /run/waxcell/signer.sock --user waxcell";

#[derive(Debug, Subcommand)]
pub(crate) enum SignerCommand {
    /// Sign what the journal that was moved here asks for, until this is ended
    #[command(after_help = OF_SIGNER)]
    Serve {
        /// The socket to listen at; what is left of an earlier one is removed
        #[arg(long, value_name = "PATH")]
        socket: PathBuf,
        /// Who may ask: the user of the journal, by name or number [default: the one who runs this]
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// Print the public key that checks what is signed here
    Key,
}

const OF_WITNESS: &str = "\
Example:
  waxcell witness serve --listen 0.0.0.0:7380 --log other-host.vkey";

#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Answer the logs that are named, until this is ended (C2SP tlog-witness over plain HTTP)
    #[command(after_help = OF_WITNESS)]
    Serve {
        /// Where to listen
        #[arg(long, value_name = "ADDR:PORT")]
        listen: std::net::SocketAddr,
        /// The name of this witness, where it has none yet [default: one with the name of the host]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The public key of a log, as `waxcell audit key` prints it there, or a file with one or more
        #[arg(long, value_name = "KEY|FILE", required = true)]
        log: Vec<String>,
    },
    /// Print the public key that checks what is cosigned here
    Key,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// A run's name, or its first digits [default: all records]
    pub(crate) run: Option<String>,
    /// The folder with archives of old records [default: `archive` in the journal]
    #[arg(long, value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
    /// The form
    #[arg(long, value_enum, default_value_t = Format::Jsonl, value_name = "FORM")]
    pub(crate) format: Format,
    /// Only events of this record and those behind it
    #[arg(long, value_name = "INDEX")]
    pub(crate) since: Option<u64>,
    /// With the values that are kept apart from the log, and with what is too long for it, as `audit show` has them
    #[arg(long)]
    pub(crate) disclose: bool,
    /// Write into this file, which must not be there yet, and not to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

impl Export {
    pub(super) fn is_statement_about_no_run(&self) -> bool {
        self.format == Format::InToto && (self.run.is_none() || self.since.is_some())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The records as the log has them, each with its hash
    Jsonl,
    /// OCSF 1.5: Script Activity, Detection Finding
    Ocsf,
    /// CloudEvents 1.0
    Cloudevents,
    /// An in-toto statement about one run, signed with the log's key (DSSE)
    InToto,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The file of a proof to check, instead of the journal
    #[arg(value_name = "PROOF")]
    pub(crate) proof: Option<PathBuf>,
    /// Also check that every started run was closed, and every record signed
    #[arg(long)]
    pub(crate) complete: bool,
    /// The log's public key, or a file with one or more; else the key that lies beside the log
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Vec<String>,
    /// A policy (C2SP tlog-policy) with the logs and witnesses that are trusted: its quorum must have cosigned
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Check a copy of the folder `tlog` alone
    #[arg(long, value_name = "DIR", conflicts_with = "proof")]
    pub(crate) log: Option<PathBuf>,
    /// The folder with archives of old records [default: `archive` in the journal]
    #[arg(long, value_name = "DIR", conflicts_with = "proof")]
    pub(crate) archive: Option<PathBuf>,
    /// A checkpoint that was kept: the log must go on from it
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    pub(crate) against: Option<PathBuf>,
    /// Look only at the hashes of records that were checked before: below this number, or those of a kept checkpoint
    #[arg(long, value_name = "INDEX|FILE", conflicts_with = "proof")]
    pub(crate) since: Option<String>,
}
