//! Bad policies, each with the whole text that is said about it: `policy_bad.md` holds the cases.

use std::path::Path;

use waxcell::policy::{Severity, parse_all};

const CASES: &str = include_str!("policy_bad.md");

/// One case: its name, the policy, and the rendering.
struct Case<'a> {
    name: &'a str,
    input: &'a str,
    expected: &'a str,
}

fn cases() -> Vec<Case<'static>> {
    CASES
        .split("\n## ")
        .skip(1)
        .map(|section| {
            let (name, rest) = section.split_once('\n').expect("a heading ends its line");
            let block = |language: &str| {
                let opening = format!("```{language}\n");
                let start = rest.find(&opening).expect("a case has both blocks") + opening.len();
                let end = start + rest[start..].find("```\n").expect("a block ends");
                &rest[start..end]
            };
            Case { name, input: block("yaml"), expected: block("text") }
        })
        .collect()
}

fn rendered(input: &str) -> String {
    let (policy, report) = parse_all(input, Path::new("policy.yml"), Path::new("/project"));
    assert!(policy.is_none(), "this is loaded:\n{input}");
    assert!(report.has_errors());
    report.render(false)
}

#[test]
fn each_bad_policy_is_told_what_is_wrong_where_and_what_to_do() {
    let cases = cases();
    assert!(cases.len() >= 60);
    for case in cases {
        assert_eq!(rendered(case.input), case.expected, "case `{}`", case.name);
    }
}

#[test]
fn each_error_has_a_place_in_the_file_and_a_way_out() {
    for case in cases() {
        let (_, report) = parse_all(case.input, Path::new("policy.yml"), Path::new("/project"));
        for diagnostic in report.diagnostics.iter().filter(|d| d.severity == Severity::Error) {
            assert!(diagnostic.help.is_some(), "case `{}`: {}", case.name, diagnostic.message);
            assert!(case.input.get(diagnostic.span.clone()).is_some(), "case `{}`", case.name);
            let line = case.input.lines().nth(diagnostic.line - 1).unwrap_or_default();
            assert!(diagnostic.column <= line.chars().count() + 1, "case `{}`", case.name);
            assert!(!diagnostic.message.ends_with('.'), "case `{}`", case.name);
        }
    }
}

/// The first problem of a policy that Markdown cannot hold: place and message.
fn first(input: &str) -> String {
    let (policy, report) = parse_all(input, Path::new("policy.yml"), Path::new("/project"));
    assert!(policy.is_none(), "{input:?} is loaded");
    let first = &report.diagnostics[0];
    format!("{}:{}: {}", first.line, first.column, first.message)
}

#[test]
fn what_a_reader_does_not_see_is_refused() {
    let control = |code: &str| format!("1:3: the policy contains a control character, U+{code}");
    assert_eq!(first("a:\0 1"), control("0000"));
    assert_eq!(first("a:\u{1b}[2J"), control("001B"));
    assert_eq!(first("a:\u{7f}"), control("007F"));
    assert_eq!(first("a:\u{85}"), control("0085"));
    assert_eq!(first("a:\u{9b}2J"), control("009B"));
    let deceptive = |code: &str| {
        format!("1:3: the policy contains a character that shows another text than it is, U+{code}")
    };
    assert_eq!(first("# \u{202e}"), deceptive("202E"));
    assert_eq!(first("# \u{2066}"), deceptive("2066"));
    assert_eq!(first("# \u{2028}"), deceptive("2028"));
    assert_eq!(first("\u{feff}a:\u{feff}"), deceptive("FEFF"));
    let carriage = "1:4: the policy contains a carriage return without a line feed, U+000D";
    assert_eq!(first("# a\rnetwork: {}"), carriage);
    assert_eq!(first("# a\r"), carriage);
}

#[test]
fn there_is_an_end_to_values_and_levels() {
    let list = |items: usize| format!("filesystem: {{allowed_paths: [{}]}}", "x, ".repeat(items));
    let (policy, _) = parse_all(&list(9_990), Path::new("policy.yml"), Path::new("/project"));
    assert_eq!(policy.map(|policy| policy.filesystem.paths.len()), Some(1));
    assert_eq!(first(&list(10_001)), "1:30015: more than 10000 values");
}

#[test]
fn warnings_never_crowd_out_an_error() {
    let twice = "    - ./data\n".repeat(300);
    let error_last = format!("filesystem:\n  allowed_paths:\n{twice}    - ~\n");
    let error_first = format!("filesystem:\n  allowed_paths:\n    - ~\n{twice}");
    let error_elsewhere = format!("{error_first}interpreter: python3\n");
    for (input, errors) in [(error_last, 1), (error_first, 1), (error_elsewhere, 2)] {
        let (policy, report) = parse_all(&input, Path::new("policy.yml"), Path::new("/project"));
        assert!(policy.is_none());
        assert_eq!((report.count(Severity::Error), report.diagnostics.len()), (errors, 100));
    }
    let (policy, report) = parse_all(&"a: 1\n".repeat(500), Path::new("policy.yml"), Path::new("/project"));
    assert!(policy.is_none());
    assert_eq!((report.count(Severity::Error), report.diagnostics.len()), (100, 100));
}

#[test]
#[ignore = "writes the expected renderings anew"]
fn write_renderings() {
    let (head, _) = CASES.split_once("\n## ").expect("there are cases");
    let mut out = head.to_owned();
    for Case { name, input, .. } in cases() {
        let rendered = rendered(input);
        out.push_str(&format!("\n## {name}\n\n```yaml\n{input}```\n\n```text\n{rendered}```\n"));
    }
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policy_bad.md"), out)
        .expect("the file is writable");
}
