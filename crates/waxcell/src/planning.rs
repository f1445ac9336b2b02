//! From a policy, a script and an interpreter to a plan: what the script sees, who it is, what bounds it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use waxcell_operations::Operation;
use waxcell_sandbox::{
    Access, Code, Egress, Guard, Identity, Limits, Mount, Network, Owner, PathMap, Plain, Plan, Program,
    Switch, Switches,
};

use crate::closed;
use crate::connections;
use crate::credentials;
use crate::git_config;
use crate::interpreter::Interpreter;
use crate::layered::{self, Writes};
use crate::named::{self, Named};
use crate::pinned::pins;
use crate::placeholders::{self, Placeholders};
use crate::plain;
use crate::plan_error::PlanError;
use crate::policy::{Degradation, HOME, PathAccess, PathRule, Policy, WriteMode, is_wide};
use crate::record;
use crate::run::{Caller, DEFAULT_PATH};
use crate::script::Script;
use crate::view::{View, may_execute};

/// A plan, and what has to be kept or compared while it is carried out.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) placeholders: Placeholders,
    /// What the run writes.
    pub(crate) writes: Writes,
}

/// Variables that are passed on: locale, terminal, and those that change how Python behaves without naming code.
const PASSED: [&str; 35] = [
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CI",
    "SOURCE_DATE_EPOCH",
    "VIRTUAL_ENV",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "PYTHONUTF8",
    "PYTHONOPTIMIZE",
    "PYTHONNOUSERSITE",
    "PYTHONSAFEPATH",
    "PYTHONINTMAXSTRDIGITS",
    "PYTHONDEVMODE",
    "PYTHONCOERCECLOCALE",
    "PYTHONFAULTHANDLER",
    "PYTHONTRACEMALLOC",
    "PYTHONMALLOC",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONWARNDEFAULTENCODING",
    "PYTHONNODEBUGRANGES",
    "PYTHONASYNCIODEBUG",
    "PYTHONVERBOSE",
    "PYTHON_COLORS",
    "PYTHON_CPU_COUNT",
    "PYTHON_GIL",
];

/// Whether a variable is passed on whatever the policy says.
fn is_passed_on(name: &str) -> bool {
    PASSED.contains(&name) || name.starts_with("LC_")
}

/// Whether a script has a variable of this name, if its caller has, whatever the policy says.
pub(crate) fn has_variable(name: &str) -> bool {
    is_passed_on(name) || matches!(name, "HOME" | "USER" | "LOGNAME" | "TMPDIR")
}

/// What nothing but the policy and the caller decide.
pub(crate) struct Begun {
    pub(crate) identity: Identity,
    pub(crate) limits: Limits,
    /// Whether the run has to do without namespaces.
    is_plain: bool,
    /// The way out of its network.
    egress: Option<Egress>,
    /// Writable files that are not there, and stay away until the script makes them.
    new_files: BTreeSet<PathBuf>,
    /// What a test build leaves out.
    switches: Switches,
}

impl Begun {
    /// What the plan would make: paths that are not there yet, and the folders above them.
    pub(crate) fn to_be_made(&self, policy: &Policy) -> Vec<PathBuf> {
        wanted(policy, &self.new_files).flat_map(placeholders::missing).map(Path::to_owned).collect()
    }
}

/// Begins a plan.
pub(crate) fn begin(policy: &Policy, caller: &Caller, switches: Switches) -> Result<Begun, PlanError> {
    let is_plain = plain::is_needed(policy);
    layered::refuse(policy, is_plain)?;
    let egress = connections::plan(policy, is_plain)?;
    let mut identity = identity(caller, switches)?;
    if is_plain {
        plain::refuse_for_root(policy, caller)?;
        // Nobody maps ids: outside is inside.
        identity = Identity { uid: identity.host_uid, gid: identity.host_gid, map_owner: None, ..identity };
    }
    // There is nobody to open them for the script where it is not in a place of its own; and a layer is mounted over what
    // is there.
    let are_there = is_plain || policy.filesystem.write_mode == WriteMode::Overlay;
    let new_files =
        if are_there { BTreeSet::new() } else { new_files(policy, project_shown(policy, caller)) };
    let limits = switches.limits(limits(policy));
    Ok(Begun { identity, limits, is_plain, egress, new_files, switches })
}

/// Writable files that are not there, in folders of the project that are, and that the script may only read. What a
/// path without an ending will be nobody knows.
fn new_files(policy: &Policy, project: Option<&Path>) -> BTreeSet<PathBuf> {
    let rules: PathMap<'_, &PathRule> =
        policy.filesystem.paths.iter().map(|rule| (rule.path.as_path(), rule)).collect();
    let is_new = |rule: &PathRule| {
        rule.is_lasting_write()
            && !rule.execute
            && rule.path.extension().is_some()
            && rule.path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
            && rules.above(&rule.path).all(|(_, above)| above.access == PathAccess::Read)
            && rule.path.parent().is_some_and(|folder| {
                project.is_some_and(|project| folder.starts_with(project))
                    && folder.canonicalize().is_ok_and(|real| real == folder)
            })
    };
    policy.filesystem.paths.iter().filter(|rule| is_new(rule)).map(|rule| rule.path.clone()).collect()
}

/// The paths of the policy that are not there and have to be, but for `new_files`.
fn wanted<'p>(policy: &'p Policy, new_files: &'p BTreeSet<PathBuf>) -> impl Iterator<Item = &'p Path> {
    let writable = policy.filesystem.writable();
    let rules = policy.filesystem.paths.iter();
    let rules = rules.filter(|rule| !rule.path.exists() && !new_files.contains(&rule.path));
    let wanted = rules.filter(move |rule| {
        // What must not be written below a writable path has to be there: nothing can be laid over what is not.
        writable.above(&rule.path).next().is_some()
            || rule.is_lasting_write() && may_be_made(&rule.path, &policy.project_root)
    });
    wanted.map(|rule| rule.path.as_path())
}

/// Waxcell's own places.
pub(crate) struct Places<'a> {
    /// No script may see any of these. Canonical.
    pub(crate) keep_out: &'a [&'a Path],
    /// For what can be lost.
    pub(crate) cache: &'a Path,
    /// The run's own folder for scratch space, where that is on disk.
    pub(crate) scratch: &'a Path,
    /// The run's own folder for layers.
    pub(crate) layers: &'a Path,
}

/// The hash by which a plan is known. Without the script's arguments: whoever guesses one could see there that it was it.
pub(crate) fn sha256(plan: &Plan, args: &[OsString]) -> String {
    let mut plan = plan.clone();
    plan.program.argv.truncate(plan.program.argv.len().saturating_sub(args.len()));
    record::hex(&Sha256::digest(serde_json::to_vec(&plan).unwrap_or_default()))
}

/// Makes the plan that was begun.
pub(crate) fn plan(
    begun: Begun,
    policy: &Policy,
    script: &Script,
    args: &[OsString],
    interpreter: &Interpreter,
    caller: &Caller,
    places: &Places<'_>,
) -> Result<Planned, PlanError> {
    let Begun { identity, limits, is_plain, egress, new_files, switches } = begun;
    let keep_out = places.keep_out;
    let named = named::lasting(policy);
    if !switches.off(Switch::Gate) {
        named::refuse(&named, policy, interpreter, keep_out)?;
    }
    let project = project_shown(policy, caller);
    if let Some(owner) = &identity.map_owner {
        closed::refuse(&named, project, script, caller, owner)?;
    }
    let before = crate::changes::Before::note(writable_paths(&named));
    let mut writes = Writes::begin(policy, &named, before, places.layers)?;
    let mut placeholders = Placeholders::default();
    for path in wanted(policy, &new_files) {
        let made = placeholders.make(path);
        made.map_err(|source| PlanError::Placeholder { path: path.to_owned(), source })?;
    }
    let mut view = View::default();
    view.system();
    view.etc(&identity, caller, connections::resolv_conf(egress.as_ref(), switches));
    view.scratch(policy);
    for (link, to) in &interpreter.links {
        view.links.push((link.clone(), to.clone()));
    }
    let mut binds: PathMap<'_, Access> = PathMap::default();
    if let Some(project) = project {
        binds.insert(project, Access::ReadExecute);
    }
    for root in interpreter.roots.iter().filter(|root| !view.shows(root)) {
        binds.insert(root, Access::ReadExecute);
    }
    let mut hidden: PathMap<'_, ()> = PathMap::default();
    let named_and_there = || named.iter().filter(|named| named.real.exists());
    for Named { rule, real } in named_and_there() {
        let access = match rule.access {
            PathAccess::Write if rule.execute => Some(Access::WriteExecute),
            PathAccess::Write => Some(Access::Write),
            PathAccess::Read => Some(Access::ReadExecute),
            PathAccess::None => None,
        };
        match access {
            // The project and packages are there in another way: the policy's holds.
            Some(access) => binds.insert(real, access),
            None => hidden.insert(real, ()),
        }
    }
    // So it does for parts of the system.
    view.mounts.retain(|mount| {
        mount.target().is_none_or(|target| {
            binds.get(target).is_none() && !(target.starts_with("/etc") && hidden.covers(target))
        })
    });
    for Named { rule, .. } in named_and_there().filter(|named| named.is_elsewhere()) {
        view.reach(&rule.path, &binds);
    }
    let mut covers: Vec<PathBuf> = hidden.iter().map(|(path, ())| path.to_owned()).collect();
    covers.extend(credentials_in(&named, project, interpreter, places)?);
    covers.extend(keep_out.iter().map(|path| (*path).to_owned()));
    covers.sort();
    covers.dedup();
    // The script's own bytes lie at its path in any case.
    covers.retain(|path| (binds.covers(path) || view.shows(path)) && path.exists() && *path != script.path);

    let file = Mount::File {
        target: script.path.clone(),
        contents: script.bytes.clone(),
        // Readable for the script's user whoever owns the original.
        mode: script.mode | 0o444,
    };
    let bound = writes.bind(&binds, places.layers)?;
    let scratch = is_plain.then_some(places.scratch);
    let mounts = match scratch {
        None => {
            let given = caller.cwd.join(&script.given);
            if given != script.path {
                view.reach(&given, &binds);
            }
            let is_over =
                |mount: &Mount| matches!(mount, Mount::Scratch { target, .. } if binds.covers(target));
            let (over, mut mounts): (Vec<Mount>, Vec<Mount>) = view.mounts.into_iter().partition(is_over);
            mounts.extend(view.links.into_iter().map(|(target, to)| Mount::Symlink { target, to }));
            let mut laid = bound;
            laid.extend(pins(&binds, &covers, &script.path));
            // A deeper mount lies over a shallower one; equal depths keep their order.
            laid.extend(covers.into_iter().map(|target| {
                let is_git = git_config::is_one(&target) && hidden.get(&target).is_none();
                let shows = is_git.then(|| git_config::shown_of(&target)).flatten();
                Mount::Cover { target, shows }
            }));
            laid.extend(over);
            laid.sort_by_cached_key(depth);
            mounts.extend(without_hidden(laid));
            mounts.push(file);
            if !mounts.iter().any(|mount| shows(mount, &caller.cwd)) {
                mounts.push(Mount::Directory { target: caller.cwd.clone() });
            }
            mounts
        }
        Some(scratch) => {
            view.mounts.extend(bound);
            let mut mounts = plain::show(&view.mounts, &covers)?;
            let scratch = plain::scratch(scratch);
            let execute = |target: &Path| target.ends_with("tmp") && may_execute(policy, Path::new("/tmp"));
            mounts.extend(scratch.map(|(target, mode)| {
                let execute = execute(&target);
                Mount::Scratch { target, mode, execute }
            }));
            mounts.extend([Mount::Devices, file]);
            mounts
        }
    };

    let guard = guard(policy, &placeholders, new_files);
    let plan = Plan {
        identity,
        mounts,
        guard,
        program: program(policy, script, args, interpreter, caller, scratch, switches),
        limits,
        network: Network { loopback: policy.network.loopback && !is_plain, egress },
        plain: scratch.map(|scratch| Plain { scratch: scratch.to_owned(), file: script.given.clone() }),
        without_landlock: policy.degrade.contains(&Degradation::Landlock),
        file_attempts: policy.monitoring.file_attempts,
        switches,
    };
    Ok(Planned { plan, placeholders, writes })
}

/// The outermost of the paths that may be written to.
fn writable_paths(named: &[Named<'_>]) -> Vec<PathBuf> {
    let writable = named.iter().filter(|named| named.rule.is_lasting_write());
    let mut paths: Vec<PathBuf> = writable.map(|named| named.real.clone()).collect();
    paths.sort();
    // What lies within another comes right behind it, and is walked with it.
    paths.dedup_by(|path, other| path.starts_with(other));
    paths
}

/// A missing path is made inside the project, and elsewhere where only it itself is missing.
fn may_be_made(path: &Path, project: &Path) -> bool {
    path.starts_with(project) || path.parent().is_some_and(Path::exists)
}

/// The project, unless that would show what is no project: a home directory, `/tmp`, a folder of the system.
pub(crate) fn project_shown<'a>(policy: &'a Policy, caller: &Caller) -> Option<&'a Path> {
    let root = policy.project_root.as_path();
    (!is_wide(root, caller.home())).then_some(root)
}

fn credentials_in(
    named: &[Named<'_>],
    project: Option<&Path>,
    interpreter: &Interpreter,
    places: &Places<'_>,
) -> Result<Vec<PathBuf>, PlanError> {
    let except: Vec<&Path> = interpreter.roots.iter().map(PathBuf::as_path).collect();
    let writable = named.iter().filter(|named| named.rule.is_lasting_write() && named.real.is_dir());
    let outside = writable
        .map(|named| named.real.as_path())
        .filter(|path| project.is_none_or(|p| !path.starts_with(p)));
    let named: BTreeSet<&Path> = named.iter().map(|named| named.real.as_path()).collect();
    let mut found = Vec::new();
    for root in project.into_iter().chain(outside) {
        let memory = record::hex(&Sha256::digest(root.as_os_str().as_bytes()));
        let memory = places.cache.join("folders").join(memory).with_extension("json");
        found.extend(
            credentials::find(root, &except, &named, &memory)
                .map_err(|_| PlanError::ProjectTooLarge(root.to_owned()))?,
        );
    }
    Ok(found)
}

pub(crate) fn bind(path: &Path, access: Access, owned: bool) -> Mount {
    Mount::Bind { source: path.to_owned(), target: path.to_owned(), access, owned }
}

fn depth(mount: &Mount) -> usize {
    mount.target().map_or(0, |target| target.components().count())
}

/// Without covers of what a cover hides anyway: making a place for them would tell that it is there.
fn without_hidden(mounts: Vec<Mount>) -> Vec<Mount> {
    let is_cover = |mount: &Mount| matches!(mount, Mount::Cover { .. });
    let kinds: BTreeMap<PathBuf, bool> =
        mounts.iter().filter_map(|mount| Some((mount.target()?.to_owned(), is_cover(mount)))).collect();
    let is_hidden = |path: &Path| path.ancestors().skip(1).find_map(|above| kinds.get(above)) == Some(&true);
    mounts.into_iter().filter(|mount| !is_cover(mount) || !mount.target().is_some_and(is_hidden)).collect()
}

fn shows(mount: &Mount, path: &Path) -> bool {
    match mount {
        Mount::Bind { target, .. } | Mount::Overlay { target, .. } => path.starts_with(target),
        Mount::Scratch { target, .. } | Mount::Directory { target } => path == target,
        // Folders on the way to a mount are made as well.
        Mount::File { target, .. } => target.ancestors().skip(1).any(|folder| folder == path),
        Mount::Symlink { .. }
        | Mount::Cover { .. }
        | Mount::Pin { .. }
        | Mount::Devices
        | Mount::Processes => false,
    }
}

/// Ids above everything that distributions hand out (systemd's "Users, Groups, UIDs and GIDs on systemd Systems").
const FREE_IDS: std::ops::Range<u32> = 1_879_048_192..2_147_352_576;
/// Who a script of root's is, inside.
const INSIDE: u32 = 1000;

fn identity(caller: &Caller, switches: Switches) -> Result<Identity, PlanError> {
    let hostname = "waxcell".to_owned();
    if caller.uid != 0 || switches.off(Switch::Identity) {
        let (uid, gid) = (caller.uid, caller.gid);
        return Ok(Identity { uid, gid, host_uid: uid, host_gid: gid, map_owner: None, hostname });
    }
    // One user a run, so that two runs cannot reach each other either.
    let free = free_id(&fs::read_to_string("/proc/self/uid_map").unwrap_or_default(), random());
    let free = free.ok_or(PlanError::NoUserId)?;
    let inside = if switches.off(Switch::Userns) { free } else { INSIDE };
    Ok(Identity {
        uid: inside,
        gid: inside,
        host_uid: free,
        host_gid: free,
        map_owner: Some(Owner { uid: caller.uid, gid: caller.gid }),
        hostname,
    })
}

fn random() -> u32 {
    let mut bytes = [0u8; 4];
    // Without entropy the ids of two runs may be the same, as for an ordinary user's.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u32::from_le_bytes(bytes)
}

/// An id that is mapped here and that nobody has: in a container with few ids, one of its last.
fn free_id(uid_map: &str, random: u32) -> Option<u32> {
    let ranges: Vec<(u64, u64)> = uid_map
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().map(str::parse::<u64>);
            let (inside, _, count) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
            Some((inside, inside + count))
        })
        .collect();
    let wanted = FREE_IDS.start + random % (FREE_IDS.end - FREE_IDS.start);
    if ranges.iter().any(|(start, end)| (*start..*end).contains(&u64::from(wanted))) {
        return Some(wanted);
    }
    let end = ranges.iter().map(|(_, end)| *end).max()?;
    // 65534 is nobody's on purpose; below 10,000 people and services live.
    let last = u32::try_from(end.checked_sub(3)?).ok()?;
    let chosen = last.checked_sub(random % 500)?;
    (chosen > 10_000).then_some(chosen)
}

fn program(
    policy: &Policy,
    script: &Script,
    args: &[OsString],
    interpreter: &Interpreter,
    caller: &Caller,
    scratch: Option<&Path>,
    switches: Switches,
) -> Program {
    let mut env = BTreeMap::new();
    for (name, value) in &caller.env {
        let Some(name) = name.to_str() else { continue };
        if switches.off(Switch::Environment)
            || is_passed_on(name)
            || policy.environment.pass.iter().any(|pass| pass == name)
        {
            env.insert(name.to_owned(), value.as_bytes().to_vec());
        }
    }
    env.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.as_bytes().to_vec());
    // As pyenv does for what its shims start: programs of this version come first.
    if interpreter.argv0 == interpreter.path.as_os_str()
        && let (Some(path), Some(folder)) = (env.get_mut("PATH"), interpreter.path.parent())
    {
        let folder = folder.as_os_str().as_bytes();
        if !path.split(|b| *b == b':').any(|entry| entry == folder) {
            *path = [folder, b":", path].concat();
        }
    }
    env.insert("HOME".to_owned(), HOME.as_bytes().to_vec());
    if let Some([(tmp, _), (home, _)]) = scratch.map(plain::scratch) {
        env.insert("HOME".to_owned(), home.as_os_str().as_bytes().to_vec());
        env.insert("TMPDIR".to_owned(), tmp.as_os_str().as_bytes().to_vec());
        // The host's, which git finds and may not read, would end it.
        env.insert("GIT_CONFIG_NOSYSTEM".to_owned(), b"1".to_vec());
    }
    for name in ["USER", "LOGNAME"] {
        if caller.variable(name).is_some() {
            env.insert(name.to_owned(), caller.user_inside().as_bytes().to_vec());
        }
    }
    if let Some(base) = &interpreter.user_base {
        env.insert("PYTHONUSERBASE".to_owned(), base.as_os_str().as_bytes().to_vec());
    }
    for (name, value) in &policy.environment.set {
        env.insert(name.clone(), value.as_bytes().to_vec());
    }
    // A name that begins like an option is a name all the same.
    let dashes = script.given.as_os_str().as_bytes().starts_with(b"-").then_some(OsStr::new("--"));
    let own =
        [Some(interpreter.argv0.as_os_str()), dashes, Some(script.given.as_os_str())].into_iter().flatten();
    Program {
        path: interpreter.path.clone(),
        argv: own.chain(args.iter().map(OsString::as_os_str)).map(|a| a.as_bytes().to_vec()).collect(),
        env,
        cwd: caller.cwd.clone(),
        umask: caller.umask,
        code: Some(Code {
            script: vec![script.path.clone(), caller.cwd.join(&script.given)],
            project: policy.project_root.clone(),
        }),
    }
}

fn guard(policy: &Policy, placeholders: &Placeholders, new_files: BTreeSet<PathBuf>) -> Guard {
    let blocked = |operation| policy.filesystem.blocked.contains(&operation);
    Guard {
        delete: blocked(Operation::FsDelete),
        chmod: blocked(Operation::FsChmod),
        chown: blocked(Operation::FsChown),
        xattr: blocked(Operation::FsXattr),
        placeholders: placeholders.folders(),
        new_files: new_files.into_iter().collect(),
    }
}

fn limits(policy: &Policy) -> Limits {
    let limits = &policy.execution;
    Limits {
        wall: limits.timeout,
        cpu: limits.cpu,
        memory: limits.memory,
        processes: limits.processes,
        threads: limits.threads,
        file_size: limits.file_size,
        open_files: limits.open_files,
        output: limits.output,
        scratch_bytes: limits.scratch,
        scratch_files: limits.scratch_files,
        written: limits.disk_write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unused_id_is_found_on_a_host_and_in_a_small_container() {
        let host = "         0          0 4294967295\n";
        assert!(FREE_IDS.contains(&free_id(host, 12345).unwrap()));
        assert_ne!(free_id(host, 1), free_id(host, 2));
        assert_eq!(free_id("0 100000 65536\n", 0), Some(65533));
        assert_eq!(free_id("0 1000 1\n", 0), None);
        assert_eq!(free_id("", 0), None);
    }
}
