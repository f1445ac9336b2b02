//! What the tests need from the machine, installed where it is missing: Debian packages and a Python environment.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Done, at, is_root, output, program, root, run, succeeds, target};

const PYTHON: &str = "/usr/bin/python3";

/// Installs what is missing; gives the Python that has the packages of `requirements.txt`.
pub(crate) fn install() -> Done<PathBuf> {
    println!("== what the tests need");
    let missing = missing();
    if !missing.is_empty() {
        apt(&missing)?;
        // With Python there now, it can be asked for its version, and so for its package of tests.
        let still = self::missing();
        if !still.is_empty() {
            apt(&still)?;
        }
    }
    environment()
}

/// Installs the packages of the programs that are not there.
pub(crate) fn install_tools(tools: &[(&str, &str)]) -> Done {
    let missing = packages_of(tools);
    if missing.is_empty() { Ok(()) } else { apt(&missing) }
}

/// The Debian packages that are not there.
fn missing() -> Vec<String> {
    let imports = |modules: &str| succeeds(program(PYTHON).args(["-c", &format!("import {modules}")]));
    let mut missing = Vec::new();
    if !succeeds(program(PYTHON).arg("--version")) {
        missing.push("python3".to_owned());
    }
    if !imports("ensurepip, venv") {
        missing.push("python3-venv".to_owned());
    }
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    if !imports("test.libregrtest, test.test_json")
        && let Ok(version) = output(program(PYTHON).args(["-c", version]))
    {
        missing.push(format!("libpython{}-testsuite", version.trim()));
    }
    missing.extend(packages_of(&[
        ("git", "git"),
        ("patch", "patch"),
        ("setpriv", "util-linux"),
        ("cc", "gcc"),
        ("ip", "iproute2"),
        ("openssl", "openssl"),
        ("curl", "curl"),
        ("strace", "strace"),
    ]));
    // Its server is in no folder of programs.
    if !Path::new("/usr/lib/postgresql").exists() {
        missing.push("postgresql".to_owned());
    }
    missing
}

/// The packages of those programs that are not there.
fn packages_of(tools: &[(&str, &str)]) -> Vec<String> {
    let is_there = |tool: &str| succeeds(program("sh").args(["-c", "command -v \"$0\"", tool]));
    let missing = tools.iter().filter(|(tool, _)| !is_there(tool));
    missing.map(|(_, package)| (*package).to_owned()).collect()
}

fn apt(packages: &[String]) -> Done {
    let list = packages.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("missing, and this is not Debian or Ubuntu: what their packages {list} contain"));
    }
    if !is_root() {
        return Err(format!("missing: {list}\n  sudo apt-get install --no-install-recommends {list}"));
    }
    let apt = |words: &[&str]| run(program("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive"));
    apt(&["update", "-qq"])?;
    let packages = packages.iter().map(String::as_str);
    apt(&["install", "-y", "-qq", "--no-install-recommends"].into_iter().chain(packages).collect::<Vec<_>>())
}

/// A virtual environment with exactly the pinned packages, made anew when they change.
fn environment() -> Done<PathBuf> {
    let wanted = root().join("xtask/requirements.txt");
    let folder = target().join("test-python");
    let (python, note) = (folder.join("bin/python3"), folder.join("requirements.txt"));
    let text = at(&wanted, fs::read_to_string(&wanted))?;
    let is_there = fs::read_to_string(&note).is_ok_and(|there| there == text);
    if !is_there || !succeeds(program(&python).args(["-c", "import jsonschema"])) {
        run(program(PYTHON).args(["-m", "venv", "--clear"]).arg(&folder))?;
        run(program(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&wanted))?;
        at(&note, fs::write(&note, text))?;
    }
    Ok(python)
}
