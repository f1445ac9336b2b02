//! Finding the interpreter, compared with what the interpreters of this machine say about themselves.
//! Long because it is a list of the ways in which an interpreter is found and not found.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use waxcell::interpreter::{Interpreter, InterpreterError, Search, find};

/// Says that a test did not take place; `WAXCELL_SKIPS` names a file that collects these lines.
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a test's own report")]
fn skip(name: &str, why: &str) {
    println!("SKIPPED {name}: {why}");
    if let Some(list) = std::env::var_os("WAXCELL_SKIPS") {
        use std::io::Write as _;
        let mut list = fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        // In one write: tests run side by side.
        list.write_all(format!("SKIPPED {name}: {why}\n").as_bytes()).unwrap();
    }
}

/// What an interpreter says about itself.
const FACTS: &str = "import os, sys
for key, value in [('executable', sys.executable), ('prefix', sys.prefix), ('base_prefix', sys.base_prefix),
                   ('real', os.path.realpath(sys.executable)), ('version', '%d.%d' % sys.version_info[:2])]:
    print(key + '=' + value)
for entry in sys.path[1:]:
    if os.path.isdir(entry):
        print('path=' + entry)
";

struct Facts {
    values: HashMap<String, PathBuf>,
    path: Vec<PathBuf>,
}

impl Facts {
    fn of(output: &Output) -> Facts {
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let lines = || text.lines().filter_map(|line| line.split_once('='));
        Facts {
            values: lines().map(|(key, value)| (key.to_owned(), value.into())).collect(),
            path: lines().filter(|(key, _)| *key == "path").map(|(_, value)| value.into()).collect(),
        }
    }

    fn get(&self, key: &str) -> &Path {
        &self.values[key]
    }
}

/// A folder with a script in it, and the environment in which both we and the interpreter look.
struct Scene {
    folder: tempfile::TempDir,
    path: OsString,
    home: PathBuf,
    pyenv_version: Option<OsString>,
}

impl Scene {
    fn new(path: &str) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        fs::create_dir_all(folder.path().join("project/scripts")).unwrap();
        fs::write(folder.path().join("project/scripts/facts.py"), FACTS).unwrap();
        Scene { home: folder.path().join("home"), folder, path: path.into(), pyenv_version: None }
    }

    fn at(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    fn find(&self, explicit: Option<&Path>) -> Result<Interpreter, InterpreterError> {
        find(
            explicit,
            &Search {
                path: Some(&self.path),
                home: Some(&self.home),
                pyenv_root: None,
                pyenv_version: self.pyenv_version.as_deref(),
                cwd: &self.at("project"),
                script_dir: &self.at("project/scripts"),
                no_user_site: false,
            },
        )
    }

    #[expect(clippy::disallowed_methods, reason = "the interpreter itself is asked")]
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", &self.path).env("HOME", &self.home).current_dir(self.at("project"));
        if let Some(version) = &self.pyenv_version {
            command.env("PYENV_VERSION", version);
        }
        command
    }

    fn ask(&self, program: impl AsRef<OsStr>) -> Facts {
        Facts::of(&self.command(program).arg("scripts/facts.py").output().unwrap())
    }

    /// What was found must be what the interpreter is, and all it needs must be visible.
    fn compare(&self, found: &Interpreter, facts: &Facts) {
        assert_eq!(found.path, facts.get("executable"));
        assert_eq!(found.real, facts.get("real"));
        assert_eq!(Path::new(&found.version.to_string()), facts.get("version"));
        let is_venv = facts.get("prefix") != facts.get("base_prefix");
        assert_eq!(found.venv.as_deref(), is_venv.then_some(facts.get("prefix")));
        let needed = [&found.path, &found.real].into_iter().map(PathBuf::as_path);
        let needed = needed.chain(["prefix", "base_prefix"].map(|key| facts.get(key)));
        for path in needed.chain(facts.path.iter().map(PathBuf::as_path)) {
            assert!(is_visible(found, path), "`{}` is not visible: {found:#?}", path.display());
        }
    }
}

/// Whether a path can be walked with nothing but the system's directories, the roots and the links.
fn is_visible(found: &Interpreter, path: &Path) -> bool {
    let shown = |path: &Path| {
        let system = ["/usr", "/bin", "/sbin", "/lib", "/lib64"];
        system.iter().any(|dir| path.starts_with(dir))
            || found.roots.iter().any(|root| path.starts_with(root))
    };
    let mut walked = PathBuf::from("/");
    let mut todo = steps(path);
    while let Some(step) = todo.pop() {
        if step == ".." {
            walked.pop();
            continue;
        }
        walked.push(&step);
        let link = match found.links.iter().find(|(at, _)| *at == walked) {
            Some((_, to)) => Some(to.clone()),
            // A link that is neither in a shown place nor remade is a real directory inside, or nothing.
            None => fs::read_link(&walked).ok().filter(|_| shown(&walked)),
        };
        if let Some(to) = link {
            todo.extend(steps(&to));
            if to.is_absolute() { walked = "/".into() } else { _ = walked.pop() }
        }
    }
    shown(&walked) && walked.canonicalize().is_ok_and(|real| real == walked)
}

/// The components still to be walked, the next one last.
fn steps(path: &Path) -> Vec<OsString> {
    path.iter().filter(|step| *step != "/").rev().map(OsString::from).collect()
}

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PYENV: &str = "/root/.pyenv";

fn pyenv_path() -> String {
    format!("{PYENV}/shims:{PYENV}/bin:{SYSTEM_PATH}")
}

/// Directories of the versions that pyenv has here, 3.8 and newer.
fn pyenv_versions(test: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("{PYENV}/versions")).into_iter().flatten().flatten();
    let supported = |name: &str| {
        let minor = name.strip_prefix("3.").and_then(|rest| rest.split('.').next()?.parse::<u8>().ok());
        minor.is_some_and(|minor| minor >= 8)
    };
    let versions = entries.filter(|entry| entry.file_name().to_str().is_some_and(supported));
    let versions: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    if versions.is_empty() {
        skip(test, "no pyenv with Python 3.8 or newer in /root/.pyenv");
    }
    versions
}

fn has_system_python(test: &str) -> bool {
    let has = Path::new("/usr/bin/python3").exists();
    if !has {
        skip(test, "no /usr/bin/python3");
    }
    has
}

#[test]
fn the_system_python_is_found_by_its_bare_name() {
    if !has_system_python("the_system_python_is_found_by_its_bare_name") {
        return;
    }
    let scene = Scene::new("/nonexistent:/usr/bin:/bin");
    let found = scene.find(None).unwrap();
    assert_eq!(
        (found.path.as_path(), found.argv0.as_os_str()),
        (Path::new("/usr/bin/python3"), OsStr::new("python3"))
    );
    assert_eq!(found.user_base, None);
    scene.compare(&found, &scene.ask("python3"));

    let explicit = scene.find(Some(Path::new("/usr/bin/python3"))).unwrap();
    assert_eq!(explicit, Interpreter { argv0: "/usr/bin/python3".into(), ..found });
}

#[test]
fn every_version_of_pyenv_is_described_as_it_describes_itself() {
    for version in pyenv_versions("every_version_of_pyenv_is_described_as_it_describes_itself") {
        let scene = Scene::new(SYSTEM_PATH);
        for name in ["bin/python3", "bin/python"] {
            let path = version.join(name);
            let found = scene.find(Some(&path)).unwrap();
            assert_eq!((&found.roots, &found.links), (&vec![version.clone()], &vec![]), "{}", path.display());
            scene.compare(&found, &scene.ask(&path));
        }
    }
}

#[test]
fn a_shim_leads_where_pyenv_leads() {
    let name = "a_shim_leads_where_pyenv_leads";
    let shim = format!("{PYENV}/shims/python3");
    if pyenv_versions(name).len() < 2 || !Path::new(&shim).exists() || !has_system_python(name) {
        return skip(name, "needs two versions and a shim of pyenv, and a system python");
    }
    let mut scene = Scene::new(&pyenv_path());
    let check = |scene: &Scene, what: &str| {
        let facts = scene.ask("python3");
        let found =
            scene.find(None).unwrap_or_else(|error| panic!("{what}: {error}, but pyenv: {:?}", facts.values));
        assert_eq!(found.path, facts.get("executable"), "{what}");
        assert_eq!(found.argv0, found.path, "{what}");
        scene.compare(&found, &facts);
    };
    check(&scene, "nothing set");
    for version in [
        "3",
        "3.9",
        "3.12",
        "3.12.1",
        "python-3.11",
        "system",
        "3.99",
        "3.99:3.12",
        "3.10:3.12",
        "2.7",
        "3.1",
        ":",
        "",
    ] {
        scene.pyenv_version = Some(version.into());
        check(&scene, &format!("PYENV_VERSION={version}"));
    }
    scene.pyenv_version = None;
    for text in [
        "3.12\n",
        "# no\n\n  3.9 rest\r\n3.12\r\n",
        "",
        "system",
        "../../evil\n3.10\n",
        "..\n3.8",
        "3.98\n3.12",
        "3.98",
    ] {
        fs::write(scene.at("project/.python-version"), text).unwrap();
        check(&scene, &format!("{text:?} in the working directory"));
        fs::remove_file(scene.at("project/.python-version")).unwrap();
        fs::write(scene.at(".python-version"), text).unwrap();
        check(&scene, &format!("{text:?} above it"));
        fs::remove_file(scene.at(".python-version")).unwrap();
    }
    // This pyenv does not look beside the script; one that does is made of files below.
    fs::write(scene.at("project/scripts/.python-version"), "3.8").unwrap();
    check(&scene, "beside the script");
    // Explicitly named, a shim is a shim all the same.
    let explicit = scene.find(Some(Path::new(&shim))).unwrap();
    assert_eq!(explicit, scene.find(None).unwrap());
}

/// A pyenv of files: its shim does nothing, its Pythons are copies of an ELF binary.
fn fake_pyenv(scene: &Scene, shim: &str, exec: &str, versions: &[&str]) {
    let root = scene.at("home/.pyenv");
    fs::create_dir_all(root.join("shims")).unwrap();
    fs::create_dir_all(root.join("libexec")).unwrap();
    write_executable(&root.join("shims/python3"), shim);
    fs::write(root.join("libexec/pyenv-exec"), exec).unwrap();
    for version in versions {
        let minor = version.rsplit_once('.').unwrap().0;
        fs::create_dir_all(root.join(format!("versions/{version}/lib/python{minor}"))).unwrap();
        fs::create_dir_all(root.join(format!("versions/{version}/bin"))).unwrap();
        fs::write(root.join(format!("versions/{version}/lib/python{minor}/os.py")), "").unwrap();
        fs::copy("/proc/self/exe", root.join(format!("versions/{version}/bin/python{minor}"))).unwrap();
        symlink(format!("python{minor}"), root.join(format!("versions/{version}/bin/python3"))).unwrap();
    }
}

fn write_executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_older_pyenv_looks_beside_the_script_and_stops_at_a_missing_version() {
    let mut scene = Scene::new("");
    scene.path = scene.at("home/.pyenv/shims").into_os_string();
    let shim = "#!/usr/bin/env bash\nexport PYENV_FILE_ARG=\"$arg\"\nexec \"/opt/pyenv/libexec/pyenv\" exec \"$program\" \"$@\"\n";
    fake_pyenv(&scene, shim, "PYENV_VERSION=\"$(pyenv-version-name)\"\n", &["3.9.1", "3.11.2", "3.11.10"]);
    let version = |scene: &Scene| scene.find(None).unwrap().path;

    fs::write(scene.at("home/.pyenv/version"), "3.9.1\n").unwrap();
    assert_eq!(version(&scene), scene.at("home/.pyenv/versions/3.9.1/bin/python3"));
    fs::write(scene.at("project/scripts/.python-version"), "3.11\n").unwrap();
    assert_eq!(version(&scene), scene.at("home/.pyenv/versions/3.11.10/bin/python3"));

    scene.pyenv_version = Some("3.9.1:3.10".into());
    let error = scene.find(None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pyenv: version `3.10` is not installed (set by PYENV_VERSION environment variable)"
    );
    assert!(error.is_not_found());

    // A newer one passes over it.
    let newer = "PYENV_VERSION=\"$(pyenv-version-name -f)\"\n";
    fake_pyenv_exec(&scene, newer);
    assert_eq!(version(&scene), scene.at("home/.pyenv/versions/3.9.1/bin/python3"));
    scene.pyenv_version = Some("3.10".into());
    let error = scene.find(None).unwrap_err();
    assert!(matches!(error, InterpreterError::PyenvVersion { .. }), "{error}");
}

/// The shim above names `/opt/pyenv`, which is not there; let it be the fake's own.
fn fake_pyenv_exec(scene: &Scene, exec: &str) {
    let root = scene.at("home/.pyenv");
    fs::write(root.join("libexec/pyenv-exec"), exec).unwrap();
    let shim =
        format!("#!/usr/bin/env bash\nexec \"{}/libexec/pyenv\" exec \"$program\" \"$@\"\n", root.display());
    write_executable(&root.join("shims/python3"), &shim);
}

#[test]
fn a_virtual_environment_is_recognised_by_where_the_link_is() {
    let test = "a_virtual_environment_is_recognised_by_where_the_link_is";
    let mut bases: Vec<PathBuf> =
        pyenv_versions(test).into_iter().map(|path| path.join("bin/python3")).collect();
    bases.extend(has_system_python(test).then(|| PathBuf::from("/usr/bin/python3")));
    for base in bases {
        for option in ["--symlinks", "--copies", "--system-site-packages"] {
            let scene = Scene::new(SYSTEM_PATH);
            let made = scene
                .command(&base)
                .args(["-m", "venv", "--without-pip", option])
                .arg(scene.at("project/.venv"))
                .output();
            let made = made.unwrap();
            if !made.status.success() {
                skip(
                    test,
                    &format!("{} has no venv: {}", base.display(), String::from_utf8_lossy(&made.stderr)),
                );
                continue;
            }
            // The user's packages count only with --system-site-packages.
            let user_site =
                format!("home/.local/lib/python{}/site-packages", scene.find(Some(&base)).unwrap().version);
            fs::create_dir_all(scene.at(&user_site)).unwrap();

            for name in ["python3", "python"] {
                let path = scene.at("project/.venv/bin").join(name);
                let found = scene.find(Some(&path)).unwrap();
                assert_eq!(found.venv, Some(scene.at("project/.venv")));
                assert_eq!(found.user_base.is_some(), option == "--system-site-packages");
                scene.compare(&found, &scene.ask(&path));
            }

            // Active: first on PATH, by its bare name.
            let mut active = Scene {
                path: format!("{}:{SYSTEM_PATH}", scene.at("project/.venv/bin").display()).into(),
                ..scene
            };
            let found = active.find(None).unwrap();
            assert_eq!(found.argv0, "python3");
            active.compare(&found, &active.ask("python3"));

            // Through a linked directory, and by a link to the binary from elsewhere (which is no environment).
            symlink(active.at("project/.venv"), active.at("home/current")).unwrap();
            let linked = active.at("home/current/bin/python3");
            let found = active.find(Some(&linked)).unwrap();
            assert_eq!(found.links.first().unwrap().0, active.at("home/current"));
            active.compare(&found, &active.ask(&linked));
            active.path = format!("{}:{SYSTEM_PATH}", active.at("home/current/bin").display()).into();
            active.compare(&active.find(None).unwrap(), &active.ask("python3"));
            if option == "--symlinks" {
                fs::create_dir_all(active.at("home/bin")).unwrap();
                symlink("../current/bin/python3", active.at("home/bin/python3")).unwrap();
                let outside = active.at("home/bin/python3");
                let found = active.find(Some(&outside)).unwrap();
                assert_eq!(found.venv, None);
                active.compare(&found, &active.ask(&outside));
            }
        }
    }
}

#[test]
fn packages_of_the_user_and_of_pth_files_are_visible_unless_they_show_too_much() {
    let test = "packages_of_the_user_and_of_pth_files_are_visible_unless_they_show_too_much";
    if !has_system_python(test) {
        return;
    }
    let scene = Scene::new(SYSTEM_PATH);
    let version = scene.find(None).unwrap().version;
    let site = scene.at(&format!("home/.local/lib/python{version}/site-packages"));
    fs::create_dir_all(&site).unwrap();
    for directory in ["home/work/editable/src", "home/.ssh", "home/work/linked"] {
        fs::create_dir_all(scene.at(directory)).unwrap();
    }
    symlink(scene.at("home/work/linked"), scene.at("home/link")).unwrap();
    let lines = [
        "# a comment".to_owned(),
        "import os; os.getcwd()".to_owned(),
        scene.at("home/work/editable/src").display().to_string() + "  ",
        scene.at("home/link").display().to_string(),
        scene.at("home/.ssh").display().to_string(),
        scene.at("home").display().to_string(),
        scene.at("project").display().to_string(),
        scene.at("home/nothing").display().to_string(),
        "/etc".into(),
        "/".into(),
        "relative".into(),
    ];
    fs::write(site.join("some.pth"), lines.join("\n")).unwrap();
    fs::create_dir(site.join("relative")).unwrap();

    let found = scene.find(None).unwrap();
    let shown: Vec<PathBuf> = ["home/work/editable/src", "home/work/linked"]
        .into_iter()
        .map(|path| scene.at(path))
        .chain([site.clone()])
        .collect();
    let beside: Vec<PathBuf> =
        found.roots.iter().filter(|root| root.starts_with(scene.at(""))).cloned().collect();
    let sorted = |mut paths: Vec<PathBuf>| {
        paths.sort();
        paths
    };
    assert_eq!(beside, sorted(shown));
    assert_eq!(found.links, [(scene.at("home/link"), scene.at("home/work/linked"))]);
    assert_eq!(found.user_base, Some(scene.at("home/.local")));
    let unseen = ["home/.ssh", "home", "project"].map(|path| scene.at(path)).into_iter();
    assert_eq!(found.unseen, sorted(unseen.chain(["/etc".into(), "/".into()]).collect()));

    // The interpreter agrees about all of them.
    let facts = scene.ask("python3");
    for path in found.unseen.iter().chain([
        &site,
        &scene.at("home/work/editable/src"),
        &scene.at("home/link"),
        &site.join("relative"),
    ]) {
        assert!(facts.path.contains(path), "{} is not in {:?}", path.display(), facts.path);
    }
    assert!(is_visible(&found, &scene.at("home/link")));

    let project = scene.at("project");
    let off = Search {
        path: Some(&scene.path),
        home: Some(&scene.home),
        pyenv_root: None,
        pyenv_version: None,
        cwd: &project,
        script_dir: &project,
        no_user_site: true,
    };
    let found = find(None, &off).unwrap();
    assert_eq!((found.user_base, found.unseen), (None, vec![]));
}

#[test]
fn an_environment_that_is_the_project_or_the_home_does_not_show_it_all() {
    let test = "an_environment_that_is_the_project_or_the_home_does_not_show_it_all";
    if !has_system_python(test) {
        return;
    }
    let scene = Scene::new(SYSTEM_PATH);
    for place in ["project", "home"] {
        let made = scene
            .command("/usr/bin/python3")
            .args(["-m", "venv", "--without-pip"])
            .arg(scene.at(place))
            .output()
            .unwrap();
        if !made.status.success() {
            return skip(test, "no venv");
        }
        let path = scene.at(place).join("bin/python3");
        let found = scene.find(Some(&path)).unwrap();
        assert!(!found.roots.contains(&scene.at(place)), "{found:#?}");
        assert!(found.roots.contains(&scene.at(place).join("pyvenv.cfg")), "{found:#?}");
        let facts = scene.ask(&path);
        for entry in &facts.path {
            assert!(is_visible(&found, entry), "{}", entry.display());
        }
    }
}

#[test]
fn whatever_stands_in_the_way_is_named() {
    let scene = Scene::new("");
    let at = |name: &str| scene.at("home").join(name);
    fs::create_dir(at("directory")).unwrap();
    fs::write(at("plain"), "hello").unwrap();
    write_executable(&at("text"), "hello");
    write_executable(&at("empty"), "");
    write_executable(
        &at("asdf"),
        "#!/usr/bin/env bash\n# asdf-plugin: python 3.11.4\nexec /home/u/.asdf/bin/asdf exec \"python3\" \"$@\"\n",
    );
    write_executable(&at("wrapper"), "#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n");
    symlink("nowhere", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    fs::copy("/proc/self/exe", at("pypy3.10")).unwrap();
    fs::copy("/proc/self/exe", at("mise")).unwrap();
    symlink("mise", at("python-of-mise")).unwrap();
    fs::copy("/proc/self/exe", at("python3.7")).unwrap();
    fs::copy("/proc/self/exe", at("unknown")).unwrap();

    for (name, message, not_found) in [
        ("missing", "the interpreter `{}` does not exist", true),
        ("plain/below", "the interpreter `{}` does not exist", true),
        (
            "dangling",
            "the interpreter `{}` is a dangling link: `{}` points to `nowhere`, which does not exist",
            true,
        ),
        ("loop", "the interpreter `{}` is a loop of symbolic links", false),
        ("directory", "the interpreter `{}` is a directory, not a program", false),
        ("fifo", "the interpreter `{}` is a FIFO, not a program", false),
        ("socket", "the interpreter `{}` is a socket, not a program", false),
        ("plain", "the interpreter `{}` is not executable; `chmod +x` it, or name another", false),
        ("text", "the interpreter `{}` is not a program for this system (no ELF binary)", false),
        ("empty", "the interpreter `{}` is not a program for this system (no ELF binary)", false),
        ("python3.7", "`{}` is Python 3.7; Python 3.8 or newer is needed", false),
        ("pypy3.10", "`{}` is PyPy; only CPython is supported", false),
    ] {
        let error = scene.find(Some(&at(name))).unwrap_err();
        let expected = message.replace("{}", &at(name).display().to_string());
        assert_eq!((error.to_string(), error.is_not_found()), (expected, not_found), "{name}");
    }
    for (name, tool) in [("asdf", Some("asdf")), ("wrapper", None), ("python-of-mise", Some("mise"))] {
        let error = scene.find(Some(&at(name))).unwrap_err();
        assert!(matches!(error, InterpreterError::Shim { tool: found, .. } if found == tool), "{error}");
        assert!(error.to_string().contains("interpreter:"), "{error}");
    }
    let error = scene.find(Some(&at("unknown"))).unwrap_err();
    assert!(matches!(error, InterpreterError::UnknownVersion { .. }), "{error}");
    let error = scene.find(Some(Path::new("/dev/null"))).unwrap_err();
    assert!(matches!(error, InterpreterError::NotAFile { what: "a device", .. }), "{error}");
    drop(socket);
}

#[test]
fn path_is_searched_as_a_shell_does() {
    let test = "path_is_searched_as_a_shell_does";
    let mut scene = Scene::new("");
    assert_eq!(
        scene.find(None).unwrap_err().to_string(),
        "no `python3` on PATH; install Python 3.8 or newer, or set `interpreter:` in the policy"
    );
    // What cannot be executed is passed over, and named if nothing else is there.
    fs::create_dir_all(scene.at("home/a/python3")).unwrap();
    fs::create_dir_all(scene.at("home/b")).unwrap();
    symlink("nowhere", scene.at("home/b/python3")).unwrap();
    scene.path = format!("{}:{}", scene.at("home/b").display(), scene.at("home/a").display()).into();
    assert!(matches!(scene.find(None).unwrap_err(), InterpreterError::Dangling { .. }));
    if !has_system_python(test) {
        return;
    }
    let mut with_system = scene.path.clone();
    with_system.push(":/usr/bin");
    scene.path = with_system;
    assert_eq!(scene.find(None).unwrap().path, Path::new("/usr/bin/python3"));
    // `python` only where there is no `python3`; relative and empty entries are the working directory.
    fs::create_dir_all(scene.at("project/bin")).unwrap();
    symlink("/usr/bin/python3", scene.at("project/bin/python")).unwrap();
    symlink("/usr/bin/python3", scene.at("project/python3")).unwrap();
    scene.path = "bin".into();
    let found = scene.find(None).unwrap();
    assert_eq!((found.path, found.argv0), (scene.at("project/bin/python"), "python".into()));
    scene.path = "bin:".into();
    assert_eq!(scene.find(None).unwrap().path, scene.at("project/python3"));
    // A bare name in the policy is looked up.
    scene.path = SYSTEM_PATH.into();
    let found = scene.find(Some(Path::new("python3"))).unwrap();
    assert_eq!((found.path, found.argv0), ("/usr/bin/python3".into(), "python3".into()));
}

#[test]
fn it_takes_far_less_than_a_millisecond() {
    let rounds = 200;
    for (what, path, needed) in [
        ("system", SYSTEM_PATH.to_owned(), "/usr/bin/python3".to_owned()),
        ("pyenv shim", pyenv_path(), format!("{PYENV}/shims/python3")),
    ] {
        if !Path::new(&needed).exists() {
            skip("it_takes_far_less_than_a_millisecond", &format!("no {needed}"));
            continue;
        }
        let scene = Scene::new(&path);
        let start = Instant::now();
        for _ in 0..rounds {
            scene.find(None).unwrap();
        }
        let each = start.elapsed() / rounds;
        println!("{what}: {each:?}");
        // A debug build on a busy machine; a release build takes a tenth of it.
        assert!(each.as_micros() < 3_000, "{what} took {each:?}");
    }
}
