//! Whatever a policy file holds: the decoder ends, and what it says can be shown.

use std::path::Path;
use std::time::Instant;

use proptest::prelude::*;
use waxcell::Edit;
use waxcell::policy::{KEYS, Kind, PathAccess, amend, parse_all};
use waxcell_operations::Operation;

/// Decodes and renders, as `policy lint` would.
fn survive(text: &str) {
    let (policy, report) = parse_all(text, Path::new("p.yml"), Path::new("/project"));
    assert_eq!(policy.is_none(), report.has_errors());
    let rendered = report.render(false);
    assert!(!rendered.chars().any(|c| c.is_control() && c != '\n'), "{rendered:?}");
    for diagnostic in &report.diagnostics {
        assert!(report.text.get(diagnostic.span.clone()).is_some(), "{diagnostic:?}");
        assert!(!diagnostic.message.chars().any(char::is_control), "{diagnostic:?}");
    }
    let _ = report.render(true);
    let _ = report.to_json();
    if let Some(policy) = policy {
        // Made, or refused; what is made loads.
        let _ = amend(&policy, &edits());
    }
}

/// One of each kind.
fn edits() -> [Edit; 4] {
    [
        Edit::unblock(Operation::FsDelete),
        Edit::Add { key: "degrade", value: "landlock".to_owned() },
        Edit::Set { key: "execution.timeout_seconds", value: "1".to_owned() },
        Edit::AddPath { path: "./data".to_owned(), access: PathAccess::Write },
    ]
}

/// Pieces that mean something to YAML or to a policy.
fn piece() -> impl Strategy<Value = String> {
    let signs = [
        "\n", "\n  ", "\n    ", ": ", ":", "- ", "? ", "[", "]", "{", "}", ", ", "\"", "'", "&a ", "*a",
        "!!str ", "!", "|\n", ">-\n ", "#", "# ", "---\n", "...\n", "%", "\t", "\r\n", "\r", "~", "null",
        "\u{feff}", "\u{0}", "\u{1b}", "\u{85}", "\u{202e}", "é", "🐝", "\\", "\"\\0\"", "\"\\e\"", "*",
        "<<",
    ];
    let values = [
        "0",
        "-1",
        "0777",
        "22:22",
        ".inf",
        "1e999",
        "true",
        "no",
        "64",
        "./data",
        "/tmp",
        "*.a.org",
        "10.0.0.0/8",
    ];
    prop_oneof![
        4 => prop::sample::select(KEYS).prop_map(|key| format!("{}:", key.name())),
        2 => Just("security:".to_owned()),
        6 => prop::sample::select(signs.to_vec()).prop_map(str::to_owned),
        4 => prop::sample::select(values.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

/// One key of the table with some value, in its place.
fn almost_a_policy() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[ -~]{0,20}",
        "\"[ -~&&[^\"\\\\]]{0,20}\"",
        prop::collection::vec("[ -~&&[^\"\\\\]]{0,12}", 0..4).prop_map(|items| format!("{items:?}")),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "\\PC{0,10}",
    ];
    (prop::sample::select(KEYS), value).prop_map(|(key, value)| {
        let mut text = String::new();
        for (depth, name) in key.path.split('.').enumerate() {
            text.push_str(&format!("{}{name}:", "  ".repeat(depth)));
            if name != key.name() || key.kind == Kind::Section {
                text.push('\n');
            }
        }
        format!("{text} {value}\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".{0,200}") {
        survive(&text);
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(piece(), 0..60)) {
        survive(&pieces.concat());
    }

    #[test]
    fn any_value(text in almost_a_policy()) {
        survive(&text);
    }
}

#[test]
fn a_megabyte_of_anything_is_refused_soon() {
    let many = |piece: &str| piece.repeat((1 << 20) / piece.len());
    for text in [
        many("["),
        many("{"),
        many("{a: "),
        many("- "),
        many("? "),
        many("a: "),
        many("a:\n "),
        many("\""),
        many("'"),
        many("&a "),
        many("!!a "),
        many("x"),
        many("x "),
        many("x\n"),
        many("é: 1\n"),
        many("%a\n"),
        many("#"),
        many("---\n"),
        many("a: b\n"),
        many("\n"),
        format!("filesystem:\n  allowed_paths: [{}]\n", many("a, ")),
        format!("filesystem:\n  allowed_paths:\n{}", many("  - ~\n")),
        format!("a: |\n{}", many("  x\n")),
        format!("a: \"{}", many("\\\n")),
    ] {
        let start = Instant::now();
        survive(&text);
        let took = start.elapsed();
        assert!(took.as_secs() < 20, "{took:?} for {:?}", &text.chars().take(40).collect::<String>());
    }
}
