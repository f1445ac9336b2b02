//! Why a policy and a script make no plan on this host.

use std::io;
use std::path::PathBuf;

use crate::policy::HOME;
use crate::quarantine::LayerError;

/// Why no plan can be made. Nothing has run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A writable path holds something that decides about later runs.
    #[error("`{written}` (line {line} of the policy) would let the script write to {what} `{}`", path.display())]
    WritableTrust {
        /// The entry as in the policy.
        written: String,
        /// Its line.
        line: usize,
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
    },
    /// A path hides what the script cannot be run without.
    #[error("`{written}` (line {line} of the policy) hides `{}`, and Python cannot start without it", path.display())]
    Hidden {
        /// The entry as in the policy.
        written: String,
        /// Its line.
        line: usize,
        /// What it hides.
        path: PathBuf,
    },
    /// A path of the host would lie over the script's own home.
    #[error(
        "`{written}` (line {line} of the policy) would cover the script's own home `{}`: name the folders in it that are needed",
        HOME
    )]
    CoversHome {
        /// The entry as in the policy.
        written: String,
        /// Its line.
        line: usize,
    },
    /// A path lies in waxcell's own state.
    #[error("`{written}` (line {line} of the policy) lies in waxcell's own state `{}`, which no script sees", path.display())]
    OwnState {
        /// The entry as in the policy.
        written: String,
        /// Its line.
        line: usize,
        /// The state directory.
        path: PathBuf,
    },
    /// Two entries lead to one place through a link.
    #[error(
        "`{written}` (line {line} of the policy) and `{other}` (line {other_line}) are one place on this host, and contradict each other"
    )]
    Contradiction {
        /// The entry as in the policy.
        written: String,
        /// Its line.
        line: usize,
        /// The other entry.
        other: String,
        /// Its line.
        other_line: usize,
    },
    /// A writable path that does not exist cannot be made.
    #[error("cannot make `{}`, which the policy allows the script to create", path.display())]
    Placeholder {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path of the policy leads through a link that a script could have made.
    #[error("`{written}` (line {line} of the policy) leads through a symbolic link inside a writable path")]
    LinkBelowWritable {
        /// The entry as in the policy.
        written: String,
        /// Its line.
        line: usize,
    },
    /// The project has too many entries to be searched for credentials.
    #[error("project `{}` has over a million files; give the policy a folder of its own", .0.display())]
    ProjectTooLarge(PathBuf),
    /// Something that the script may not have lies in a folder that it may write to, and this host cannot part them.
    #[error("this host can make no namespaces, and without them `{}` cannot be kept from a script that may write to `{}`", hole.display(), path.display())]
    HoleInWritable {
        /// The writable path.
        path: PathBuf,
        /// What lies in it.
        hole: PathBuf,
    },
    /// A folder has to be gone through and cannot be.
    #[error("cannot list `{}`, which holds something that the script may not have", path.display())]
    Unlisted {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// So many entries lie around what the script may not have that they are not allowed one by one.
    #[error("`{}` holds something that the script may not have, and too many entries beside it to be allowed one by one", .0.display())]
    TooManyRules(PathBuf),
    /// Root's script is another user, and its files cannot be made root's.
    #[error(
        "`{written}` (line {line} of the policy) is writable: without namespaces what root's script writes would not belong to root"
    )]
    ForeignFiles {
        /// The entry as in the policy.
        written: String,
        /// Its line.
        line: usize,
    },
    /// No ids of the host are free for the script.
    #[error("no unused user id is available here to run the script as (see /proc/self/uid_map)")]
    NoUserId,
    /// A folder that root may enter, and its script, another user, may not.
    #[error("root's script is an ordinary user, and may not enter `{}` on the way to `{}`", folder.display(), path.display())]
    Closed {
        /// The folder.
        folder: PathBuf,
        /// What lies in it, or the folder itself.
        path: PathBuf,
    },
    /// Layers are asked for, and this host can make no namespaces to put them into.
    #[error(
        "`filesystem.write_mode: overlay` (line {line} of the policy) needs namespaces, and this host can make none"
    )]
    NoLayers {
        /// Line of the key.
        line: usize,
    },
    /// It is not known how the host finds names.
    #[error("cannot find out how this host finds names")]
    HostNetwork(#[source] std::io::Error),
    /// A layer would not reach what is mounted below a writable path.
    #[error(
        "`{}` is mounted below `{}`, and with `filesystem.write_mode: overlay` no layer would lie over it",
        mount.display(),
        path.display()
    )]
    MountBelow {
        /// What the layer would lie over.
        path: PathBuf,
        /// What is mounted there.
        mount: PathBuf,
    },
    /// The layer of a single file would lie over the folder that the layer is in.
    #[error(
        "`{}` lies in a folder that holds waxcell's own state, and with `filesystem.write_mode: overlay` cannot have a layer there",
        .0.display()
    )]
    StateBeside(PathBuf),
    /// The layers cannot be made.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The working directory cannot be used.
    #[error("working directory `{}` lies where the sandbox has its own files", .0.display())]
    WorkingDirectory(PathBuf),
}

impl PlanError {
    /// What a person can do about it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            PlanError::HoleInWritable { .. } => {
                Some("move it elsewhere, or give the policy a folder without it, or allow it by its own name")
            }
            PlanError::ForeignFiles { .. } => Some(
                "run waxcell as an ordinary user, who owns the files, or allow namespaces (`waxcell doctor`)",
            ),
            PlanError::NoLayers { .. } => Some(
                "allow namespaces (`waxcell doctor`), or let the policy write to the files themselves (`write_mode: direct`)",
            ),
            PlanError::MountBelow { .. } => {
                Some("name folders beside it in the policy, or unmount it, or use `write_mode: direct`")
            }
            PlanError::StateBeside(_) => {
                Some("name another state directory with --state DIR or WAXCELL_STATE")
            }
            PlanError::Layer(LayerError::Unfit { .. }) => Some(
                "name a state directory on ext4, XFS, btrfs, or tmpfs of Linux 6.6, with --state DIR or WAXCELL_STATE",
            ),
            PlanError::NoUserId => Some("run waxcell as an ordinary user"),
            PlanError::Closed { .. } => Some(
                "run waxcell as the user whom that folder belongs to, or let others pass through it (`chmod a+x`)",
            ),
            _ => None,
        }
    }
}
