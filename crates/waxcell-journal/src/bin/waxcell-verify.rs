//! Checks a record of runs, for whoever has a copy of it and the public key, and trusts nothing else:
//! `cargo build --release -p waxcell-journal` builds this without the rest of waxcell.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program of its own, and talks to people"
)]

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use waxcell_journal::tlog::{Checkpoint, Policy, Proof, SignedCheckpoint, VerifierKey};
use waxcell_journal::{
    ARCHIVE, Apart, Archive, Cosigned, Demands, Log, LogError, Moment, Proven, given_keys, leaf_hash,
    with_causes,
};

const USAGE: &str = "\
usage: waxcell-verify [--key KEY]... [--trust POLICY] [--against CHECKPOINT] [--archive DIR] WHAT

  WHAT        a proof (a file), a log (a folder with `checkpoint`), or a journal (a folder with `tlog`)
  --key       a public key of the log, NAME+ID+KEY, or a file with some, one a line
  --trust     a policy (C2SP tlog-policy): its logs are trusted as those of --key are, and its quorum of witnesses must have cosigned
  --against   a checkpoint that was kept: the log has to go on from it
  --archive   the folder with archives of old records; else `archive` in the journal, if it is there

Without --trust, or a `log` in its policy, a --key has to be named.
exit code: 0 sound, 1 tampered, 2 incomplete (a run has no end on record, a heartbeat that was promised is missing, or old
records are not here), 3 could not be checked";

/// Longer than any file with keys, a checkpoint or a proof.
const MAX_FILE: u64 = 1 << 20;

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
    /// The witnesses that must have signed.
    trust: Option<Policy>,
    against: Option<PathBuf>,
    archive: Option<PathBuf>,
    what: PathBuf,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Arguments, String> {
        let (mut keys, mut trust, mut against, mut archive, mut what) = (Vec::new(), None, None, None, None);
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--key") => {
                    let given = words.next().ok_or(USAGE)?;
                    keys.extend(given_keys(&given.to_string_lossy()).map_err(|error| with_causes(&error))?);
                }
                Some("--trust") if trust.is_none() => trust = Some(policy(&words.next().ok_or(USAGE)?)?),
                Some("--against") => against = Some(words.next().ok_or(USAGE)?.into()),
                Some("--archive") => archive = Some(words.next().ok_or(USAGE)?.into()),
                Some(option) if option.starts_with("--") => return Err(USAGE.to_owned()),
                _ if what.is_some() => return Err(USAGE.to_owned()),
                _ => what = Some(PathBuf::from(word)),
            }
        }
        keys.extend(trust.iter().flat_map(Policy::log_keys));
        let what = what.filter(|_| !keys.is_empty()).ok_or(USAGE)?;
        Ok(Arguments { keys, trust, against, archive, what })
    }

    /// What has to have been signed by whom.
    fn policy(&self) -> Policy {
        self.trust.clone().unwrap_or_else(|| Policy::of_logs(&[])).with_logs(&self.keys)
    }
}

fn policy(path: &OsString) -> Result<Policy, String> {
    let named = |error: &dyn Error| format!("`{}`: {}", Path::new(path).display(), with_causes(error));
    Policy::parse(&read(Path::new(path))?).map_err(|error| named(&error))
}

/// A log, or the journal that it was made from and the log.
fn folder(arguments: &Arguments) -> Result<u8, String> {
    let mut faults = Vec::new();
    let is_journal = arguments.what.join("tlog").is_dir();
    let folder = if is_journal { arguments.what.join("tlog") } else { arguments.what.clone() };
    let archive = arguments.archive.clone().unwrap_or_else(|| arguments.what.join(ARCHIVE));
    let log = Log::at(&folder).with_archive(Archive::at(&archive));
    // First what was signed, then what there is.
    let signed = log.checkpoint(&arguments.keys);
    let journal = is_journal.then(|| waxcell_journal::verify(&arguments.what)).transpose();
    let journal = journal.map_err(|error| with_causes(&error))?;
    let signed = match signed {
        Ok(signed) => signed,
        Err(error @ (LogError::NoLog(_) | LogError::Disk(_))) => return Err(with_causes(&error)),
        Err(error) => {
            eprintln!("waxcell-verify: {}", with_causes(&error));
            return Ok(TAMPERED);
        }
    };
    let keys = log.successors(&arguments.keys).map_err(|error| with_causes(&error))?;
    let cosigned = arguments.trust.as_ref().and_then(|policy| cosigned(policy, &signed, &mut faults));
    let kept = arguments.against.as_deref().map(|path| kept(path, &keys)).transpose()?;
    let against = kept.as_ref();
    let demands = Demands { signed: &signed, against, since: 0, records: true, progress: &mut |_| {} };
    let report = log.verify(demands).map_err(|error| with_causes(&error))?;
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
    if let Some((record, version)) = report.newer {
        return Err(format!(
            "record {record} is of version {version}, which this program does not know: take a newer one"
        ));
    }
    if report.absent > 0 {
        println!(
            "not whole: {} of {} records are not here, they lie in an archive (--archive): only their hashes were \
             checked, and the records that are here; signed by {}",
            report.absent,
            report.records,
            signers(&signed)
        );
        return Ok(INCOMPLETE);
    }
    println!("sound: {} records, signed by {}", report.records, signers(&signed));
    let mut gaps = report.gaps;
    if let Some(cosigned) = cosigned {
        println!("{cosigned}");
        let now = cosigned.time.and_then(Moment::by_wall);
        gaps.extend(report.promise.zip(now).and_then(|(promise, now)| promise.gap_until(&now)));
    }
    gaps.iter().for_each(|gap| println!("{gap}"));
    for (run, index) in &report.open {
        println!("run {run}, which record {index} began, has no end on record");
    }
    Ok(if report.open_runs > 0 || !gaps.is_empty() { INCOMPLETE } else { SOUND })
}

fn proof(arguments: &Arguments) -> Result<u8, String> {
    let path = arguments.what.display();
    let bytes = read(&arguments.what)?;
    let verified = Proof::parse(&bytes).map_err(|error| with_causes(&error)).and_then(|proof| {
        let proven = Proven::of(proof.extra.as_deref().unwrap_or_default());
        let policy = arguments.policy();
        let signed = proof.verify(&leaf_hash(proven.record), &policy).map_err(|error| with_causes(&error))?;
        let values = proven.values().map_err(|error| with_causes(&error))?;
        println!("proved: record {}, signed by {}", proof.index, signers(&signed));
        if arguments.trust.is_some() {
            println!("{}", Cosigned::of(&policy, &signed));
        }
        println!("{}", shown(&String::from_utf8_lossy(proven.record)));
        for Apart { path, value, .. } in values {
            println!("disclosed: {} is {}", shown(&path), shown(&value.unwrap_or_default().to_string()));
        }
        Ok(())
    });
    match verified {
        Ok(()) => Ok(SOUND),
        Err(why) => {
            eprintln!("waxcell-verify: `{path}` proves nothing: {why}");
            Ok(TAMPERED)
        }
    }
}

/// How many witnesses of a policy signed; what is lacking is a fault.
fn cosigned(policy: &Policy, signed: &SignedCheckpoint, faults: &mut Vec<String>) -> Option<Cosigned> {
    let logs: Vec<_> = signed.signatures.iter().map(|signature| signature.key.clone()).collect();
    match SignedCheckpoint::open(signed.note.to_string().as_bytes(), &logs, &policy.witness_keys()) {
        Err(error) => faults.push(with_causes(&error)),
        Ok(opened) => {
            faults.extend(policy.check(&opened).err().map(|error| error.to_string()));
            return Some(Cosigned::of(policy, &opened));
        }
    }
    None
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string().replace("\\\"", "\"")
}

fn kept(path: &Path, keys: &[VerifierKey]) -> Result<Checkpoint, String> {
    let bytes = read(path)?;
    let signed = SignedCheckpoint::open(&bytes, keys, &[]);
    signed
        .map(|signed| signed.checkpoint)
        .map_err(|error| format!("`{}`: {}", path.display(), with_causes(&error)))
}

/// What a file holds; of one that is too long the beginning, which is still too long.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    Ok(bytes)
}

fn signers(signed: &SignedCheckpoint) -> String {
    let keys: Vec<String> = signed.signatures.iter().map(|signature| signature.key.to_string()).collect();
    keys.join(", ")
}
