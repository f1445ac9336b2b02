//! One feature of a host, and the fixed half of it: what it is called, what is lost without it, how to get it.

use rustix::io::Errno;
use serde::Serialize;

/// What a feature is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureGroup {
    /// The kernel as a whole.
    Kernel,
    /// Namespaces and the ids in them.
    Namespaces,
    /// The file system that a script sees.
    Files,
    /// Landlock, version by version.
    Landlock,
    /// System calls: those the sandbox makes, and the filter over those of the script.
    SystemCalls,
    /// Limits on the whole tree.
    Limits,
    /// What the record of a run is made from.
    Record,
    /// Settings of the host that are worth knowing.
    Host,
}

impl FeatureGroup {
    /// The heading for people.
    pub const fn title(self) -> &'static str {
        match self {
            FeatureGroup::Kernel => "Kernel",
            FeatureGroup::Namespaces => "Namespaces",
            FeatureGroup::Files => "Files",
            FeatureGroup::Landlock => "Landlock",
            FeatureGroup::SystemCalls => "System calls",
            FeatureGroup::Limits => "Limits",
            FeatureGroup::Record => "Record",
            FeatureGroup::Host => "Host",
        }
    }
}

/// What it means that a feature is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// No run is possible.
    Required,
    /// A run is refused, unless its policy accepts the loss.
    Layer,
    /// A run is slower, or its limits or its record are less precise.
    Better,
}

/// Whether a feature is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureState {
    /// It was tried and holds.
    Present,
    /// Something of it holds.
    Partly,
    /// It does not hold, or could not be tried.
    Absent,
}

/// One feature that the sandbox can use, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// What it is called; unique.
    pub name: &'static str,
    /// What it is part of.
    pub group: FeatureGroup,
    /// What it means that it is absent.
    pub importance: Importance,
    /// Whether it is there.
    pub state: FeatureState,
    /// What was found.
    pub found: String,
    /// What is lost without it.
    pub without: &'static str,
    /// How to get it: a command or a setting.
    pub how: String,
}

/// The fixed half of a feature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) group: FeatureGroup,
    pub(super) importance: Importance,
    pub(super) name: &'static str,
    pub(super) without: &'static str,
    pub(super) how: &'static str,
}

impl Entry {
    pub(super) fn present(&self, found: impl Into<String>) -> Feature {
        self.found(FeatureState::Present, found, self.how)
    }

    pub(super) fn partly(&self, found: impl Into<String>) -> Feature {
        self.found(FeatureState::Partly, found, self.how)
    }

    pub(super) fn absent(&self, found: impl Into<String>) -> Feature {
        self.found(FeatureState::Absent, found, self.how)
    }

    /// Absent for a reason that is known better than the table knows it.
    pub(super) fn absent_because(&self, found: impl Into<String>, how: impl Into<String>) -> Feature {
        self.found(FeatureState::Absent, found, how)
    }

    fn found(&self, state: FeatureState, found: impl Into<String>, how: impl Into<String>) -> Feature {
        Feature {
            name: self.name,
            group: self.group,
            importance: self.importance,
            state,
            found: found.into(),
            without: self.without,
            how: how.into(),
        }
    }
}

/// `EPERM (Operation not permitted)`: the name to search for, and what it means.
pub(super) fn errno(errno: Errno) -> String {
    let name = match errno {
        Errno::PERM => "EPERM",
        Errno::ACCESS => "EACCES",
        Errno::NOSPC => "ENOSPC",
        Errno::INVAL => "EINVAL",
        Errno::NOSYS => "ENOSYS",
        Errno::USERS => "EUSERS",
        Errno::BUSY => "EBUSY",
        Errno::AGAIN => "EAGAIN",
        Errno::OPNOTSUPP => "EOPNOTSUPP",
        Errno::NODEV => "ENODEV",
        Errno::NOENT => "ENOENT",
        Errno::ROFS => "EROFS",
        Errno::MFILE => "EMFILE",
        Errno::TOOBIG => "E2BIG",
        Errno::TIMEDOUT => "ETIMEDOUT",
        other => return std::io::Error::from(other).to_string(),
    };
    let text = std::io::Error::from(errno).to_string();
    let meaning = text.split(" (os error").next().unwrap_or_default();
    format!("{name} ({meaning})")
}
