//! The story of one run, in one function: [`run()`]. Branching is here and nowhere below.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use waxcell_analysis::Profile;
use waxcell_journal::{Mark, SpanId, with_causes};
use waxcell_sandbox::{self as sandbox, Destination, Interrupts, SignalSet, Stdio, Stream, Switches};

use crate::analyses::Analyses;
use crate::approval;
use crate::attempt::Unshown;
use crate::connections::Told;
use crate::gate::{Asked, judge, seen};
use crate::interpreter::{self, Interpreter, InterpreterError, Search};
use crate::limit::Limit;
use crate::not_run::{NotRun, Progress, RunError};
use crate::planning::{self, Places, Planned};
use crate::policy::{Date, LoadError, Policy};
use crate::record;
use crate::report::{RecordProof, Report, ResourceUsage};
use crate::script::Script;
use crate::secrets::Secrets;
use crate::state::State;
use crate::verdict::Verdict;
use crate::views;
use crate::violation;

/// Who asks, from where, with what environment: taken once, at the edge.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// The user's name, where the host's own list has one.
    pub user: Option<String>,
    /// The group's name, where the host's own list has one.
    pub group: Option<String>,
    /// The audit system's login user id, where the kernel keeps one.
    pub login_uid: Option<u32>,
    /// Process id.
    pub pid: u32,
    /// Host name.
    pub host: String,
    /// Boot id (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// Working directory, absolute.
    pub cwd: PathBuf,
    /// File mode creation mask.
    pub umask: u32,
    /// The environment.
    pub env: Vec<(OsString, OsString)>,
}

impl Caller {
    /// A variable of the caller's.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }

    /// The name that the script finds for its user. Root's script is not root: there, that is somebody else.
    pub fn user_inside(&self) -> &str {
        own_name(self.user.as_deref())
    }

    /// The name that the script finds for its group.
    pub fn group_inside(&self) -> &str {
        own_name(self.group.as_deref())
    }

    /// The caller's home directory, if it is set and absolute.
    pub fn home(&self) -> Option<&Path> {
        self.variable("HOME").map(Path::new).filter(|home| home.is_absolute())
    }
}

fn own_name(outside: Option<&str>) -> &str {
    outside.filter(|name| *name != "root").unwrap_or("waxcell")
}

/// Where the script's streams lead.
#[derive(Debug)]
pub struct Streams {
    /// What it reads.
    pub stdin: OwnedFd,
    /// Its output; `None` to keep it for the report.
    pub stdout: Option<OwnedFd>,
    /// Its errors; `None` to keep them for the report.
    pub stderr: Option<OwnedFd>,
    /// Whether both are the same place, so that their order must be kept.
    pub joined: bool,
}

/// What shall be run.
#[derive(Debug)]
pub struct Request<'a> {
    /// The script's path as given.
    pub script: &'a Path,
    /// Everything behind it.
    pub args: &'a [OsString],
    /// The policy, loaded; or why it cannot be used, which is on record as well.
    pub policy: Result<&'a Policy, &'a LoadError>,
    /// Who asks.
    pub caller: &'a Caller,
    /// Why, in the caller's words.
    pub reason: Option<&'a str>,
    /// Where signals for the script come from.
    pub interrupts: Option<Interrupts<'a>>,
    /// The signals that the script starts with blocked: the caller's own, before it took any for itself.
    pub signals: SignalSet,
    /// Whether this process has nothing to do but wait for the script, and gives its memory back meanwhile.
    pub only_waits: bool,
    /// What a test build leaves out of the sandbox; no other can.
    pub switches: Switches,
}

/// Where programs are looked for when nobody says so, as a shell does.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Bytes of each stream that are kept for a report.
const KEPT: usize = 8 << 20;

/// Runs one script under one policy and records it.
///
/// # Errors
///
/// When nothing was run; that has a report as well. A run that ended badly is a [`Report`].
pub fn run(
    request: &Request<'_>,
    streams: Streams,
    state: &mut State,
    clock: &dyn Fn() -> SystemTime,
) -> Result<Report, Box<NotRun>> {
    let declared = request.policy.map_or(&[][..], |policy| &policy.monitoring.secrets);
    state.keep_secret(Secrets::of(&request.caller.env, declared));
    let mut progress = Progress { run: run_id(clock()), script: None, alive: None, started: false };
    story(request, streams, state, clock, &mut progress)
        .map_err(|error| progress.ends(request, state, clock(), error))
}

/// The story itself. The only caller of `sandbox::spawn`.
fn story(
    request: &Request<'_>,
    streams: Streams,
    state: &mut State,
    clock: &dyn Fn() -> SystemTime,
    progress: &mut Progress,
) -> Result<Report, RunError> {
    let Request { caller, .. } = request;
    let now = || humantime::format_rfc3339_micros(clock()).to_string();
    let run = progress.run;

    // Read the script once; from here on only these bytes count.
    let script: &Script = progress.script.insert(Script::read(request.script, &caller.cwd)?);
    let policy =
        request.policy.map_err(|error| RunError::Policy { cause: error.cause(), help: error.help() })?;
    state.begin()?;
    let interpreter = find_interpreter(request, policy, script)?;
    // What was said of these bytes before is not asked for again; else whoever is asked gets ready while the plan is made.
    let program = state.hash_of_binary(Path::new("/proc/self/exe")).ok();
    let mut analyses = Analyses::of(script, interpreter.version, &state.cache(), program.as_deref());

    // Decide everything about the sandbox before its first process.
    let begun = planning::begin(policy, caller, request.switches)?;
    // Where the record's owner asks for it, nothing begins that no witness would see.
    state.witnessed(clock())?;
    // Held until the closing record is durable: whoever finds it free later writes `lost`, and clears away what was made.
    let alive = progress.alive.insert(state.lock(run)?);
    let ground = sandbox::Ground::lay(&begun.identity, &begun.limits, &run.to_string());
    // What an earlier process left undone is settled before anything new is made.
    state.settle(clock(), Some(alive))?;
    state.note(alive, &begun.to_be_made(policy))?;
    let (scratch, layers) = (state.scratch(run), state.quarantine().join(run.to_string()));
    let places =
        Places { keep_out: &[state.directory()], cache: &state.cache(), scratch: &scratch, layers: &layers };
    let Planned { plan, mut placeholders, mut writes } =
        planning::plan(begun, policy, script, request.args, &interpreter, caller, &places)?;
    writes.note(&now(), script, policy, &plan)?;

    let spawned = clock();
    // Processes of its own build the sandbox. While they do, the gate judges and the disk takes the record; whatever
    // goes wrong with either, dropping `building` ends the sandbox, and nothing of the script has run.
    let (stdio, mut capture) = streams.split();
    let building = ground.and_then(|ground| sandbox::spawn(&plan, ground, stdio, request.signals));

    // The gate.
    let judged_at = clock();
    let today = Date::of(judged_at);
    let seen = seen(script, policy, caller, &interpreter);
    let asked = Asked {
        script,
        policy,
        seen,
        interpreter: &interpreter,
        now: judged_at,
        today,
        switches: request.switches,
    };
    let analyse = |profile: &Profile| analyses.analyse(profile);
    let approved = judge(&asked, analyse, || approval::find(state.directory(), &script.sha256, today))?;
    analyses.keep(state.secrets());

    let interpreter_sha256 = state
        .hash_of_binary(&interpreter.real)
        .map_err(|source| RunError::Hash { path: interpreter.real.clone(), source })?;
    let plan_sha256 = planning::sha256(&plan, request.args);

    let started = record::Started {
        at: &now(),
        run,
        script: approved.script(),
        gate: approved.said(),
        args: request.args,
        placeholders: &placeholders.all(),
        policy,
        interpreter: &interpreter,
        interpreter_sha256: &interpreter_sha256,
        plan_sha256: &plan_sha256,
        caller,
        reason: request.reason,
    }
    .value();
    let _receipt = state.record(Mark::Open, run, started)?;
    progress.started = true;

    // Everything in force, read back; or the record says why not, and nothing runs.
    let ready = building.and_then(sandbox::Building::ready)?;
    let enforced = ready.enforced().clone();

    // `approved` and `_receipt` are held: the script may start.
    let running = ready.start();
    let mut way_out = Told::new(clock().duration_since(spawned).unwrap_or_default());
    if request.only_waits {
        sandbox::shed_code();
    }
    let unshown = Unshown::new(plan.program.env.get("PATH").map(Vec::as_slice));
    let mut tap = |stream, bytes: &[u8]| capture.take(stream, bytes);
    let counts = |what, path: &[u8]| unshown.counts(what, path);
    let run_name = run.to_string();
    let script_path = approved.script().path.to_string_lossy();
    let lines = views::Lines {
        state,
        run: &run_name,
        script: Some(&script_path),
        monitoring: Some(&policy.monitoring),
    };
    let mut hear = |line: &[u8]| {
        if let Some(news) = way_out.hear(line, policy) {
            lines.news(&now(), news);
        }
    };
    let ending = running.watch(request.interrupts, &mut tap, &counts, &mut hear);

    // No process of the run is alive any more; its namespaces go while this goes on. What did it leave?
    writes.claim(&mut placeholders, &ending.claimed);
    state.clear_away(placeholders, progress.alive.as_mut());
    let left = writes.end();
    let (verdict, cause) = Verdict::of(&ending);
    let limit = ending.stop.map(|stop| Limit::of(stop, &ending.usage, policy));
    let mut report = Report {
        success: verdict == Verdict::Ok,
        return_code: verdict.exit_code(&ending),
        execution_time: ending.usage.wall.as_secs_f64(),
        resource_usage: ResourceUsage::of(&ending.usage),
        cause,
        edits: limit.as_ref().and_then(Limit::edit).into_iter().collect(),
        limit,
        violations: violation::all(
            &ending.denials,
            policy,
            planning::project_shown(policy, caller),
            &way_out,
        ),
        violations_beyond: ending.denials_beyond,
        script_replaced: ending.replaced.as_ref().map(|paths| paths.contains(&approved.script().path)),
        enforced: Some(enforced.clone()),
        ..Report::blank(request, run, verdict, Some(approved.script()))
    };
    report.judged(approved.said());
    capture.into_report(&mut report);
    report.talked(&way_out, policy);
    match left {
        Ok(left) => report.left(left),
        // It did run, and whoever asked has to know both.
        Err(error) => report.fails_after("what it wrote could not be kept for review", &with_causes(&error)),
    }

    // Closed on record before anybody is told.
    let record = record::finished(&now(), run, &report, &enforced);
    match state.record(Mark::Close, run, record) {
        Ok(receipt) => report.record = Some(RecordProof::of(&receipt)),
        // As above. The next run closes it as `lost`.
        Err(error) => report.fails_after("its end could not be recorded", &with_causes(&error)),
    }
    views::run(state, &now(), &report, request.args, Some(&policy.monitoring));
    drop(ending.remains);
    Ok(report)
}

fn find_interpreter(
    request: &Request<'_>,
    policy: &Policy,
    script: &Script,
) -> Result<Interpreter, InterpreterError> {
    let search = Search::of(request.caller, script.folder());
    interpreter::find(policy.interpreter.as_deref(), &search)
}

/// A name for the run: time in milliseconds, then chance (the layout of UUID version 7, RFC 9562), so that names sort
/// by time.
fn run_id(now: SystemTime) -> SpanId {
    let mut bytes = [0u8; 16];
    // With no entropy at all the time alone tells runs apart; the journal refuses a name that is taken.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    let millis = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6] = bytes[6] & 0x0F | 0x70;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    SpanId::new(bytes)
}

impl Streams {
    fn split(self) -> (Stdio, Capture) {
        let capture = Capture::new(self.stdout.is_none(), self.stderr.is_none());
        let destination = |fd: Option<OwnedFd>| fd.map_or(Destination::Captured, Destination::Descriptor);
        let stderr = if self.joined { None } else { Some(destination(self.stderr)) };
        (Stdio { stdin: self.stdin, stdout: destination(self.stdout), stderr }, capture)
    }
}

/// Hashes of the streams, and what is kept of them.
struct Capture {
    streams: [Captured; 2],
}

struct Captured {
    keep: bool,
    kept: Vec<u8>,
    bytes: u64,
    hash: Sha256,
}

impl Capture {
    fn new(keep_output: bool, keep_error: bool) -> Capture {
        let captured = |keep| Captured { keep, kept: Vec::new(), bytes: 0, hash: Sha256::new() };
        Capture { streams: [captured(keep_output), captured(keep_error)] }
    }

    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let captured = &mut self.streams[stream as usize];
        captured.bytes += bytes.len() as u64;
        captured.hash.update(bytes);
        if captured.keep {
            let room = KEPT.saturating_sub(captured.kept.len()).min(bytes.len());
            captured.kept.extend_from_slice(&bytes[..room]);
        }
    }

    fn into_report(self, report: &mut Report) {
        let [output, error] = self.streams;
        let cut = |captured: &Captured| captured.keep && captured.bytes > captured.kept.len() as u64;
        report.output_truncated = cut(&output) || cut(&error);
        report.stdout = String::from_utf8_lossy(&output.kept).into_owned();
        report.stderr = String::from_utf8_lossy(&error.kept).into_owned();
        report.stdout_bytes = output.bytes;
        report.stderr_bytes = error.bytes;
        report.stdout_sha256 = record::hex(&output.hash.finalize());
        report.stderr_sha256 = record::hex(&error.hash.finalize());
    }
}
