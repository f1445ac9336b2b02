//! The record of runs, from outside: when it is written, what is in it, and that it outlives its writer.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};
use support::{PATIENCE, Place, Running, bytes, say, types, until};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";

fn sha256(place: &Place, path: &str) -> String {
    say(place.command("/usr/bin/sha256sum").arg(path)).out().split(' ').next().unwrap().to_owned()
}

#[test]
fn started_is_on_record_before_the_first_instruction() {
    let place = Place::new(POLICY);
    fs::create_dir(place.project().join("data")).unwrap();
    place.write("script.py", "import time\nopen('data/began', 'w').close()\nwhile True:\n    try: open('data/go'); break\n    except OSError: time.sleep(0.01)\n");
    let running = Running::start(&mut place.waxcell(&["run", "script.py"]));
    until(Duration::from_secs(10), "the script began", || place.has("data/began"));
    assert_eq!(types(&place.records()), ["started"]);
    let report = waxcell_journal::verify(&place.journal()).unwrap();
    assert!(report.is_sound() && report.open.len() == 1, "{report:?}");
    assert_eq!(
        say(&mut place.waxcell(&["audit", "verify", "--complete"])).code,
        2,
        "not complete while it runs"
    );
    place.write("data/go", "");
    assert_eq!(running.end().code, 0);
    assert_eq!(types(&place.records()), ["started", "finished"]);
    place.check_journal();
    assert_eq!(say(&mut place.waxcell(&["audit", "verify", "--complete"])).code, 0);
}

#[test]
fn fields_of_started_are_those_of_the_host() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys; print(sys.version.split()[0])");
    let said = say(&mut place.waxcell(&["run", "--reason", "a test of ours", "script.py", "one", "zwei ü"]));
    let records = place.records();
    let (started, finished) = (&records[0], &records[1]);
    assert_eq!(started["args"], serde_json::json!(["one", "zwei ü"]), "{started:#}");
    assert_eq!(started["reason"], "a test of ours");
    assert_eq!(started["cwd"].as_str(), place.project().to_str());
    assert_eq!(started["script"]["sha256"], sha256(&place, "script.py"));
    assert_eq!(started["script"]["path"].as_str(), place.project().join("script.py").to_str());
    assert_eq!(started["script"]["bytes"], place.read("script.py").len());
    assert_eq!(started["policy"]["sha256"], sha256(&place, "security_policy.yml"));
    assert_eq!(started["interpreter"]["sha256"], sha256(&place, support::PYTHON));
    assert!(said.out().starts_with(started["interpreter"]["version"].as_str().unwrap()), "{started:#}");
    let actor = &started["actor"];
    assert_eq!(actor["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(actor["gid"], rustix::process::getegid().as_raw());
    assert_eq!(actor["host"], fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    assert_eq!(actor["boot"], fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim());
    assert_eq!((started["index"].as_u64(), finished["index"].as_u64()), (Some(0), Some(1)));
    assert_eq!(started["run"], finished["run"]);
    assert!(started["time"].as_str() < finished["time"].as_str());
    assert_eq!(started["plan"].as_str().or(started["plan_sha256"].as_str()).map(str::len).unwrap_or(64), 64);
    // Another script, another argument, another policy: each hash moves, the others stay.
    place.write("script.py", "pass");
    say(&mut place.waxcell(&["run", "script.py"]));
    place.write("security_policy.yml", format!("{POLICY}execution: {{memory_mb: 99}}\n"));
    say(&mut place.waxcell(&["run", "script.py"]));
    let records = place.records();
    let of = |index: usize, section: &str| records[index][section]["sha256"].as_str().unwrap().to_owned();
    assert_ne!(of(0, "script"), of(2, "script"));
    assert_eq!(of(0, "policy"), of(2, "policy"));
    assert_ne!(of(2, "policy"), of(4, "policy"));
    assert_eq!(of(2, "script"), of(4, "script"));
    assert_eq!(of(0, "interpreter"), of(4, "interpreter"));
}

/// The counters of one run.
fn usage(text: &str) -> Value {
    let place =
        Place::new("execution: {memory_mb: 300, max_processes: 9}\nfilesystem:\n  allowed_paths: [./data]\n");
    let (said, report) = place.report(text);
    assert_eq!((report["verdict"].as_str(), said.code), (Some("ok"), 0), "{report:#}");
    let finished = place.records().pop().unwrap();
    assert_eq!(finished["usage"], report["resource_usage"]["counters"], "one truth");
    for (stream, name) in [("stdout", "stdout_sha256"), ("stderr", "stderr_sha256")] {
        assert_eq!(finished[stream]["sha256"], report[name]);
        let (bytes, text) = (finished[stream]["bytes"].as_u64().unwrap(), report[stream].as_str().unwrap());
        assert_eq!(bytes, text.len() as u64);
    }
    finished["usage"].clone()
}

#[test]
fn usage_is_measured() {
    let nothing = usage("pass");
    let number = |usage: &Value, key: &str| usage[key].as_u64().unwrap_or_else(|| panic!("{key}: {usage:#}"));
    let base = |key: &str| number(&nothing, key);
    let moves = |key: &str, script: &str, least: u64, most: u64| {
        let more = number(&usage(script), key).saturating_sub(base(key));
        println!("{key}: {} and {more} more", base(key));
        assert!((least..=most).contains(&more), "{key}: {more} more than {}, not {least}..{most}", base(key));
    };
    let mib = 1 << 20;
    moves("wall_us", "import time; time.sleep(1)", 600_000, 3_000_000);
    moves("cpu_us", "import time\nwhile time.process_time() < 0.5: pass", 400_000, 800_000);
    moves("user_us", "import os\nwhile os.times().user < 0.5: pass", 250_000, 800_000);
    moves(
        "system_us",
        "import os, time\nwhile os.times().system < 0.4: os.urandom(1 << 16)",
        250_000,
        900_000,
    );
    moves("memory_peak", "import time\nx = bytearray(80 << 20); time.sleep(0.25)", 60 * mib, 110 * mib);
    moves("max_rss", "import time\nx = bytearray(80 << 20)", 60 * mib, 110 * mib);
    moves("processes", "import subprocess\nfor _ in range(3): subprocess.run(['/bin/true'])", 3, 3);
    moves(
        "threads",
        "import threading\nfor _ in range(4):\n    t = threading.Thread(target=int); t.start(); t.join()",
        4,
        4,
    );
    moves("write_calls_bytes", "open('data/x', 'wb').write(bytes(3 << 20))", 3 * mib, 4 * mib);
    moves(
        "write_bytes",
        "import os\nf = open('data/x', 'wb'); f.write(bytes(3 << 20)); f.flush(); os.fsync(f.fileno())",
        3 * mib,
        5 * mib,
    );
    moves("read_calls_bytes", "f = open('/dev/zero', 'rb'); f.read(5 << 20)", 5 * mib, 6 * mib);
    moves("voluntary_switches", "import time\nfor _ in range(200): time.sleep(0.0005)", 190, 400);
    moves("output", "import sys; sys.stdout.write('x' * 1000); sys.stderr.write('y' * 500)", 1500, 1500);
    moves("scratch_bytes", "open('/tmp/x', 'wb').write(bytes(2 << 20))", 2 * mib, 2 * mib + 8192);
    moves("scratch_files", "for n in range(7): open(f'/tmp/{n}', 'w').close()", 7, 7);
}

#[test]
fn output_hashes_are_those_of_the_bytes() {
    let place = Place::new(POLICY);
    let said = place.run("import sys\nsys.stdout.buffer.write(b'\\xff\\0out'); sys.stderr.write('err')");
    place.write("out", &said.out);
    place.write("err", &said.err);
    let finished = place.records().pop().unwrap();
    assert_eq!(finished["stdout"], serde_json::json!({"bytes": 5, "sha256": sha256(&place, "out")}));
    assert_eq!(finished["stderr"], serde_json::json!({"bytes": 3, "sha256": sha256(&place, "err")}));
}

#[test]
fn many_runs_at_once() {
    for count in [2, 8] {
        let place = Place::new(POLICY);
        place.write("script.py", "import sys, time\ntime.sleep(0.3)\nopen(f'data/{sys.argv[1]}', 'w').write('x')\nprint(sys.argv[1])");
        let all: Vec<Running> = (0..count)
            .map(|n| Running::start(&mut place.waxcell(&["--json", "run", "script.py", &n.to_string()])))
            .collect();
        let reports: Vec<Value> = all
            .into_iter()
            .map(|running| {
                let said = running.end();
                assert_eq!(said.code, 0, "{said:?}");
                said.report()
            })
            .collect();
        for (n, report) in reports.iter().enumerate() {
            assert_eq!(report["stdout"], format!("{n}\n"));
            assert!(place.has(&format!("data/{n}")), "{n} of {count}");
        }
        let runs: BTreeSet<&str> = reports.iter().map(|report| report["run_id"].as_str().unwrap()).collect();
        assert_eq!(runs.len(), count);
        let records = place.records();
        for run in runs {
            let own: Vec<&Value> = records.iter().filter(|record| record["run"] == run).collect();
            assert_eq!(
                own.iter().map(|record| record["type"].as_str().unwrap()).collect::<Vec<_>>(),
                ["started", "finished"]
            );
        }
        assert!(!types(&records).contains(&"lost"));
        assert_eq!(place.view("execution_audit.log").len(), count);
        place.check_journal();
        // The receipt of each is the record's.
        for report in &reports {
            let index = report["record"]["index"].as_u64().unwrap();
            let record = waxcell_journal::Reader::from_index(&place.journal(), index)
                .unwrap()
                .next()
                .unwrap()
                .unwrap();
            let leaf: String = record.leaf_hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(report["record"]["leaf_hash"], leaf);
        }
    }
}

/// A writable folder that is not there yet is made for both; who ends first must not take it from the other.
#[test]
fn runs_at_once_share_a_folder_that_is_not_there_yet() {
    let place = Place::new(POLICY);
    place.write("first.py", "import time\nopen('/tmp/x', 'w')\ntime.sleep(0.4)");
    place.write(
        "second.py",
        "import os, time\ntime.sleep(1)\nos.makedirs('data', exist_ok=True)\nopen('data/a', 'w').write('a')",
    );
    place.write("pass.py", "");
    let first = Running::start(&mut place.waxcell(&["run", "first.py"]));
    until(Duration::from_secs(10), "the folder was made for the first", || place.has("data"));
    let second = Running::start(&mut place.waxcell(&["run", "second.py"]));
    assert_eq!(first.end().code, 0);
    let said = second.end();
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(place.read("data/a"), "a");
    assert_eq!(say(&mut place.waxcell(&["run", "pass.py"])).code, 0);
    assert_eq!(fs::read_dir(place.state().join("runs")).unwrap().count(), 0);
    assert!(place.has("data/a"), "what was used stays");
    // Neither uses it: it is gone with the next run.
    fs::remove_dir_all(place.project().join("data")).unwrap();
    let both = [1, 2].map(|_| Running::start(&mut place.waxcell(&["run", "first.py"])));
    assert!(both.into_iter().all(|running| running.end().code == 0));
    assert_eq!(say(&mut place.waxcell(&["run", "pass.py"])).code, 0);
    assert!(!place.has("data"));
}

#[test]
fn refusals_are_on_record() {
    let place = Place::new(POLICY);
    for script in ["if True print(1)", "print(f'{a b}')\n", "match = \ntype X[T] = = int"] {
        let (said, report) = place.report(script);
        assert_eq!(
            (said.code, report["verdict"].as_str(), report["return_code"].as_i64()),
            (126, Some("refused"), Some(126))
        );
        assert_eq!(report["success"], false);
        assert!(report["enforced"].is_null(), "nothing was started");
        let record = place.records().pop().unwrap();
        assert_eq!((record["type"].as_str(), &record["run"]), (Some("refused"), &report["run_id"]));
        assert_eq!(record["findings"], report["findings"]);
        assert!(
            record["findings"][0]["span"].is_object() || record["findings"][0]["line"].is_u64(),
            "{record:#}"
        );
    }
    place.check_journal();
    let events = place.view("security_events.log");
    assert_eq!(events.iter().filter(|event| event["event_type"] == "REFUSED").count(), 3);
    assert_eq!(place.view("execution_audit.log").len(), 3);
}

#[test]
fn syntax_newer_than_the_interpreter_is_refused_as_python_would() {
    let place = Place::new(POLICY);
    let script = "type X = int\nprint('ran')";
    let bare = place.bare(script);
    let said = place.run(script);
    if bare.code == 0 {
        // Python 3.12 or newer: nothing to refuse.
        assert_eq!((said.code, said.out()), (0, "ran\n".to_owned()));
    } else {
        assert_eq!((said.code, said.out()), (126, String::new()), "{said:?}");
        assert_eq!(types(&place.records()), ["refused"]);
    }
}

#[test]
fn the_three_views_have_one_line_each_with_the_proposals_fields() {
    let place = Place::new(POLICY);
    place.write("data/x", "");
    place.write("script.py", "import os, sys\nprint('out'); print('err', file=sys.stderr)\ntry: os.unlink('data/x')\nexcept OSError: pass\nsys.exit(3)");
    say(&mut place.waxcell(&["run", "script.py", "--bip", "25"]));
    let execution = place.view("execution_audit.log");
    assert_eq!(execution.len(), 1);
    let fields = [
        "timestamp",
        "script_path",
        "script_hash",
        "args",
        "return_code",
        "stdout_hash",
        "stderr_hash",
        "execution_time",
        "success",
        "resource_usage",
    ];
    for field in fields {
        assert!(!execution[0][field].is_null(), "{field}: {:#}", execution[0]);
    }
    assert_eq!(execution[0]["args"], serde_json::json!(["<sealed>", "<sealed>"]));
    assert_eq!(
        (execution[0]["return_code"].as_i64(), execution[0]["success"].as_bool()),
        (Some(3), Some(false))
    );
    let security = place.view("security_events.log");
    assert_eq!(security.len(), 1, "{security:#?}");
    for field in ["timestamp", "event_type", "message", "script_path", "details"] {
        assert!(!security[0][field].is_null(), "{field}: {:#}", security[0]);
    }
    let resources = place.view("resource_usage.log");
    assert_eq!(resources.len(), 1);
    for field in ["cpu_percent", "memory_mb", "disk_io"] {
        assert!(resources[0]["resource_usage"][field].is_number(), "{field}: {:#}", resources[0]);
    }
    for name in ["execution_audit.log", "security_events.log", "resource_usage.log"] {
        let mode = fs::metadata(place.state().join("logs").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    assert_eq!(fs::metadata(place.state()).unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn views_say_what_the_log_level_asks_for() {
    let place = Place::new(&format!("{POLICY}monitoring: {{log_level: CRITICAL}}\n"));
    place.write("data/x", "");
    place.run("import os\ntry: os.unlink('data/x')\nexcept OSError: pass");
    assert_eq!(place.view("security_events.log"), Vec::<Value>::new());
    assert_eq!(
        place.records().pop().unwrap()["violations"].as_array().unwrap().len(),
        1,
        "the journal has it all the same"
    );
}

#[test]
fn files_created_changed_and_removed() {
    let place = Place::new("filesystem:\n  allowed_paths: [./data]\n  blocked_operations: []\n");
    for name in ["same", "changed", "replaced", "removed", "touched"] {
        place.write(format!("data/{name}"), name);
    }
    std::thread::sleep(Duration::from_millis(50));
    let (said, report) = place.report(
        "
import os
os.makedirs('data/sub/deep'); open('data/sub/deep/new', 'w').write('12345')
open('data/changed', 'a').write('more')
open('data/tmp', 'w').write('t'); os.replace('data/tmp', 'data/replaced')
os.unlink('data/removed')
os.utime('data/touched')
open('data/same').read()
open('data/passing', 'w').close(); os.unlink('data/passing')
os.symlink('same', 'data/link')
",
    );
    assert_eq!(said.code, 0, "{report:#}");
    let changes: Vec<(String, String, Option<u64>)> = report["files_changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            let path =
                change["path"].as_str().unwrap().strip_prefix(place.project().to_str().unwrap()).unwrap();
            (path.to_owned(), change["change"].as_str().unwrap().to_owned(), change["size"].as_u64())
        })
        .collect();
    let expected = [
        ("/data/changed", "changed", Some(11)),
        ("/data/link", "created", Some(4)),
        ("/data/removed", "removed", None),
        ("/data/replaced", "changed", Some(1)),
        ("/data/sub/deep/new", "created", Some(5)),
        ("/data/touched", "changed", Some(7)),
    ];
    assert_eq!(changes, expected.map(|(path, change, size)| (path.to_owned(), change.to_owned(), size)));
    assert_eq!(place.records().pop().unwrap()["files_changed"], report["files_changed"]);
    assert_eq!(place.report("pass").1["files_changed"], serde_json::json!([]), "nothing changes by itself");
}

#[test]
fn violations_are_recorded_with_what_would_allow_them() {
    let place = Place::new(POLICY);
    for name in ["a", "b"] {
        place.write(format!("data/{name}"), "");
    }
    let (said, report) = place.report(
        "
import os
for _ in range(3):
    try: os.unlink('data/a')
    except PermissionError: pass
try: os.chmod('data/b', 0o600)
except PermissionError: pass
try: os.chown('data/b', os.getuid(), os.getgid())
except PermissionError: pass
open('/tmp/mine', 'w').close(); os.chmod('/tmp/mine', 0o600); os.unlink('/tmp/mine')
",
    );
    assert_eq!((said.code, report["verdict"].as_str()), (0, Some("ok")), "{report:#}");
    let violations = report["violations"].as_array().unwrap();
    let short: Vec<(&str, &str, u64)> = violations
        .iter()
        .map(|v| {
            (
                v["operation"].as_str().unwrap(),
                v["target"].as_str().unwrap().rsplit('/').next().unwrap(),
                v["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(short, [("fs.delete", "a", 3), ("fs.chmod", "b", 1), ("fs.chown", "b", 1)]);
    for violation in violations {
        assert_eq!(
            violation["target"].as_str().unwrap().rsplit_once('/').unwrap().0,
            place.project().join("data").to_str().unwrap()
        );
        assert!([1, 13].contains(&violation["errno"].as_i64().unwrap()), "{violation:#}");
        assert!(violation["allow"].as_str().unwrap().contains("blocked_operations"));
        let name = violation["operation"].as_str().unwrap().trim_start_matches("fs.");
        let edit = json!({"change": "remove", "key": "filesystem.blocked_operations", "value": name});
        assert_eq!(violation["edits"], json!([edit]), "{violation:#}");
        assert!(violation["first_ms"].as_u64() <= violation["last_ms"].as_u64());
    }
    assert_eq!(place.records().pop().unwrap()["violations"], report["violations"]);
    let told = place.run("import os\ntry: os.unlink('data/a')\nexcept PermissionError: pass");
    assert!(told.err().contains("fs.delete") && told.err().contains("data/a"), "{told:?}");
    let quiet = say(&mut place.waxcell(&["--quiet", "run", "script.py"]));
    assert_eq!((quiet.code, quiet.err()), (0, String::new()));
}

#[test]
fn audit_shows_and_verifies() {
    let place = Place::new(POLICY);
    place.run("print(1)");
    place.run("raise SystemExit(4)");
    let records = place.records();
    let last = say(&mut place.waxcell(&["audit", "show"]));
    assert_eq!(last.code, 0, "{last:?}");
    assert!(
        last.out().contains("\"exit_code\": 4")
            && last.out().contains("\"started\"")
            && !last.out().contains("\"exit_code\": 0")
    );
    let run = records[0]["run"].as_str().unwrap();
    let first = say(&mut place.waxcell(&["--json", "audit", "show", run]));
    let lines: Vec<Value> = first.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(types(&lines), ["started", "finished"]);
    assert!(lines.iter().all(|line| line["run"] == run && line["leaf_hash"].as_str().unwrap().len() == 64));
    let all = say(&mut place.waxcell(&["--json", "audit", "show", "--last", "3"]));
    assert_eq!(all.out().lines().count(), 3);
    assert_eq!(say(&mut place.waxcell(&["audit", "show", "ffff"])).code, 1);
    let verified = say(&mut place.waxcell(&["audit", "verify"]));
    assert_eq!((verified.code, verified.out().lines().next()), (0, Some("sound: 4 records in 1 segments")));
    let verified: Value =
        serde_json::from_slice(&say(&mut place.waxcell(&["--json", "audit", "verify"])).out).unwrap();
    assert_eq!((verified["sound"].as_bool(), verified["records"].as_u64()), (Some(true), Some(4)));
}

#[test]
fn hostile_names_are_shown_escaped_and_logged_in_one_line() {
    let place = Place::new(POLICY);
    place.write("data/x", "");
    let text = "
import os
for name in (b'data/new\\nline', b'data/\\x1b[31mred', b'data/\\xff\\xfe', 'data/\\u202eevil'.encode(), b'data/\\r\\x07'):
    open(name, 'w').close()
    try: os.unlink(name)
    except PermissionError: pass
";
    place.write("script.py", text);
    let odd: [&[u8]; 4] = [b"new\nline", b"\x1b[31mred", b"\xff\xfe", "\u{202e}evil".as_bytes()];
    let said = say(place.waxcell(&["run", "script.py"]).args(odd.map(bytes)));
    assert_eq!(said.code, 0, "{said:?}");
    let err = said.err();
    assert!(!err.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{err:?}");
    assert!(err.lines().all(|line| line.starts_with("waxcell: ")), "each line is ours: {err}");
    // As many lines as there are targets: a name makes none of its own.
    assert_eq!(err.lines().count(), 5, "{err}");
    assert_eq!(place.view("execution_audit.log").len(), 1);
    assert_eq!(place.view("resource_usage.log").len(), 1);
    assert_eq!(place.view("security_events.log").len(), 5);
    for name in ["execution_audit.log", "security_events.log"] {
        let bytes = fs::read(place.state().join("logs").join(name)).unwrap();
        assert!(!bytes.contains(&0x1b), "{name}");
    }
    let shown = say(&mut place.waxcell(&["audit", "show"]));
    assert!(!shown.out().chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
    let finished = place.records().pop().unwrap();
    let targets: Vec<&Value> = finished["violations"].as_array().unwrap().iter().collect();
    assert_eq!(targets.len(), 5);
    assert!(
        targets.iter().any(|v| v["target_hex"].as_str().is_some_and(|hex| hex.ends_with("fffe"))),
        "{finished:#}"
    );
    place.check_journal();
}

#[test]
fn bytes_that_are_no_text_can_be_told_from_each_other_in_the_record() {
    let place = Place::new(POLICY);
    place.write("script.py", "pass");
    for argument in [b"\xff", b"\xfe"] {
        assert_eq!(say(place.waxcell(&["run", "script.py"]).arg(bytes(argument))).code, 0);
    }
    let started: Vec<Value> =
        place.records().into_iter().filter(|record| record["type"] == "started").collect();
    let fields = |record: &Value| {
        let mut fields = record.as_object().unwrap().clone();
        // What differs between any two runs, or is a hash of everything.
        fields.retain(|key, _| {
            !["index", "time", "run", "plan", "plan_sha256", "actor"].contains(&key.as_str())
        });
        fields
    };
    assert_ne!(fields(&started[0]), fields(&started[1]), "two different arguments are one in the record");
}

#[test]
fn a_link_planted_by_one_run_opens_nothing_to_the_next() {
    let place = Place::new("filesystem: {allowed_paths: [./data, ./data/x/out]}\n");
    let outside = place.root().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::create_dir_all(place.project().join("data/x/out")).unwrap();
    let control = place.run("open('data/x/out/f', 'w').write('ok')");
    assert_eq!(control.code, 0, "{control:?}");
    let plant = format!(
        "import os\nos.rename('data/x', 'data/z')\nos.mkdir('data/x')\nos.symlink({:?}, 'data/x/out')",
        outside.display().to_string()
    );
    assert_eq!(place.run(&plant).code, 0);
    let next = place.run("print(open('data/x/out/secret').read())\nopen('data/x/out/planted', 'w')");
    assert_eq!(next.code, 126, "{next:?}");
    assert!(next.err().contains("./data/x/out") && next.err().contains("symbolic link"), "{next:?}");
    assert!(!outside.join("planted").exists());
}

#[test]
fn a_report_is_not_written_through_a_link() {
    let place = Place::new(POLICY);
    let target = place.root().join("target");
    fs::write(&target, "mine").unwrap();
    fs::create_dir_all(place.project().join("data")).unwrap();
    std::os::unix::fs::symlink(&target, place.project().join("data/report.json")).unwrap();
    place.write("script.py", "open('data/ran', 'w')");
    let said = say(&mut place.waxcell(&["run", "--report", "data/report.json", "script.py"]));
    assert_eq!(said.code, 125, "{said:?}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    assert!(!place.has("data/ran"), "known before anything is run");
}

#[test]
fn no_script_can_make_its_own_record_too_long() {
    let place = Place::new(POLICY);
    let script = "
import os
for i in range(60):
    deep = b'data/' + bytes([65 + i % 26]) + str(i).encode()
    for _ in range(15):
        deep += b'/' + b'\\xff' * 200
        os.makedirs(deep, exist_ok=True)
    name = deep + b'/x'
    open(name, 'w').close()
    try: os.unlink(name)
    except OSError: pass
";
    let (said, report) = place.report(script);
    assert_eq!((said.code, report["violations"].as_array().unwrap().len()), (0, 60), "{said:?}");
    let finished = place.records().pop().unwrap();
    assert_eq!(finished["type"], "finished");
    // All of it is kept beside, and a program that reads the log finds it by its hash.
    assert_eq!(finished["violations"], report["violations"]);
    let digits = finished["whole"]["sha256"].as_str().unwrap();
    let object = place.state().join("journal/tlog/objects").join(&digits[..2]).join(&digits[2..]);
    assert_eq!(fs::read(&object).unwrap().len() as u64, finished["whole"]["bytes"].as_u64().unwrap());
    let long = "x".repeat(100_000);
    assert_eq!(say(place.waxcell(&["run", "script.py"]).arg(&long)).code, 0);
    place.check_journal();
    fs::remove_file(&object).unwrap();
    let finished = place.records().remove(1);
    assert!(finished["violations_left_out"].as_u64().is_some_and(|count| count > 0), "{finished:#}");
    let verify = say(&mut place.waxcell(&["audit", "verify"]));
    assert_eq!(verify.code, 1, "{verify:?}");
    assert!(verify.err().contains(&format!("the whole of the record, `{digits}`, is missing")), "{verify:?}");
}

/// The kernel takes a mount away with the file of the host that it lies on.
#[test]
fn a_script_that_was_replaced_while_it_ran_is_told() {
    for replaced in [false, true] {
        let place = Place::new("filesystem: {allowed_paths: [./data]}");
        let script = "
import os, time
open('data/go', 'w').close()
while not os.path.exists('data/on'): time.sleep(0.01)
print(open(__file__).read())
";
        place.write("script.py", script);
        let running = Running::start(&mut place.waxcell(&["run", "--json", "script.py"]));
        until(PATIENCE, "the script runs", || place.has("data/go"));
        place.write("other.py", "# another one");
        let to = if replaced { "script.py" } else { "beside.py" };
        fs::rename(place.project().join("other.py"), place.project().join(to)).expect("renamed");
        place.write("data/on", "");
        let said = running.end();
        let report = said.report();
        assert_eq!(report["script_replaced"], replaced, "{report:#}");
        assert_eq!(report["stdout"].as_str().expect("text").contains("another"), replaced);
        let finished = place.records().pop().expect("a record");
        assert_eq!(finished["script_replaced"], replaced);
    }
}
