//! A limit that a run reached: which key of the policy, how much it allows, and how far the run came.

use serde::{Deserialize, Serialize};
use waxcell_sandbox::{Stop, Usage};

use crate::edit::{Edit, KeyPath, known_key};
use crate::policy::{KEYS, Kind, Policy};
use crate::violation::place;

/// A limit that ended a run, or refused something in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The key of the policy.
    #[serde(deserialize_with = "known_key")]
    pub key: KeyPath,
    /// The line of the policy that says so, or the default.
    pub rule: String,
    /// What both figures count.
    pub unit: LimitUnit,
    /// How much the policy allows.
    pub allowed: u64,
    /// How much was used by the end, as the kernel counted it; null where more was refused, and nothing is above.
    pub used: Option<u64>,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitUnit {
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes,
    /// Things.
    #[serde(rename = "count")]
    Count,
}

impl Limit {
    pub(crate) fn of(stop: Stop, usage: &Usage, policy: &Policy) -> Limit {
        use LimitUnit::{Bytes, Count, Microseconds};
        let limits = &policy.execution;
        let micros = |time: std::time::Duration| time.as_micros() as u64;
        let (key, unit, allowed, used) = match stop {
            Stop::Wall => {
                ("execution.timeout_seconds", Microseconds, micros(limits.timeout), Some(micros(usage.wall)))
            }
            Stop::Cpu => ("execution.cpu_seconds", Microseconds, micros(limits.cpu), Some(micros(usage.cpu))),
            Stop::Memory => ("execution.memory_mb", Bytes, limits.memory, Some(usage.memory_peak)),
            Stop::Processes => ("execution.max_processes", Count, limits.processes.into(), None),
            Stop::Threads => ("execution.max_threads", Count, limits.threads.into(), None),
            Stop::OpenFiles => ("execution.max_open_files", Count, limits.open_files.into(), None),
            Stop::Output => ("execution.output_mb", Bytes, limits.output, Some(usage.output)),
            Stop::FileSize => ("execution.file_size_mb", Bytes, limits.file_size, None),
            Stop::ScratchBytes => ("execution.scratch_mb", Bytes, limits.scratch, Some(usage.scratch_bytes)),
            Stop::Written => {
                let allowed = limits.disk_write.unwrap_or(u64::MAX);
                ("execution.disk_write_mb", Bytes, allowed, Some(usage.write_bytes))
            }
            Stop::ScratchFiles => {
                ("execution.scratch_files", Count, limits.scratch_files, Some(usage.scratch_files))
            }
        };
        Limit { key, rule: format!("{key} ({})", place(policy, key)), unit, allowed, used }
    }

    /// Twice as much, as far as a policy may go: how much it takes, nobody can tell.
    pub(crate) fn edit(&self) -> Option<Edit> {
        let kind = KEYS.iter().find(|key| key.path == self.key)?.kind;
        let Kind::Number { max, .. } = kind else { return None };
        let units = match self.unit {
            LimitUnit::Microseconds => 1e6,
            LimitUnit::Bytes => f64::from(1 << 20),
            LimitUnit::Count => 1.0,
        };
        let allowed = self.allowed as f64 / units;
        let more = (2.0 * allowed).max(if self.unit == LimitUnit::Count { 1.0 } else { 0.0 }).min(max);
        (more > allowed).then(|| Edit::Set { key: self.key, value: more.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::parse;

    #[test]
    fn a_limit_names_its_key_and_twice_as_much() {
        let text = "execution:\n  timeout_seconds: 0.3\n  memory_mb: 1.5\n  max_processes: 0\n  max_threads: 1000000\n";
        let policy = parse(text, Path::new("/p/policy.yml"), Path::new("/p")).unwrap();
        let usage = Usage { wall: std::time::Duration::from_millis(310), ..Usage::default() };
        let limit = Limit::of(Stop::Wall, &usage, &policy);
        assert_eq!((limit.allowed, limit.used), (300_000, Some(310_000)));
        assert_eq!(limit.rule, "execution.timeout_seconds (/p/policy.yml:2)");
        let twice = |stop| Limit::of(stop, &usage, &policy).edit().map(|edit| edit.to_string());
        let write = |what: &str| Some(format!("write {what}"));
        assert_eq!(twice(Stop::Wall), write("`0.6` for execution.timeout_seconds"));
        assert_eq!(twice(Stop::Memory), write("`3` for execution.memory_mb"));
        assert_eq!(twice(Stop::Processes), write("`1` for execution.max_processes"));
        assert_eq!(twice(Stop::Cpu), write("`120` for execution.cpu_seconds"));
        // As far as a policy may go.
        assert_eq!(twice(Stop::Threads), None);
    }
}
