//! Where what a run writes goes: to the files themselves, or to layers over them (`write_mode`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use waxcell_sandbox::{Access, Mount, PathMap, Plan, mount_below};

use crate::changes::Before;
use crate::named::Named;
use crate::placeholders::{self, Placeholders};
use crate::plan_error::PlanError;
use crate::planning::bind;
use crate::policy::{Policy, WriteMode};
use crate::quarantine::{LayerError, Layers, Left, Note};
use crate::script::Script;

/// The writes of one run.
#[derive(Debug)]
pub(crate) struct Writes {
    /// What was there before it.
    before: Before,
    /// `None`: they go to the files themselves.
    layered: Option<Layered>,
}

#[derive(Debug)]
struct Layered {
    layers: Layers,
    /// Of each writable path the folders on the way to it that were not there, and itself.
    missing: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// Of them those that the script made as well.
    claimed: Vec<PathBuf>,
}

/// Refuses layers where there can be none.
pub(crate) fn refuse(policy: &Policy, is_plain: bool) -> Result<(), PlanError> {
    match policy.filesystem.write_mode {
        WriteMode::Overlay if is_plain => {
            let line = policy.lines.get("filesystem.write_mode").copied().unwrap_or_default();
            Err(PlanError::NoLayers { line })
        }
        _ => Ok(()),
    }
}

impl Writes {
    /// Looks at what is there, before anything is made for the run. `folder` is for its layers.
    pub(crate) fn begin(
        policy: &Policy,
        named: &[Named<'_>],
        before: Before,
        folder: &Path,
    ) -> Result<Writes, PlanError> {
        let written = || named.iter().filter(|named| named.rule.is_lasting_write());
        if policy.filesystem.write_mode == WriteMode::Direct || written().next().is_none() {
            return Ok(Writes { before, layered: None });
        }
        let missing = written().map(|named| {
            let steps = placeholders::missing(&named.real).into_iter().map(Path::to_owned).collect();
            (named.real.clone(), steps)
        });
        let layered =
            Layered { missing: missing.collect(), claimed: Vec::new(), layers: Layers::begin(folder)? };
        Ok(Writes { before, layered: Some(layered) })
    }

    /// The places that a run sees, with layers over those that it may write to. `state` is waxcell's own.
    pub(crate) fn bind(
        &mut self,
        binds: &PathMap<'_, Access>,
        state: &Path,
    ) -> Result<Vec<Mount>, PlanError> {
        let Some(Layered { layers, missing, .. }) = &mut self.layered else {
            return Ok(binds.iter().map(|(path, access)| bind(path, *access, true)).collect());
        };
        let mounted = fs::read("/proc/self/mountinfo").unwrap_or_default();
        let mut mounts = Vec::new();
        for (path, access) in binds.iter() {
            if !matches!(access, Access::Write | Access::WriteExecute) {
                mounts.push(bind(path, *access, true));
                continue;
            }
            let is_file = !path.is_dir();
            let lower = if is_file { path.parent().unwrap_or(path) } else { path };
            if let Some(mount) = mount_below(&mounted, lower) {
                return Err(PlanError::MountBelow { path: lower.to_owned(), mount });
            }
            if state.starts_with(lower) {
                return Err(PlanError::StateBeside(path.to_owned()));
            }
            let steps: Vec<&Path> = missing.get(path).into_iter().flatten().map(PathBuf::as_path).collect();
            mounts.push(Mount::Overlay {
                source: path.to_owned(),
                is_file,
                target: path.to_owned(),
                access: *access,
                layer: layers.add(path, is_file, &steps)?,
            });
        }
        Ok(mounts)
    }

    /// Writes down whose layers they are, before the script starts.
    pub(crate) fn note(
        &mut self,
        at: &str,
        script: &Script,
        policy: &Policy,
        plan: &Plan,
    ) -> Result<(), PlanError> {
        let Some(Layered { layers, .. }) = &mut self.layered else { return Ok(()) };
        // What lies over a layer, but for folders that only stay where they are.
        let over = plan.mounts.iter().filter(|mount| !matches!(mount, Mount::Pin { .. }));
        let over = over.filter_map(Mount::target).map(Path::to_owned).collect();
        let note = Note::new(at.to_owned(), &script.path, &policy.project_root);
        Ok(layers.note(note, over)?)
    }

    /// These folders among the placeholders the script has made its own: on the host, or in a layer alone.
    pub(crate) fn claim(&mut self, placeholders: &mut Placeholders, claimed: &[usize]) {
        let Some(layered) = &mut self.layered else { return placeholders.claim(claimed) };
        let folders = placeholders.folders();
        layered.claimed = claimed.iter().filter_map(|index| folders.get(*index).cloned()).collect();
    }

    /// The run is over, and what was made for it is gone: what did it leave?
    pub(crate) fn end(self) -> Result<Left, LayerError> {
        match self.layered {
            None => Ok(Left { changes: self.before.compare(), waiting: None }),
            Some(Layered { layers, claimed, .. }) => layers.seal(&self.before, &claimed),
        }
    }
}
