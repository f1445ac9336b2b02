//! Policies in many styles, edited.

use std::path::Path;

use super::*;
use crate::policy::{builtin, parse};

const ROOT: &str = "/work/project";

fn unblock(name: &str) -> Edit {
    Edit::unblock(Operation::parse(name).unwrap())
}

fn path(path: &str, access: PathAccess) -> Edit {
    Edit::AddPath { path: path.to_owned(), access }
}

fn read(text: &str) -> Policy {
    parse(text, Path::new("/work/project/security_policy.yml"), Path::new(ROOT)).unwrap()
}

#[track_caller]
fn check(before: &str, edits: &[Edit], after: &str) {
    assert_eq!(amend(&read(before), edits).unwrap(), after, "{edits:?}");
    if !before.contains('\n') {
        return;
    }
    let windows = |text: &str| text.replace('\n', "\r\n");
    assert_eq!(amend(&read(&windows(before)), edits).unwrap(), windows(after), "{edits:?} with CR LF");
}

#[test]
fn operations_leave_a_list() {
    for (before, after) in [
        ("[\"delete\", \"chmod\", chown]", "[\"delete\", chown]"),
        ("[chmod, delete]", "[delete]"),
        ("[ delete, fs.chmod ]", "[ delete ]"),
        ("[delete, # why\n    chmod]", "[delete, # why\n    ]"),
        ("['chmod']", "[]"),
        ("[chmod, delete, fs.chmod]", "[delete]"),
        ("\n  # all\n  - delete # never\n  - chmod # but why\n", "\n  # all\n  - delete # never\n"),
        ("\n  - chmod\n  # and\n  - delete", "\n  # and\n  - delete"),
        (" # none\n  - chmod # gone\n", " [] # none\n"),
    ] {
        let nested = |list: &str| {
            format!("filesystem:\n  blocked_operations: {list}\n")
                .replace(": \n", ":\n")
                .replace(":  #", ": #")
        };
        let (before, after) = (nested(before), nested(after));
        check(&before, &[unblock("chmod")], &after.replace(":  [", ": ["));
    }
}

#[test]
fn what_is_not_there_begins_as_its_default() {
    let remove = [unblock("chmod")];
    let rest = "blocked_operations: [\"delete\", \"chown\"]";
    check(
        "execution: {cpu_seconds: 5}\n",
        &remove,
        &format!("execution: {{cpu_seconds: 5}}\nfilesystem:\n  {rest}\n"),
    );
    check(
        "execution: {cpu_seconds: 5}",
        &remove,
        &format!("execution: {{cpu_seconds: 5}}\nfilesystem:\n  {rest}\n"),
    );
    check(
        "# ours\nfilesystem: # files\n    # data\n    allowed_paths: [./data]\n\nexecution:\n    cpu_seconds: 5\n",
        &remove,
        &format!(
            "# ours\nfilesystem: # files\n    {rest}\n    # data\n    allowed_paths: [./data]\n\nexecution:\n    cpu_seconds: 5\n"
        ),
    );
    check(
        "filesystem: {allowed_paths: [./data]}\n",
        &remove,
        &format!("filesystem: {{{rest}, allowed_paths: [./data]}}\n"),
    );
    check("filesystem: {}\n", &remove, &format!("filesystem: {{{rest}}}\n"));
    check(
        "filesystem:\n  # allowed_paths: []\n",
        &remove,
        &format!("filesystem:\n  {rest}\n  # allowed_paths: []\n"),
    );
    check(
        "filesystem: ~\nexecution: {cpu_seconds: 5}\n",
        &remove,
        &format!("filesystem: {{{rest}}}\nexecution: {{cpu_seconds: 5}}\n"),
    );
    check(
        "security:\n  execution:\n    cpu_seconds: 5\n",
        &remove,
        &format!("security:\n  filesystem:\n    {rest}\n  execution:\n    cpu_seconds: 5\n"),
    );
    check(
        "{\"security\": {\"execution\": {}}}\n",
        &remove,
        &format!("{{\"security\": {{filesystem: {{{rest}}}, \"execution\": {{}}}}}}\n"),
    );
    check(
        "degrade: [landlock]\n",
        &[Edit::Add { key: "degrade", value: "namespaces".into() }],
        "degrade: [landlock, namespaces]\n",
    );
    check(
        "interpreter: ./py\n",
        &[Edit::Add { key: "degrade", value: "landlock".into() }],
        "interpreter: ./py\ndegrade: [landlock]\n",
    );
}

#[test]
fn the_network_opens_by_names_addresses_and_ports() {
    let edits = [
        Edit::allow_name("api.example.org"),
        Edit::allow_address("2606:2800:220:1::34"),
        vec![Edit::unblock_port(22)],
    ]
    .concat();
    check(
        "network: {allowed_domains: [a.org, {name: b.org, ports: [80]}], blocked_ports: [22, 23]}\n",
        &edits,
        "network: {allow_addresses: [\"2606:2800:220:1::34\"], allowed_domains: [a.org, {name: b.org, ports: [80]}, api.example.org], blocked_ports: [23]}\n",
    );
    check(
        "interpreter: ./py\n",
        &edits,
        "interpreter: ./py\nnetwork:\n  blocked_ports: [23, 3389]\n  allow_addresses: [\"2606:2800:220:1::34\"]\n  allowed_domains: [api.example.org]\n",
    );
    check(
        "network: {allowed_domains: [a.org], max_bytes: 1000}\n",
        &[
            Edit::Set { key: "network.max_bytes", value: "2000".into() },
            Edit::Set { key: "network.max_lookups", value: "2000".into() },
        ],
        "network: {max_lookups: 2000, allowed_domains: [a.org], max_bytes: 2000}\n",
    );
    // As they are written, one would take from the other.
    let by_hand = amend(
        &read("network: {allowed_domains: [{name: a.org, ports: [80]}]}\n"),
        &Edit::allow_name("a.org"),
    );
    assert!(by_hand.is_err(), "{by_hand:?}");
    assert!(Edit::allow_name("a b").is_empty() && Edit::allow_address("a.org").is_empty());
}

#[test]
fn numbers_are_replaced() {
    let set = [Edit::Set { key: "execution.timeout_seconds", value: "600".into() }];
    check(
        "execution: {timeout_seconds: 300, cpu_seconds: 5} # x\n",
        &set,
        "execution: {timeout_seconds: 600, cpu_seconds: 5} # x\n",
    );
    check(
        "execution:\n  timeout_seconds:   0.5   # short\n",
        &set,
        "execution:\n  timeout_seconds:   600   # short\n",
    );
    check("execution:\n  cpu_seconds: 5\n", &set, "execution:\n  timeout_seconds: 600\n  cpu_seconds: 5\n");
}

#[test]
fn paths_are_added_or_get_more_access() {
    use PathAccess::{Read, Write};
    let allow = |list: &str| format!("filesystem:\n  allowed_paths: {list}\n").replace(": \n", ":\n");
    for (before, edit, after) in [
        ("[]", path("./out", Write), "[./out]"),
        ("[./data]", path("/srv/x", Read), "[./data, {path: /srv/x, access: read}]"),
        (
            "[\n    \"./data\",\n    \"./logs\",\n    ]",
            path("./out", Write),
            "[\n    \"./data\",\n    \"./logs\",\n    ./out,\n    ]",
        ),
        ("\n  - ./data # d\n  # end", path("./a b", Write), "\n  - ./data # d\n  - \"./a b\"\n  # end"),
        (
            "\n    - path: ./data\n      access: read # for now\n  # next\n  blocked_operations: []",
            path("/srv/x", Read),
            "\n    - path: ./data\n      access: read # for now\n    - {path: /srv/x, access: read}\n  # next\n  blocked_operations: []",
        ),
        ("[{path: ./data, access: none}]", path("data", Read), "[{path: ./data, access: read}]"),
        ("[{access: read, path: ./data}]", path("./data", Write), "[{access: write, path: ./data}]"),
        (
            "\n  - access: 'read'\n    path: ./data/",
            path("./data", Write),
            "\n  - access: write\n    path: ./data/",
        ),
        ("[./data]", path("./data", Read), "[./data]"),
        ("[./data]", path("./data", Write), "[./data]"),
    ] {
        check(&allow(before), &[edit], &allow(after));
    }
    check(
        &allow("[]"),
        &[path("./x", Read), path("./x", Write), unblock("delete")],
        "filesystem:\n  blocked_operations: [\"chmod\", \"chown\"]\n  allowed_paths: [./x]\n",
    );
}

#[test]
fn without_a_file_there_is_a_new_one() {
    let edits = [
        unblock("delete"),
        path("./out", PathAccess::Write),
        Edit::Set { key: "execution.memory_mb", value: "1024".into() },
    ];
    let text = amend(&builtin(Path::new(ROOT)), &edits).unwrap();
    assert_eq!(
        text,
        "filesystem:\n  allowed_paths: [./out]\n  blocked_operations: [\"chmod\", \"chown\"]\nexecution:\n  memory_mb: 1024\n"
    );
}

#[test]
fn an_edit_that_makes_no_policy_is_refused() {
    let policy = read("filesystem: {allowed_paths: [./data]}\n");
    let refused = amend(&policy, &[path(".", PathAccess::Write)]).unwrap_err();
    assert!(
        refused.to_string().contains("1 mistake") || matches!(refused, AmendError::Refused(_)),
        "{refused}"
    );
    let policy = read("filesystem: {allowed_paths: [./data]}\n...\n");
    let by_hand = amend(&policy, &[Edit::Add { key: "degrade", value: "landlock".into() }]);
    assert!(matches!(by_hand, Err(AmendError::ByHand(_) | AmendError::Refused(_))), "{by_hand:?}");
}

#[test]
fn in_every_style_the_edits_are_made() {
    let paths = [
        "",
        "allowed_paths: []",
        "allowed_paths: [ ./data , {path: './x', access: none, }, ] # which",
        "allowed_paths:\n  # data\n  - ./data\n  - {path: ./x, access: none} # x\n  # end",
        "allowed_paths:\n- path: ./x\n  # soon\n  access: \"none\"\n\n- ./data\n",
        "allowed_paths:\n  [\n    \"./data\", # a\n    # b\n    {\n      path: ./x,\n      access: none\n    }\n  ]",
        "\"allowed_paths\":\n  - access: read\n    path: >-\n      ./x\n  # é",
    ];
    let blocked = [
        "",
        "blocked_operations: [delete, chmod]",
        "blocked_operations:\n  - chmod\n\n  # more\n  - fs.chown # c\n",
        "blocked_operations: # one\n    - \"fs.chmod\"",
        "'blocked_operations':\n  [\n    chmod,\n    chown,\n  ]",
    ];
    let edits = [
        unblock("chmod"),
        path("x", PathAccess::Write),
        path("./new one", PathAccess::Read),
        Edit::Set { key: "execution.cpu_seconds", value: "7".into() },
        Edit::Add { key: "degrade", value: "landlock".into() },
    ];
    let indented = |text: &str, by: &str| -> String {
        text.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("{by}{line}\n") }).collect()
    };
    for (paths, blocked) in paths.iter().flat_map(|paths| blocked.iter().map(move |blocked| (paths, blocked)))
    {
        for body in [format!("{paths}\n{blocked}\n"), format!("# c\n{blocked}\n\n{paths}")] {
            let inner = if paths.is_empty() && blocked.is_empty() { "# nothing".to_owned() } else { body };
            let section = format!("filesystem: # f\n{}", indented(&inner, "    "));
            for text in [
                section.clone(),
                format!("# top\n\n{section}\n# bottom\nexecution: {{cpu_seconds: 3}}"),
                format!("degrade: [ ]\nexecution:\n# here\n  cpu_seconds: 3 # c\n{section}"),
                format!("security:\n{}", indented(&section, " ")),
                format!("# s\nsecurity: # t\n{}  execution: {{}}\n", indented(&section, "  ")),
            ] {
                let policy = read(&text);
                let amended = amend(&policy, &edits).unwrap_or_else(|error| panic!("{error}:\n{text}"));
                for comment in text.lines().filter_map(|line| line.split_once("# ")) {
                    assert!(
                        amended.contains(comment.1) || comment.1 == "c",
                        "# {} is gone:\n{text}\n{amended}",
                        comment.1
                    );
                }
                assert_eq!(amend(&read(&amended), &edits).unwrap(), amended, "done is done");
            }
        }
    }
}
