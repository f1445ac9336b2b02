//! `waxcell audit verify`: the verdict on the whole record, on a copy of its log, or on one proof.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use waxcell_journal::tlog::{Checkpoint, SignedCheckpoint, VerifierKey};
use waxcell_journal::{
    ARCHIVE, Archive, Cosigned, Demands, Log, LogError, LogReport, Moment, Promise, given_keys,
};

use super::trust::Trust;
use super::{NO_PLACE, proof, unreadable};
use crate::args::{Common, Verify};
use crate::edge;
use crate::exit::Exit;

/// So many records are checked before there is something to see of it.
const WORTH_SHOWING: u64 = 100_000;

pub(super) fn run(command: &Verify, state: Option<&Path>, common: &Common) -> Exit {
    let verdict = match &command.proof {
        Some(proof) => {
            return told(proof::check(proof, command, state), |text| edge::print(&text, Exit::SUCCESS));
        }
        None => all(command, state, common),
    };
    told(verdict, |found| found.tell(command.complete, common))
}

/// What could not be checked is neither sound nor tampered with.
fn told<T>(done: Result<T, Stop>, tell: impl FnOnce(T) -> Exit) -> Exit {
    match done {
        Ok(value) => tell(value),
        Err(Stop { message, exit }) => {
            edge::complain(&message);
            exit
        }
    }
}

/// Why there is no more to say.
pub(super) struct Stop {
    pub(super) message: String,
    pub(super) exit: Exit,
}

pub(super) fn unchecked(message: impl Into<String>) -> Stop {
    Stop { message: message.into(), exit: Exit::UNCHECKED }
}

/// What was found out about the record.
#[derive(Default)]
struct Found {
    records: u64,
    /// The first record that lies in the journal itself.
    first: u64,
    /// How many were read from archives, and how many are nowhere here.
    archived: u64,
    absent: u64,
    /// The first record of a version that is not known here, and the version.
    newer: Option<(u64, u64)>,
    segments: Option<u64>,
    /// How many records the checkpoint signs.
    signed: u64,
    /// How many more the journal has signed: a crash has kept them from being shown, or an older log was put in its place.
    hidden: u64,
    /// The keys that signed it.
    by: Vec<String>,
    /// Whether whoever asks named the keys.
    keys_named: bool,
    /// How many witnesses signed it, where some are known.
    cosigned: Option<Cosigned>,
    open: Vec<String>,
    open_runs: u64,
    faults: Vec<String>,
    more_faults: u64,
    /// Whether all that is wrong is a write that was never finished.
    only_torn: bool,
    /// How many values that are kept apart from the record are erased.
    erased: u64,
    /// The times without the heartbeat that was promised.
    gaps: Vec<String>,
    gap_count: u64,
    /// The heartbeat that is promised still.
    promise: Option<Promise>,
    /// The epochs that the recovery key has ended.
    recovered: Vec<u64>,
    /// Whether another checkpoint is there than before.
    moved: bool,
}

/// Checks everything. While runs go on and publish, the log may change under our eyes: what then looks wrong is looked at
/// again.
fn all(command: &Verify, state: Option<&Path>, common: &Common) -> Result<Found, Stop> {
    const ATTEMPTS: usize = 5;
    let mut found = look(command, state, common)?;
    for _ in 1..ATTEMPTS {
        if found.faults.is_empty() || !found.moved {
            break;
        }
        found = look(command, state, common)?;
    }
    Ok(found)
}

fn look(command: &Verify, state: Option<&Path>, common: &Common) -> Result<Found, Stop> {
    let mut found = Found::default();
    let journal = state.map(|state| state.join("journal"));
    let folder = match (&command.log, &journal) {
        (Some(folder), _) => folder.clone(),
        (None, None) => return Err(unchecked(NO_PLACE)),
        (None, Some(journal)) => journal.join("tlog"),
    };
    let mut log = Log::at(&folder);
    let archive = match (&command.archive, &journal) {
        (Some(archive), _) => Some(archive.clone()),
        (None, Some(journal)) if command.log.is_none() => Some(journal.join(ARCHIVE)),
        _ => None,
    };
    if let Some(archive) = archive {
        log = log.with_archive(Archive::at(&archive));
    }
    let own = journal.as_deref().filter(|_| command.log.is_none());
    let trust = Trust::of(command.trust.as_deref(), own).map_err(unchecked)?;
    let keys = keys(command, &log, trust.as_ref())?;
    found.keys_named = keys.1;
    // First what was signed, then what there is.
    let checkpoint = log.checkpoint(&keys.0);
    let mut own_report = None;
    if let (None, Some(journal)) = (&command.log, &journal) {
        let report = waxcell_journal::verify(journal).map_err(|error| unchecked(unreadable(&error)))?;
        found.records = report.next;
        found.first = report.first;
        found.signed = report.signed;
        found.segments = Some(report.segments);
        found.only_torn = report.is_only_torn();
        found.faults = report.faults.iter().map(ToString::to_string).collect();
        found.more_faults = report.more_faults;
        found.open = report.open.iter().map(|span| span.span.to_string()).collect();
        found.open_runs = report.open.len() as u64;
        let evidence =
            waxcell_journal::evidence(journal).map_err(|error| unchecked(edge::with_causes(&error)))?;
        if let Some(path) = evidence {
            found.fault(waxcell_journal::PublishError::Evidence(path).to_string());
        }
        own_report = Some(report);
    }
    // What is kept apart lies beside the log, and in no copy of it.
    if let (None, Some(state)) = (&command.log, state)
        && found.faults.is_empty()
    {
        let apart = waxcell::apartness(state).map_err(|error| unchecked(edge::with_causes(&error)))?;
        found.erased = apart.erased;
        apart.damaged.into_iter().for_each(|what| found.fault(what));
    }
    let signed = match checkpoint {
        Ok(signed) => signed,
        Err(LogError::Disk(error)) => return Err(unchecked(edge::with_causes(&error))),
        // Nothing was signed: the first run was cut off before its end.
        Err(LogError::NoLog(_)) if command.log.is_none() && found.signed == 0 && !keys.1 => return Ok(found),
        Err(LogError::NoLog(folder)) if command.log.is_some() => {
            return Err(unchecked(LogError::NoLog(folder).to_string()));
        }
        Err(error) => {
            found.fault(edge::with_causes(&error));
            return Ok(found);
        }
    };
    match trust.map(|trust| trust.count(&signed)) {
        None => {}
        Some(Err(wrong)) => found.fault(wrong),
        Some(Ok((cosigned, lacking))) => {
            found.cosigned = Some(cosigned);
            lacking.into_iter().for_each(|lacking| found.fault(lacking));
        }
    }
    let report = check(&log, &signed, command, &keys.0, common)?;
    if let Some(behind) = own_report.and_then(|own| own.behind(report.records)) {
        found.fault(behind);
    }
    found.recovered = log.recovered().map_err(|error| unchecked(edge::with_causes(&error)))?;
    found.by = signed.signatures.iter().map(|signature| signature.key.to_string()).collect();
    found.take(&signed, report, command.log.is_some());
    found.at_the_end(command.log.is_none());
    found.moved = log.checkpoint(&keys.0).is_ok_and(|now| now.checkpoint != signed.checkpoint);
    Ok(found)
}

impl Found {
    fn fault(&mut self, what: String) {
        self.only_torn = false;
        self.faults.push(what);
    }

    fn take(&mut self, signed: &SignedCheckpoint, report: LogReport, alone: bool) {
        if alone {
            self.records = report.records;
            self.open = report.open.iter().map(|(run, _)| run.clone()).collect();
            self.open_runs = report.open_runs;
        }
        self.archived = report.archived;
        self.absent = report.absent;
        self.newer = report.newer;
        let size = signed.checkpoint.size();
        self.hidden = self.signed.saturating_sub(size);
        self.signed = size;
        report.faults.iter().for_each(|fault| self.fault(fault.to_string()));
        self.more_faults += report.more_faults;
        self.gaps = report.gaps.iter().map(ToString::to_string).collect();
        self.gap_count = report.gaps.len() as u64 + report.more_gaps;
        self.promise = report.promise;
    }

    /// Whether what was promised is kept up to now; of a copy, up to the time that the witnesses have put into its checkpoint.
    fn at_the_end(&mut self, is_here: bool) {
        let here = || {
            let time = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
            Moment::new(&time, &edge::boot(), edge::since_boot())
        };
        let now = match self.cosigned.and_then(|cosigned| cosigned.time) {
            _ if is_here => here(),
            time => time.and_then(Moment::by_wall),
        };
        let gap = self.promise.as_ref().zip(now).and_then(|(promise, now)| promise.gap_until(&now));
        self.gap_count += u64::from(gap.is_some());
        self.gaps.extend(gap.map(|gap| gap.to_string()));
    }

    fn is_whole(&self) -> bool {
        self.open_runs == 0 && self.signed >= self.records && self.gap_count == 0
    }

    fn exit(&self, complete: bool) -> Exit {
        match () {
            () if !self.faults.is_empty() && self.only_torn => Exit::INCOMPLETE,
            () if !self.faults.is_empty() => Exit::FOUND,
            () if self.newer.is_some() => Exit::UNCHECKED,
            () if self.absent > 0 => Exit::INCOMPLETE,
            () if complete && !self.is_whole() => Exit::INCOMPLETE,
            () => Exit::SUCCESS,
        }
    }

    fn tell(&self, complete: bool, common: &Common) -> Exit {
        let exit = self.exit(complete);
        if common.json {
            let value = json!({
                "sound": self.faults.is_empty() && self.absent == 0 && self.newer.is_none(),
                "records": self.records,
                "segments": self.segments,
                "first": self.first,
                "archived": self.archived,
                "absent": self.absent,
                "newer": self.newer.map(|(record, version)| json!({"record": record, "version": version})),
                "signed": self.signed,
                "keys": self.by,
                "keys_named": self.keys_named,
                "erased": self.erased,
                "recovered_epochs": self.recovered,
                "state": if self.cosigned.is_some_and(|cosigned| cosigned.by > 0) { "cosigned" } else { "signed" },
                "cosigned": self.cosigned.map(|cosigned| cosigned.by),
                "witnesses": self.cosigned.map(|cosigned| cosigned.of),
                "quorum": self.cosigned.map(|cosigned| cosigned.quorum),
                "open_runs": self.open,
                "gaps": self.gaps,
                "heartbeat": self.promise.as_ref().map(|promise| json!({
                    "time": promise.last().time(),
                    "every_us": u64::try_from(promise.every().as_micros()).unwrap_or(u64::MAX),
                })),
                "faults": self.faults,
                "more_faults": self.more_faults,
            });
            return edge::print(&format!("{value}\n"), exit);
        }
        for fault in &self.faults {
            eprintln!("waxcell: {}", edge::printable(fault));
        }
        if self.more_faults > 0 {
            eprintln!("waxcell: and {} faults more", self.more_faults);
        }
        let unsigned = self.records.saturating_sub(self.signed);
        if let Some((record, version)) = self.newer {
            eprintln!(
                "waxcell: not understood: record {record} is of version {version}, which this waxcell does not know; take a newer one"
            );
        }
        if exit == Exit::INCOMPLETE {
            for gap in &self.gaps {
                eprintln!("waxcell: {}", edge::printable(gap));
            }
            if self.faults.is_empty() && self.gap_count > 0 {
                let count = self.gap_count;
                eprintln!(
                    "waxcell: not whole: {count} times there was no heartbeat although it was promised"
                );
            }
            if self.absent > 0 {
                eprintln!(
                    "waxcell: not whole: {} records lie in an archive that is not here, and only their hashes were checked; name its folder with --archive, or what was checked before with --since",
                    self.absent
                );
            } else if self.open_runs > 0 {
                let open = self.open_runs;
                eprintln!(
                    "waxcell: not whole: {open} runs are open; the next run closes those that nobody watches"
                );
            } else if self.hidden > 0 {
                let hidden = self.hidden;
                eprintln!(
                    "waxcell: not whole: {hidden} records were signed after the checkpoint that is shown, which is an older one; the next run shows the newest"
                );
            } else if self.faults.is_empty() && unsigned > 0 {
                eprintln!(
                    "waxcell: not whole: {unsigned} records are not signed yet; the next run signs them"
                );
            } else if !self.faults.is_empty() {
                eprintln!(
                    "waxcell: not whole: the last write was never finished; the next run removes and records it"
                );
            }
        }
        if exit == Exit::SUCCESS && !common.quiet {
            return edge::print(&self.summary(unsigned), exit);
        }
        exit
    }

    fn summary(&self, unsigned: u64) -> String {
        let mut text = format!("sound: {} records", self.records);
        if let Some(segments) = self.segments {
            text += &format!(" in {segments} segments");
        }
        if self.archived > 0 {
            text += &format!("; {} of them were read from archives", self.archived);
        }
        if self.first > 0 {
            text += &format!("; the journal begins with record {}", self.first);
        }
        if self.open_runs > 0 {
            text += &format!("; {} runs are open", self.open_runs);
        }
        if self.hidden > 0 {
            let hidden = self.hidden;
            text += &format!("; {hidden} were signed after the checkpoint that is shown");
        } else if unsigned > 0 {
            text += &format!("; {unsigned} are not signed yet");
        }
        if self.erased > 0 {
            text += &format!("; {} values are erased", self.erased);
        }
        match (self.gap_count, &self.promise) {
            (0, None) => {}
            (0, Some(promise)) => {
                let every = humantime::format_duration(promise.every());
                text += &format!("; a heartbeat every {every}, the last at {}", promise.last().time());
            }
            (count, _) => text += &format!("; {count} times without the heartbeat that was promised"),
        }
        for key in &self.by {
            text += &format!("\nsigned by {key}");
            if !self.keys_named {
                text += "\n(the key that lies beside the log: compare it with the one you noted, or name that with --key)";
            }
        }
        for epoch in &self.recovered {
            text += &format!("\nepoch {epoch} was ended by the recovery key");
        }
        if let Some(cosigned) = &self.cosigned {
            text += &format!("\n{cosigned}");
        }
        text + "\n"
    }
}

/// The keys to trust, and whether they were named by whoever asks.
pub(super) fn keys(
    command: &Verify,
    log: &Log,
    trust: Option<&Trust>,
) -> Result<(Vec<VerifierKey>, bool), Stop> {
    let mut keys = trust.filter(|trust| trust.demanded).map_or(Vec::new(), |trust| trust.policy.log_keys());
    for given in &command.key {
        keys.extend(given_keys(given).map_err(|error| unchecked(edge::with_causes(&error)))?);
    }
    if keys.is_empty() {
        let beside = log.keys().map_err(|error| unchecked(edge::with_causes(&error)))?;
        return Ok((beside, false));
    }
    Ok((keys, true))
}

fn check(
    log: &Log,
    signed: &SignedCheckpoint,
    command: &Verify,
    keys: &[VerifierKey],
    common: &Common,
) -> Result<LogReport, Stop> {
    let keys = log.successors(keys).map_err(|error| unchecked(edge::with_causes(&error)))?;
    let kept = |path: &Path| -> Result<Checkpoint, Stop> {
        let opened = SignedCheckpoint::open(&read(path)?, &keys, &[]);
        let path = path.display();
        opened
            .map(|signed| signed.checkpoint)
            .map_err(|error| unchecked(format!("`{path}`: {}", edge::with_causes(&error))))
    };
    let mut against = command.against.as_deref().map(kept).transpose()?;
    let since = match &command.since {
        None => 0,
        Some(since) => match since.parse() {
            Ok(number) => number,
            Err(_) => {
                let checkpoint = kept(Path::new(since))?;
                let size = checkpoint.size();
                // What was checked before has to be what is there now.
                against.get_or_insert(checkpoint);
                size
            }
        },
    };
    let size = signed.checkpoint.size();
    let shown = size - since.min(size) > WORTH_SHOWING && !common.quiet && std::io::stderr().is_terminal();
    let mut progress = |done: u64| {
        if shown && done.is_multiple_of(1 << 14) {
            let _ = write!(std::io::stderr(), "\r{done} of {size} records, {} %", done * 100 / size.max(1));
        }
    };
    let demands =
        Demands { signed, against: against.as_ref(), since, records: true, progress: &mut progress };
    let report = log.verify(demands).map_err(|error| unchecked(edge::with_causes(&error)));
    if shown {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    report
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    super::read(path).map_err(|error| unchecked(format!("cannot read `{}`: {error}", path.display())))
}
