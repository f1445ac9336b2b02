//! A case as its folder says it: `case.toml` with the probe and the policies beside it. `attacks/README.md` explains each
//! key to whoever writes one.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::layer::Layer;
use crate::need::Need;

/// One attack: what it needs, what its success looks like from outside, and what is expected instead.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name of its folder, `A01-absolute-path`.
    pub name: String,
    /// What `case.toml` says.
    pub told: Told,
    /// The probe: a Python script.
    pub probe: String,
    /// The policy that denies; without one the built-in default is meant.
    pub deny: Option<String>,
    /// The policy under which the same probe succeeds.
    pub allow: Option<String>,
    /// How many times as long as it is written everything may take; the probe is told by `{patience}`.
    pub patience: u32,
}

impl Case {
    /// The letter of its class.
    pub fn class(&self) -> char {
        self.name.chars().next().unwrap_or('?')
    }

    /// Whether it takes place in a world.
    pub(crate) fn needs_world(&self) -> bool {
        self.told.needs.contains(&Need::World)
    }

    /// Lets everything take so many times as long as it is written.
    pub fn wait_longer(&mut self, times: u32) {
        self.patience *= times;
        let times = f64::from(times);
        self.told.deadline *= times;
        self.told.escaped.lasted = self.told.escaped.lasted.map(|seconds| seconds * times);
    }
}

/// `case.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The id of the catalogue.
    pub id: String,
    /// What is tried, in a few words.
    pub title: String,
    /// What stops it. With all of these switched off it has to succeed.
    pub layers: Vec<Layer>,
    /// What the host must have, or the attack says nothing here.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// The probe's arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// How the positive control runs.
    #[serde(default)]
    pub control: Control,
    /// Whether another sandbox can be asked for the same by one command line for all cases.
    #[serde(default = "yes")]
    pub comparable: bool,
    /// The probe prints a line `ready` and waits for the end of its standard input; that is when it is looked at first.
    #[serde(default)]
    pub waits: bool,
    /// A file to be standard input; nothing can be read without it.
    #[serde(default)]
    pub stdin: Option<String>,
    /// Seconds until everything is killed.
    #[serde(default = "ten_seconds")]
    pub deadline: f64,
    /// Files and folders that are there before the probe.
    #[serde(default)]
    pub files: Vec<File>,
    /// Variables in the environment of whoever starts the run.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Sockets that somebody outside listens on.
    #[serde(default)]
    pub listeners: BTreeMap<String, Listener>,
    /// Processes outside.
    #[serde(default)]
    pub victims: BTreeMap<String, Victim>,
    /// Files that whoever starts the run has open, to be inherited.
    #[serde(default)]
    pub descriptors: BTreeMap<String, String>,
    /// What is seen when the attack succeeds.
    pub escaped: Evidence,
    /// What waxcell has to say instead.
    pub expect: Expect,
}

fn yes() -> bool {
    true
}

fn ten_seconds() -> f64 {
    10.0
}

/// Where the same probe must succeed, or its failure proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// In waxcell, under `allow.yml`.
    #[default]
    Allow,
    /// Outside, by the bare interpreter: no policy may ever allow it.
    Outside,
}

/// Something that is there before the probe starts. A path without more is an empty file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where, below the case's own place.
    pub path: String,
    /// What is in it.
    #[serde(default)]
    pub content: String,
    /// A symbolic link to this instead.
    #[serde(default)]
    pub link: Option<String>,
    /// Another name of this file instead.
    #[serde(default)]
    pub hard_link: Option<String>,
    /// A folder instead.
    #[serde(default)]
    pub folder: bool,
    /// A FIFO instead.
    #[serde(default)]
    pub fifo: bool,
    /// A folder with a file system of its own (a tmpfs) instead; only root can plant one.
    #[serde(default)]
    pub tmpfs: bool,
    /// Permission bits, octal.
    #[serde(default)]
    pub mode: Option<String>,
}

/// A socket that listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// What kind.
    pub kind: Kind,
    /// An address other than that of loopback.
    #[serde(default)]
    pub address: Option<String>,
    /// Where a UNIX socket lies.
    #[serde(default)]
    pub path: Option<String>,
}

/// Kinds of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// TCP, version 4 or 6 by its address.
    Tcp,
    /// UDP, version 4 or 6 by its address.
    Udp,
    /// A UNIX stream socket with a path.
    Unix,
    /// A UNIX stream socket with an abstract name.
    Abstract,
}

/// A process outside.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Victim {
    /// Its command; it sleeps without one.
    #[serde(default)]
    pub command: Vec<String>,
    /// Its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// What success looks like from outside. Any one thing is enough.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evidence {
    /// The secret is in the output, or in a file that was not there before.
    pub loot: bool,
    /// A line of one of these files of the host is in the output.
    pub copied: Vec<String>,
    /// One of these is not as it was: content, mode, owner, times, links, or gone.
    pub changed: Vec<String>,
    /// One of these is there now; with a `/` at the end, anything new below.
    pub appeared: Vec<String>,
    /// At or below one of these, a file has a set-user-id or set-group-id bit that it had not.
    pub set_id: Vec<String>,
    /// Below one of these folders, something new belongs to somebody other than the judge.
    pub foreign: Vec<String>,
    /// One of these listeners heard something.
    pub heard: Vec<String>,
    /// A server of the world was reached so: `ADDRESS`, `ADDRESS PORT` or `ADDRESS PORT WHAT`.
    pub reached: Vec<String>,
    /// A resolver of the world was asked so: `NAME` or `NAME KIND`.
    pub asked: Vec<String>,
    /// One of these processes ended, was stopped or traced, or got another priority or limit.
    pub hurt: Vec<String>,
    /// A process of the run is alive after its end.
    pub survived: bool,
    /// A field of `/proc/PID/status` of a waiting process of the script is other than this.
    pub status: BTreeMap<String, String>,
    /// A file of `/proc/PID` of a waiting process of the script has one of these texts in it.
    pub seen: BTreeMap<String, Vec<String>>,
    /// A waiting process of the script holds a descriptor whose link begins with this.
    pub holds: Vec<String>,
    /// Waiting processes of the script are not all in one and the same namespace of these kinds.
    pub apart: Vec<String>,
    /// A waiting process of the script is in the judge's own namespace of one of these kinds.
    pub shares: Vec<String>,
    /// One of these files of the host, in `/proc` or `/sys`, says something else.
    pub host: Vec<String>,
    /// Something of the run is there after so many seconds.
    pub lasted: Option<f64>,
    /// More bytes than this came out.
    pub output: Option<u64>,
    /// The script's processes used more CPU time than this, in seconds.
    pub cpu_seconds: Option<f64>,
    /// The script's processes had more memory than this at one time (MiB, resident).
    pub memory_mb: Option<u64>,
    /// There were more processes of the script than this at one time.
    pub processes: Option<usize>,
}

impl Evidence {
    /// Whether anything at all would tell.
    pub(crate) fn is_some(&self) -> bool {
        let lists = [
            &self.copied,
            &self.set_id,
            &self.foreign,
            &self.changed,
            &self.appeared,
            &self.heard,
            &self.reached,
            &self.asked,
            &self.hurt,
            &self.holds,
            &self.apart,
            &self.shares,
            &self.host,
        ];
        self.loot
            || self.survived
            || lists.iter().any(|list| !list.is_empty())
            || !self.status.is_empty()
            || !self.seen.is_empty()
            || self.has_measures()
    }

    /// Whether something is counted while the probe runs; then there is nothing more to learn once it is reached.
    pub(crate) fn has_measures(&self) -> bool {
        self.lasted.is_some() || self.output.is_some() || self.counts_processes()
    }

    /// Whether something of a waiting process would tell.
    pub(crate) fn looks_at_processes(&self) -> bool {
        !self.status.is_empty()
            || !self.seen.is_empty()
            || [&self.holds, &self.apart, &self.shares].iter().any(|list| !list.is_empty())
    }

    /// Whether the processes have to be looked at again and again.
    pub(crate) fn counts_processes(&self) -> bool {
        self.cpu_seconds.is_some() || self.memory_mb.is_some() || self.processes.is_some()
    }
}

/// What waxcell has to report.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Its verdict.
    pub verdict: String,
    /// Its exit code.
    pub exit: i32,
    /// A part of the cause.
    #[serde(default)]
    pub cause: Option<String>,
    /// Fields of `resource_usage` and the most that they may say.
    #[serde(default)]
    pub at_most: BTreeMap<String, f64>,
    /// The violations that have to be on record, each exactly once; an empty list: none. Not judged without the key.
    #[serde(default)]
    pub violations: Option<Vec<Violation>>,
    /// Others beside them are fine.
    #[serde(default)]
    pub more_violations: bool,
    /// Why the violations are not on record yet. Told, and no fault.
    #[serde(default)]
    pub to_come: Option<String>,
}

/// A violation that has to be on record.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// Operation by its full name.
    pub operation: String,
    /// On what, exactly.
    #[serde(default)]
    pub target: Option<String>,
    /// A part of the rule.
    #[serde(default)]
    pub rule: Option<String>,
    /// What stopped it, in the report's words.
    #[serde(default)]
    pub layer: Option<String>,
    /// How often.
    #[serde(default)]
    pub count: Option<u64>,
}
