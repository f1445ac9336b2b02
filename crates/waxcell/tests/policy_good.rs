//! Good policies, each with the whole value that it becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use waxcell::policy::{
    AddressRule, AlertThresholds, Date, Degradation, DomainRule, Environment, Execution, Filesystem, Gate,
    Level, LogLevel, Monitoring, Network, PathAccess, PathRule, Policy, SecurityEvents, Severity, Source,
    Suppression, Vulnerabilities, WriteMode, builtin, init, parse_all,
};
use waxcell_egress::Pattern;
use waxcell_operations::Operation;

const MEBIBYTE: u64 = 1 << 20;

fn load(text: &str) -> Policy {
    let (policy, report) = parse_all(text, Path::new("/elsewhere/policy.yml"), Path::new("/project"));
    policy.unwrap_or_else(|| panic!("{}", report.render(false)))
}

/// The policy without what only tells where it came from.
fn meaning(mut policy: Policy) -> Policy {
    policy.source = Source { path: None, sha256: [0; 32], text: String::new() };
    policy.lines = BTreeMap::new();
    policy.warnings = Vec::new();
    policy.filesystem.paths.iter_mut().for_each(|rule| rule.line = 0);
    policy.analysis.suppressions.iter_mut().for_each(Suppression::forget_place);
    policy
}

fn strict() -> Policy {
    Policy {
        source: Source { path: None, sha256: [0; 32], text: String::new() },
        project_root: PathBuf::from("/project"),
        execution: Execution {
            timeout: Duration::from_secs(300),
            cpu: Duration::from_secs(60),
            memory: 512 * MEBIBYTE,
            file_size: 100 * MEBIBYTE,
            processes: 5,
            threads: 64,
            open_files: 1024,
            output: 64 * MEBIBYTE,
            scratch: 256 * MEBIBYTE,
            scratch_files: 65_536,
            disk_write: None,
        },
        filesystem: Filesystem {
            paths: Vec::new(),
            blocked: BTreeSet::from([Operation::FsDelete, Operation::FsChmod, Operation::FsChown]),
            write_mode: WriteMode::Direct,
        },
        network: Network {
            allowed_domains: Vec::new(),
            blocked_ports: BTreeSet::from([22, 23, 3389]),
            allow_addresses: Vec::new(),
            loopback: true,
            bandwidth: None,
            max_bytes: None,
            max_connections: 1000,
            max_lookups: 1000,
            connect_timeout: Duration::from_secs(10),
        },
        monitoring: Monitoring {
            file_attempts: true,
            log_level: LogLevel::Info,
            secrets: vec![],
            max_stderr_length: None,
            alert_thresholds: AlertThresholds { cpu_usage: None, memory_usage: None, execution_time: None },
            security_events: SecurityEvents {
                enable_detailed_logging: false,
                log_network_activity: false,
                log_filesystem_access: false,
            },
        },
        interpreter: None,
        environment: Environment::default(),
        degrade: BTreeSet::new(),
        analysis: Gate {
            capabilities: Level::Refuse,
            threats: Level::Refuse,
            dynamic_code: Level::Refuse,
            hygiene: Level::Report,
            refuse_at: None,
            rules: BTreeMap::new(),
            suppressions: vec![],
            baseline: None,
            vulnerabilities: Vulnerabilities {
                database: None,
                max_age_days: 30,
                on_finding: Level::Refuse,
                on_unaudited: Level::Report,
            },
            honour_comments: false,
        },
        lines: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

fn rule(path: &str, written: &str, access: PathAccess) -> PathRule {
    PathRule {
        path: PathBuf::from(path),
        written: written.to_owned(),
        access,
        shared: false,
        execute: false,
        line: 0,
    }
}

/// As the proposals' file in use: nested, quoted, with paths named twice and a folder of another machine.
const PROPOSALS: &str = r#"
# Limits for governance scripts
security:
  execution: {timeout_seconds: 300, cpu_seconds: 60, memory_mb: 512, file_size_mb: 100, max_processes: 5}
  filesystem:
    allowed_paths: ["/tmp", "./data", "./logs", "./scripts/examples",
      "/mnt/f/somewhere/else/scripts/examples", "scripts/examples"]
    blocked_operations: ["delete", "chmod", "chown"]
  network:
    allowed_domains: []
    blocked_ports: [22, 23, 3389]
  monitoring:
    log_level: "INFO"
    max_stderr_length: 1000
    alert_thresholds: {cpu_usage: 80, memory_usage: 90, execution_time: 250}
    security_events:
      enable_detailed_logging: true
      log_network_activity: true
      log_filesystem_access: true
"#;

fn proposals() -> Policy {
    let mut policy = strict();
    policy.filesystem.paths = vec![
        rule("/tmp", "/tmp", PathAccess::Write),
        rule("/project/data", "./data", PathAccess::Write),
        rule("/project/logs", "./logs", PathAccess::Write),
        rule("/project/scripts/examples", "./scripts/examples", PathAccess::Write),
        rule(
            "/mnt/f/somewhere/else/scripts/examples",
            "/mnt/f/somewhere/else/scripts/examples",
            PathAccess::Write,
        ),
    ];
    policy.monitoring.max_stderr_length = Some(1000);
    policy.monitoring.alert_thresholds = AlertThresholds {
        cpu_usage: Some(80),
        memory_usage: Some(90),
        execution_time: Some(Duration::from_secs(250)),
    };
    policy.monitoring.security_events = SecurityEvents {
        enable_detailed_logging: true,
        log_network_activity: true,
        log_filesystem_access: true,
    };
    policy
}

#[test]
fn the_proposals_file_loads_nested_and_flat() {
    assert_eq!(meaning(load(PROPOSALS)), proposals());
    let flat: String = PROPOSALS
        .lines()
        .filter(|line| *line != "security:")
        .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
        .collect();
    assert_eq!(meaning(load(&flat)), proposals());
}

#[test]
fn the_proposals_file_has_one_warning_and_its_places() {
    let policy = load(PROPOSALS);
    let warnings: Vec<_> = policy.warnings.iter().map(|d| (d.severity, d.line, d.message.as_str())).collect();
    assert_eq!(warnings, [(Severity::Warning, 7, "`scripts/examples` is named twice")]);
    let lines: Vec<usize> = policy.filesystem.paths.iter().map(|rule| rule.line).collect();
    assert_eq!(lines, [6, 6, 6, 6, 7]);
    assert_eq!(policy.lines.get("execution.memory_mb"), Some(&4));
    assert_eq!(policy.lines.get("monitoring.alert_thresholds.cpu_usage"), Some(&15));
    assert_eq!(policy.lines.get("execution.max_threads"), None);
}

#[test]
fn what_is_left_out_has_the_strict_default() {
    for text in
        ["{}", "security:", "security: {}", "---\nexecution:\nnetwork:\n...\n", "filesystem: {}  # later\n"]
    {
        assert_eq!(meaning(load(text)), strict(), "{text}");
    }
    assert_eq!(meaning(builtin(Path::new("/project"))), strict());
    assert_eq!(meaning(load(&init())), strict());
}

#[test]
fn the_built_in_policy_is_the_same_value_each_time_and_says_so() {
    let policy = builtin(Path::new("/project"));
    assert_eq!(policy, builtin(Path::new("/project")));
    assert_eq!(policy.source.path, None);
    assert_ne!(policy.source.sha256, [0; 32]);
    let again = load(&policy.source.text);
    assert_eq!(again.source.sha256_hex(), policy.source.sha256_hex());
    assert_eq!(policy.warnings, []);
}

#[test]
fn every_extension_becomes_a_value() {
    let policy = load(
        r#"
execution:
  timeout_seconds: 0.5
  cpu_seconds: 600
  memory_mb: 64.5
  file_size_mb: 0.25
  max_processes: 0
  max_threads: 0
  max_open_files: 64
  output_mb: 0.5
  scratch_mb: 16
  scratch_files: 1000
  disk_write_mb: 2048
filesystem:
  allowed_paths:
    - {path: ./state/secret/, access: none}
    - ./state
    - {path: ./build, execute: true}
    - {path: /usr/share//dict/./words, access: read}
    - {path: /tmp, shared: true}
    - "./Vorschläge 2025"
  blocked_operations: [fs.xattr, sys.bpf, fs.mount, delete, fs.delete]
  write_mode: overlay
network:
  allowed_domains:
    - API.Example.ORG.
    - {name: "*.example.net", ports: [8443, 443, 443]}
    - _dmarc.example.org
    - "*.München.example"
  allow_addresses: [10.0.0.5, {address: fd00::/64, ports: [5432]}, 10.1.0.0/16]
  blocked_ports: []
  loopback: false
  bandwidth_kb_s: 512
  max_bytes: 100000000
  max_connections: 7
  max_lookups: 20
  connect_timeout_seconds: 2.5
monitoring: {log_level: CRITICAL}
interpreter: .venv/bin/python3
environment:
  pass: [GITHUB_ACTOR, GITHUB_ACTOR, _X1]
  set: {PYTHONHASHSEED: 0, EMPTY: "", MODE: yes}
degrade: [landlock]
"#,
    );
    let mut expected = strict();
    expected.execution = Execution {
        timeout: Duration::from_millis(500),
        cpu: Duration::from_secs(600),
        memory: 64 * MEBIBYTE + MEBIBYTE / 2,
        file_size: MEBIBYTE / 4,
        processes: 0,
        threads: 0,
        open_files: 64,
        output: MEBIBYTE / 2,
        scratch: 16 * MEBIBYTE,
        scratch_files: 1000,
        disk_write: Some(2 << 30),
    };
    expected.filesystem = Filesystem {
        paths: vec![
            PathRule { shared: true, ..rule("/tmp", "/tmp", PathAccess::Write) },
            rule("/project/Vorschläge 2025", "./Vorschläge 2025", PathAccess::Write),
            PathRule { execute: true, ..rule("/project/build", "./build", PathAccess::Write) },
            rule("/project/state", "./state", PathAccess::Write),
            rule("/project/state/secret", "./state/secret/", PathAccess::None),
            rule("/usr/share/dict/words", "/usr/share//dict/./words", PathAccess::Read),
        ],
        blocked: BTreeSet::from([
            Operation::FsDelete,
            Operation::FsXattr,
            Operation::FsMount,
            Operation::SysBpf,
        ]),
        write_mode: WriteMode::Overlay,
    };
    let domain = |written: &str, ports: &[u16]| {
        let pattern = Pattern::parse(written).unwrap();
        DomainRule { pattern, ports: ports.to_vec() }
    };
    expected.network = Network {
        allowed_domains: vec![
            domain("api.example.org", &[]),
            domain("*.example.net", &[443, 8443]),
            domain("_dmarc.example.org", &[]),
            domain("*.xn--mnchen-3ya.example", &[]),
        ],
        blocked_ports: BTreeSet::new(),
        allow_addresses: vec![
            AddressRule { address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5)), prefix: 32, ports: vec![] },
            AddressRule { address: "fd00::".parse().unwrap(), prefix: 64, ports: vec![5432] },
            AddressRule { address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, 0)), prefix: 16, ports: vec![] },
        ],
        loopback: false,
        bandwidth: Some(512 * 1024),
        max_bytes: Some(100_000_000),
        max_connections: 7,
        max_lookups: 20,
        connect_timeout: Duration::from_millis(2500),
    };
    expected.monitoring.log_level = LogLevel::Critical;
    expected.interpreter = Some(PathBuf::from("/project/.venv/bin/python3"));
    expected.environment = Environment {
        pass: vec!["GITHUB_ACTOR".to_owned(), "_X1".to_owned()],
        set: [("PYTHONHASHSEED", "0"), ("EMPTY", ""), ("MODE", "yes")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    expected.degrade = BTreeSet::from([Degradation::Landlock]);
    assert_eq!(meaning(policy), expected);
}

#[test]
fn the_most_specific_rule_holds_whatever_the_order() {
    let entries =
        ["{path: ./a, access: write}", "{path: ./a/b, access: none}", "{path: ./a/b/c, access: read}"];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let list = order.map(|at| entries[at]).join(", ");
        let filesystem = load(&format!("filesystem: {{allowed_paths: [{list}]}}")).filesystem;
        let access = |path: &str| filesystem.rule_for(Path::new(path)).map(|rule| rule.access);
        assert_eq!(
            ["/project/a/x", "/project/a/b/x", "/project/a/b/c/x", "/project/ab", "/etc"].map(access),
            [Some(PathAccess::Write), Some(PathAccess::None), Some(PathAccess::Read), None, None]
        );
    }
}

#[test]
fn good_policies_may_have_warnings() {
    let warnings = |text: &str| -> Vec<String> {
        load(text).warnings.iter().map(|d| format!("{}:{}: {}", d.line, d.column, d.message)).collect()
    };
    assert_eq!(warnings("network: {allowed_domains: [a.org], allow_addresses: [10.0.0.5]}\n"), [""; 0]);
    assert_eq!(
        warnings(
            "filesystem:\n  allowed_paths: [{path: /tmp, execute: true}, {path: ./a, execute: false}]\n"
        ),
        ["2:19: programs that a script wrote to `/tmp` can be executed"]
    );
    assert_eq!(
        warnings("execution: {timeout_seconds: 10}\nmonitoring: {alert_thresholds: {execution_time: 10}}\n"),
        ["2:49: a run is killed before this alert can come"]
    );
    assert_eq!(
        warnings("network: {allowed_domains: [A.org, a.org., ü.org, XN--TDA.org]}\n"),
        ["1:36: `a.org.` is named twice", "1:51: `XN--TDA.org` is named twice"]
    );
}

#[test]
fn no_policy_lets_a_script_write_to_it() {
    let errors = |paths: &str| {
        let text = format!("filesystem: {{allowed_paths: [{paths}]}}\n");
        let (_, report) = parse_all(&text, Path::new("/tmp/p/policy.yml"), Path::new("/tmp/p"));
        report
            .diagnostics
            .into_iter()
            .map(|d| (d.column, d.message, d.help.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let holds = |column, path| {
        let message = format!("`{path}` holds this policy: a script could rewrite its own rules");
        let help = "add `{path: policy.yml, access: read}`, or move the policy elsewhere".to_owned();
        vec![(column, message, help)]
    };
    assert_eq!(errors("./data, ."), holds(38, "."));
    assert_eq!(errors("./policy.yml"), holds(30, "./policy.yml"));
    assert_eq!(errors("{path: /tmp, shared: true}"), holds(30, "/tmp"));
    // The most specific one decides; and the run's own `/tmp` is not the one in which the policy lies.
    assert_eq!(errors("., {path: policy.yml, access: read}"), []);
    assert_eq!(errors("/tmp"), []);
}

#[test]
fn the_hash_is_of_the_bytes_and_a_mark_or_crlf_changes_nothing_else() {
    let plain = load("execution:\n  memory_mb: 64\n");
    let marked = load("\u{feff}execution:\r\n  memory_mb: 64\r\n");
    assert_ne!(plain.source.sha256, marked.source.sha256);
    assert_eq!(plain.lines, marked.lines);
    assert_eq!(meaning(plain), meaning(marked));
}

#[test]
fn places_count_characters_not_bytes() {
    let text = "# Grüße 🐝\nfilesystem: {allowed_paths: [\"./Öl\", ~]}\ninterpreter: \"ü/*\"\n";
    let (_, report) = parse_all(text, Path::new("policy.yml"), Path::new("/project"));
    let places: Vec<_> = report
        .diagnostics
        .iter()
        .map(|d| (d.line, d.column, &text[d.span.clone()], d.message.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (2, 38, "~", "`filesystem.allowed_paths` takes text, this is nothing"),
            (3, 14, "\"ü/*\"", "`ü/*`: patterns are not supported in paths"),
        ]
    );
}

#[test]
fn errors_for_programs_have_the_same_places() {
    let (_, report) = parse_all("execution:\n  memroy_mb: 64\n", Path::new("p.yml"), Path::new("/project"));
    assert_eq!(
        report.to_json(),
        serde_json::json!([{
            "file": "p.yml", "line": 2, "column": 3, "severity": "error",
            "message": "unknown key `memroy_mb` in `execution`", "help": "did you mean `memory_mb`?",
        }])
    );
}

#[test]
fn what_the_gate_makes_of_findings() {
    let policy = load(
        r#"
analysis:
  capabilities: report
  threats: report
  dynamic_code: allow
  hygiene: ignore
  refuse_at: {severity: medium, confidence: high}
  rules: {B602: refuse, B404: ignore}
  suppressions:
    - {rule: B307, path: ./scripts/*.py, reason: " only our own numbers ", until: 2027-01-31}
    - {fingerprint: 00000000000000000000000000000000, reason: seen}
  baseline: known.json
  vulnerabilities: {database: osv.zip, max_age_days: 7, on_finding: report, on_unaudited: refuse}
  honour_comments: true
"#,
    );
    let first = &policy.analysis.suppressions[0];
    assert_eq!((first.line, first.is_about(Some(Path::new("scripts/a/b.py")))), (10, true));
    assert!(!first.is_about(Some(Path::new("other/b.py"))) && !first.is_about(None));
    let (last, over): (Date, Date) = ("2027-01-31".parse().unwrap(), "2027-02-01".parse().unwrap());
    assert!(!first.is_past(last) && first.is_past(over) && !policy.analysis.suppressions[1].is_past(over));
    let suppression = |rule, path: Option<&str>, fingerprint: Option<&str>, reason: &str, until| {
        let mut one = first.clone();
        one.forget_place();
        let (path, fingerprint) = (path.map(str::to_owned), fingerprint.map(str::to_owned));
        Suppression { rule, path, fingerprint, reason: reason.to_owned(), until, ..one }
    };
    let expected = Gate {
        capabilities: Level::Report,
        threats: Level::Report,
        dynamic_code: Level::Allow,
        hygiene: Level::Ignore,
        refuse_at: Some((waxcell_analysis::Severity::Medium, waxcell_analysis::Confidence::High)),
        rules: [("B602", Level::Refuse), ("B404", Level::Ignore)].into(),
        suppressions: vec![
            suppression(Some("B307"), Some("scripts/*.py"), None, "only our own numbers", Some(last)),
            suppression(None, None, Some("00000000000000000000000000000000"), "seen", None),
        ],
        baseline: Some(PathBuf::from("/project/known.json")),
        vulnerabilities: Vulnerabilities {
            database: Some(PathBuf::from("/project/osv.zip")),
            max_age_days: 7,
            on_finding: Level::Report,
            on_unaudited: Level::Refuse,
        },
        honour_comments: true,
    };
    assert_eq!(meaning(policy).analysis, expected);
}
