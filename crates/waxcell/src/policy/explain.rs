//! What each setting of a policy becomes on a host, and which kernel mechanism holds it.

mod gate;
mod network;

use std::path::Path;
use std::time::Duration;

use super::explanation::{Explanation, HostFacts, Provenance, Setting};
use super::mechanisms;
use super::model::{Degradation, PathAccess, PathRule, Policy, WriteMode};
use super::operations::{self, Blockable};
use super::paths;

/// What is said of a path that is not there.
const NOT_VISIBLE: &str = "absent on this host: not visible";

/// Explains `policy` for `host` and a caller with this home directory. Looks at the paths that the policy names, to say
/// which exist.
pub fn explain(policy: &Policy, host: &HostFacts, home: Option<&Path>) -> Explanation {
    let mut explainer = Explainer { policy, host, home, settings: Vec::new() };
    explainer.fixed();
    explainer.execution();
    explainer.filesystem();
    explainer.network();
    explainer.monitoring();
    explainer.rest();
    explainer.gate();
    let missing = Degradation::ALL.into_iter().filter(|degradation| host.lacks(*degradation));
    let mut refused: Vec<String> = missing
        .filter(|degradation| !policy.degrade.contains(degradation))
        .map(|degradation| {
            let name = degradation.name();
            let loses = degradation.loses();
            match Degradation::ACCEPTED.contains(&degradation) {
                true => format!("this host lacks `{name}`; `degrade: [{name}]` would accept: {loses}"),
                false => format!("this host lacks `{name}`, and nothing is run without it"),
            }
        })
        .collect();
    if Degradation::ACCEPTED.iter().all(|degradation| host.lacks(*degradation)) {
        refused
            .push("both are missing: nothing would hold the script's files, whatever is accepted".to_owned());
    }
    if policy.filesystem.write_mode == WriteMode::Overlay && !host.layers {
        refused.push(
            "this host cannot put a layer over files, which `filesystem.write_mode: overlay` needs"
                .to_owned(),
        );
    }
    let does_without = policy.degrade.contains(&Degradation::Namespaces) && !host.can_make_namespaces();
    if does_without && policy.network.asks_for_egress() {
        refused.push("a way out of the network needs namespaces, and this host can make none".to_owned());
    }
    Explanation {
        policy: policy.source.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
        sha256: policy.source.sha256_hex(),
        project_root: policy.project_root.to_string_lossy().into_owned(),
        host: *host,
        settings: explainer.settings,
        refused,
        warnings: policy.warnings.iter().map(|d| format!("line {}: {}", d.line, d.message)).collect(),
    }
}

struct Explainer<'p> {
    policy: &'p Policy,
    host: &'p HostFacts,
    home: Option<&'p Path>,
    settings: Vec<Setting>,
}

impl Explainer<'_> {
    fn add(
        &mut self,
        key: &str,
        value: impl Into<String>,
        becomes: impl Into<String>,
        mechanism: impl Into<String>,
    ) {
        let from = self.policy.lines.get(key).map_or(Provenance::Default, |line| Provenance::Line(*line));
        self.add_from(from, key, value, becomes, mechanism);
    }

    fn add_from(
        &mut self,
        from: Provenance,
        key: &str,
        value: impl Into<String>,
        becomes: impl Into<String>,
        mechanism: impl Into<String>,
    ) {
        self.settings.push(Setting {
            key: key.to_owned(),
            value: value.into(),
            becomes: becomes.into(),
            mechanism: mechanism.into(),
            from,
        });
    }

    fn fixed(&mut self) {
        let host = self.host;
        let fixed = Provenance::Fixed;
        let root = self.policy.project_root.to_string_lossy().into_owned();
        let (becomes, mechanism) = match paths::is_wide(&self.policy.project_root, self.home) {
            false => {
                ("the project: read-only, at the same path", mechanisms::path(PathAccess::Read, false, host))
            }
            true => ("too wide to be shown: only the paths that the policy names", "not mounted".to_owned()),
        };
        self.add("project_root", root, becomes, mechanism);
        let own = if host.can_make_namespaces() { "own of each" } else { "the caller's" };
        let namespaces = mechanisms::namespaces(host);
        self.add_from(fixed, "namespaces", "user, mount, pid, net, ipc, uts, cgroup", own, namespaces);
        self.add_from(fixed, "capabilities", "none", "all dropped", "capset, bounding set, no_new_privs");
        let seccomp = "seccomp filter, checked for x32, i386 and clone3";
        self.add_from(fixed, "system calls", "allow-list", "unknown ones fail with ENOSYS", seccomp);
    }

    fn execution(&mut self) {
        let execution = &self.policy.execution;
        let host = self.host;
        let ends = "more of it ends the run";
        self.add("execution.timeout_seconds", seconds(execution.timeout), ends, mechanisms::timeout(host));
        self.add("execution.cpu_seconds", seconds(execution.cpu), ends, mechanisms::cpu(host));
        self.add("execution.memory_mb", bytes(execution.memory), ends, mechanisms::memory(host));
        self.add(
            "execution.file_size_mb",
            bytes(execution.file_size),
            "of one file; a larger write fails",
            mechanisms::FILE_SIZE,
        );
        let (processes, threads) = (execution.processes.to_string(), execution.threads.to_string());
        self.add(
            "execution.max_processes",
            processes,
            "beside the script's own; one more ends the run",
            mechanisms::processes(host),
        );
        self.add(
            "execution.max_threads",
            threads,
            "beside the first of each process; one more ends the run",
            mechanisms::threads(host),
        );
        let open_files = execution.open_files.to_string();
        self.add(
            "execution.max_open_files",
            open_files,
            "of one process; one more is refused",
            mechanisms::OPEN_FILES,
        );
        self.add("execution.output_mb", bytes(execution.output), ends, mechanisms::OUTPUT);
        let (space, count) = match host.can_make_namespaces() {
            true => ("/tmp and HOME; more of it is refused", "in /tmp and HOME; one more is refused"),
            false => {
                ("TMPDIR and HOME; more of it ends the run", "in TMPDIR and HOME; one more ends the run")
            }
        };
        self.add("execution.scratch_mb", bytes(execution.scratch), space, mechanisms::scratch(host));
        let files = execution.scratch_files.to_string();
        self.add("execution.scratch_files", files, count, mechanisms::scratch_files(host));
        let written = execution.disk_write.map_or("no bound".to_owned(), bytes);
        self.add("execution.disk_write_mb", written, ends, mechanisms::WRITTEN);
    }

    fn filesystem(&mut self) {
        let host = self.host;
        let mode = self.policy.filesystem.write_mode;
        let key = "filesystem.allowed_paths";
        if self.policy.filesystem.paths.is_empty() {
            self.add(
                key,
                "none",
                "nothing but the private /tmp and HOME is writable",
                mechanisms::path(PathAccess::Read, false, host),
            );
        }
        for rule in &self.policy.filesystem.paths {
            let private = rule.is_private() && rule.access == PathAccess::Write;
            let becomes = self.path_becomes(rule, private);
            let mechanism = match private {
                true => mechanisms::private(rule, host).to_owned(),
                false if becomes.ends_with(NOT_VISIBLE) => "not mounted".to_owned(),
                false if self.policy.filesystem.is_below_writable(rule) => {
                    mechanisms::path_below_writable(rule, host)
                }
                false if rule.is_lasting_write() && mode == WriteMode::Overlay => {
                    mechanisms::layered(rule.execute, host)
                }
                false => mechanisms::path(rule.access, rule.execute, host),
            };
            self.add_from(Provenance::Line(rule.line), key, rule.written.clone(), becomes, mechanism);
        }
        let key = "filesystem.blocked_operations";
        if self.policy.filesystem.blocked.is_empty() {
            self.add(key, "none", "writable paths may be changed in every way", "no mechanism needed");
        }
        for operation in &self.policy.filesystem.blocked {
            let becomes = match operations::blockable(*operation) {
                Blockable::OnLastingPaths => "refused on what outlives the run, not on scratch space",
                _ => "refused in every run, named or not",
            };
            self.add(key, operation.name(), becomes, mechanisms::blocked(*operation, host));
        }
        let (becomes, mechanism) = match mode {
            WriteMode::Direct => ("writes go to the files themselves", "no mechanism needed"),
            WriteMode::Overlay => {
                ("writes go to a layer of the run, until it is committed", mechanisms::layers(host))
            }
        };
        self.add("filesystem.write_mode", mode.name(), becomes, mechanism);
    }

    fn path_becomes(&self, rule: &PathRule, private: bool) -> String {
        let path = rule.path.display();
        if private && !self.host.can_make_namespaces() {
            return format!("{path} is not there; TMPDIR leads to a folder that is private to the run");
        }
        if private {
            let execute = if rule.execute { ", execute" } else { "" };
            return format!("{path}, private to the run{execute}");
        }
        let access = match rule.access {
            PathAccess::Read => "read",
            PathAccess::Write if rule.execute => "read, write and execute",
            PathAccess::Write => "read and write",
            PathAccess::None => return format!("{path}, not there for the script"),
        };
        match rule.path.try_exists() {
            Ok(true) => format!("{path}, {access}"),
            Err(_) => format!("{path}, {access}; this user cannot look at it"),
            Ok(false) if rule.access == PathAccess::Write && self.can_be_created(&rule.path) => {
                format!("{path}, {access}; created on first write")
            }
            Ok(false) if self.policy.filesystem.is_below_writable(rule) => {
                format!(
                    "{path}, {access}; absent on this host: empty during a run, so that no script makes it"
                )
            }
            Ok(false) => format!("{path}; {NOT_VISIBLE}"),
        }
    }

    fn can_be_created(&self, path: &Path) -> bool {
        path.starts_with(&self.policy.project_root) || path.parent().is_some_and(Path::is_dir)
    }

    fn monitoring(&mut self) {
        let monitoring = &self.policy.monitoring;
        let thresholds = &monitoring.alert_thresholds;
        let events = &monitoring.security_events;
        let views = "written by waxcell beside the journal";
        let counters = "the kernel's counters, in the record of the run";
        self.add(
            "monitoring.log_level",
            monitoring.log_level.name(),
            "goes into the log views, and what is worse",
            views,
        );
        self.add(
            "monitoring.file_attempts",
            monitoring.file_attempts.to_string(),
            "attempts on files that are not shown, or not to be written to, are in the record of the run",
            "told by the init, which the kernel asks about each call (seccomp user notification)",
        );
        let secrets = &monitoring.secrets;
        self.add(
            "monitoring.secrets",
            if secrets.is_empty() { "none".to_owned() } else { secrets.join(", ") },
            "kept apart from the record, beside what looks like a secret",
            "by waxcell before anything is written; `waxcell audit redact` erases it",
        );
        let length = monitoring.max_stderr_length;
        self.add(
            "monitoring.max_stderr_length",
            or_never(length),
            "kept for alerts, which this version does not raise",
            mechanisms::OUTPUT,
        );
        let percent = |value: Option<u8>| value.map_or("never".to_owned(), |value| format!("{value} %"));
        let prefix = "monitoring.alert_thresholds";
        self.add(
            &format!("{prefix}.cpu_usage"),
            percent(thresholds.cpu_usage),
            "of cpu_seconds: kept for alerts, which this version does not raise",
            counters,
        );
        self.add(
            &format!("{prefix}.memory_usage"),
            percent(thresholds.memory_usage),
            "of memory_mb: kept for alerts, which this version does not raise",
            counters,
        );
        let time = thresholds.execution_time.map_or("never".to_owned(), seconds);
        self.add(
            &format!("{prefix}.execution_time"),
            time,
            "of wall clock: kept for alerts, which this version does not raise",
            counters,
        );
        let prefix = "monitoring.security_events";
        for (name, value, becomes) in [
            (
                "enable_detailed_logging",
                events.enable_detailed_logging,
                "kept for later: this version writes one line with a count",
            ),
            (
                "log_network_activity",
                events.log_network_activity,
                "connections of a run, each a line of the security view as it ends, and their counters in the resource view while they change",
            ),
            (
                "log_filesystem_access",
                events.log_filesystem_access,
                "kept for later: files created, changed and removed are in the record in any case",
            ),
        ] {
            self.add(&format!("{prefix}.{name}"), value.to_string(), becomes, views);
        }
    }

    fn rest(&mut self) {
        let policy = self.policy;
        let interpreter = policy
            .interpreter
            .as_ref()
            .map_or("the caller's".to_owned(), |path| path.to_string_lossy().into_owned());
        let becomes = match &policy.interpreter {
            Some(path) if !path.exists() => "absent on this host: nothing can be run",
            _ => "runs the script; its prefix and packages are visible",
        };
        self.add("interpreter", interpreter, becomes, mechanisms::path(PathAccess::Read, false, self.host));
        let execve = "the environment given to execve";
        self.add(
            "environment.pass",
            join(policy.environment.pass.iter().cloned()),
            "passed on from the caller",
            execve,
        );
        // Values may be secrets.
        self.add(
            "environment.set",
            join(policy.environment.set.keys().cloned()),
            "set to what the policy says",
            execve,
        );
        let accepted = join(policy.degrade.iter().map(|degradation| degradation.name().to_owned()));
        let becomes = match policy.degrade.iter().filter(|degradation| self.host.lacks(**degradation)).count()
        {
            0 => "nothing is lost on this host",
            _ => "accepted, and lost on this host",
        };
        self.add("degrade", accepted, becomes, "named in the record of each run");
    }
}

fn join(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn or_never(value: Option<u64>) -> String {
    value.map_or("never".to_owned(), |value| format!("{value} characters"))
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn bytes(bytes: u64) -> String {
    match bytes % (1 << 20) {
        0 => format!("{} MiB", bytes >> 20),
        _ => format!("{bytes} bytes"),
    }
}
