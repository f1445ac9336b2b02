//! From the known keys to the policy. Reads on after a mistake, so that all of them are told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::diagnostic::{Diagnostics, Report, Severity};
use super::document;
use super::find;
use super::keys::Kind;
use super::model::{
    AlertThresholds, Degradation, Environment, Execution, Filesystem, LogLevel, Monitoring, Network, Policy,
    SecurityEvents, Source, WriteMode,
};
use super::paths;
use super::settings::{self, Settings};
use super::text::quoted;
use super::values::{Reader, key};

/// Decodes a policy; there is none if one thing is wrong. `name` is what messages call the file.
pub(super) fn decode(source: Source, name: Option<&Path>, root: &Path) -> (Option<Policy>, Report) {
    let path = name.map(Path::to_path_buf);
    let mut report =
        Report { path, sha256: source.sha256, text: source.text.clone(), diagnostics: Vec::new() };
    let mut diagnostics = Diagnostics::new(&report.text);
    let tree = document::parse(&source.text, &mut diagnostics);
    if tree.is_none() && diagnostics.is_empty() {
        diagnostics.error(&(0..0), "empty policy").help("start with `waxcell policy init`");
    }
    let policy = tree.map(|tree| {
        let settings = settings::collect(&tree, &mut diagnostics);
        let file = source.path.clone();
        let mut reader =
            Reader { settings: &settings, diagnostics: &mut diagnostics, root, file: file.as_deref() };
        // First of all, since other keys hold paths relative to it.
        let own = (reader.word("project_root") == "folder").then(|| own_folder(&source, root));
        reader.root = own.as_deref().unwrap_or(root);
        let mut policy = reader.policy(source);
        policy.lines = lines(&settings, &diagnostics);
        refuse_writable_knowledge(&policy, &settings, &mut diagnostics);
        warn(&policy, &settings, &mut diagnostics);
        policy
    });
    report.diagnostics = diagnostics.finish();
    let policy = policy.filter(|_| !report.has_errors()).map(|mut policy| {
        policy.warnings =
            report.diagnostics.iter().filter(|d| d.severity == Severity::Warning).cloned().collect();
        policy
    });
    (policy, report)
}

/// The project of a policy file when repositories are not looked for.
fn own_folder(source: &Source, otherwise: &Path) -> std::path::PathBuf {
    let folder = source.path.as_deref().and_then(Path::parent).and_then(|folder| folder.canonicalize().ok());
    folder.map_or_else(|| otherwise.to_path_buf(), |folder| find::without_config(&folder).to_path_buf())
}

fn lines(settings: &Settings<'_>, diagnostics: &Diagnostics<'_>) -> BTreeMap<&'static str, usize> {
    settings.iter().map(|(path, written)| (*path, diagnostics.line(written.key.start))).collect()
}

impl Reader<'_, '_, '_> {
    fn policy(&mut self, source: Source) -> Policy {
        Policy {
            source,
            project_root: self.root.to_path_buf(),
            execution: self.execution(),
            filesystem: self.filesystem(),
            network: self.network(),
            monitoring: self.monitoring(),
            interpreter: self.interpreter(),
            environment: self.environment(),
            degrade: self.degrade(),
            analysis: self.gate(),
            lines: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    fn execution(&mut self) -> Execution {
        Execution {
            timeout: self.seconds("execution.timeout_seconds"),
            cpu: self.seconds("execution.cpu_seconds"),
            memory: self.bytes("execution.memory_mb"),
            file_size: self.bytes("execution.file_size_mb"),
            processes: self.count("execution.max_processes"),
            threads: self.count("execution.max_threads"),
            open_files: self.count("execution.max_open_files"),
            output: self.bytes("execution.output_mb"),
            scratch: self.bytes("execution.scratch_mb"),
            scratch_files: self.optional_count("execution.scratch_files").unwrap_or_default(),
            disk_write: self.optional_bytes("execution.disk_write_mb"),
        }
    }

    fn filesystem(&mut self) -> Filesystem {
        let mode = self.word("filesystem.write_mode");
        Filesystem {
            paths: self.path_rules(),
            blocked: self.blocked_operations(),
            write_mode: WriteMode::ALL.into_iter().find(|m| m.name() == mode).unwrap_or(WriteMode::Direct),
        }
    }

    fn network(&mut self) -> Network {
        let blocked_ports = self.blocked_ports();
        Network {
            allowed_domains: self.domain_rules(&blocked_ports),
            allow_addresses: self.address_rules(&blocked_ports),
            blocked_ports,
            loopback: self.flag("network.loopback"),
            bandwidth: self.optional_count("network.bandwidth_kb_s").map(|kibibytes| kibibytes << 10),
            max_bytes: self.optional_count("network.max_bytes"),
            max_connections: self.count("network.max_connections"),
            max_lookups: self.count("network.max_lookups"),
            connect_timeout: self.seconds("network.connect_timeout_seconds"),
        }
    }

    fn monitoring(&mut self) -> Monitoring {
        let level = self.word("monitoring.log_level");
        let percent = |value: Option<u64>| value.and_then(|value| u8::try_from(value).ok());
        Monitoring {
            log_level: LogLevel::ALL.into_iter().find(|l| l.name() == level).unwrap_or(LogLevel::Info),
            file_attempts: self.flag("monitoring.file_attempts"),
            secrets: self.secrets(),
            max_stderr_length: self.optional_count("monitoring.max_stderr_length"),
            alert_thresholds: AlertThresholds {
                cpu_usage: percent(self.optional_count("monitoring.alert_thresholds.cpu_usage")),
                memory_usage: percent(self.optional_count("monitoring.alert_thresholds.memory_usage")),
                execution_time: self.optional_seconds("monitoring.alert_thresholds.execution_time"),
            },
            security_events: SecurityEvents {
                enable_detailed_logging: self.flag("monitoring.security_events.enable_detailed_logging"),
                log_network_activity: self.flag("monitoring.security_events.log_network_activity"),
                log_filesystem_access: self.flag("monitoring.security_events.log_filesystem_access"),
            },
        }
    }

    fn secrets(&mut self) -> Vec<String> {
        /// A pattern with less in it is in every text.
        const LEAST: usize = 4;
        let mut secrets = Vec::new();
        for node in self.list("monitoring.secrets") {
            let Some(text) = self.text_in(&node, "monitoring.secrets") else { continue };
            if text.chars().filter(|c| *c != '*').count() < LEAST {
                self.diagnostics
                    .error(&node.span, format!("{} would keep nearly everything apart", quoted(text)))
                    .help(format!("write at least {LEAST} characters beside `*`"));
            } else {
                secrets.push(text.to_owned());
            }
        }
        secrets
    }

    fn interpreter(&mut self) -> Option<std::path::PathBuf> {
        let (node, written) = self.optional_text("interpreter")?;
        if !written.contains('/') && !written.trim().is_empty() {
            self.diagnostics
                .error(&node.span, "`interpreter` takes a path, this is a bare name")
                .help("write a path with a `/`, such as `/usr/bin/python3` or `.venv/bin/python3`");
            return None;
        }
        match paths::resolve(written, self.root) {
            Ok(path) => Some(path),
            Err(problem) => {
                self.diagnostics.error(&node.span, problem.about(written)).help(problem.help());
                None
            }
        }
    }

    fn environment(&mut self) -> Environment {
        let mut environment = Environment::default();
        let mut passed = BTreeMap::new();
        for node in self.list("environment.pass") {
            let Some(name) = self.text_in(&node, "environment.pass") else { continue };
            if !self.is_variable(name, &node.span) {
                continue;
            }
            if passed.insert(name.to_owned(), node.span.clone()).is_none() {
                environment.pass.push(name.to_owned());
            }
        }
        for (name, node) in self.entries("environment.set") {
            if !self.is_variable(&name.text, &name.span) {
                continue;
            }
            if let Some(first) = passed.get(&name.text) {
                self.diagnostics
                    .error(&name.span, format!("{} is both passed on and set", quoted(&name.text)))
                    .context(first.clone(), "passed on here")
                    .help("keep one of them");
            }
            // Whatever it looks like: every value of the environment is text.
            match &node.value {
                document::Value::Scalar { text, .. } if text.contains('\0') => {
                    self.diagnostics
                        .error(&node.span, format!("the value of {} contains NUL", quoted(&name.text)))
                        .help("no environment variable can hold it");
                }
                document::Value::Scalar { text, .. } => {
                    environment.set.insert(name.text.clone(), text.clone());
                }
                document::Value::Null => {
                    self.diagnostics
                        .error(&name.span, format!("{} has no value", quoted(&name.text)))
                        .help("write \"\" for an empty one");
                }
                other => self.refuse_shape(node, "environment.set", "names with text", other),
            }
        }
        environment
    }

    fn is_variable(&mut self, name: &str, span: &std::ops::Range<usize>) -> bool {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let good = starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !good {
            let help = match name.split_once('=') {
                Some(_) => "values stand under `environment: set:`",
                None => "a name is made of ASCII letters, digits and `_`, and does not begin with a digit",
            };
            self.diagnostics
                .error(span, format!("{} is not the name of an environment variable", quoted(name)))
                .help(help);
        }
        good
    }

    fn degrade(&mut self) -> BTreeSet<Degradation> {
        let Kind::Words(words) = key("degrade").kind else { return BTreeSet::new() };
        let mut set = BTreeSet::new();
        for node in self.list("degrade") {
            let Some(word) = self.word_in(&node, "degrade", words) else { continue };
            set.extend(Degradation::ALL.into_iter().find(|degradation| degradation.name() == word));
        }
        set
    }
}

/// A script that may write to its baseline, or to the database of vulnerabilities, decides what is known of it.
fn refuse_writable_knowledge(policy: &Policy, settings: &Settings<'_>, diagnostics: &mut Diagnostics<'_>) {
    let baseline = policy.analysis.baseline.as_ref();
    let database = policy.analysis.vulnerabilities.database.as_ref();
    for (path, key, name) in [
        (baseline, "analysis.baseline", "baseline"),
        (database, "analysis.vulnerabilities.database", "database"),
    ] {
        let rule =
            path.and_then(|path| policy.filesystem.rule_for(path)).filter(|rule| rule.is_lasting_write());
        if let (Some(rule), Some(written)) = (rule, settings.get(key)) {
            let message = format!("a script could write to this {name}, and decide what is known of it");
            diagnostics
                .error(&written.node.span, message)
                .help(format!("put it elsewhere than below {}", quoted(&rule.written)));
        }
    }
}

/// What can be loaded, but its author should know.
fn warn(policy: &Policy, settings: &Settings<'_>, diagnostics: &mut Diagnostics<'_>) {
    if let Some(time) = policy.monitoring.alert_thresholds.execution_time
        && time >= policy.execution.timeout
        && let Some(written) = settings.get("monitoring.alert_thresholds.execution_time")
    {
        diagnostics
            .warning(&written.node.span, "a run is killed before this alert can come")
            .help("write less than `execution: timeout_seconds:`");
    }
}
