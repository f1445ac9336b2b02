//! One attempt: the probe runs once, held by somebody or nobody, and is watched from outside.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::case::Case;
use crate::need;
use crate::output::Output;
use crate::place::Place;
use crate::plant::Planted;
use crate::process::{self, Process};
use crate::snapshot::{Snapshot, holds};
use crate::subject::{self, Subject, Tools};
use crate::world::Started;

/// How long a process may take to go when everything else of its run is gone.
const LEAVING: Duration = Duration::from_millis(200);
/// How long a sandbox may take to end when its script was killed.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Each thing that tells that the attack succeeded, in words.
    pub(crate) evidence: Vec<String>,
    /// Waxcell's report, if it wrote one.
    pub(crate) report: Option<Value>,
    /// The exit code as a shell gives it; none if it had to be killed.
    pub(crate) code: Option<i32>,
    /// The end of what it wrote to standard error.
    pub(crate) complaint: String,
    /// What would tell is in processes of the script, and none of them could be looked at.
    pub(crate) blind: bool,
    /// What texts of the expectation mean here.
    pub(crate) expected: Vec<Option<String>>,
}

/// Runs the probe of a case once, in a fresh place.
pub(crate) fn attempt(case: &Case, subject: &Subject<'_>, tools: &Tools) -> io::Result<Seen> {
    // What loses its parent becomes our child, and is found.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut place = Place::new(&tools.place, &case.name)?;
    place.name("python", tools.python.display().to_string());
    place.name("waxcell", tools.waxcell.display().to_string());
    let namespace = fs::read_link("/proc/self/ns/pid")?;
    place.name("pidns", namespace.display().to_string());
    place.name("patience", case.patience.to_string());
    let (variable, without) = subject.without().unwrap_or_default();
    place.name("variable", variable);
    place.name("without", without);
    place.name("address", need::address().unwrap_or_default());
    subject.prepare(case, &place)?;
    let planted = Planted::plant(case, &mut place)?;
    let world = match case.needs_world() {
        true => Some(tools.world.get(tools)?),
        false => None,
    };
    let mut command = subject.command(tools, world, &place, &case.told.args);
    for (name, value) in &case.told.environment {
        command.env(name, place.fill(value));
    }
    if let Some(file) = &case.told.stdin {
        command.stdin(fs::File::open(place.path(file))?);
    } else if case.told.waits {
        command.stdin(Stdio::piped());
    }
    let binary = subject.binary(tools).map(Path::to_owned);
    let mut watch = Watch::begin(case, place, planted, binary);
    watch.others.extend(tools.world.pid());
    watch.world = world.map(|world| (world, world.seen()));
    let mut child = command.process_group(0).spawn()?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("no pipes"));
    };
    let (out, err) = (Output::of(out), Output::of(err));
    let ended = watch.until_its_end(&mut child, &out, &err);
    watch.look_at_what_is_left(child.id(), &out, &err);
    // Whatever is left holds the pipes open.
    process::kill(&watch.alive());
    let (written, complaint) = (out.end(), err.end());
    // The last of it may have come just before the end, when nobody looked any more.
    watch.count(out.count() + err.count());
    Ok(watch.judge(ended, &written, &complaint))
}

/// The watcher of one attempt.
struct Watch<'a> {
    case: &'a Case,
    place: Place,
    planted: Planted,
    /// Processes that are no part of the attempt.
    others: Vec<i32>,
    /// The world, and how much had been seen there before.
    world: Option<(&'a Started, u64)>,
    binary: Option<PathBuf>,
    files: Snapshot,
    host: BTreeMap<&'a str, String>,
    begun: Instant,
    evidence: Vec<String>,
    /// Whether there was something to see in processes of the script, and whether there was one to look at.
    sought: bool,
    met: bool,
}

impl<'a> Watch<'a> {
    fn begin(case: &'a Case, place: Place, planted: Planted, binary: Option<PathBuf>) -> Watch<'a> {
        let host = case.told.escaped.host.iter();
        let host = host.map(|path| (path.as_str(), fs::read_to_string(path).unwrap_or_default())).collect();
        let mut watch = Watch {
            case,
            place,
            others: planted.pids(),
            world: None,
            planted,
            binary,
            files: Snapshot::default(),
            host,
            begun: Instant::now(),
            evidence: Vec::new(),
            sought: false,
            met: false,
        };
        watch.files = watch.snapshot();
        watch
    }

    /// Watches until the first process has ended, the case's time is over, or there is nothing more to learn.
    fn until_its_end(&mut self, child: &mut Child, out: &Output, err: &Output) -> Option<ExitStatus> {
        let told = &self.case.told;
        let deadline = self.begun + Duration::from_secs_f64(told.deadline);
        let mut stdin = child.stdin.take();
        let mut pause = Duration::from_micros(500);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(status);
            }
            if stdin.is_some() && holds(&out.bytes(), "ready\n") {
                self.look_at_the_script();
                self.look_at_the_host();
                // The probe goes on to its end.
                drop(stdin.take());
            }
            self.measure(out.count() + err.count());
            if told.escaped.has_measures() && !self.evidence.is_empty() {
                break;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(4));
        }
        self.end(child);
        None
    }

    /// Ends it: the script first, so that whoever holds it can take away what it made for it.
    fn end(&self, child: &mut Child) {
        for process in self.of_the_script() {
            if let Some(pid) = rustix::process::Pid::from_raw(process.pid) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        let patience = Instant::now() + PATIENCE * self.case.patience;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        let _ = child.wait();
    }

    /// What is counted while it runs.
    fn measure(&mut self, output: u64) {
        let told = &self.case.told.escaped;
        let seconds = self.begun.elapsed().as_secs_f64();
        if told.lasted.is_some_and(|most| seconds > most) {
            self.evidence.push(format!("still there after {seconds:.1} s"));
        }
        self.count(output);
        if !told.counts_processes() {
            return;
        }
        let processes = self.of_the_script();
        self.sought = true;
        self.met |= !processes.is_empty();
        let cpu = processes.iter().map(Process::cpu_seconds).sum::<f64>();
        if told.cpu_seconds.is_some_and(|most| cpu > most) {
            self.evidence.push(format!("{cpu:.1} s of CPU time"));
        }
        let memory = processes.iter().map(Process::peak_kib).sum::<u64>() / 1024;
        if told.memory_mb.is_some_and(|most| memory > most) {
            self.evidence.push(format!("{memory} MiB of memory at one time"));
        }
        if told.processes.is_some_and(|most| processes.len() > most) {
            self.evidence.push(format!("{} processes at one time", processes.len()));
        }
    }

    /// How much came out.
    fn count(&mut self, output: u64) {
        if self.evidence.is_empty() && self.case.told.escaped.output.is_some_and(|most| output > most) {
            self.evidence.push(format!("{output} bytes of output came through"));
        }
    }

    /// What a waiting process of the script is and holds.
    fn look_at_the_script(&mut self) {
        let told = &self.case.told.escaped;
        let processes = self.of_the_script();
        self.sought |= told.looks_at_processes();
        self.met |= !processes.is_empty();
        let mut evidence = Vec::new();
        for process in &processes {
            let status = process.text("status");
            for (name, value) in &told.status {
                let now = process::field(&status, name).unwrap_or_default();
                if now != value {
                    evidence.push(format!("`{name}` of its process is {now}"));
                }
            }
            for (file, texts) in &told.seen {
                let text = process.text(file);
                let found = texts.iter().map(|text| self.place.fill(text)).find(|part| text.contains(part));
                evidence.extend(found.map(|part| format!("`{part}` is in its /proc/PID/{file}")));
            }
            let prefixes: Vec<String> = told.holds.iter().map(|prefix| self.place.fill(prefix)).collect();
            let descriptors = process.descriptors();
            let held = descriptors.iter().map(|path| path.to_string_lossy());
            let held = held.into_iter().find(|path| prefixes.iter().any(|prefix| path.starts_with(prefix)));
            evidence.extend(held.map(|path| format!("it holds `{path}`")));
        }
        for kind in &told.shares {
            let file = format!("ns/{kind}");
            let ours = fs::read_link(format!("/proc/self/{file}")).ok();
            if ours.is_some() && processes.iter().any(|process| process.link(&file) == ours) {
                evidence.push(format!("it is in the host's {kind} namespace"));
            }
        }
        for kind in &told.apart {
            let file = format!("ns/{kind}");
            let mut namespaces: Vec<_> = processes.iter().filter_map(|process| process.link(&file)).collect();
            namespaces.sort();
            namespaces.dedup();
            if namespaces.len() > 1 {
                evidence.push(format!("its processes are in {} {kind} namespaces", namespaces.len()));
            }
        }
        self.evidence.extend(evidence);
    }

    /// What is different on the host: files, processes, the kernel's state.
    fn look_at_the_host(&mut self) {
        let told = &self.case.told.escaped;
        let after = self.snapshot();
        for name in &told.changed {
            let change = self.files.change(&after, &self.place.path(name));
            self.evidence.extend(change.map(|change| format!("`{name}` {change}")));
        }
        for name in &told.appeared {
            let path = self.place.path(name);
            let new = if name.ends_with('/') {
                let folder = PathBuf::from(path.to_string_lossy().trim_end_matches('/'));
                self.files.new_below(&after, &folder).next().map(Path::to_owned)
            } else {
                (after.has(&path) && !self.files.has(&path)).then_some(path)
            };
            self.evidence.extend(new.map(|path| format!("`{}` appeared", path.display())));
        }
        for name in &told.set_id {
            let found = self.files.set_id(&after, &self.place.path(name));
            self.evidence.extend(found.map(|path| format!("`{}` has a set-id bit", path.display())));
        }
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        for name in &told.foreign {
            let found = self.files.foreign(&after, &self.place.path(name), own);
            self.evidence.extend(found.map(|path| format!("`{}` is somebody else's", path.display())));
        }
        if told.loot
            && let Some(file) = self.files.loot(&after, &self.place.secret)
        {
            self.evidence.push(format!("the secret is in `{}`", file.display()));
        }
        for name in &told.hurt {
            let how = self.planted.victims.get_mut(name).and_then(|victim| victim.hurt());
            self.evidence.extend(how.map(|how| format!("`{name}` {how}")));
        }
        for name in &told.heard {
            if self.planted.listeners.get(name).is_some_and(|listener| listener.heard()) {
                self.evidence.push(format!("`{name}` heard something"));
            }
        }
        if let Some((world, since)) = self.world {
            let line = |word: &str, told: &[String]| {
                told.iter().map(|told| format!("{word} {told}")).collect::<Vec<_>>()
            };
            let lines = [line("reached", &told.reached), line("asked", &told.asked)].concat();
            let seen = world.has(since, &lines, self.case.patience);
            self.evidence.extend(seen.map(|line| format!("outside: {line}")));
        }
        for (path, before) in &self.host {
            if fs::read_to_string(path).unwrap_or_default() != *before {
                self.evidence.push(format!("`{path}` says something else"));
                if path.starts_with("/proc/sys/") {
                    // A control that worked must not leave another host behind.
                    let _ = fs::write(path, before);
                }
            }
        }
    }

    /// What is there after the end.
    fn look_at_what_is_left(&mut self, group: u32, out: &Output, err: &Output) {
        let told = &self.case.told.escaped;
        let end = Instant::now() + LEAVING * self.case.patience;
        let mut left = self.alive();
        while !left.is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
            left = self.alive();
        }
        if told.survived
            && let Some(process) = left.first()
        {
            self.evidence.push(format!(
                "process {} is alive (`{}`)",
                process.pid,
                process.text("comm").trim()
            ));
        }
        if let Some(most) = told.lasted.filter(|_| !left.is_empty() && self.evidence.is_empty()) {
            let end = self.begun + Duration::from_secs_f64(most);
            while !self.alive().is_empty() && Instant::now() <= end {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        if !self.alive().is_empty() {
            self.measure(out.count() + err.count());
        }
        if let Some(group) = rustix::process::Pid::from_raw(group as i32) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        self.look_at_the_host();
    }

    fn judge(mut self, ended: Option<ExitStatus>, out: &[u8], err: &[u8]) -> Seen {
        if self.case.told.escaped.loot && (holds(out, &self.place.secret) || holds(err, &self.place.secret)) {
            self.evidence.push("the secret is in the output".to_owned());
        }
        for path in &self.case.told.escaped.copied {
            let text = fs::read_to_string(self.place.fill(path)).unwrap_or_default();
            // Shorter lines are nobody's secret.
            if text.split(['\n', '\0']).any(|line| line.len() >= 12 && (holds(out, line) || holds(err, line)))
            {
                self.evidence.push(format!("what is in `{path}` is in the output"));
            }
        }
        self.evidence.dedup();
        let report = fs::read(subject::report(&self.place)).ok();
        let told = self.case.told.expect.violations.iter().flatten();
        let expected = told.map(|told| told.target.as_ref().map(|target| self.place.fill(target)));
        Seen {
            report: report.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            code: ended.map(|status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))),
            blind: self.sought && !self.met,
            complaint: String::from_utf8_lossy(&err[err.len().saturating_sub(400)..]).trim().to_owned(),
            expected: expected.collect(),
            evidence: self.evidence,
        }
    }

    fn snapshot(&self) -> Snapshot {
        let root = self.place.root();
        Snapshot::of(root, &[root.join("state"), subject::report(&self.place)])
    }

    fn alive(&self) -> Vec<Process> {
        process::alive(self.place.root(), &self.others)
    }

    /// The processes of the attempt that are not the sandbox's own.
    fn of_the_script(&self) -> Vec<Process> {
        let name = |path: &Path| path.file_name().map(|name| name.to_owned());
        let own = self.binary.as_deref().and_then(name);
        let below = process::below(std::process::id() as i32, &self.others);
        // One that may not be read is the sandbox's as well: a script's process can be.
        below
            .into_iter()
            .filter(|process| process.link("exe").is_some_and(|exe| own.is_none() || name(&exe) != own))
            .collect()
    }
}
