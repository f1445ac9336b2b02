//! The disk of the machine: this host's Python and tools, file by file from their packages, and what was built.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::ordinary::copy;
use crate::shell::{Done, at, output, program, root, run, succeeds};
use crate::test::Built;

/// Packages that the checks and the tests need; those that they need in turn come along.
const PACKAGES: [&str; 12] = [
    "python3",
    "bash",
    "coreutils",
    "dash",
    "findutils",
    "git",
    "grep",
    "libpam-modules",
    "mawk",
    "mount",
    "sed",
    "util-linux",
];
/// Made by the packages' scripts, so that no package lists them.
const MADE: [&str; 13] = [
    "/bin/sh",
    "/etc/passwd",
    "/etc/group",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/alternatives/awk",
    "/usr/bin/awk",
    "/etc/pam.d/common-account",
    "/etc/pam.d/common-auth",
    "/etc/pam.d/common-password",
    "/etc/pam.d/common-session",
];

/// Whose test programs come along.
const TESTED: [&str; 2] = ["waxcell-cli", "waxcell-sandbox"];

/// Makes the disk; `folder` is for it and what it is made of.
pub(crate) fn make(folder: &Path, built: &[Built], python: &Path) -> Done<PathBuf> {
    let tree = folder.join("tree");
    if !tree.exists() {
        system(&tree)?;
    }
    let here = tree.join("opt/vm");
    if here.exists() {
        at(&here, fs::remove_dir_all(&here))?;
    }
    at(&here, fs::create_dir_all(here.join("tests")))?;
    let inside = here.join("inside.py");
    at(&inside, fs::write(&inside, include_str!("inside.py")))?;
    for part in ["examples", "docs", "crates/waxcell-cli", "crates/waxcell-sandbox"] {
        copy(&root().join(part), &here.join("tree").join(part))?;
    }
    let environment = python.parent().and_then(Path::parent).ok_or("the test Python is in no environment")?;
    copy(environment, &here.join("python"))?;
    for built in built.iter().filter(|built| TESTED.contains(&built.package.as_str())) {
        let target = match &*built.name {
            "waxcell" => here.join("waxcell"),
            // Long, or with a clock that an emulated machine does not keep, and little about kernels.
            "stdlib" | "bad_input" | "probe" | "faults" => continue,
            _ if !built.is_test => continue,
            name => here.join("tests").join(format!("{}--{name}", built.package)),
        };
        at(&target, fs::copy(&built.executable, &target))?;
        // Without what is for debuggers: a tenth of the size.
        succeeds(program("strip").arg(&target));
    }
    let disk = folder.join("disk.img");
    if disk.exists() {
        at(&disk, fs::remove_file(&disk))?;
    }
    run(program("mke2fs").args(["-q", "-t", "ext4", "-d"]).arg(&tree).arg(&disk).arg("900M"))?;
    Ok(disk)
}

/// The system around it, without what only people read.
fn system(tree: &Path) -> Done {
    let partial = tree.with_extension("partial");
    if partial.exists() {
        at(&partial, fs::remove_dir_all(&partial))?;
    }
    for folder in [
        "usr/bin",
        "usr/sbin",
        "usr/lib",
        "usr/lib64",
        "etc",
        "proc",
        "sys",
        "dev",
        "run",
        "root",
        "home",
        "opt",
        "var/lib",
    ] {
        at(&partial, fs::create_dir_all(partial.join(folder)))?;
    }
    for link in ["bin", "sbin", "lib", "lib64"] {
        at(&partial, symlink(format!("usr/{link}"), partial.join(link)))?;
    }
    for folder in ["tmp", "var/tmp"] {
        let folder = partial.join(folder);
        at(&folder, fs::create_dir_all(&folder))?;
        at(&folder, fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)))?;
    }
    let left_out =
        ["no-recommends", "no-suggests", "no-conflicts", "no-breaks", "no-replaces", "no-enhances"];
    let closure = output(
        program("apt-cache")
            .args(["depends", "--recurse", "--installed"])
            .args(left_out.map(|kind| format!("--{kind}")))
            .args(PACKAGES),
    )?;
    let packages = closure.lines().filter(|line| !line.starts_with([' ', '<']));
    // An alternative that is not installed is a fault to dpkg; it lists the others all the same.
    let listed = program("dpkg").arg("--listfiles").args(packages).output();
    let listed = String::from_utf8_lossy(&at(tree, listed)?.stdout).into_owned();
    let wanted = |path: &&str| {
        let parts = ["/usr/", "/bin/", "/sbin/", "/lib", "/etc/"];
        let unread = ["/share/doc/", "/share/man/", "/share/locale/", "/share/info/", "/perl"];
        parts.iter().any(|part| path.starts_with(part)) && !unread.iter().any(|part| path.contains(part))
    };
    for path in listed.lines().filter(wanted).chain(MADE) {
        let (from, to) = (Path::new(path), partial.join(path.trim_start_matches('/')));
        let Ok(meta) = fs::symlink_metadata(from) else { continue };
        if meta.is_dir() || to.symlink_metadata().is_ok() {
            continue;
        }
        if let Some(parent) = to.parent() {
            at(parent, fs::create_dir_all(parent))?;
        }
        if meta.is_symlink() {
            at(&to, fs::read_link(from).and_then(|link| symlink(link, &to)))?;
        } else if meta.is_file() {
            at(from, fs::copy(from, &to))?;
        }
    }
    at(tree, fs::rename(&partial, tree))
}
