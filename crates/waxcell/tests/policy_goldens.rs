//! What is written out of the table of keys: the reference page, the schema, the starting file, the explanation. Each is
//! held equal to a file in the repository, so that a change is seen by a reviewer.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its files has failed")]

use std::path::Path;

use waxcell::policy::{
    Explanation, HostFacts, KEYS, Kind, LimitsRung, Policy, builtin, explain, init, parse_all, reference,
    schema,
};

const REFERENCE: &str = include_str!("../../../docs/policy.md");
const SCHEMA: &str = include_str!("policy_golden/schema.json");
const INIT: &str = include_str!("policy_golden/init.yml");
const EXPLAIN_ROOT: &str = include_str!("policy_golden/explain_root_cgroup1.txt");
const EXPLAIN_BARE: &str = include_str!("policy_golden/explain_bare.txt");

fn schema_text() -> String {
    format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap())
}

/// A policy with something to say about each kind of path.
const POLICY: &str = r#"
execution:
  memory_mb: 64
filesystem:
  allowed_paths:
    - /tmp
    - ./data
    - {path: ./secret, access: none}
    - {path: /usr, access: read}
    - {path: /nowhere/at/all, access: read}
    - /nowhere/else/there
    - {path: ./tools, execute: true}
    - {path: /var/tmp, execute: true}
  blocked_operations: [delete, fs.mount]
network:
  allowed_domains: [{name: "*.example.org", ports: [443]}]
degrade: [landlock]
"#;

fn policy() -> Policy {
    parse_all(POLICY, Path::new("/nowhere/project/p.yml"), Path::new("/nowhere/project")).0.unwrap()
}

const ROOT: HostFacts = HostFacts {
    limits_rung: LimitsRung::Cgroup1,
    landlock_abi: Some(4),
    user_namespaces: false,
    seccomp_notify: true,
    layers: true,
    root: true,
};

const BARE: HostFacts = HostFacts {
    limits_rung: LimitsRung::RlimitWatch,
    landlock_abi: None,
    user_namespaces: false,
    seccomp_notify: false,
    layers: false,
    root: false,
};

#[test]
fn the_reference_page_is_that_of_the_table() {
    assert_eq!(reference(), REFERENCE);
}

#[test]
fn the_schema_is_that_of_the_table() {
    assert_eq!(schema_text(), SCHEMA);
}

#[test]
fn the_starting_file_is_that_of_the_table_and_has_nothing_to_complain_about() {
    assert_eq!(init(), INIT);
    let (policy, report) = parse_all(&init(), Path::new("p.yml"), Path::new("/project"));
    assert_eq!(report.render(false), "");
    assert!(policy.is_some());
}

#[test]
fn the_examples_in_the_starting_file_can_be_uncommented() {
    let mut text = String::new();
    for line in init().lines() {
        // Keys that are commented out look like `  # name: value`; prose does not.
        let bare = line.trim_start();
        let is_key = |rest: &&str| KEYS.iter().any(|key| rest.starts_with(&format!("{}:", key.name())));
        match bare.strip_prefix("# ").filter(is_key) {
            Some(rest) => text.push_str(&format!("{}{rest}\n", &line[..line.len() - bare.len()])),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    let (policy, report) = parse_all(&text, Path::new("p.yml"), Path::new("/project"));
    assert_eq!(report.render(false), "");
    let policy = policy.unwrap();
    let missing: Vec<&str> = KEYS
        .iter()
        .filter(|key| key.is_enforced() && key.kind != Kind::Section && !policy.lines.contains_key(key.path))
        .map(|key| key.path)
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_example_and_default_of_the_table_is_accepted() {
    for key in KEYS.iter().filter(|key| key.is_enforced() && key.kind != Kind::Section) {
        for value in [key.default, key.example].into_iter().filter(|value| !value.is_empty()) {
            let mut text = format!("{}: {value}", key.name());
            let mut section = key.parent();
            while !section.is_empty() {
                let (above, name) = section.rsplit_once('.').unwrap_or(("", section));
                text = format!("{name}:\n  {}", text.replace('\n', "\n  "));
                section = above;
            }
            let (policy, report) = parse_all(&text, Path::new("p.yml"), Path::new("/project"));
            assert!(policy.is_some(), "{}", report.render(false));
        }
    }
}

#[test]
fn explanations_name_the_mechanism_of_this_host() {
    assert_eq!(explain(&policy(), &ROOT, None).render(), EXPLAIN_ROOT);
    assert_eq!(explain(&policy(), &BARE, None).render(), EXPLAIN_BARE);
}

#[test]
fn an_explanation_tells_what_this_host_refuses() {
    let refused = |facts| explain(&policy(), &facts, None).refused.len();
    assert_eq!(refused(ROOT), 0);
    assert_eq!(refused(HostFacts { landlock_abi: None, ..ROOT }), 0, "the policy accepts that");
    assert_eq!(refused(HostFacts { seccomp_notify: false, ..ROOT }), 1);
    // Namespaces, notification, and that nothing is left that would hold files.
    assert_eq!(refused(BARE), 3);
    let plain = HostFacts { landlock_abi: Some(4), seccomp_notify: true, ..BARE };
    assert_eq!(refused(plain), 1, "this policy does not accept it");
    let accepts = POLICY.replace("degrade: [landlock]", "degrade: [namespaces, landlock]");
    let load = |text: &str| parse_all(text, Path::new("/nowhere/p.yml"), Path::new("/nowhere")).0.unwrap();
    let refused = explain(&load(&accepts), &plain, None).refused;
    assert!(refused.len() == 1 && refused[0].contains("way out"), "{refused:?}");
    let accepts = load(&accepts.replace("[{name: \"*.example.org\", ports: [443]}]", "[]"));
    assert_eq!(explain(&accepts, &plain, None).refused, Vec::<String>::new());
    let neither = HostFacts { seccomp_notify: true, ..BARE };
    assert_eq!(explain(&accepts, &neither, None).refused.len(), 1, "not both at once");
}

#[test]
fn layers_are_explained_and_refused_where_there_are_none() {
    let text = POLICY.replace("filesystem:\n", "filesystem:\n  write_mode: overlay\n");
    let project = Path::new("/nowhere/project");
    let layered = parse_all(&text, &project.join("p.yml"), project).0.unwrap();
    let lines = |facts, word: &str| {
        let text = explain(&layered, &facts, None).render();
        text.lines().filter(|line| line.contains(word)).count()
    };
    // The mode and two paths; `/tmp` is the run's own in any case.
    assert_eq!(lines(ROOT, "overlayfs"), 3);
    assert_eq!(explain(&layered, &ROOT, None).refused, Vec::<String>::new());
    let without = HostFacts { layers: false, ..ROOT };
    let refused = explain(&layered, &without, None).refused;
    assert!(refused.len() == 1 && refused[0].contains("write_mode: overlay"), "{refused:?}");
    assert_eq!(explain(&policy(), &without, None).refused, Vec::<String>::new());
}

#[test]
fn an_explanation_has_a_line_for_every_key() {
    let explanation: Explanation = explain(&builtin(Path::new("/nowhere/project")), &ROOT, None);
    let missing: Vec<&str> = KEYS
        .iter()
        .filter(|key| key.is_enforced() && key.kind != Kind::Section)
        .map(|key| key.path)
        .filter(|path| !explanation.settings.iter().any(|setting| setting.key == *path))
        .collect();
    assert_eq!(missing, [""; 0]);
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["policy"], serde_json::Value::Null);
    assert_eq!(json["host"]["limits_rung"], "cgroup1");
    assert_eq!(json["settings"].as_array().unwrap().len(), explanation.settings.len());
}

#[test]
fn an_explanation_shows_which_paths_exist() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("data")).unwrap();
    let text = format!(
        "filesystem:\n  allowed_paths: [./data, ./logs/today, {0}-beside, {0}-gone/x, {{path: ./old, access: read}}]\n",
        root.display()
    );
    let policy = parse_all(&text, Path::new("/p.yml"), &root).0.unwrap();
    let becomes: Vec<String> = explain(&policy, &ROOT, None)
        .settings
        .into_iter()
        .filter(|setting| setting.key == "filesystem.allowed_paths")
        .map(|setting| setting.becomes.replace(root.to_str().unwrap(), "ROOT"))
        .collect();
    assert_eq!(
        becomes,
        [
            "ROOT-beside, read and write; created on first write",
            "ROOT/data, read and write",
            "ROOT/old; absent on this host: not visible",
            "ROOT-gone/x; absent on this host: not visible",
            "ROOT/logs/today, read and write; created on first write",
        ]
    );
}

#[test]
fn an_explanation_knows_what_a_run_does_below_a_writable_path_and_in_a_wide_project() {
    let text =
        "filesystem:\n  allowed_paths: [./a, {path: ./a/r, access: read}, {path: ./a/n, access: none}]\n";
    let policy = parse_all(text, Path::new("/p.yml"), Path::new("/nowhere/home")).0.unwrap();
    let explained = |home| explain(&policy, &ROOT, home).settings;
    let of = |path: &str| explained(None).into_iter().find(|setting| setting.value == path).unwrap();
    // Landlock's rights of `./a` hold in `./a/r` as well, and it lets everything be read.
    assert!(of("./a").mechanism.contains("Landlock"));
    assert_eq!(of("./a/r").mechanism, "bind mount read-only,nosuid,nodev");
    assert!(of("./a/r").becomes.ends_with("empty during a run, so that no script makes it"));
    assert_eq!(of("./a/n").mechanism, "not mounted, or covered by an empty mount");
    let root =
        |home| explained(home).into_iter().find(|setting| setting.key == "project_root").unwrap().becomes;
    assert_eq!(root(None), "the project: read-only, at the same path");
    assert!(root(Some(Path::new("/nowhere/home"))).starts_with("too wide to be shown"));
}

#[test]
#[ignore = "writes the files anew"]
fn write_goldens() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(here.join("../../docs/policy.md"), reference()).unwrap();
    let golden = here.join("tests/policy_golden");
    std::fs::write(golden.join("schema.json"), schema_text()).unwrap();
    std::fs::write(golden.join("init.yml"), init()).unwrap();
    std::fs::write(golden.join("explain_root_cgroup1.txt"), explain(&policy(), &ROOT, None).render())
        .unwrap();
    std::fs::write(golden.join("explain_bare.txt"), explain(&policy(), &BARE, None).render()).unwrap();
}
