//! What files and scripts ask for, in whichever format they do.

use crate::Name;
use crate::requirement::Requirement;

/// Something that is asked for, and on which line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The line.
    pub line: usize,
    /// What.
    pub ask: Ask,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One version, as a lock file names it.
    Locked(Name, String),
    /// Whatever a requirement admits.
    Requirement(Requirement),
    /// What another file asks for (`-r`), by its path as it is written.
    File(String),
    /// Nothing; but versions are chosen as another file says (`-c`).
    Constraints(String),
    /// Something of which nobody can say which version it is: as it is written, and why.
    Unknown(String, String),
}
