//! Whatever stands in a file, reading it comes to an end, and without a panic.

use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use proptest::prelude::{ProptestConfig, Strategy, any, proptest};
use waxcell_dependencies::{
    Archive, Collector, Database, Distribution, Environment, Installed, Lock, Metadata, Name, Place,
    Requirement, Resolver, Specifiers, Version, base_score, block, requirements,
};

/// Pieces that mean something here, in any order, with anything between.
fn text() -> impl Strategy<Value = String> {
    let pieces = [
        "# /// script\n",
        "# ///\n",
        "# ",
        "dependencies = [",
        "\"sprocket==1.0\"",
        "]\n",
        "[[package]]\n",
        "name = \"a\"\n",
        "version = \"1\"\n",
        "source = { virtual = \".\" }\n",
        "Name: a\n",
        "Version: 1\n",
        "Requires-Dist: ",
        "sprocket",
        "[x,y]",
        ">=1.0",
        ",<2",
        "==1.*",
        "; ",
        "python_version < '3'",
        " and ",
        "(",
        ")",
        "extra == 'x'",
        "not in",
        "-r ",
        "\\\n",
        "--hash=",
        "#",
        "@ https://x",
        "\n",
        "\r\n",
        "1!2.0a1.post2.dev3+x.1",
        "..",
        "{",
        "}",
        "\"default\": {",
        "\"",
        ":",
        "a/__init__.py,,\n",
        "[fast:",
        "\u{0}",
        "\u{fc}",
        "CVSS:3.1/",
        "AV:N/",
    ];
    let piece = (0..pieces.len()).prop_map(move |at| pieces[at].to_owned());
    let piece = proptest::prop_oneof![8 => piece, 1 => any::<String>()];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_to_its_end(text in text(), other in text()) {
        if let Some(version) = Version::parse(&text) {
            assert_eq!(Version::parse(&version.to_string()), Some(version));
        }
        if let Some(list) = Specifiers::parse(&text) {
            assert_eq!(Specifiers::parse(&list.to_string()), Some(list));
        }
        let _ = (Requirement::parse(&text), Name::new(&text), base_score(&text), block(&text));
        let texts = Metadata {
            metadata: &text, record: Some(&other), top_level: Some(&text), direct_url: Some(&other), requires: Some(&other),
        };
        let mut installed = Installed::default();
        Distribution::new(&texts).into_iter().for_each(|one| installed.add(one));
        let environment = Environment { python: (3, 11), machine: "x86_64".into() };
        let mut resolver = Resolver::new(&installed, &environment);
        let place = Place { file: String::new(), line: 1, column: 1 };
        resolver.import(&other, false, &place);
        let locks = ["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml"].into_iter().filter_map(Lock::of_file);
        let locked = locks.filter_map(|lock| lock.read(&text).ok()).flatten();
        for wanted in requirements(&text).into_iter().chain(locked) {
            resolver.ask(&wanted.ask, &BTreeMap::new(), &place);
        }
        let wanted: HashSet<Name> = resolver.names();
        let mut collector = Collector::new(&wanted, SystemTime::UNIX_EPOCH);
        collector.add("x", text.as_bytes());
        assert_eq!(Database::of([collector]).entries, 0);
        let _ = Archive::open(text.as_bytes()).map(|archive| archive.members().len());
    }
}
