//! Paths that the policy names, where they meet what a run has anyway: the system, the interpreter, the script's own
//! home, waxcell's own files. What cannot be had at once is refused here, before anything is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use waxcell_sandbox::PathMap;

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

impl Named<'_> {
    /// Whether a link lies on the way.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.real != self.rule.path
    }
}

/// The rules about the host's own paths, the most specific last. Where a path leads is looked up here and nowhere else:
/// what is refused is what would be mounted.
pub(crate) fn lasting(policy: &Policy) -> Vec<Named<'_>> {
    let rules = policy.filesystem.paths.iter().filter(|rule| !rule.is_private());
    rules.map(|rule| Named { rule, real: canonical(&rule.path) }).collect()
}

/// Refuses what cannot be had, or must not be. `keep_out` is canonical.
pub(crate) fn refuse(
    all: &[Named<'_>],
    policy: &Policy,
    interpreter: &Interpreter,
    keep_out: &[&Path],
) -> Result<(), PlanError> {
    refuse_writable_trust(all, policy, interpreter, keep_out)?;
    refuse_links_below_writable(all, policy)?;
    refuse_contradictions(all)?;
    refuse_hidden(all, policy, interpreter)?;
    for Named { rule, real } in all.iter().filter(|named| named.rule.access != PathAccess::None) {
        let (written, line) = (|| rule.written.clone(), rule.line);
        if Path::new(HOME).starts_with(real) {
            return Err(PlanError::CoversHome { written: written(), line });
        }
        if let Some(own) = keep_out.iter().find(|own| real.starts_with(own)) {
            return Err(PlanError::OwnState { written: written(), line, path: (*own).to_owned() });
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
    let rules: PathMap<'_, &PathRule> = all.iter().map(|named| (named.real.as_path(), named.rule)).collect();
    let policy_file = policy.source.path.as_deref();
    let before = policy_file.map_or(Vec::new(), |path| found_before(path, &policy.project_root));
    let before =
        before.iter().map(|path| ("the place of a policy that comes before this one,", canonical(path)));
    let policy_file = policy_file.map(|path| ("the policy itself", canonical(path)));
    let own = keep_out.iter().map(|path| ("waxcell's own state", path.to_path_buf()));
    let python = interpreter.roots.iter().map(|root| ("the interpreter", canonical(root)));
    let system = ["/usr"].iter().chain(&PROGRAMS);
    let system = system.map(|path| ("programs of the system in", canonical(Path::new(path))));
    for (what, path) in policy_file.into_iter().chain(before).chain(own).chain(python).chain(system) {
        // The most specific rule that covers it decides.
        let covering = rules.around(&path).next();
        // And none may lie within it, but for the rest of `/usr`.
        let mut within = rules.below(&path).filter(|_| path != Path::new("/usr"));
        let is_write = |(_, rule): &(&Path, &&PathRule)| rule.is_lasting_write();
        if let Some((_, rule)) = covering.filter(is_write).or_else(|| within.find(is_write)) {
            return Err(PlanError::WritableTrust {
                written: rule.written.clone(),
                line: rule.line,
                what,
                path: path.clone(),
            });
        }
    }
    Ok(())
}

/// A path below a writable one is in the hands of whoever wrote there before: no component of it may be a link. One
/// that is put there after this look is found when the path is opened for the sandbox, which follows none either; one that
/// was there before it, when the path was looked up, has led elsewhere.
fn refuse_links_below_writable(all: &[Named<'_>], policy: &Policy) -> Result<(), PlanError> {
    let writable = policy.filesystem.writable();
    for named in all {
        let path = &named.rule.path;
        let Some((outermost, _)) = writable.above(path).last() else { continue };
        let mut steps = path.ancestors().take_while(|step| *step != outermost);
        let straight = path.strip_prefix(outermost).map(|below| canonical(outermost).join(below));
        let led_elsewhere = named.is_elsewhere() && straight.as_ref() != Ok(&named.real);
        if led_elsewhere || steps.any(Path::is_symlink) {
            let (written, line) = (named.rule.written.clone(), named.rule.line);
            return Err(PlanError::LinkBelowWritable { written, line });
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

/// What Python needs cannot be hidden, if anything of it is to be seen at all.
fn refuse_hidden(all: &[Named<'_>], policy: &Policy, interpreter: &Interpreter) -> Result<(), PlanError> {
    let mut hidden = all.iter().filter(|named| named.rule.access == PathAccess::None).peekable();
    if hidden.peek().is_none() {
        return Ok(());
    }
    let roots = interpreter.roots.iter().map(PathBuf::as_path).chain([policy.project_root.as_path()]);
    let shown: Vec<PathBuf> = SYSTEM.iter().map(Path::new).chain(roots).map(canonical).collect();
    let needed = LOADED.iter().map(Path::new).chain([interpreter.path.as_path(), interpreter.real.as_path()]);
    let needed: Vec<(&Path, PathBuf)> = needed.map(|path| (path, canonical(path))).collect();
    for Named { rule, real } in hidden {
        let is_shown = shown.iter().any(|root| real.starts_with(root));
        if let Some((path, _)) = needed.iter().find(|(_, place)| is_shown && place.starts_with(real)) {
            return Err(PlanError::Hidden {
                written: rule.written.clone(),
                line: rule.line,
                path: path.to_path_buf(),
            });
        }
    }
    Ok(())
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    #[test]
    fn a_link_that_is_gone_again_has_led_elsewhere_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("data/folder")).unwrap();
        let text = "filesystem: {allowed_paths: [./data, ./data/folder]}";
        let policy = parse(text, &root.join("security_policy.yml"), &root).unwrap();
        let mut all = lasting(&policy);
        assert!(refuse_links_below_writable(&all, &policy).is_ok());
        // As it is looked up while somebody exchanges it.
        all.iter_mut().find(|named| named.rule.path.ends_with("folder")).unwrap().real =
            root.join("elsewhere");
        let refused = refuse_links_below_writable(&all, &policy);
        assert!(matches!(refused, Err(PlanError::LinkBelowWritable { .. })), "{refused:?}");
    }

    #[test]
    fn a_writable_path_may_be_a_link_itself() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("there/folder")).unwrap();
        std::os::unix::fs::symlink("there", root.join("data")).unwrap();
        let text = "filesystem: {allowed_paths: [./data, {path: ./data/folder, access: read}, {path: ./data/none, access: none}]}";
        let policy = parse(text, &root.join("security_policy.yml"), &root).unwrap();
        let refused = refuse_links_below_writable(&lasting(&policy), &policy);
        assert!(refused.is_ok(), "{refused:?}");
    }
}
