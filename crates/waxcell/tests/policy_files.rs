//! Policy files as they lie on disk: found, read, refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its files has failed")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;
use waxcell::policy::{
    FindError, LoadError, MAX_BYTES, Origin, ReadError, Severity, find, lint, load, project_root_of_policy,
};

/// A folder without `.git` above it that a test may fill.
struct Project {
    _dir: TempDir,
    root: PathBuf,
}

impl Project {
    fn new() -> Project {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let above = root.ancestors().find(|above| above.join(".git").exists());
        assert_eq!(above, None, "temporary folders must not lie in a repository");
        Project { _dir: dir, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn folder(&self, name: &str) -> PathBuf {
        fs::create_dir_all(self.path(name)).unwrap();
        self.path(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }
}

fn read_error(path: &Path) -> ReadError {
    match load(path) {
        Err(LoadError::Read(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_loaded_with_its_place_and_hash() {
    let project = Project::new();
    let path = project.write("p.yml", "execution: {memory_mb: 64}\n");
    let policy = load(&path).unwrap();
    assert_eq!(policy.source.path, Some(path));
    assert_eq!(policy.project_root, project.root);
    assert_eq!(policy.execution.memory, 64 << 20);
    // printf 'execution: {memory_mb: 64}\n' | sha256sum
    let hash = "74b65f0c7adb5bf4ef90a9bb657346befc63bd75ed61030a5970187c75f61e34";
    assert_eq!(policy.source.sha256_hex(), hash);
}

#[test]
fn what_is_not_a_readable_text_file_is_refused_with_a_reason() {
    let project = Project::new();
    let fifo = project.path("fifo.yml");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let socket = project.path("socket.yml");
    let _listener = UnixListener::bind(&socket).unwrap();
    let circle = project.path("circle.yml");
    symlink(&circle, &circle).unwrap();
    let dangling = project.path("dangling.yml");
    symlink(project.path("nothing"), &dangling).unwrap();
    let folder = project.folder("folder.yml");
    let file = project.write("file.yml", "{}");
    let huge = project.write("huge.yml", vec![b'#'; MAX_BYTES as usize + 1]);
    let empty = project.write("empty.yml", "");
    let comments = project.write("comments.yml", "# nothing\n\n   # but comments\n");
    let binary = project.write("binary.yml", b"network: {}\n# caf\xe9\n");

    let checks = [
        (fifo, "is a named pipe, not a regular file"),
        (socket, "is a socket or a device, not a regular file"),
        (PathBuf::from("/dev/null"), "is a device, not a regular file"),
        (folder, "is a folder, not a regular file"),
        (circle, "is a symbolic link that leads back to itself"),
        (dangling, "does not exist"),
        (project.path("missing.yml"), "does not exist"),
        (file.join("below"), "does not exist"),
        (huge, "is larger than 1 MiB"),
        (binary.clone(), "is not UTF-8: byte 17 of the file is 0xe9"),
    ];
    for (path, reason) in checks {
        assert_eq!(read_error(&path).to_string(), format!("policy `{}` {reason}", path.display()));
    }
    let error = LoadError::from(read_error(&binary));
    let shown = error.render(false);
    assert!(shown.contains(&format!("--> {}:2:6\n", binary.display())), "{shown}");
    assert_eq!((&error.to_json()[0]["line"], &error.to_json()[0]["column"]), (&2.into(), &6.into()));
    let utf16 = project.write("utf16.yml", b"\xff\xfen\0e\0t\0");
    assert!(read_error(&utf16).help().contains("UTF-16"));
    for path in [empty, comments] {
        let error = LoadError::from(read_error(&path));
        let expected = format!(
            "error: empty policy `{}`\n |\n = help: start with `waxcell policy init`\n",
            path.display()
        );
        assert_eq!(error.render(false), expected);
        assert_eq!(error.to_json()[0]["help"], "start with `waxcell policy init`");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_refused_unless_we_may_read_everything() {
    let project = Project::new();
    let path = project.write("p.yml", "{}\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    match fs::read(&path) {
        Ok(_) => assert!(load(&path).is_ok(), "root reads it"),
        Err(_) => assert!(matches!(read_error(&path), ReadError::Denied { .. })),
    }
}

#[test]
fn the_largest_file_is_still_read() {
    let project = Project::new();
    let mut text = b"network: {}\n".to_vec();
    text.resize(MAX_BYTES as usize, b'#');
    assert!(load(&project.write("p.yml", text)).is_ok());
}

#[test]
fn a_file_name_cannot_command_the_terminal() {
    let project = Project::new();
    let path = project.write("p\u{1b}[31m.yml", "netwrok: {}\n");
    let error = load(&path).unwrap_err();
    assert!(!error.render(false).contains('\u{1b}'));
    assert!(error.render(false).contains("p\\u{1b}[31m.yml:1:1"));
    assert!(!load(&project.path("\u{1b}[2J")).unwrap_err().render(false).contains('\u{1b}'));
}

#[test]
fn lint_reports_warnings_of_a_good_file_and_errors_of_a_bad_one() {
    let project = Project::new();
    let today = "2027-02-01".parse().unwrap();
    let lint = |name, text: &str| lint(&project.write(name, text), today).unwrap();
    let report = lint("good.yml", "network: {allowed_domains: [a.org, A.org]}\n");
    assert_eq!((report.has_errors(), report.diagnostics.len()), (false, 1));
    let report = lint("bad.yml", "network: {alowed_domains: []}\n");
    assert_eq!((report.has_errors(), report.diagnostics.len()), (true, 1));
    assert!(matches!(load(&project.path("bad.yml")), Err(LoadError::Invalid(_))));
    let suppressions = "analysis:\n  suppressions:\n    - {rule: B307, reason: ours, until: 2027-01-31}\n    - {rule: B307, reason: ours, until: 2027-02-01}\n";
    let report = lint("over.yml", suppressions);
    let told: Vec<_> = report.diagnostics.iter().map(|d| (d.severity, d.line, d.column)).collect();
    assert_eq!(told, [(Severity::Warning, 3, 41)]);
}

#[test]
fn the_project_root_is_the_repository_or_the_folder_that_the_policy_belongs_to() {
    let project = Project::new();
    let root = |name: &str| project_root_of_policy(&project.write(name, "{}")).unwrap();
    assert_eq!(root("p.yml"), project.root);
    assert_eq!(root("config/p.yml"), project.root);
    assert_eq!(root("scripts/config/p.yml"), project.root);
    assert_eq!(root("scripts/p.yml"), project.path("scripts"));
    assert_eq!(root("other/config/p.yml"), project.path("other"));
    assert_eq!(root("config/deep/p.yml"), project.path("config/deep"));
    // A work tree has a file named `.git`.
    project.write("other/.git", "gitdir: /elsewhere\n");
    assert_eq!(root("other/a/b/p.yml"), project.path("other"));
    project.folder(".git");
    assert_eq!(root("scripts/p.yml"), project.root);
    assert_eq!(root("other/p.yml"), project.path("other"));
}

#[test]
fn the_whole_host_is_never_a_project() {
    let refused = |path: &str| project_root_of_policy(Path::new(path));
    assert!(matches!(refused("/p.yml"), Err(FindError::RootIsWholeHost { .. })));
    assert!(matches!(refused("/nowhere/p.yml"), Err(FindError::Folder { .. })));
    assert!(matches!(
        find(None, None, Path::new("/"), Path::new("/")),
        Err(FindError::RootIsWholeHost { .. })
    ));
}

#[test]
fn a_policy_is_found_by_option_then_environment_then_project_then_built_in() {
    let project = Project::new();
    project.folder(".git");
    let scripts = project.folder("scripts");
    let look = |explicit: Option<&str>, env: Option<&str>| {
        let found = find(explicit.map(Path::new), env.map(OsStr::new), &scripts, Path::new("/")).unwrap();
        assert_eq!(found.script_root, project.root);
        (found.path, found.origin)
    };
    assert_eq!(look(None, None), (None, Origin::BuiltIn));
    assert_eq!(look(None, Some("")), (None, Origin::BuiltIn));
    for name in ["scripts/config/security_policy.yml", "config/security_policy.yml", "security_policy.yml"] {
        let path = project.write(name, "{}\n");
        assert_eq!(look(None, None), (Some(path), Origin::Project));
    }
    assert_eq!(look(None, Some("/b.yml")), (Some(PathBuf::from("/b.yml")), Origin::Environment));
    assert_eq!(look(Some("/a.yml"), Some("/b.yml")), (Some(PathBuf::from("/a.yml")), Origin::Option));
}

#[test]
fn a_policy_that_is_there_and_cannot_be_used_is_never_passed_over() {
    let project = Project::new();
    project.write("config/security_policy.yml", "{}\n");
    symlink(project.path("nothing"), project.path("security_policy.yml")).unwrap();
    let found = find(None, None, &project.root, Path::new("/")).unwrap();
    assert_eq!(found.path, Some(project.path("security_policy.yml")));
    assert!(matches!(found.load(), Err(LoadError::Read(ReadError::Missing { .. }))));
    let named = find(Some(&project.path("gone.yml")), None, &project.root, Path::new("/")).unwrap();
    assert!(named.load().is_err());
    fs::remove_file(project.path("security_policy.yml")).unwrap();
    let built_in = Project::new();
    let found = find(None, None, &built_in.root, Path::new("/")).unwrap();
    assert_eq!(found.load().unwrap().project_root, built_in.root);
}

#[test]
fn the_working_directory_counts_where_the_project_has_no_policy() {
    let project = Project::new();
    project.folder(".git");
    let (scripts, inner) = (project.folder("inner/scripts"), project.path("inner"));
    let policy = project.write("inner/security_policy.yml", "project_root: folder\n");
    let look = |cwd: &Path| find(None, None, &scripts, cwd).unwrap();
    assert_eq!(look(&inner).path, Some(policy.clone()));
    assert_eq!(look(&inner).load().unwrap().project_root, inner);
    assert_eq!(look(Path::new("/")).path, None, "a policy is not looked for above the script");
    project.write("inner/scripts/security_policy.yml", "{}\n");
    assert_eq!(look(&inner).path, Some(policy), "nor beside it");
    let own = project.write("security_policy.yml", "{}\n");
    assert_eq!(look(&inner).path, Some(own), "the project's own comes first");
}

#[test]
fn a_folder_of_scripts_belongs_to_the_project_above_it() {
    let project = Project::new();
    let scripts = project.folder("scripts");
    assert_eq!(find(None, None, &scripts, Path::new("/")).unwrap().script_root, scripts);
    let policy = project.write("security_policy.yml", "{}\n");
    let found = find(None, None, &scripts, Path::new("/")).unwrap();
    assert_eq!((found.path, found.script_root), (Some(policy), project.root.clone()));
}
