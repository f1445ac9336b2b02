//! What a script can use, against what CPython's audit events (PEP 578) tell that it uses; and the policies that are made of it.
//!
//! `capabilities/benign` is some sixty scripts as people write them. Each is run by plain Python, with a hook, and each event
//! that the script itself causes has to be among its capabilities, or what it cannot be known before: explicitly unknown.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{PYTHON, Place, say, say_with};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/capabilities")
}

/// The scripts, by name.
fn scripts() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder().join("benign")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    assert!(all.len() >= 40, "{}", all.len());
    all
}

fn name(script: &Path) -> String {
    script.file_stem().unwrap().to_string_lossy().into_owned()
}

/// A project with one of the scripts, and everything that they read.
fn project(script: &Path) -> Place {
    let place = Place::new("");
    fs::remove_file(place.project().join("security_policy.yml")).unwrap();
    for (path, text) in [
        ("data/sales.csv", "region,amount\nnorth,1.5\nsouth,2\nnorth,3\n"),
        ("data/parts/a.json", "{\"a\": 1}"),
        ("data/parts/b.json", "{\"b\": 2}"),
        ("data/notes/one.txt", "first\n"),
        ("data/notes/two.txt", "second\n"),
        ("data/config.json", "{\"x\": 1, \"y\": \"z\"}"),
        ("data/settings.ini", "[run]\ncount = 4\n"),
        ("data/items.xml", "<items><item/><item/></items>"),
        ("data/proposal.json", "{\"number\": 4, \"title\": \"gate\"}"),
        ("data/letter.txt", "Dear $name\n"),
        ("out/keep.txt", ""),
    ] {
        place.write(path, text);
    }
    place.write(format!("scripts/{}.py", name(script)), fs::read(script).unwrap());
    place
}

/// How many there are of each kind, and what was not foreseen.
#[derive(Debug, Default)]
struct Tally {
    modules: (usize, usize),
    targets: (usize, usize),
    unknown: usize,
    missed: Vec<String>,
}

#[test]
fn what_scripts_do_is_among_what_they_can_do() {
    let mut tally = Tally::default();
    for script in scripts() {
        let place = project(&script);
        let truth = place.root().join("truth");
        let given = format!("scripts/{}.py", name(&script));
        let said = say_with(
            place.command(PYTHON).arg(folder().join("hook.py")).arg(&truth).arg(&given),
            b"some words some\n",
        );
        assert!(!said.err().contains("Traceback"), "{given}: {said:?}");
        let report: Value = serde_json::from_slice(
            &say(&mut place.waxcell(&["check", "--json", "--capabilities", &given])).out,
        )
        .unwrap();
        let capabilities = &report["files"][0]["capabilities"];
        assert_eq!(capabilities["complete"], true, "{given}");
        let entries = capabilities["entries"].as_array().unwrap();
        let known = Known { entries, project: place.project() };
        for line in fs::read_to_string(&truth).unwrap_or_default().lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            known.judge(&event, &given, &mut tally);
        }
    }
    let (modules, targets) = (tally.modules, tally.targets);
    let all = modules.1 + targets.1;
    let report = format!(
        "modules {}/{}, targets {}/{} and {} explicitly unknown, missed {}:\n{}",
        modules.0,
        modules.1,
        targets.0,
        targets.1,
        tally.unknown,
        tally.missed.len(),
        tally.missed.join("\n")
    );
    assert!(modules.1 > 60 && targets.1 > 100, "the hook tells too little: {report}");
    assert!(modules.0 * 100 >= modules.1 * 98, "{report}");
    assert!(targets.0 * 100 >= targets.1 * 90, "{report}");
    assert!(tally.missed.len() * 100 <= all, "{report}");
    println!("{report}");
}

struct Known<'a> {
    entries: &'a [Value],
    project: PathBuf,
}

/// What an event is about.
enum About {
    Path(&'static [&'static str], String),
    Host(&'static [&'static str], String),
    Program(String),
    Process,
}

impl Known<'_> {
    fn judge(&self, event: &Value, script: &str, tally: &mut Tally) {
        let args: Vec<&Value> = event["args"].as_array().unwrap().iter().collect();
        let kind = event["event"].as_str().unwrap();
        if kind == "import" {
            // What modules import themselves is theirs.
            if event["direct"] == true {
                let module = args[0].as_str().unwrap();
                tally.modules.1 += 1;
                match self.imports(module) {
                    true => tally.modules.0 += 1,
                    false => tally.missed.push(format!("{script}:{} imports {module}", event["line"])),
                }
            }
            return;
        }
        for about in self.about(kind, &args) {
            // Of a name that is relative to a descriptor, as all are below a folder that is removed, nobody is told the rest.
            let is_below = |path: &str| !path.contains('/') && event["direct"] == false;
            if matches!(&about, About::Path(_, path) if is_below(path)) {
                continue;
            }
            tally.targets.1 += 1;
            let (is_known, is_unknown) = self.has(&about);
            match () {
                () if is_known => tally.targets.0 += 1,
                () if is_unknown => {
                    tally.unknown += 1;
                    tally.targets.0 += 1;
                }
                () => tally.missed.push(format!("{script}:{} {kind} {args:?}", event["line"])),
            }
        }
    }

    fn imports(&self, module: &str) -> bool {
        self.entries.iter().filter(|entry| entry["target"]["kind"] == "module").any(|entry| {
            let name = entry["target"]["name"].as_str().unwrap_or_default();
            name == module || name.starts_with(&format!("{module}."))
        })
    }

    fn about(&self, kind: &str, args: &[&Value]) -> Vec<About> {
        const READ: &[&str] = &["fs.read"];
        const WRITE: &[&str] = &["fs.write", "fs.create"];
        let path = |at: usize, operations| {
            let path = args.get(at).and_then(|path| path.as_str());
            path.filter(|path| is_its_own(path))
                .map(|path| About::Path(operations, path.to_owned()))
                .into_iter()
                .collect()
        };
        let host = |at: usize, operations| {
            let host = args.get(at).and_then(|address| address[0].as_str());
            host.map(|host| About::Host(operations, host.to_owned())).into_iter().collect()
        };
        match kind {
            "open" => {
                let flags = args[2].as_i64().unwrap_or_default();
                path(0, if flags & 3 == 0 { READ } else { WRITE })
            }
            "os.listdir" | "os.scandir" => path(0, READ),
            "os.remove" | "os.rmdir" => path(0, &["fs.delete"]),
            "os.mkdir" => path(0, &["fs.create"]),
            "os.chmod" => path(0, &["fs.chmod"]),
            "os.symlink" | "os.link" => path(1, &["fs.link"]),
            "os.rename" => [path(0, &["fs.rename"]), path(1, &["fs.rename"])].into_iter().flatten().collect(),
            "sqlite3.connect" if args[0] != ":memory:" => path(0, WRITE),
            "socket.connect" => host(1, &["net.connect"]),
            "socket.bind" => host(1, &["net.listen"]),
            "socket.sendto" => host(1, &["net.udp"]),
            "subprocess.Popen" => {
                let program =
                    args[0].as_str().map(|path| path.rsplit('/').next().unwrap_or_default().to_owned());
                program.map(About::Program).into_iter().collect()
            }
            "os.system" => vec![About::Program("sh".to_owned())],
            "os.fork" => vec![About::Process],
            _ => vec![],
        }
    }

    /// Whether it is foreseen; and whether it is said that such a thing is not known before.
    fn has(&self, about: &About) -> (bool, bool) {
        let operation = |entry: &Value, operations: &[&str]| {
            entry["operation"].as_str().is_some_and(|name| operations.contains(&name))
        };
        let (mut is_known, mut is_unknown) = (false, false);
        for entry in self.entries {
            let target = &entry["target"];
            let (fits, given) = match about {
                About::Path(operations, path) if operation(entry, operations) && target["kind"] == "path" => {
                    // With a folder, those above it are made.
                    let makes = operations == &["fs.create"];
                    (self.is_path(target, path, makes), target["path"].as_str())
                }
                About::Host(operations, host) if operation(entry, operations) && target["kind"] == "host" => {
                    let given = target["host"].as_str();
                    (
                        given.is_some_and(|given| {
                            glob(given, host) || is_loopback(given) && is_loopback(host)
                        }),
                        given,
                    )
                }
                About::Program(program) if target["kind"] == "program" => {
                    let given = target["name"].as_str();
                    let is_python = |name: &str| name.starts_with("python3");
                    let last = given.map(|given| given.rsplit('/').next().unwrap_or_default());
                    (
                        last.is_some_and(|last| glob(last, program) || is_python(last) && is_python(program)),
                        given,
                    )
                }
                About::Process if entry["family"] == "processes" => (true, Some("")),
                _ => continue,
            };
            is_known |= fits;
            is_unknown |= given.is_none();
        }
        (is_known, is_unknown)
    }

    fn is_path(&self, target: &Value, path: &str, or_above: bool) -> bool {
        let Some(given) = target["path"].as_str() else { return false };
        let base = match target["base"].as_str() {
            Some("script") => self.project.join("scripts"),
            Some("home") => self.project.join("../home"),
            _ => self.project.clone(),
        };
        let plain = |path: PathBuf| {
            let mut plain = PathBuf::new();
            for part in path.components() {
                match part {
                    std::path::Component::ParentDir => drop(plain.pop()),
                    std::path::Component::CurDir => {}
                    other => plain.push(other),
                }
            }
            plain.to_string_lossy().into_owned()
        };
        let (given, path) = (plain(base.join(given)), plain(self.project.join(path)));
        glob(&given, &path) || or_above && given.starts_with(&format!("{path}/"))
    }
}

/// Not the interpreter's, nor the system's.
fn is_its_own(path: &str) -> bool {
    !["/usr/", "/etc/", "/proc/", "/dev/", "/lib"].iter().any(|system| path.starts_with(system))
        && !path.contains("__pycache__")
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "" | "0.0.0.0") || host.starts_with("127.")
}

/// Whether a text is one that a pattern stands for.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|left| {
            (0..=left.len()).any(|at| left.is_char_boundary(at) && glob(rest, &left[at..]))
        }),
    }
}

#[test]
fn scripts_run_unchanged_under_the_policies_that_are_made_of_them() {
    let (mut same, mut others) = (0, Vec::new());
    let all = scripts();
    for script in &all {
        let given = format!("scripts/{}.py", name(script));
        let (outside, inside) = (project(script), project(script));
        let expected = say_with(outside.command(PYTHON).arg(&given), b"some words some\n");
        let made = say(&mut inside.waxcell(&["policy", "init", "--from", &given]));
        assert_eq!(made.code, 0, "{given}: {made:?}");
        inside.write("security_policy.yml", &made.out);
        let linted = say(&mut inside.waxcell(&["policy", "lint"]));
        assert_eq!(
            linted.out(),
            "security_policy.yml: a good policy\n"
                .replace("security", &format!("{}/security", inside.project().display())),
            "{given}: {linted:?}\n{}",
            made.out()
        );
        let said = say_with(&mut inside.waxcell(&["run", &given]), b"some words some\n");
        match said == expected {
            true => same += 1,
            false => others.push(format!("{given}: {said:?}\nexpected {expected:?}\n{}", made.out())),
        }
    }
    let report = format!("{same} of {}: {}", all.len(), others.join("\n"));
    assert!(same * 100 >= all.len() * 95, "{report}");
    println!("{report}");
}

#[test]
fn capabilities_are_told_by_family() {
    let place = Place::new("filesystem: {allowed_paths: [./data]}\n");
    place.write(
        "x.py",
        "import os, socket\nfor n in range(3):\n    open(f'data/{n}.txt', 'w')\nopen(input())\ntry:\n    os.remove('data/old')\nexcept OSError:\n    pass\n\
         socket.create_connection(('example.org', 443))\nos.system('ls | wc')\nos.environ['X']\neval(input())\n",
    );
    let said = say(&mut place.waxcell(&["check", "--capabilities", "x.py"]));
    let expected = "\
x.py
  modules
    os  line 1
    socket  line 1
  files
    data/*.txt  fs.write, fs.create  line 3  pattern
    (not known before it runs)  fs.read  line 4  unknown
    data/old  fs.delete  line 6?
  environment
    X  line 11
  network
    example.org:443  net.connect  line 9
  programs
    sh  proc.exec  line 10
    ls  proc.exec  line 10
    wc  proc.exec  line 10
  processes
    proc.fork  line 10
  code
    line 12  unknown

";
    assert!(said.out().starts_with(expected), "{}", said.out());
    // What is found is what it was without.
    assert_eq!(said.code, say(&mut place.waxcell(&["check", "x.py"])).code);
}

#[test]
fn a_script_that_cannot_be_read_makes_no_policy() {
    let place = Place::new("filesystem: {allowed_paths: [./data]}\n");
    place.write("bad.py", "def (:\n");
    let said = say(&mut place.waxcell(&["policy", "init", "--from", "bad.py"]));
    assert_eq!((said.code, said.out()), (3, String::new()));
    assert!(said.err().contains("`bad.py`: line 1: "), "{}", said.err());
    assert_eq!(say(&mut place.waxcell(&["policy", "init", "--from", "gone.py"])).code, 3);
    let said = say(&mut place.waxcell(&["check", "--capabilities", "bad.py"]));
    assert_eq!(said.code, 3);
    assert!(said.out().contains("error: `bad.py` could not be analysed"), "{}", said.out());
}
