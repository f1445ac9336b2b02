//! Holds one process tree to a [`Plan`], by the Linux kernel's own means.
//!
//! Rule of this crate: it knows processes and plans, not policies. It is the only one in which `unsafe` compiles, in
//! `sys.rs` alone, and the only one that starts processes. One file per mechanism: a pure *build* and an effectful
//! *apply*.
//!
//! ```text
//! spawn(plan) -> Building -- ready() --> Ready -- start() --> Running -- watch() --> Ending
//! ```

mod attempts;
mod beside;
mod broker;
mod cgroup;
mod datagrams;
mod denials;
mod devices;
mod doors;
mod egress;
mod ending;
mod enforced;
mod frames;
mod ground;
mod guarded;
mod handover;
mod landlock;
mod lookout;
mod members;
mod mount_table;
mod mounts;
mod network;
mod overlay;
mod path_map;
mod plain;
mod plan;
mod probe;
mod procfs;
mod refusals;
mod relay;
mod removal;
mod resolver;
mod room;
mod routes;
mod scratch;
mod seccomp;
mod spawn;
mod stage;
mod switches;
mod sys;
mod tally;
mod target;
mod text;
mod watch;
mod wire;
mod worker;
mod written;

pub use cgroup::{GroupError, Rung, clear_groups, rung};
pub use denials::Counts;
pub use egress::{Handed, Serve, serve_if_asked};
pub use ending::{Denial, Ending, Exit, Layer, Place, Stop, Usage};
pub use enforced::{Enforced, Landlock, ReadBackError, Seccomp};
pub use ground::Ground;
pub use landlock::abi as landlock_abi;
pub use mount_table::{mount_below, mounted};
pub use overlay::PARTS as LAYER_PARTS;
pub use path_map::PathMap;
pub use plan::{Access, Code, Egress, Guard, Identity, Limits, Mount, Network, Owner, Plain, Plan, Program};
pub use probe::{
    Feature, FeatureGroup, FeatureState, HostFeatures, Importance, Probe, measure_fdatasync, probe,
};
pub use relay::{Destination, Stream};
pub use removal::remove_all;
pub use scratch::sweep as sweep_scratch;
pub use spawn::{Building, Ready, SpawnError, Stdio, spawn};
pub use switches::{Switch, Switches};
pub use sys::{ReceivedSignal, SignalSet, read_signal, shed_code};
pub use watch::{Interrupts, Remains, Running};
pub use worker::{Work, Worker, WorkerEnd, WorkerLimits, work_if_asked};
