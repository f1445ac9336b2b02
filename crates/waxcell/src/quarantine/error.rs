//! Why something about quarantine could not be done.

use std::io;
use std::path::PathBuf;

use super::name::brief;
use crate::state::StateError;

/// Why a command about quarantined runs failed.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The record could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// No run of this name waits.
    #[error("no run `{0}` waits in quarantine")]
    None(String),
    /// Several names of runs begin so.
    #[error("several runs in quarantine begin with `{0}`")]
    Several(String),
    /// The run is not over.
    #[error("run {0} is still going on")]
    Running(String),
    /// The run's supervisor died: nobody knows what of its writes is whole.
    #[error("run {0} was lost before it ended: what it wrote may be half done, and is not committed")]
    Lost(String),
    /// Not everything that the run wrote could be looked at.
    #[error("run {run} left what cannot be committed: {why}")]
    Partly {
        /// The run.
        run: String,
        /// What it is.
        why: String,
    },
    /// Something of what the run wrote is not committed, or something on the host is not as it was.
    #[error("{}", told(.0, *.1))]
    Refused(Vec<Blocker>, u64),
    /// What a commit puts beside the files could not be made; nothing has changed.
    #[error("nothing was changed: what is to be committed cannot be put beside `{}`", brief(path.as_os_str()))]
    Beside {
        /// Beside what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of quarantine's own could not be read or written.
    #[error("cannot use `{}`", brief(path.as_os_str()))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A commit was begun and cannot be finished now.
    #[error("the commit of run {run} is half done: `{}` {why}", brief(path.as_os_str()))]
    Half {
        /// The run.
        run: String,
        /// Where it stopped.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Something that keeps a run from being committed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Blocker {
    /// Path on the host; bytes that are no text are escaped.
    pub path: String,
    /// Why.
    pub why: String,
}

/// How many are named in a message.
const NAMED: usize = 5;

fn told(blockers: &[Blocker], beyond: u64) -> String {
    let named: Vec<String> = blockers
        .iter()
        .take(NAMED)
        .map(|blocker| format!("`{}` {}", brief(blocker.path.as_ref()), blocker.why))
        .collect();
    let more = blockers.len().saturating_sub(NAMED) as u64 + beyond;
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("cannot be committed: {}{more}", named.join("; "))
}

impl QuarantineError {
    /// What a person can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            QuarantineError::State(error) => error.help().map(str::to_owned),
            QuarantineError::None(_) | QuarantineError::Several(_) => {
                Some("`waxcell quarantine list` names those that wait".to_owned())
            }
            QuarantineError::Refused(blockers, _)
                if blockers.iter().any(|b| b.why.contains("on the host")) =>
            {
                Some(
                    "nothing was changed; run the script again on what is there now, and discard this run"
                        .to_owned(),
                )
            }
            QuarantineError::Refused(blockers, 0) if blockers.iter().all(|b| b.why == LINK) => Some(
                "look where they lead with `waxcell quarantine show`, then commit with --allow-links"
                    .to_owned(),
            ),
            QuarantineError::Lost(run) | QuarantineError::Partly { run, .. } => {
                Some(format!("nothing was changed; `waxcell quarantine discard {run}` removes it"))
            }
            QuarantineError::Half { run, .. } => Some(format!(
                "put that right, and any `waxcell quarantine` command finishes it; `waxcell quarantine discard {run}` gives up what is left of it"
            )),
            _ => None,
        }
    }

    /// Whether it is an answer, as opposed to something having gone wrong.
    pub fn is_refusal(&self) -> bool {
        !matches!(
            self,
            QuarantineError::State(_)
                | QuarantineError::Io { .. }
                | QuarantineError::Beside { .. }
                | QuarantineError::Half { .. }
        )
    }
}

pub(super) const CHANGED: &str = "has changed on the host since the run began";
pub(super) const LINK: &str = "is a symbolic link";
