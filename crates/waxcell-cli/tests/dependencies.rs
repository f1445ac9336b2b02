//! `waxcell check --osv-db`: what is known to be vulnerable, in every form of report, and that nothing unknown is clean.
//! Packages and advisories are invented.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use support::{PYTHON, Place, Said, say};

/// A project with a virtual environment whose packages are only what installers leave of them.
struct World(Place);

impl World {
    fn new() -> World {
        let world = World(Place::new("filesystem: {allowed_paths: [./data]}\n"));
        let real = fs::canonicalize(PYTHON).unwrap();
        world.write("venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n");
        fs::create_dir_all(world.0.project().join("venv/bin")).unwrap();
        symlink(&real, world.0.project().join("venv/bin/python3")).unwrap();
        world.install(
            "sprocket",
            "1.5",
            "Requires-Dist: gear-box>=1\nRequires-Dist: wheel-house; extra == 'house'\n",
            "sprocket/__init__.py,,\n",
        );
        world.install(
            "Gear_Box",
            "1.0",
            "Requires-Dist: absent; sys_platform == 'win32'\n",
            "gear_box/__init__.py,,\n",
        );
        world.install("fine", "3.0", "", "fine.py,,\n");
        world.advise(
            "GHSA-gear",
            json!({
                "aliases": ["CVE-2026-1"], "summary": "Gears slip.",
                "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }],
                "affected": [affected("gear-box", "1.1")],
            }),
        );
        world.advise(
            "PYSEC-2026-1",
            json!({ "aliases": ["CVE-2026-1"], "affected": [affected("Gear-Box", "1.1")] }),
        );
        world.advise("PYSEC-2026-2", json!({ "affected": [affected("sprocket", "1.5")] }));
        world.advise(
            "PYSEC-2026-3",
            json!({ "withdrawn": "2026-02-01T00:00:00Z", "affected": [affected("fine", "9")] }),
        );
        world
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.project().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn install(&self, name: &str, version: &str, requires: &str, record: &str) {
        let python = fs::canonicalize(PYTHON).unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let folder = format!("venv/lib/{python}/site-packages/{name}-{version}.dist-info");
        let head =
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}\nA description.\n");
        self.write(&format!("{folder}/METADATA"), &head);
        self.write(&format!("{folder}/RECORD"), record);
    }

    fn advise(&self, id: &str, rest: Value) {
        let mut entry = json!({ "id": id, "modified": "2026-01-01T00:00:00Z" });
        rest.as_object().unwrap().iter().for_each(|(key, value)| entry[key] = value.clone());
        self.write(&format!("osv/{id}.json"), &entry.to_string());
    }

    fn check(&self, args: &[&str]) -> Said {
        let mut command = self.0.waxcell(&[&["check"], args].concat());
        say(command.env("PATH", format!("{}:/usr/bin:/bin", self.0.project().join("venv/bin").display())))
    }

    fn audit(&self, args: &[&str]) -> (i32, Value) {
        let said = self.check(&[&["--osv-db", "osv", "--format", "json"], args].concat());
        (said.code, said.report()["dependencies"].clone())
    }
}

fn affected(name: &str, fixed: &str) -> Value {
    json!({
        "package": { "ecosystem": "PyPI", "name": name },
        "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": fixed }] }],
    })
}

/// Name, version and status of each.
fn entries(audit: &Value) -> Vec<(&str, &str, &str)> {
    let text = |value: &'_ Value| -> &'static str { value.as_str().unwrap_or("-").to_owned().leak() };
    let entry = |entry: &Value| (text(&entry["name"]), text(&entry["version"]), text(&entry["status"]));
    audit["entries"].as_array().unwrap().iter().map(entry).collect()
}

#[test]
fn what_an_import_brings_with_it_is_told_at_the_import() {
    let world = World::new();
    world.write("a.py", "import os\nimport sprocket as s\nfrom sprocket import wheel\n");
    let said = world.check(&["--osv-db", "osv", "a.py"]);
    assert_eq!((said.code, said.err()), (1, String::new()));
    let expected = "\
error[vulnerable-dependency]: `gear-box` 1.0, used through `sprocket`, is vulnerable: GHSA-gear (CVE-2026-1, PYSEC-2026-1, high 7.5): Gears slip
 --> a.py:2:1
  |
2 | import sprocket as s
  | ^^^^^^^^^^^^^^^^^^^^
  |
  = help: use 1.1 or a later version

1 file, 1 finding
2 dependencies: 1 vulnerable
database `osv`: 4 entries about packages of Python, last changed on 2026-01-01";
    assert!(said.out().starts_with(expected), "{said:?}");
    assert!(!world.check(&["a.py"]).out().contains("dependenc"));
}

#[test]
fn what_is_known_to_be_good_is_clean_and_nothing_else_is() {
    let world = World::new();
    world.write("good.py", "import fine, json, beside\n");
    world.write("beside.py", "");
    let (code, audit) = world.audit(&["good.py"]);
    assert_eq!((code, audit["complete"].as_bool()), (0, Some(true)), "{audit}");
    assert_eq!(entries(&audit), [("fine", "3.0", "ok")]);

    world.write(
        "without.py",
        "import fine\ntry:\n    import nowhere\nexcept ImportError:\n    nowhere = None\n",
    );
    assert_eq!(world.audit(&["without.py"]).0, 0);
    world.write("dynamic.py", "import importlib, sys\nimportlib.import_module(sys.argv[1])\n");
    let (code, audit) = world.audit(&["dynamic.py"]);
    let unknown = "dynamic.py:2: what is imported is not known before it runs";
    assert_eq!((code, &audit["gaps"]), (3, &json!([unknown])));

    world.write("unknown.py", "import fine\nimport nowhere.at_all\n");
    let (code, audit) = world.audit(&["unknown.py"]);
    assert_eq!((code, audit["complete"].as_bool()), (3, Some(false)), "{audit}");
    assert_eq!(entries(&audit), [("fine", "3.0", "ok"), ("nowhere", "-", "not_audited")]);
    assert!(
        world
            .check(&["--osv-db", "osv", "unknown.py"])
            .out()
            .contains("1 NOT AUDITED; the audit is INCOMPLETE")
    );
}

#[test]
fn a_database_that_is_old_broken_or_not_there_makes_nothing_clean() {
    let world = World::new();
    world.write("good.py", "import fine\n");
    let gaps = |args: &[&str]| {
        let said = world.check(&[args, &["--format", "json", "good.py"]].concat());
        (said.code, said.report()["dependencies"]["gaps"].to_string())
    };
    let (code, why) = gaps(&["--osv-db", "osv", "--osv-max-age", "10"]);
    assert_eq!(code, 3);
    assert!(why.contains("days old; at most 10 are allowed"), "{why}");
    assert_eq!(gaps(&["--osv-db", "osv", "--osv-max-age", "100000"]), (0, "[]".to_owned()));

    let (code, why) = gaps(&["--osv-db", "nowhere"]);
    assert!(code == 3 && why.contains("the database cannot be read"), "{why}");
    world.write("empty/README.md", "");
    let (code, why) = gaps(&["--osv-db", "empty"]);
    assert!(code == 3 && why.contains("no entry about packages of Python"), "{why}");
    let (code, why) = gaps(&["--osv-db", "good.py"]);
    assert!(code == 3 && why.contains("no zip archive"), "{why}");

    world.write("osv/broken.json", "{\"id\": ");
    let said = world.check(&["--osv-db", "osv", "good.py"]);
    assert_eq!(said.code, 3);
    assert!(said.out().contains("warning: `broken.json` of the database was not read: EOF"), "{said:?}");
    assert!(said.out().contains("INCOMPLETE"), "{said:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests start programs")]
fn an_archive_says_what_its_folder_says() {
    let world = World::new();
    world.write("a.py", "import sprocket\n");
    let zipped = Command::new(PYTHON)
        .args(["-m", "zipfile", "-c", "osv.zip", "osv"])
        .current_dir(world.0.project())
        .status();
    assert!(zipped.unwrap().success());
    let of = |database: &str| {
        let said = world.check(&["--osv-db", database, "--format", "json", "a.py"]);
        let mut report = said.report();
        report["dependencies"]["database"]["path"] = Value::Null;
        (said.code, report)
    };
    assert_eq!(of("osv.zip"), of("osv"));
    assert_eq!(of("osv.zip").0, 1);
}

#[test]
fn lists_lock_files_and_blocks_are_audited() {
    let world = World::new();
    world.write(
        "lists/requirements.txt",
        "-r more.txt\n-c limits.txt\ngear-box==0.9 \\\n    --hash=sha256:00\nfine\nloose\n-e ./here\n",
    );
    world.write("lists/more.txt", "limited>=1\n-r requirements.txt\n-r ../outside.txt\n");
    world.write("lists/limits.txt", "limited==1.2\nunused==5\n");
    world.write("outside.txt", "secret==1\n");
    let (code, audit) = world.audit(&["--requirements", "lists/requirements.txt"]);
    assert_eq!(code, 3);
    let expected = [
        ("-e ./here", "-", "not_audited"),
        ("fine", "3.0", "ok"),
        ("gear-box", "0.9", "vulnerable"),
        ("limited", "1.2", "ok"),
        ("loose", "-", "not_audited"),
    ];
    assert_eq!(entries(&audit), expected);
    assert_eq!(
        audit["gaps"],
        json!([
            "lists/more.txt:3: `../outside.txt` is not in the folder of `lists/requirements.txt`, and not read"
        ])
    );
    let place = &audit["entries"][2]["sources"][0];
    assert_eq!((place["file"].as_str(), place["line"].as_u64()), (Some("lists/requirements.txt"), Some(3)));

    world.write("uv.lock", "version = 1\n\n[[package]]\nname = \"gear-box\"\nversion = \"1.0.post1\"\nsource = { registry = \"x\" }\n");
    let said = world.check(&["--osv-db", "osv", "--requirements", "uv.lock"]);
    assert_eq!(said.code, 1);
    assert!(said.out().contains(" --> uv.lock:3:1\n"), "{said:?}");
    world.write("poetry.lock", "[[package]\n");
    let (code, audit) = world.audit(&["--requirements", "poetry.lock"]);
    assert!(code == 3 && audit["gaps"].to_string().contains("no TOML"), "{audit}");

    world.write(
        "block.py",
        "# /// script\n# requires-python = \">=3.99\"\n# dependencies = [\n#   \"gear-box<2\",\n# ]\n# ///\n",
    );
    let (code, audit) = world.audit(&["block.py"]);
    assert_eq!((code, entries(&audit)), (3, vec![("gear-box", "1.0", "vulnerable")]));
    assert_eq!(audit["entries"][0]["sources"][0]["line"], 4);
    assert!(
        audit["gaps"][0].as_str().unwrap().starts_with("block.py:2: the script is for Python >=3.99"),
        "{audit}"
    );
}

#[test]
fn a_baseline_knows_vulnerabilities_and_not_the_dependency() {
    let world = World::new();
    world.write("a.py", "import sprocket\n");
    let report = world.check(&["--osv-db", "osv", "--format", "json", "a.py"]);
    world.write("known.json", &report.out());
    let again = || world.check(&["--osv-db", "osv", "--baseline", "known.json", "a.py"]).code;
    world.write("a.py", "import os\n\n\nimport sprocket\n");
    assert_eq!(again(), 0);
    world.advise("PYSEC-2026-9", json!({ "affected": [affected("gear-box", "2")] }));
    assert_eq!(again(), 1);
}

#[test]
fn programs_are_told_as_well() {
    let world = World::new();
    world.write("a.py", "import sprocket\nimport nowhere\n");
    let sarif = world.check(&["--osv-db", "osv", "--format", "sarif", "a.py"]);
    let run = &sarif.report()["runs"][0];
    assert_eq!(run["results"][0]["ruleId"], "vulnerable-dependency");
    let rule = run["results"][0]["ruleIndex"].as_u64().unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][usize::try_from(rule).unwrap()]["id"], "vulnerable-dependency");
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notification = &invocation["toolExecutionNotifications"][0];
    assert!(
        notification["message"]["text"].as_str().unwrap().contains("`nowhere` was not audited"),
        "{notification}"
    );
    assert_eq!(notification["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
    let github = world.check(&["--osv-db", "osv", "--format", "github", "a.py"]).out();
    assert!(github.contains("::error file=a.py,line=1,col=1,title=vulnerable-dependency::"), "{github}");
    assert!(github.contains("::warning file=a.py,line=2,title=not audited::"), "{github}");

    let chosen = |args: &[&str]| {
        world.check(&[args, &["--osv-db", "osv", "--format", "json", "a.py"]].concat()).report()["files"][0]["findings"].as_array().unwrap().len()
    };
    assert_eq!(
        [chosen(&[]), chosen(&["--ignore", "vulnerable-dependency"]), chosen(&["--select", "B101"])],
        [1, 0, 0]
    );
}

#[test]
fn what_belongs_to_the_database_needs_one() {
    let world = World::new();
    world.write("a.py", "");
    for args in [&["--osv-max-age", "3", "a.py"][..], &["--requirements", "r.txt"], &["--osv-db", "osv"]] {
        assert_eq!(world.check(args).code, 2, "{args:?}");
    }
}

#[test]
fn the_gate_asks_a_database_that_the_policy_names() {
    let world = World::new();
    let audit = |more: &str| {
        let text = format!(
            "filesystem: {{allowed_paths: [./data]}}\nanalysis:\n  vulnerabilities: {{database: ./osv, max_age_days: 100000{more}}}\n"
        );
        world.write("security_policy.yml", &text);
        let mut command = world.0.waxcell(&["--json", "run", "a.py"]);
        say(command.env("PATH", format!("{}:/usr/bin:/bin", world.0.project().join("venv/bin").display())))
    };
    let rules = |said: &Said| -> Vec<String> {
        let report = said.report();
        let findings = report["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .map(|finding| {
                format!("{} {}", finding["rule"].as_str().unwrap(), finding["level"].as_str().unwrap())
            })
            .collect()
    };
    world.write("a.py", "import sprocket, nowhere\nprint('ran')\n");
    let refused = audit("");
    assert_eq!(
        (refused.code, rules(&refused)),
        (126, vec!["vulnerable-dependency refuse".into(), "unaudited-dependency report".into()])
    );
    let report = refused.report();
    assert!(
        report["cause"]
            .as_str()
            .unwrap()
            .contains("a.py:1:1: `gear-box` 1.0, used through `sprocket`, is vulnerable: GHSA-gear"),
        "{report}"
    );
    assert_eq!(report["gate"]["vulnerabilities"]["about_python"], 4);

    world.write(
        "a.py",
        "import json\ntry:\n    import sprocket\nexcept ImportError:\n    pass\nprint('ran')\n",
    );
    let reported = audit(", on_finding: report, on_unaudited: refuse");
    assert_eq!(
        (reported.code, rules(&reported)),
        (0, vec!["vulnerable-dependency report".into()]),
        "{reported:?}"
    );

    fs::remove_dir_all(world.0.project().join("osv")).unwrap();
    let refused = audit(", on_finding: report, on_unaudited: refuse");
    assert_eq!(refused.code, 126);
    assert!(
        refused.report()["cause"].as_str().unwrap().contains("the database cannot be read"),
        "{refused:?}"
    );
}
