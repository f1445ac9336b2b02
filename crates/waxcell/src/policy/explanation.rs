//! A policy as it holds on one host, for people and for programs.

use serde::Serialize;

use super::model::Degradation;
use super::text::escaped;

/// What of a host decides how a policy is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HostFacts {
    /// How limits of the whole tree are held.
    pub limits_rung: LimitsRung,
    /// Landlock's version; `None`: absent.
    pub landlock_abi: Option<u32>,
    /// Whether an ordinary user may make user namespaces.
    pub user_namespaces: bool,
    /// Whether the kernel hands system calls to a supervisor.
    pub seccomp_notify: bool,
    /// Whether a layer can be put over files of the host.
    pub layers: bool,
    /// Whether waxcell runs as root, with the right to make namespaces.
    pub root: bool,
}

impl HostFacts {
    /// Whether a run can have namespaces of its own.
    pub fn can_make_namespaces(&self) -> bool {
        self.root || self.user_namespaces
    }

    /// Whether the host lacks what a degradation gives up.
    pub fn lacks(&self, degradation: Degradation) -> bool {
        match degradation {
            Degradation::Namespaces => !self.can_make_namespaces(),
            Degradation::Landlock => self.landlock_abi.is_none(),
            Degradation::SeccompNotify => !self.seccomp_notify,
        }
    }
}

/// How limits of the whole tree are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum LimitsRung {
    /// A delegated cgroup v2.
    #[serde(rename = "cgroup2")]
    Cgroup2,
    /// Groups of cgroup v1.
    #[serde(rename = "cgroup1")]
    Cgroup1,
    /// Neither: rlimits, and a supervisor that watches.
    #[serde(rename = "rlimit+watch")]
    RlimitWatch,
}

impl LimitsRung {
    /// The word for it in records.
    pub const fn name(self) -> &'static str {
        match self {
            LimitsRung::Cgroup2 => "cgroup2",
            LimitsRung::Cgroup1 => "cgroup1",
            LimitsRung::RlimitWatch => "rlimit+watch",
        }
    }
}

/// A policy as it holds on one host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The file; `None` is the built-in default.
    pub policy: Option<String>,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// What relative paths are relative to, and what the script sees read-only.
    pub project_root: String,
    /// The host.
    pub host: HostFacts,
    /// Each setting.
    pub settings: Vec<Setting>,
    /// Why a run under this policy is refused on this host; empty: it is not.
    pub refused: Vec<String>,
    /// What the author of the policy should know.
    pub warnings: Vec<String>,
}

/// One setting as it holds on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key, or the name of something that holds in every run.
    pub key: String,
    /// Its value, for people.
    pub value: String,
    /// What it means for the script.
    pub becomes: String,
    /// The kernel mechanism that holds it here.
    pub mechanism: String,
    /// Where it comes from.
    pub from: Provenance,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// A line of the policy.
    Line(usize),
    /// The default of the key.
    Default,
    /// Every run: no policy can change it.
    Fixed,
}

impl Explanation {
    /// For people: one line a setting; ends with a line break.
    pub fn render(&self) -> String {
        let host = &self.host;
        let landlock =
            host.landlock_abi.map_or("no Landlock".to_owned(), |abi| format!("Landlock ABI {abi}"));
        let user = if host.root { "root" } else { "an ordinary user" };
        let mut out = format!(
            "policy        {}\n              sha256 {}\nproject root  {}\nhost          limits by {}, {landlock}, as {user}\n\n",
            self.policy.as_deref().map_or("the built-in strict default".to_owned(), escaped),
            self.sha256,
            escaped(&self.project_root),
            host.limits_rung.name(),
        );
        let width = |field: fn(&Setting) -> &str, most: usize| {
            self.settings
                .iter()
                .map(|s| escaped(field(s)).chars().count())
                .filter(|w| *w <= most)
                .max()
                .unwrap_or(0)
        };
        let (keys, values) = (width(|s| &s.key, 60), width(|s| &s.value, 40));
        for setting in &self.settings {
            let from = match setting.from {
                Provenance::Line(line) => format!("line {line}"),
                Provenance::Default => "default".to_owned(),
                Provenance::Fixed => "always".to_owned(),
            };
            let (key, value) = (escaped(&setting.key), escaped(&setting.value));
            let (becomes, mechanism) = (escaped(&setting.becomes), &setting.mechanism);
            out.push_str(&format!("{key:keys$}  {value:values$}  {becomes}; {mechanism} ({from})\n"));
        }
        for (title, lines) in [("warning", &self.warnings), ("refused here", &self.refused)] {
            for line in lines {
                out.push_str(&format!("\n{title}: {}\n", escaped(line)));
            }
        }
        out
    }
}
