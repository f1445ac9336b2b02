//! Landlock: that it holds, and which of its steps are here.

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::thread;
use std::os::fd::AsFd;

use super::child::{Answers, Child, Outcome};
use super::feature::{Entry, Feature, FeatureGroup, Importance, errno};
use super::host::Settings;
use crate::sys::{self, LandlockRuleset};

const WRITE_FILE: u64 = 1 << 1;

const fn entry(
    importance: Importance,
    name: &'static str,
    without: &'static str,
    how: &'static str,
) -> Entry {
    Entry { group: FeatureGroup::Landlock, importance, name, without, how }
}

const LANDLOCK: Entry = entry(
    Importance::Layer,
    "Landlock",
    "one floor less under the mounts: nothing holds if a mount or a descriptor lets too much through",
    "Linux 5.13 with CONFIG_SECURITY_LANDLOCK, and `landlock` in the boot parameter lsm=",
);

/// One step of the ABI: what a rule set has to contain that only it knows.
struct Step {
    abi: u32,
    entry: Entry,
    found: &'static str,
    fs: u64,
    net: u64,
    scoped: u64,
}

const STEPS: [Step; 6] = [
    Step {
        abi: 2,
        entry: entry(
            Importance::Better,
            "renames (ABI 2)",
            "no file can be renamed or linked into another directory (EXDEV), even where both are writable",
            "Linux 5.19",
        ),
        found: "renames and links between writable directories",
        fs: 1 << 13,
        net: 0,
        scoped: 0,
    },
    Step {
        abi: 3,
        entry: entry(
            Importance::Better,
            "truncation (ABI 3)",
            "only the mounts keep a script from cutting a read-only file short",
            "Linux 6.2",
        ),
        found: "cutting files short",
        fs: 1 << 14,
        net: 0,
        scoped: 0,
    },
    Step {
        abi: 4,
        entry: entry(
            Importance::Better,
            "TCP (ABI 4)",
            "only the network namespace and the filter keep a script from TCP",
            "Linux 6.7",
        ),
        found: "binding and connecting TCP ports",
        fs: 0,
        net: 0b11,
        scoped: 0,
    },
    Step {
        abi: 5,
        entry: entry(
            Importance::Better,
            "device control (ABI 5)",
            "only the filter stands between a script and the ioctls of the devices it has",
            "Linux 6.10",
        ),
        found: "ioctl on devices",
        fs: 1 << 15,
        net: 0,
        scoped: 0,
    },
    Step {
        abi: 6,
        entry: entry(
            Importance::Better,
            "scopes (ABI 6)",
            "only namespaces keep a script from abstract sockets and from signalling outside of the run",
            "Linux 6.12",
        ),
        found: "abstract sockets and signals out of the run",
        fs: 0,
        net: 0,
        scoped: 0b11,
    },
    Step {
        abi: 7,
        entry: entry(
            Importance::Better,
            "kernel audit (ABI 7)",
            "the kernel's own audit log has no entry of what Landlock denied",
            "Linux 6.15",
        ),
        found: "denials in the kernel's audit log",
        fs: 0,
        net: 0,
        scoped: 0,
    },
];

const VERSION: u8 = 0;
const BEFORE: u8 = 1;
const RESTRICT: u8 = 2;
const DENIES: u8 = 3;
const ALLOWS: u8 = 4;
const FIRST_STEP: u8 = 5;

/// What has to hold for Landlock to hold.
const PROOF: [u8; 4] = [BEFORE, RESTRICT, DENIES, ALLOWS];

/// What a child found out about Landlock.
pub(super) struct Trial(Result<Answers, Errno>);

impl Trial {
    pub(super) fn new() -> Trial {
        let child = Child::start(0, |voice| {
            let Ok(abi) = sys::landlock_version() else {
                voice.number(VERSION, sys::landlock_version());
                return;
            };
            voice.number(VERSION, Ok(abi));
            for (number, step) in STEPS.iter().enumerate() {
                voice.say(FIRST_STEP + number as u8, takes(step, abi));
            }
            // A file that every process may write; not in /dev, which may be nodev.
            let open = |flags| openat(CWD, c"/proc/self/comm", flags | OFlags::CLOEXEC, Mode::empty());
            if !voice.say(BEFORE, open(OFlags::WRONLY).map(drop)) || !voice.say(RESTRICT, restrict()) {
                return;
            }
            voice.say(
                DENIES,
                match open(OFlags::WRONLY) {
                    Err(Errno::ACCESS) => Ok(()),
                    _ => Err(Errno::EXIST),
                },
            );
            voice.say(ALLOWS, open(OFlags::RDONLY).map(drop));
        });
        Trial(child.map(Child::finish))
    }

    fn answers(&self) -> Option<&Answers> {
        self.0.as_ref().ok()
    }

    /// The version, if it denied what it should and nothing else.
    pub(super) fn abi(&self) -> Option<u32> {
        let answers = self.answers()?;
        let holds = PROOF.iter().all(|question| answers.get(*question).held());
        match answers.get(VERSION) {
            Outcome::Held(abi) if holds => Some(abi),
            _ => None,
        }
    }

    pub(super) fn features(&self, settings: &Settings) -> Vec<Feature> {
        let abi = self.abi();
        let mut features = vec![self.whole(settings)];
        features.extend(STEPS.iter().enumerate().map(|(number, step)| {
            let taken = self.answers().map_or(Outcome::Untried, |told| told.get(FIRST_STEP + number as u8));
            match abi {
                Some(abi) if abi >= step.abi && taken.held() => step.entry.present(step.found),
                Some(abi) => step.entry.absent(format!("this kernel has ABI {abi}")),
                None => step.entry.absent_because("needs Landlock", step.entry.how),
            }
        }));
        features
    }

    fn whole(&self, settings: &Settings) -> Feature {
        let answers = match &self.0 {
            Ok(answers) => answers,
            Err(failure) => return LANDLOCK.absent(format!("could not be tried: {}", errno(*failure))),
        };
        match answers.get(VERSION) {
            Outcome::Held(abi) if self.abi().is_some() => {
                LANDLOCK.present(format!("ABI {abi}; a child was kept from writing and could still read"))
            }
            Outcome::Held(abi) => {
                let mut proof = PROOF.map(|question| answers.get(question)).into_iter();
                let reason = proof.find(|outcome| !outcome.held()).unwrap_or(Outcome::Untried);
                LANDLOCK.absent(format!("ABI {abi}, but it does not hold: {}", reason.why()))
            }
            Outcome::Failed(Errno::NOSYS) if settings.filters != 0 => LANDLOCK.absent_because(
                "ENOSYS: not built into this kernel, or hidden by the filter that is in force on waxcell",
                "Linux 5.13 with CONFIG_SECURITY_LANDLOCK, and a container runtime whose profile passes it",
            ),
            Outcome::Failed(Errno::NOSYS) => LANDLOCK.absent("ENOSYS: not built into this kernel"),
            Outcome::Failed(Errno::OPNOTSUPP) => LANDLOCK.absent_because(
                "EOPNOTSUPP: built in, but not started at boot",
                "add `landlock` to the front of the boot parameter lsm= (/etc/default/grub)",
            ),
            Outcome::Failed(Errno::PERM | Errno::ACCESS) => LANDLOCK.absent_because(
                "EPERM: the filter that is in force on waxcell refuses it",
                "a newer container runtime, or --security-opt seccomp=unconfined",
            ),
            outcome => LANDLOCK.absent(outcome.why()),
        }
    }
}

/// Whether the kernel takes the rights of a step in a rule set.
fn takes(step: &Step, abi: u32) -> Result<(), Errno> {
    if abi < step.abi {
        return Err(Errno::INVAL);
    }
    let attr = LandlockRuleset {
        handled_access_fs: step.fs | WRITE_FILE,
        handled_access_net: step.net,
        scoped: step.scoped,
    };
    let size = match step.abi {
        0..=3 => 8,
        4 | 5 => 16,
        _ => 24,
    };
    sys::landlock_ruleset(&attr, size).map(drop)
}

/// No file may be written any more; everything else stays.
fn restrict() -> Result<(), Errno> {
    thread::set_no_new_privs(true)?;
    let attr = LandlockRuleset { handled_access_fs: WRITE_FILE, ..LandlockRuleset::default() };
    let ruleset = sys::landlock_ruleset(&attr, 8)?;
    sys::landlock_restrict(ruleset.as_fd())
}
