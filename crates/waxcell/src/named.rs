//! Paths that the policy names, where they meet what a run has anyway: the system, the interpreter, the script's own
//! home, waxcell's own files. What cannot be had at once is refused here, before anything is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::interpreter::Interpreter;
use crate::plan_error::PlanError;
use crate::planning::{HOME, SYSTEM};
use crate::policy::{PathAccess, PathRule, Policy};

/// What every program on the host is started from, beside [`SYSTEM`] on hosts where those are no links into `/usr`.
const PROGRAMS: [&str; 5] = ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec"];
/// What no program can be started without.
const LOADED: [&str; 5] = ["/usr", "/lib", "/lib32", "/lib64", "/libx32"];

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

/// Whether a rule lets the script write to what outlives the run.
pub(crate) fn is_lasting_write(rule: &PathRule) -> bool {
    rule.access == PathAccess::Write && !rule.is_private()
}

/// Whether a more general rule makes the place of this one writable.
pub(crate) fn is_below_writable(rule: &PathRule, policy: &Policy) -> bool {
    let mut others = policy.filesystem.paths.iter().filter(|other| other.path != rule.path);
    others.any(|other| is_lasting_write(other) && rule.path.starts_with(&other.path))
}

/// Refuses what cannot be had, or must not be.
pub(crate) fn refuse(
    policy: &Policy,
    interpreter: &Interpreter,
    keep_out: &[&Path],
) -> Result<(), PlanError> {
    refuse_writable_trust(policy, interpreter, keep_out)?;
    refuse_links_below_writable(policy)?;
    refuse_contradictions(policy)?;
    for named in lasting(policy) {
        match named.rule.access {
            PathAccess::None => refuse_hidden_interpreter(&named, policy, interpreter)?,
            PathAccess::Read | PathAccess::Write if Path::new(HOME).starts_with(&named.real) => {
                return Err(PlanError::CoversHome {
                    written: named.rule.written.clone(),
                    line: named.rule.line,
                });
            }
            PathAccess::Read => {
                if let Some(own) = keep_out.iter().find(|own| named.real.starts_with(canonical(own))) {
                    return Err(PlanError::OwnState {
                        written: named.rule.written.clone(),
                        line: named.rule.line,
                        path: (*own).to_owned(),
                    });
                }
            }
            PathAccess::Write => {}
        }
    }
    Ok(())
}

/// The policy that judged this run and the record of it are out of reach of what they judge; so is what later runs,
/// and everybody else, execute.
fn refuse_writable_trust(
    policy: &Policy,
    interpreter: &Interpreter,
    keep_out: &[&Path],
) -> Result<(), PlanError> {
    let policy_file = policy.source.path.as_deref().map(|path| ("the policy itself", path));
    let own = keep_out.iter().map(|path| ("waxcell's own state", *path));
    let python = interpreter.roots.iter().map(|root| ("the interpreter", root.as_path()));
    let system = SYSTEM.iter().chain(&PROGRAMS).map(|path| ("programs of the system in", Path::new(*path)));
    for (what, trusted) in policy_file.into_iter().chain(own).chain(python).chain(system) {
        let trusted = canonical(trusted);
        // The most specific rule that covers it decides; and none may lie within it, but for the rest of `/usr`.
        let above = policy.filesystem.rule_for(&trusted).filter(|rule| is_lasting_write(rule)).cloned();
        let within = || {
            lasting(policy)
                .filter(|named| is_lasting_write(named.rule) && trusted != Path::new("/usr"))
                .find(|named| named.real.starts_with(&trusted))
                .map(|named| named.rule.clone())
        };
        if let Some(rule) = above.or_else(within) {
            return Err(PlanError::WritableTrust {
                written: rule.written,
                line: rule.line,
                what,
                path: trusted,
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
        let above = rules.iter().filter(|other| is_lasting_write(other) && other.path != rule.path);
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
fn refuse_contradictions(policy: &Policy) -> Result<(), PlanError> {
    let mut seen: BTreeMap<PathBuf, &PathRule> = BTreeMap::new();
    for Named { rule, real } in lasting(policy) {
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

fn refuse_hidden_interpreter(
    named: &Named<'_>,
    policy: &Policy,
    interpreter: &Interpreter,
) -> Result<(), PlanError> {
    let system = SYSTEM.iter().map(Path::new);
    let shown = system.chain(interpreter.roots.iter().map(PathBuf::as_path));
    let is_shown =
        shown.chain([policy.project_root.as_path()]).any(|root| named.real.starts_with(canonical(root)));
    let needed = LOADED.iter().map(Path::new).chain([interpreter.path.as_path(), interpreter.real.as_path()]);
    match needed.into_iter().find(|needed| is_shown && canonical(needed).starts_with(&named.real)) {
        Some(needed) => Err(PlanError::Hidden {
            written: named.rule.written.clone(),
            line: named.rule.line,
            path: needed.to_owned(),
        }),
        None => Ok(()),
    }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
