//! What this host offers a sandbox, tried out rather than looked up.
//!
//! Every answer comes from doing the thing in a child that ends at once, as the user who asks: a kernel that has a
//! feature and a container that forbids it look alike to a version number. Nothing is left behind. One file per group
//! of features: what is tried, and the sentences for people.

mod child;
mod feature;
mod files;
mod host;
mod landlock;
mod limits;
mod namespaces;
mod record;
mod render;
mod syscalls;

use std::path::Path;

use serde::Serialize;

use crate::cgroup::{self, Rung};

pub use feature::{Feature, FeatureGroup, FeatureState, Importance};
pub use record::measure_fdatasync;

/// The answers on which it depends how a policy is held here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HostFeatures {
    /// Whether this user is root (effective user id 0).
    pub root: bool,
    /// Whether this user, root or not, can make all seven namespaces, map ids into them and build a file system there.
    pub user_namespaces: bool,
    /// The version of Landlock, if it holds.
    pub landlock_abi: Option<u32>,
    /// Whether system calls can be handed to a supervisor, which reads their arguments and answers them.
    pub seccomp_notify: bool,
    /// Whether a layer can be put over files of the host in such namespaces.
    pub layers: bool,
    /// What would hold memory and CPU of a run.
    pub rung: Rung,
}

impl HostFeatures {
    /// Tries out these few alone, which takes some milliseconds.
    pub fn quick() -> HostFeatures {
        HostFeatures::of(
            &namespaces::Room::open(),
            &landlock::Trial::new(),
            &syscalls::Trial::new(),
            cgroup::rung(),
        )
    }

    fn of(
        room: &namespaces::Room,
        landlock: &landlock::Trial,
        syscalls: &syscalls::Trial,
        rung: Rung,
    ) -> HostFeatures {
        HostFeatures {
            root: rustix::process::geteuid().is_root(),
            user_namespaces: syscalls.clone3() && room.holds() && files::hold(room),
            landlock_abi: landlock.abi(),
            seccomp_notify: syscalls.notifies(),
            layers: room.holds() && files::hold(room) && files::layers(room),
            rung,
        }
    }
}

/// Everything that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// The few answers that decide how a policy is held.
    pub facts: HostFeatures,
    /// Feature by feature, in the order of their groups.
    pub features: Vec<Feature>,
}

/// Tries out what this host offers to this user. `directories` are those whose file systems a run would write to: the
/// project, the state directory.
pub fn probe(directories: &[&Path]) -> Probe {
    let proc = Path::new("/proc");
    let settings = host::Settings::read(proc, Path::new("/sys"));
    let room = namespaces::Room::open();
    let landlock = landlock::Trial::new();
    let syscalls = syscalls::Trial::new();
    let (control_groups, rung) = limits::control_groups();
    let facts = HostFeatures::of(&room, &landlock, &syscalls, rung);
    let features = [
        host::kernel(&settings),
        namespaces::features(&room, &settings),
        files::features(&room, &settings, directories),
        landlock.features(&settings),
        syscalls.features(&settings),
        limits::features(&room, control_groups),
        record::features(),
        host::hazards(&settings),
    ];
    Probe { facts, features: features.into_iter().flatten().collect() }
}

impl Probe {
    /// The feature of this name.
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }

    /// What is absent and no run is possible without.
    pub fn required_missing(&self) -> Vec<&Feature> {
        self.missing(Importance::Required)
    }

    /// What is absent and keeps every run from taking place: what is required, and the layers that no policy can
    /// give up: those of deciding about system calls, and all of them where nothing else would hold a script's files.
    pub fn fatal(&self) -> Vec<&Feature> {
        let (holds_files, decides) = (self.holds_files(), self.facts.seccomp_notify);
        let mut layers = self.layers_missing();
        layers.retain(|layer| !holds_files || !decides && layer.group == FeatureGroup::SystemCalls);
        self.required_missing().into_iter().chain(layers).collect()
    }

    /// Whether a script's files are held at all: by a root of the run's own, or by Landlock alone.
    fn holds_files(&self) -> bool {
        self.facts.user_namespaces || self.facts.landlock_abi.is_some()
    }

    /// What is absent and a run is refused without, unless its policy accepts the loss.
    pub fn layers_missing(&self) -> Vec<&Feature> {
        self.missing(Importance::Layer)
    }

    fn missing(&self, importance: Importance) -> Vec<&Feature> {
        let missing =
            |feature: &&Feature| feature.importance == importance && feature.state == FeatureState::Absent;
        self.features.iter().filter(missing).collect()
    }

    /// The table for people, in lines of at most 100 columns.
    pub fn render(&self, color: bool) -> String {
        render::render(self, color)
    }
}
