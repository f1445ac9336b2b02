//! Paths that the policy names, where they meet what a run has anyway: the system, the interpreter, the script's own
//! home, waxcell's own files. What cannot be had at once is refused here, before anything is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::interpreter::Interpreter;
use crate::plan_error::PlanError;
use crate::policy::{HOME, LOADED, PROGRAMS, PathAccess, PathRule, Policy, found_before};
use crate::view::SYSTEM;

/// A path of the policy and the place on this host that it leads to.
pub(crate) struct Named<'p> {
    pub(crate) rule: &'p PathRule,
    /// Canonical, if it is there.
    pub(crate) real: PathBuf,
}

/// The rules about the host's own paths, the most specific last.
pub(crate) fn lasting(policy: &Policy) -> impl Iterator<Item = Named<'_>> {
    policy
        .filesystem
        .paths
        .iter()
        .filter(|rule| !rule.is_private())
        .map(|rule| Named { rule, real: rule.path.canonicalize().unwrap_or_else(|_| rule.path.clone()) })
}

/// Refuses what cannot be had, or must not be.
pub(crate) fn refuse(
    policy: &Policy,
    interpreter: &Interpreter,
    keep_out: &[&Path],
) -> Result<(), PlanError> {
    let all: Vec<Named<'_>> = lasting(policy).collect();
    refuse_writable_trust(&all, policy, interpreter, keep_out)?;
    refuse_links_below_writable(policy)?;
    refuse_contradictions(&all)?;
    for Named { rule, real } in &all {
        let (written, line) = (rule.written.clone(), rule.line);
        if rule.access == PathAccess::None {
            match hidden(real, policy, interpreter) {
                Some(path) => return Err(PlanError::Hidden { written, line, path }),
                None => continue,
            }
        }
        if Path::new(HOME).starts_with(real) {
            return Err(PlanError::CoversHome { written, line });
        }
        if let Some(own) = keep_out.iter().find(|own| real.starts_with(canonical(own))) {
            return Err(PlanError::OwnState { written, line, path: (*own).to_owned() });
        }
    }
    Ok(())
}

/// The policy that judged this run and the record of it are out of reach of what they judge; so is what later runs,
/// and everybody else, execute.
fn refuse_writable_trust(
    all: &[Named<'_>],
    policy: &Policy,
    interpreter: &Interpreter,
    keep_out: &[&Path],
) -> Result<(), PlanError> {
    if !all.iter().any(|named| named.rule.is_lasting_write()) {
        return Ok(());
    }
    let policy_file = policy.source.path.as_deref();
    let before = policy_file.map_or(Vec::new(), |path| found_before(path, &policy.project_root));
    let before =
        before.iter().map(|path| ("the place of a policy that comes before this one,", path.as_path()));
    let policy_file = policy_file.map(|path| ("the policy itself", path));
    let own = keep_out.iter().map(|path| ("waxcell's own state", *path));
    let python = interpreter.roots.iter().map(|root| ("the interpreter", root.as_path()));
    let system = ["/usr"].iter().chain(&PROGRAMS).map(|path| ("programs of the system in", Path::new(*path)));
    for (what, trusted) in policy_file.into_iter().chain(before).chain(own).chain(python).chain(system) {
        let path = canonical(trusted);
        // The most specific rule that covers it decides.
        let covering = all.iter().filter(|named| path.starts_with(&named.real));
        let covering = covering.max_by_key(|named| named.real.components().count());
        // And none may lie within it, but for the rest of `/usr`.
        let within = all.iter().find(|named| {
            named.rule.is_lasting_write() && path != Path::new("/usr") && named.real.starts_with(&path)
        });
        if let Some(Named { rule, .. }) = covering.filter(|named| named.rule.is_lasting_write()).or(within) {
            return Err(PlanError::WritableTrust {
                written: rule.written.clone(),
                line: rule.line,
                what,
                path,
            });
        }
    }
    Ok(())
}

/// A path below a writable one is in the hands of whoever wrote there before: no component of it may be a link. One
/// that is put there after this look is found when the path is opened for the sandbox, which follows none either.
fn refuse_links_below_writable(policy: &Policy) -> Result<(), PlanError> {
    let rules = &policy.filesystem.paths;
    for rule in rules {
        let above = rules.iter().filter(|other| other.is_lasting_write() && other.path != rule.path);
        for writable in above.filter(|other| rule.path.starts_with(&other.path)) {
            let steps = rule.path.ancestors().take_while(|step| *step != writable.path);
            if steps.into_iter().any(Path::is_symlink) {
                return Err(PlanError::LinkBelowWritable { written: rule.written.clone(), line: rule.line });
            }
        }
    }
    Ok(())
}

/// Two paths that lead to one place through links cannot have two meanings.
fn refuse_contradictions(all: &[Named<'_>]) -> Result<(), PlanError> {
    let mut seen: BTreeMap<&Path, &PathRule> = BTreeMap::new();
    for Named { rule, real } in all {
        match seen.insert(real, rule) {
            Some(first) if first.access != rule.access => {
                return Err(PlanError::Contradiction {
                    written: rule.written.clone(),
                    line: rule.line,
                    other: first.written.clone(),
                    other_line: first.line,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// What Python needs of what would be hidden at `real`, if anything of it is to be seen at all.
fn hidden(real: &Path, policy: &Policy, interpreter: &Interpreter) -> Option<PathBuf> {
    let system = SYSTEM.iter().map(Path::new);
    let mut shown =
        system.chain(interpreter.roots.iter().map(PathBuf::as_path)).chain([policy.project_root.as_path()]);
    let is_shown = shown.any(|root| real.starts_with(canonical(root)));
    let mut needed =
        LOADED.iter().map(Path::new).chain([interpreter.path.as_path(), interpreter.real.as_path()]);
    needed.find(|needed| is_shown && canonical(needed).starts_with(real)).map(Path::to_owned)
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
