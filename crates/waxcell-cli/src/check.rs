//! `waxcell check`: static analysis alone, of files and whole trees.

mod bandit;
mod capabilities;
mod dependencies;
mod files;
mod github;
mod json;
mod known;
mod sarif;
mod settings;
mod text;
mod yaml;

use std::io::{IsTerminal, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use waxcell::Analyst;
use waxcell::dependencies::{Audit, Importing};
use waxcell::interpreter::{self, Search};
use waxcell_analysis::{
    Analysis, Capabilities, Class, Confidence, Finding, MAX_SOURCE, Profile, PythonVersion, RULES, Rule,
    Severity, Silenced, fingerprints,
};

use crate::args::{Check, CheckFormat, Common};
use crate::edge;
use crate::exit::Exit;
use known::Known;
use settings::Settings;

/// From so many files on, somebody who waits is told how far it is.
const WORTH_SHOWING: usize = 50;

/// What is to be told of one file.
#[derive(Default)]
struct Checked {
    path: PathBuf,
    /// The bytes of a file that something was found in.
    source: Vec<u8>,
    /// Why it could not be read.
    unread: Option<String>,
    lines: usize,
    findings: Vec<Told>,
    /// What it can use, if that was asked for.
    capabilities: Capabilities,
    /// What it imports, if anybody asks for that.
    importing: Option<Importing>,
    silenced: Silenced,
    /// Whether it was named itself, and did not lie in a folder that was.
    is_named: bool,
}

/// A finding, and what tells it from others when the file has changed.
struct Told {
    finding: Finding,
    fingerprint: String,
    /// Whether the baseline has it.
    known: bool,
}

impl Checked {
    /// What is new.
    fn new_findings(&self) -> impl Iterator<Item = &Told> {
        self.findings.iter().filter(|told| !told.known)
    }

    /// Its path as Bandit writes it.
    fn bandit_name(&self) -> String {
        let path = if self.is_named { Path::new(".").join(&self.path) } else { self.path.clone() };
        path.to_string_lossy().into_owned()
    }

    /// Whether it is known what is in it.
    fn is_analysed(&self) -> bool {
        self.unread.is_none() && !self.findings.iter().any(|told| told.finding.blocks())
    }
}

pub(crate) fn run(command: &Check, common: &Common) -> Exit {
    let settings = match Settings::of(command) {
        Ok(settings) => settings,
        Err(why) => {
            edge::complain(&why);
            return Exit::USAGE;
        }
    };
    settings.notes.iter().for_each(|note| edge::note(note));
    match check(command, common, &settings) {
        Ok((checked, audit)) => tell(command, common, &settings, &checked, audit.as_ref()),
        Err(why) => {
            edge::complain(&why);
            Exit::UNCHECKED
        }
    }
}

/// How each file is looked at.
struct Job {
    target: PythonVersion,
    profile: Profile,
    /// Whether the bytes of files are needed in which nothing was found.
    keeps_sources: bool,
}

fn check(
    command: &Check,
    common: &Common,
    settings: &Settings,
) -> Result<(Vec<Checked>, Option<Audit>), String> {
    let is_bandit = format(command, common) == CheckFormat::Bandit;
    let mut profile = settings.profile.clone();
    if is_bandit {
        // There, findings below the levels are counted.
        (profile.severity, profile.confidence) = (Severity::Low, Confidence::Low);
        if profile.tests.is_empty() {
            // Nor does it know any rule of ours.
            let is_bandits = |id: &&str| id.strip_prefix('B').is_some_and(|rest| rest.parse::<u16>().is_ok());
            profile.tests = RULES.iter().map(|rule| rule.id).filter(is_bandits).map(str::to_owned).collect();
        }
    }
    if !command.class.is_empty() {
        let is_asked = |rule: &&&Rule| command.class.iter().any(|class| Class::from(*class) == rule.class);
        profile.tests = RULES.iter().filter(is_asked).map(|rule| rule.id.to_owned()).collect();
    }
    let target = command.python.unwrap_or_else(version_of_interpreter);
    let job = Job { target, profile, keeps_sources: is_bandit };
    let mut baseline = settings.baseline.as_deref().map(Known::read).transpose()?.unwrap_or_default();
    let files = files::below(&command.paths, &settings.excluded);
    let shown = files.len() >= WORTH_SHOWING && !common.quiet && std::io::stderr().is_terminal();
    let mut checked = each(&files, shown, &|analyst, file| one(analyst, file, &job));
    let audit = dependencies::audit(command, &settings.profile, &mut checked);
    for file in &mut checked {
        file.is_named = command.paths.contains(&file.path);
        let known = |told: &Told| !told.finding.blocks() && baseline.takes(file, told);
        // What keeps a file from being analysed stays untold by no baseline.
        let known: Vec<bool> = file.findings.iter().map(known).collect();
        file.findings.iter_mut().zip(known).for_each(|(told, known)| told.known = known);
    }
    Ok((checked, audit))
}

fn format(command: &Check, common: &Common) -> CheckFormat {
    if common.json { CheckFormat::Json } else { command.format }
}

/// What one script can use; or why that is not known.
pub(crate) fn capabilities_of(script: &Path) -> Result<Capabilities, String> {
    let source = files::read(script, MAX_SOURCE as u64 + 1)?;
    let profile = Profile { capabilities: true, ..Profile::default() };
    let file = script.to_string_lossy();
    let analysis = Analyst::start().analyse(&file, &source, version_of_interpreter(), &profile);
    match analysis.findings.iter().find(|finding| finding.blocks()) {
        Some(finding) => Err(format!("line {}: {}", finding.span.line, finding.message)),
        None => Ok(analysis.capabilities),
    }
}

/// That of the `python3` that `waxcell run` would take.
fn version_of_interpreter() -> PythonVersion {
    let found = edge::caller().ok().and_then(|caller| {
        let search = Search::of(&caller, &caller.cwd);
        interpreter::find(None, &search).ok()
    });
    found.map_or(PythonVersion::NEWEST, |found| found.version)
}

fn one(analyst: &mut Analyst, file: &files::Found, job: &Job) -> Checked {
    let path = file.path.clone();
    let nothing = Checked { path, ..Checked::default() };
    // One byte more than is analysed, so that the analysis says what is too much.
    let source = match &file.error {
        None => files::read(&file.path, MAX_SOURCE as u64 + 1),
        Some(error) => Err(error.clone()),
    };
    let source = match source {
        Ok(source) => source,
        Err(error) => return Checked { unread: Some(error), ..nothing },
    };
    let analysis = analyst.analyse(&file.path.to_string_lossy(), &source, job.target, &job.profile);
    let marks = fingerprints(&source, &analysis);
    let Analysis { findings, lines, capabilities, silenced } = analysis;
    let told = |(finding, fingerprint)| Told { finding, fingerprint, known: false };
    let importing =
        job.profile.capabilities.then(|| dependencies::importing(&file.path, &source, &capabilities));
    let source = if findings.is_empty() && !job.keeps_sources { vec![] } else { source };
    let findings = findings.into_iter().zip(marks).map(told).collect();
    Checked { source, lines, findings, capabilities, importing, silenced, ..nothing }
}

/// Does the same with each of them on all processors, each with an analyst of its own; the results are in their order.
fn each<T: Sync, R: Send>(items: &[T], shown: bool, work: &(dyn Fn(&mut Analyst, &T) -> R + Sync)) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let work_off = || {
        let mut analyst = Analyst::start();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = work(&mut analyst, item);
            let mut results = lock(&results);
            results.push((at, result));
            if shown {
                let (done, all) = (results.len(), items.len());
                let _ = write!(std::io::stderr(), "\r{done} of {all} files, {} %", done * 100 / all);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(work_off)));
        work_off();
    });
    if shown {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell(
    command: &Check,
    common: &Common,
    settings: &Settings,
    checked: &[Checked],
    audit: Option<&Audit>,
) -> Exit {
    let least = (settings.profile.severity, settings.profile.confidence);
    let text = match format(command, common) {
        CheckFormat::Text if command.capabilities => capabilities::render(checked, common),
        CheckFormat::Text => text::render(checked, common, command.unused_nosec) + &dependencies::text(audit),
        CheckFormat::Json => json::render(checked, command.capabilities, audit),
        CheckFormat::Sarif => sarif::render(checked, settings.baseline.is_some(), audit),
        CheckFormat::Github => github::render(checked) + &dependencies::annotations(audit),
        CheckFormat::Bandit => bandit::render(checked, least, SystemTime::now()),
    };
    let is_told = |told: &Told| told.finding.severity >= least.0 && told.finding.confidence >= least.1;
    let exit = match () {
        () if !checked.iter().all(Checked::is_analysed) => Exit::UNCHECKED,
        () if audit.is_some_and(|audit| !audit.is_complete()) => Exit::UNCHECKED,
        () if checked.iter().flat_map(Checked::new_findings).any(is_told) => Exit::FOUND,
        () => Exit::SUCCESS,
    };
    match &command.output {
        None => edge::print(&text, exit),
        Some(path) => written(path, &text, exit),
    }
}

fn written(path: &Path, text: &str, exit: Exit) -> Exit {
    match std::fs::write(path, text) {
        Ok(()) => exit,
        Err(error) => {
            edge::complain(&format!("cannot write `{}`: {error}", path.display()));
            Exit::FAILED
        }
    }
}
