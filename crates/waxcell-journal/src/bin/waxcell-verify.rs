//! Checks a record of runs, for whoever has a copy of it and the public key, and trusts nothing else:
//! `cargo build --release -p waxcell-journal` builds this without the rest of waxcell.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program of its own, and talks to people"
)]

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use waxcell_journal::tlog::{Checkpoint, Policy, Proof, SignedCheckpoint, VerifierKey};
use waxcell_journal::{Demands, Log, LogError, leaf_hash};

const USAGE: &str = "\
usage: waxcell-verify --key KEY [--key KEY]... [--against CHECKPOINT] WHAT

  WHAT        a proof (a file), a log (a folder with `checkpoint`), or a journal (a folder with `tlog`)
  --key       a public key of the log, NAME+ID+KEY, or a file with some, one a line
  --against   a checkpoint that was kept: the log has to go on from it

exit code: 0 sound, 1 tampered, 2 incomplete (a run has no end on record), 3 could not be checked";

const SOUND: u8 = 0;
const TAMPERED: u8 = 1;
const INCOMPLETE: u8 = 2;
const UNCHECKED: u8 = 3;

fn main() -> ExitCode {
    let verdict = Arguments::parse(std::env::args_os().skip(1))
        .and_then(|arguments| if arguments.what.is_dir() { folder(&arguments) } else { proof(&arguments) });
    ExitCode::from(verdict.unwrap_or_else(|why| {
        eprintln!("waxcell-verify: {why}");
        UNCHECKED
    }))
}

struct Arguments {
    keys: Vec<VerifierKey>,
    against: Option<PathBuf>,
    what: PathBuf,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Arguments, String> {
        let (mut keys, mut against, mut what) = (Vec::new(), None, None);
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--key") => keys.extend(read_keys(&words.next().ok_or(USAGE)?)?),
                Some("--against") => against = Some(words.next().ok_or(USAGE)?.into()),
                Some(option) if option.starts_with("--") => return Err(USAGE.to_owned()),
                _ if what.is_some() => return Err(USAGE.to_owned()),
                _ => what = Some(PathBuf::from(word)),
            }
        }
        let what = what.filter(|_| !keys.is_empty()).ok_or(USAGE)?;
        Ok(Arguments { keys, against, what })
    }
}

fn read_keys(given: &OsString) -> Result<Vec<VerifierKey>, String> {
    let wrong = |error: &dyn Display| format!("no key in `{}`: {error}", Path::new(given).display());
    if let Some(Ok(key)) = given.to_str().map(str::parse) {
        return Ok(vec![key]);
    }
    let text = std::fs::read_to_string(given).map_err(|error| wrong(&error))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.parse().map_err(|error| wrong(&error))).collect()
}

/// A log, or the journal that it was made from and the log.
fn folder(arguments: &Arguments) -> Result<u8, String> {
    let mut faults = Vec::new();
    let is_journal = arguments.what.join("tlog").is_dir();
    let folder = if is_journal { arguments.what.join("tlog") } else { arguments.what.clone() };
    let log = Log::at(&folder);
    // First what was signed, then what there is.
    let signed = log.checkpoint(&arguments.keys);
    let journal = is_journal.then(|| waxcell_journal::verify(&arguments.what)).transpose();
    let journal = journal.map_err(|error| chain(&error))?;
    let signed = match signed {
        Ok(signed) => signed,
        Err(error @ (LogError::NoLog(_) | LogError::Disk(_))) => return Err(chain(&error)),
        Err(error) => {
            eprintln!("waxcell-verify: {}", chain(&error));
            return Ok(TAMPERED);
        }
    };
    let keys = log.successors(&arguments.keys).map_err(|error| chain(&error))?;
    let kept = arguments.against.as_deref().map(|path| kept(path, &keys)).transpose()?;
    let against = kept.as_ref();
    let demands = Demands { signed: &signed, against, since: 0, records: true, progress: &mut |_| {} };
    let report = log.verify(demands).map_err(|error| chain(&error))?;
    if let Some(journal) = &journal {
        faults.extend(journal.faults.iter().map(ToString::to_string));
        faults.extend(journal.behind(report.records));
    }
    faults.extend(report.faults.iter().map(ToString::to_string));
    faults.iter().for_each(|fault| eprintln!("waxcell-verify: {}", fault.escape_debug()));
    if report.more_faults > 0 {
        eprintln!("waxcell-verify: and {} faults more", report.more_faults);
    }
    if !faults.is_empty() {
        return Ok(TAMPERED);
    }
    println!("sound: {} records, signed by {}", report.records, signers(&signed));
    for (run, index) in &report.open {
        println!("run {run}, which record {index} began, has no end on record");
    }
    Ok(if report.open_runs > 0 { INCOMPLETE } else { SOUND })
}

fn proof(arguments: &Arguments) -> Result<u8, String> {
    let path = arguments.what.display();
    let bytes = std::fs::read(&arguments.what).map_err(|error| format!("cannot read `{path}`: {error}"))?;
    let verified = Proof::parse(&bytes).map_err(|error| chain(&error)).and_then(|proof| {
        let record = proof.extra.clone().unwrap_or_default();
        let signed = proof.verify(&leaf_hash(&record), &Policy::of_logs(&arguments.keys));
        signed.map(|signed| (proof.index, record, signed)).map_err(|error| chain(&error))
    });
    match verified {
        Ok((index, record, signed)) => {
            println!("proved: record {index}, signed by {}", signers(&signed));
            println!("{}", String::from_utf8_lossy(&record).escape_debug().to_string().replace("\\\"", "\""));
            Ok(SOUND)
        }
        Err(why) => {
            eprintln!("waxcell-verify: `{path}` proves nothing: {why}");
            Ok(TAMPERED)
        }
    }
}

fn kept(path: &Path, keys: &[VerifierKey]) -> Result<Checkpoint, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let signed = SignedCheckpoint::open(&bytes, keys, &[]);
    signed.map(|signed| signed.checkpoint).map_err(|error| format!("`{}`: {}", path.display(), chain(&error)))
}

fn signers(signed: &SignedCheckpoint) -> String {
    let keys: Vec<String> = signed.signatures.iter().map(|signature| signature.key.to_string()).collect();
    keys.join(", ")
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
