//! What speaks against a log, kept for people to look at.

use std::fmt;
use std::path::PathBuf;

use super::hash_of;
use crate::directory::Directory;
use crate::error::OpenError;
use crate::tlog::Note;
use crate::whole;

/// So many files are kept. Old checkpoints are public, so anybody can send them.
const MOST: usize = 1000;

/// What a log did, or somebody in its name who has its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It signed two trees of one size: proof that it tells different stories.
    SplitView,
    /// It showed fewer entries than before. That is a sign of a log that was rolled back, and no proof: whoever has an old
    /// checkpoint can send it.
    Smaller,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sign::SplitView => "split-view",
            Sign::Smaller => "smaller",
        })
    }
}

/// Two checkpoints of a log that do not go together.
#[derive(Debug)]
pub struct Evidence {
    /// What they say of the log.
    pub sign: Sign,
    /// The file with both. Nothing when there are as many already as are kept.
    pub file: Result<Option<PathBuf>, OpenError>,
}

/// Keeps both notes, once however often they are shown. The lock must be held.
pub(crate) fn keep(folder: &Directory, sign: Sign, origin: &str, last: &Note, shown: &Note) -> Evidence {
    let hash = |text: &str| hash_of(text)[..16].to_owned();
    let name = format!("{}-{sign}-{}", hash(origin), hash(shown.text()));
    let file = || {
        let path = folder.path_of(&name);
        if folder.has(&name)? {
            return Ok(Some(path));
        }
        if folder.names()?.len() >= MOST {
            return Ok(None);
        }
        let text = format!("{sign} of {origin}\n\ncosigned before:\n{last}\nshown now:\n{shown}");
        whole::place(folder, &name, text.as_bytes())?;
        Ok(Some(path))
    };
    Evidence { sign, file: file() }
}
