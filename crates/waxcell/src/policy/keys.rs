//! Every key of a policy, in one table. It drives decoding, suggestions, the JSON Schema, the starting file and the
//! reference page.

/// One key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Where it stands, from the top: `execution.timeout_seconds`.
    pub path: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Its default, as YAML; empty for a section and for a key that has none.
    pub default: &'static str,
    /// What it means, in one or two sentences without the last full stop.
    pub summary: &'static str,
    /// A value as one would write it, as YAML; empty for a section.
    pub example: &'static str,
}

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Further keys.
    Section,
    /// A number within a range, both ends included.
    Number {
        /// What it counts.
        unit: Unit,
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// `true` or `false`.
    Flag,
    /// One word of these.
    Choice(&'static [&'static str]),
    /// One path.
    Path,
    /// Paths, each plain or `{path, access, shared, execute}`.
    Paths,
    /// Names of operations.
    Operations,
    /// Domain names, each plain or `{name, ports}`.
    Domains,
    /// Addresses or networks, each plain or `{address, ports}`.
    Addresses,
    /// Port numbers.
    Ports,
    /// Names of environment variables.
    Names,
    /// What is a secret: names of environment variables behind a `$`, and texts.
    Secrets,
    /// Environment variables with their values.
    Variables,
    /// Some of these words.
    Words(&'static [&'static str]),
    /// A path, which may be a bare name.
    File,
    /// Ids of rules of analysis, each with a level.
    RuleLevels,
    /// Findings of analysis that do not count: `{rule, path, fingerprint, reason, until}`.
    Suppressions,
    /// Known, but not enforced by this version: refused.
    Later,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds; fractions are allowed.
    Seconds,
    /// Mebibytes (1,048,576 bytes); fractions are allowed.
    Mebibytes,
    /// Things.
    Count,
    /// Percent.
    Percent,
    /// Characters.
    Characters,
    /// Bytes.
    Bytes,
    /// Kibibytes (1,024 bytes) a second.
    KibibytesPerSecond,
}

impl Unit {
    /// Whether `0.5` makes sense.
    pub const fn has_fractions(self) -> bool {
        matches!(self, Unit::Seconds | Unit::Mebibytes)
    }

    /// The unit for people; empty for things.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::Mebibytes => "MiB",
            Unit::Count => "",
            Unit::Percent => "%",
            Unit::Characters => "characters",
            Unit::Bytes => "bytes",
            Unit::KibibytesPerSecond => "KiB/s",
        }
    }
}

const YEAR: f64 = 31_536_000.0;
const TEBIBYTES_16: f64 = 16_777_216.0;
/// A second, in kibibytes.
const GIBIBYTES_16: f64 = 16_777_216.0;

const fn seconds(min: f64) -> Kind {
    Kind::Number { unit: Unit::Seconds, min, max: YEAR }
}

const fn mebibytes(min: f64) -> Kind {
    Kind::Number { unit: Unit::Mebibytes, min, max: TEBIBYTES_16 }
}

const fn count(min: f64, max: f64) -> Kind {
    Kind::Number { unit: Unit::Count, min, max }
}

const fn percent() -> Kind {
    Kind::Number { unit: Unit::Percent, min: 1.0, max: 100.0 }
}

const fn section(path: &'static str, summary: &'static str) -> Key {
    Key { path, kind: Kind::Section, default: "", summary, example: "" }
}

const fn later(path: &'static str, summary: &'static str) -> Key {
    Key { path, kind: Kind::Later, default: "", summary, example: "" }
}

/// The table, in the order of the reference page.
pub const KEYS: &[Key] = &[
    section("execution", "Bounds on what a run may use"),
    Key {
        path: "execution.timeout_seconds",
        kind: seconds(0.01),
        default: "300",
        summary: "Wall-clock time after which the whole run is killed",
        example: "300",
    },
    Key {
        path: "execution.cpu_seconds",
        kind: seconds(0.01),
        default: "60",
        summary: "User and system time of all processes of the run together",
        example: "60",
    },
    Key {
        path: "execution.memory_mb",
        kind: mebibytes(1.0),
        default: "512",
        summary: "Memory of all processes of the run together, scratch space counted",
        example: "512",
    },
    Key {
        path: "execution.file_size_mb",
        kind: mebibytes(0.001),
        default: "100",
        summary: "Size of any one file that the run writes",
        example: "100",
    },
    Key {
        path: "execution.max_processes",
        kind: count(0.0, 1_000_000.0),
        default: "5",
        summary: "Processes beside the script's own, at the same time. Threads do not count",
        example: "5",
    },
    Key {
        path: "execution.max_threads",
        kind: count(0.0, 1_000_000.0),
        default: "64",
        summary: "Threads beside the first one of each process, at the same time",
        example: "64",
    },
    Key {
        path: "execution.max_open_files",
        kind: count(16.0, 1_048_576.0),
        default: "1024",
        summary: "Files, sockets and pipes that one process may hold open",
        example: "1024",
    },
    Key {
        path: "execution.output_mb",
        kind: mebibytes(0.001),
        default: "64",
        summary: "Standard output and standard error together",
        example: "64",
    },
    Key {
        path: "execution.scratch_mb",
        kind: mebibytes(1.0),
        default: "256",
        summary: "Private scratch space (`/tmp`, `HOME`). It is memory, and counts as such",
        example: "256",
    },
    Key {
        path: "execution.scratch_files",
        kind: count(64.0, 100_000_000.0),
        default: "65536",
        summary: "Files and directories in scratch space",
        example: "65536",
    },
    Key {
        path: "execution.disk_write_mb",
        kind: mebibytes(0.001),
        default: "",
        summary: "What all processes of the run together write to storage. Without it: no bound",
        example: "1024",
    },
    later("execution.disk_io_mb_s", "Disk throughput"),
    section("filesystem", "Paths beyond the project, which the script sees read-only"),
    Key {
        path: "filesystem.allowed_paths",
        kind: Kind::Paths,
        default: "[]",
        summary: "Paths beyond the read-only project. A plain entry is readable and writable and is created on first write; `{path: ..., access: read}`, `write` or `none` is the long form. Relative paths are relative to the project root; the most specific entry holds. Nothing that is writable can be executed, except with `execute: true` beside it: then a script can also run programs that it wrote or fetched. `/tmp` is private to the run unless written `{path: /tmp, shared: true}`",
        example: r#"["/tmp", "./data", {path: ./private, access: none}]"#,
    },
    Key {
        path: "filesystem.blocked_operations",
        kind: Kind::Operations,
        default: r#"["delete", "chmod", "chown"]"#,
        summary: "Operations refused on everything that outlives the run, not on private scratch space. Enforceable by themselves: `fs.delete`, `fs.chmod`, `fs.chown`, `fs.xattr`. Writing a temporary file and renaming it over a writable target is `fs.write`, not `fs.delete`",
        example: r#"["delete", "chmod", "chown"]"#,
    },
    Key {
        path: "filesystem.write_mode",
        kind: Kind::Choice(&["direct", "overlay"]),
        default: "direct",
        summary: "`direct`: writes to `allowed_paths` go to the files themselves. `overlay`: they go to a layer of the run, and the files stay as they are until somebody commits the layer (`waxcell quarantine`)",
        example: "overlay",
    },
    section("network", "What the run may reach. Without entries: nothing"),
    Key {
        path: "network.allowed_domains",
        kind: Kind::Domains,
        default: "[]",
        summary: "Names that may be reached: exact, or `*.name` for one or more labels below it (not the name itself); `{name: ..., ports: [443]}` is the long form. Other alphabets are written as they are, or in punycode, and shown in punycode. A `*` before a name below which everybody can have one (`*.com`, `*.co.uk`, `*.github.io`) is refused",
        example: r#"["api.example.org", {name: "*.example.net", ports: [443]}]"#,
    },
    Key {
        path: "network.allow_addresses",
        kind: Kind::Addresses,
        default: "[]",
        summary: "Addresses or networks that may be reached, private ones and this host's own included: no name leads to one of those unless it stands here. `{address: ..., ports: [5432]}` is the long form",
        example: r#"[{address: 10.0.0.5, ports: [5432]}]"#,
    },
    Key {
        path: "network.blocked_ports",
        kind: Kind::Ports,
        default: "[22, 23, 3389]",
        summary: "Ports that are refused even for allowed names and addresses",
        example: "[22, 23, 3389]",
    },
    Key {
        path: "network.loopback",
        kind: Kind::Flag,
        default: "true",
        summary: "Whether the run has a loopback interface. It is the run's own: the host's services are not on it",
        example: "true",
    },
    Key {
        path: "network.bandwidth_kb_s",
        kind: Kind::Number { unit: Unit::KibibytesPerSecond, min: 1.0, max: GIBIBYTES_16 },
        default: "",
        summary: "How much may be sent, and how much received, in a second: each way a bound of its own, for all connections together. Without it: as fast as it goes",
        example: "1024",
    },
    Key {
        path: "network.max_bytes",
        kind: Kind::Number { unit: Unit::Bytes, min: 1.0, max: 1_000_000_000_000_000.0 },
        default: "",
        summary: "Bytes sent and received by all connections together, after which every one is broken off. Without it: no end",
        example: "100000000",
    },
    Key {
        path: "network.max_connections",
        kind: count(1.0, 10_000.0),
        default: "1000",
        summary: "Connections at the same time. One more is broken off",
        example: "100",
    },
    Key {
        path: "network.max_lookups",
        kind: count(1.0, 65_536.0),
        default: "1000",
        summary: "Names that the host's resolver is asked for. Each is asked for once, and only if it is allowed",
        example: "100",
    },
    Key {
        path: "network.connect_timeout_seconds",
        kind: Kind::Number { unit: Unit::Seconds, min: 0.01, max: 600.0 },
        default: "10",
        summary: "How long all attempts to reach a server may take together",
        example: "10",
    },
    section("monitoring", "What is logged, and when a person is told"),
    Key {
        path: "monitoring.log_level",
        kind: Kind::Choice(&["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
        default: "INFO",
        summary: "The least severe event that goes into the log views. The journal holds everything in any case",
        example: "INFO",
    },
    Key {
        path: "monitoring.file_attempts",
        kind: Kind::Flag,
        default: "true",
        summary: "Whether attempts on files that are not shown, or not to be written to, are on record. They fail in any case. Each `open` costs some microseconds more for it",
        example: "false",
    },
    Key {
        path: "monitoring.secrets",
        kind: Kind::Secrets,
        default: "[]",
        summary: "What is kept apart from the record although it does not look like a secret, wherever it occurs: `$NAME` is the value that the caller's variable of that name has, everything else a text. `*` stands for any part of either",
        example: "[$HIVE_SEAL_*, acme-*]",
    },
    Key {
        path: "monitoring.max_stderr_length",
        kind: Kind::Number { unit: Unit::Characters, min: 0.0, max: 1_000_000_000_000.0 },
        default: "",
        summary: "Standard error beyond this length is worth an alert. Without it: never. This version raises no alerts yet",
        example: "1000",
    },
    section(
        "monitoring.alert_thresholds",
        "When a person is told before a limit is reached. Without a key: never. This version raises no alerts yet",
    ),
    Key {
        path: "monitoring.alert_thresholds.cpu_usage",
        kind: percent(),
        default: "",
        summary: "Share of `cpu_seconds` that was used",
        example: "80",
    },
    Key {
        path: "monitoring.alert_thresholds.memory_usage",
        kind: percent(),
        default: "",
        summary: "Share of `memory_mb` that was used at the peak",
        example: "90",
    },
    Key {
        path: "monitoring.alert_thresholds.execution_time",
        kind: seconds(0.01),
        default: "",
        summary: "Wall-clock time in seconds",
        example: "250",
    },
    section(
        "monitoring.security_events",
        "What goes into the security log beyond denials. Of these, only `log_network_activity` has an effect in this version",
    ),
    Key {
        path: "monitoring.security_events.enable_detailed_logging",
        kind: Kind::Flag,
        default: "false",
        summary: "Each occurrence on a line of its own instead of one line with a count",
        example: "true",
    },
    Key {
        path: "monitoring.security_events.log_network_activity",
        kind: Kind::Flag,
        default: "false",
        summary: "Connections of a run, each a line of the security view as it ends, and their counters in the resource view while they change",
        example: "true",
    },
    Key {
        path: "monitoring.security_events.log_filesystem_access",
        kind: Kind::Flag,
        default: "false",
        summary: "Files that were created, changed and removed",
        example: "true",
    },
    Key {
        path: "project_root",
        kind: Kind::Choice(&["repository", "folder"]),
        default: "repository",
        summary: "What relative paths start at, and what the script sees read-only. `repository`: the nearest folder above this file that holds `.git`, else this file's folder, where `config` and `scripts/config` count as their parent. `folder`: the same without looking for `.git`, for a project inside a larger repository",
        example: "folder",
    },
    Key {
        path: "interpreter",
        kind: Kind::Path,
        default: "",
        summary: "The Python to run, a path with a `/`. Without it: the one the caller would get (the active venv's, else `python3` on `PATH`)",
        example: ".venv/bin/python3",
    },
    section(
        "environment",
        "Environment variables beyond the built-in ones (`PATH`, `LANG`, `LC_*`, `TZ`, `HOME`, ...)",
    ),
    Key {
        path: "environment.pass",
        kind: Kind::Names,
        default: "[]",
        summary: "Names that are passed on from the caller, where it has them",
        example: "[GITHUB_ACTOR]",
    },
    Key {
        path: "environment.set",
        kind: Kind::Variables,
        default: "{}",
        summary: "Variables with a fixed value",
        example: r#"{PYTHONHASHSEED: "0"}"#,
    },
    Key {
        path: "degrade",
        kind: Kind::Words(&["namespaces", "landlock"]),
        default: "[]",
        summary: "Layers that a run may do without where the host lacks them. Without its name here, a missing layer means that the run is refused. Both at once cannot be missing: something has to hold the script's files",
        example: "[landlock]",
    },
    section(
        "analysis",
        "What follows from what static analysis says about a script, before anything of it runs. What cannot be read or analysed is refused whatever stands here",
    ),
    Key {
        path: "analysis.capabilities",
        kind: Kind::Choice(&["refuse", "report"]),
        default: "refuse",
        summary: "What a script certainly needs and this policy does not give, such as a network. `report`: it is run, and the kernel refuses what it tries",
        example: "report",
    },
    Key {
        path: "analysis.threats",
        kind: Kind::Choice(&["refuse", "report"]),
        default: "refuse",
        summary: "What attacks do and honest programs practically never",
        example: "report",
    },
    Key {
        path: "analysis.dynamic_code",
        kind: Kind::Choice(&["refuse", "report", "allow"]),
        default: "refuse",
        summary: "Code that is executed and whose text nobody can know before. `allow`: it is granted; it stays on record, marked as that, and nobody is told",
        example: "report",
    },
    Key {
        path: "analysis.hygiene",
        kind: Kind::Choice(&["refuse", "report", "ignore"]),
        default: "report",
        summary: "All other findings, such as Bandit's. `ignore`: they are not told, and not on record",
        example: "ignore",
    },
    section("analysis.refuse_at", "From which level on findings of hygiene refuse"),
    Key {
        path: "analysis.refuse_at.severity",
        kind: Kind::Choice(&["none", "low", "medium", "high"]),
        default: "none",
        summary: "From this severity on. `none`: never",
        example: "high",
    },
    Key {
        path: "analysis.refuse_at.confidence",
        kind: Kind::Choice(&["low", "medium", "high"]),
        default: "low",
        summary: "And from this confidence on",
        example: "medium",
    },
    Key {
        path: "analysis.rules",
        kind: Kind::RuleLevels,
        default: "{}",
        summary: "What single rules do, whatever their class does: `refuse`, `report` or `ignore`. Each finding names its rule",
        example: "{B602: refuse, B404: ignore}",
    },
    Key {
        path: "analysis.suppressions",
        kind: Kind::Suppressions,
        default: "[]",
        summary: "Findings that do not count: of a `rule`, or with a `fingerprint` (`waxcell check --json` names it), in scripts whose `path` in the project matches (`*` stands for anything, `/` included). Each has a `reason`, and counts no longer after the day `until`. They stay in the report and on record, marked as suppressed",
        example: r#"[{rule: B307, path: scripts/tally.py, reason: only our own numbers, until: 2027-01-31}]"#,
    },
    Key {
        path: "analysis.baseline",
        kind: Kind::File,
        default: "",
        summary: "A report of `waxcell check` (JSON or SARIF), whose findings of hygiene do not count. It is read for each run, and no script may be able to write to it",
        example: "./known.json",
    },
    section("analysis.vulnerabilities", "What follows from what is known about a script's dependencies"),
    Key {
        path: "analysis.vulnerabilities.database",
        kind: Kind::File,
        default: "",
        summary: "A database of vulnerabilities in the OSV format, by which what a script imports is audited: a folder of JSON files, or a zip archive of them. It is read for each run, and no script may be able to write to it",
        example: "./osv",
    },
    Key {
        path: "analysis.vulnerabilities.max_age_days",
        kind: Kind::Number { unit: Unit::Count, min: 0.0, max: 100_000.0 },
        default: "30",
        summary: "How many days ago its last entry may have been changed",
        example: "7",
    },
    Key {
        path: "analysis.vulnerabilities.on_finding",
        kind: Kind::Choice(&["refuse", "report"]),
        default: "refuse",
        summary: "What is known to be vulnerable",
        example: "report",
    },
    Key {
        path: "analysis.vulnerabilities.on_unaudited",
        kind: Kind::Choice(&["refuse", "report"]),
        default: "report",
        summary: "What nobody knows: modules that are not installed, a database that is too old, not whole or not there",
        example: "refuse",
    },
    Key {
        path: "analysis.honour_comments",
        kind: Kind::Flag,
        default: "false",
        summary: "Whether `# nosec` in a script that is run keeps its findings of hygiene from counting. The author of a script must not silence who judges it, unless you trust that author",
        example: "true",
    },
    later("extends", "Another policy that this one builds on"),
    later("scripts", "Sections for single scripts, by path or hash"),
    later("arguments", "What the arguments of a script may look like"),
    later("alerts", "Rules, channels and silences of alerts"),
    later("response", "What happens by itself after a violation"),
    later("roles", "Who may run what"),
    later("examples", "Operations that this policy must allow or refuse"),
];

/// The key at `path`.
pub(super) fn get(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The keys directly below the section at `path` (`""`: the top).
pub(super) fn below(path: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.parent() == path)
}

impl Key {
    /// The last part of its path.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The section it is in; empty at the top.
    pub fn parent(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// Whether this version enforces it.
    pub fn is_enforced(&self) -> bool {
        self.kind != Kind::Later
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Degradation, LogLevel};
    use super::{KEYS, Kind, below, get};

    #[test]
    fn every_key_is_there_once_and_below_a_section_that_comes_before() {
        for (at, key) in KEYS.iter().enumerate() {
            assert_eq!(KEYS.iter().filter(|other| other.path == key.path).count(), 1, "{}", key.path);
            let section = key.parent();
            let before = KEYS[..at].iter().any(|other| other.path == section && other.kind == Kind::Section);
            assert!(section.is_empty() || before, "{}", key.path);
            assert!(!key.summary.is_empty() && !key.summary.ends_with('.'), "{}", key.path);
        }
        assert!(below("execution").any(|key| key.name() == "memory_mb"));
    }

    #[test]
    fn the_words_of_the_table_are_those_of_the_model() {
        let words = |path: &str| match get(path).map(|key| key.kind) {
            Some(Kind::Words(words) | Kind::Choice(words)) => words.to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(words("degrade"), Degradation::ACCEPTED.map(Degradation::name));
        assert_eq!(words("monitoring.log_level"), LogLevel::ALL.map(LogLevel::name));
    }
}
