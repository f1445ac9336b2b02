//! Folders that root may enter and root's script may not: it is another user, to whom only root's own files are its own.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use waxcell_sandbox::{Owner, PathMap};

use crate::named::Named;
use crate::plan_error::PlanError;
use crate::policy::PathAccess;
use crate::run::Caller;
use crate::script::Script;

/// Refuses a run whose script, working directory or paths lie behind such a folder, and names it. `owner` is who the
/// script's own files belong to; `project` is shown to it. Folders that are not shown are made for the run, and open.
pub(crate) fn refuse(
    named: &[Named<'_>],
    project: Option<&Path>,
    script: &Script,
    caller: &Caller,
    owner: &Owner,
) -> Result<(), PlanError> {
    let open = named.iter().filter(|named| named.rule.access != PathAccess::None);
    let open = || open.clone().map(|named| named.real.as_path());
    let shown: PathMap<'_, ()> = project.into_iter().chain(open()).map(|root| (root, ())).collect();
    let files = open().chain([script.path.as_path()]).map(|path| (path.parent(), path));
    let here = caller.cwd.as_path();
    let mut seen = HashSet::new();
    for (folder, path) in files.chain([(Some(here), here)]) {
        // With a folder, those above it have been looked at.
        let folders = folder.into_iter().flat_map(Path::ancestors).take_while(|folder| seen.insert(*folder));
        let mut folders = folders.filter(|folder| shown.covers(folder));
        if let Some(folder) = folders.find(|folder| is_closed(folder, owner)) {
            return Err(PlanError::Closed { folder: folder.to_owned(), path: path.to_owned() });
        }
    }
    Ok(())
}

/// Whether the mode of `folder` keeps the script out. One that is not there yet does not.
fn is_closed(folder: &Path, owner: &Owner) -> bool {
    let Ok(meta) = fs::metadata(folder) else { return false };
    let passes = match () {
        () if meta.uid() == owner.uid => 0o100,
        () if meta.gid() == owner.gid => 0o010,
        () => 0o001,
    };
    meta.mode() & passes == 0
}
