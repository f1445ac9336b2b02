//! What is known of a run that writes to layers from its beginning on: enough to say whose they are if it never ends.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sealed::Ground;
use crate::own_files;

/// Written before the script starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    /// When that was: RFC 3339, UTC.
    pub(crate) at: String,
    /// The script's path.
    pub(crate) script: String,
    /// The root of its project.
    pub(crate) project: String,
    pub(super) grounds: Vec<Ground>,
}

const FILE: &str = "run.json";

impl Note {
    pub(crate) fn new(at: String, script: &Path, project: &Path) -> Note {
        let text = |path: &Path| super::name::shown(path.as_os_str());
        Note { at, script: text(script), project: text(project), grounds: Vec::new() }
    }

    pub(super) fn into_grounds(self) -> Vec<Ground> {
        self.grounds
    }

    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(FILE))?;
        file.write_all(&serde_json::to_vec(self)?)
    }

    pub(super) fn read(folder: &Path) -> io::Result<Note> {
        Ok(serde_json::from_slice(&own_files::read(&folder.join(FILE))?)?)
    }
}
