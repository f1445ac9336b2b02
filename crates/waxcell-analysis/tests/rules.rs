//! Every rule on its own examples, and what a profile makes of them.

use waxcell_analysis::{
    Analysis, Confidence, Finding, Options, Profile, ProfileError, PythonVersion, RULES, Severity, analyse,
    scan,
};

const TARGET: PythonVersion = PythonVersion::new(3, 13);

fn scanned(source: &str, profile: &Profile) -> Analysis {
    scan("folder/script.py", source.as_bytes(), TARGET, profile)
}

/// What Bandit says as well, and what cannot be read.
fn bandits(analysis: &Analysis) -> impl Iterator<Item = &Finding> {
    analysis.findings.iter().filter(|finding| finding.rule.starts_with('B') || finding.blocks())
}

fn ids(source: &str, profile: &Profile) -> Vec<&'static str> {
    bandits(&scanned(source, profile)).map(|finding| finding.rule).collect()
}

fn places(source: &str) -> Vec<(&'static str, usize)> {
    let analysis = scanned(source, &Profile::default());
    bandits(&analysis).map(|finding| (finding.rule, finding.span.line)).collect()
}

#[test]
fn a_rule_fires_on_its_example_and_is_silent_where_it_is_done_well() {
    for rule in RULES {
        if !rule.fires.is_empty() {
            let analysis = scanned(rule.fires, &Profile::default());
            let found = analysis.findings.iter().find(|finding| finding.rule == rule.id);
            assert!(found.is_some(), "{} does not fire on its example: {analysis:?}", rule.id);
            assert_eq!(analysis.blocks(), rule.blocks(), "{}", rule.id);
        }
        let silent = scanned(rule.silent, &Profile::default());
        let found = silent.findings.iter().find(|finding| finding.rule == rule.id);
        assert!(found.is_none(), "{} is not silent: {found:?}", rule.id);
        assert!(!analyse(rule.silent.as_bytes(), TARGET).blocks(), "{}", rule.id);
    }
}

#[test]
fn hygiene_blocks_nothing_and_is_no_matter_of_reading() {
    let source = "import pickle\npickle.loads(eval(x))\n";
    assert_eq!(analyse(source.as_bytes(), TARGET).findings, []);
    let analysis = scanned(source, &Profile::default());
    assert!(!analysis.blocks());
    assert_eq!(places(source), [("B403", 1), ("B301", 2), ("B307", 2)]);
}

#[test]
fn what_cannot_be_read_is_told_whatever_the_profile_says() {
    let profile = Profile { tests: vec!["B101".into()], severity: Severity::High, ..Profile::default() };
    assert_eq!(ids("assert x\nx = (\n", &profile), ["syntax-error"]);
}

#[test]
fn a_profile_asks_for_some_rules_and_levels() {
    let source = "import pickle\npickle.loads(x)\nassert x\nrandom = '0.0.0.0'\n";
    let of = |tests: &[&str], skips: &[&str]| {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        ids(source, &Profile { tests: owned(tests), skips: owned(skips), ..Profile::default() })
    };
    assert_eq!(of(&[], &[]), ["B403", "B301", "B101", "B104"]);
    assert_eq!(of(&["B101", "B301"], &[]), ["B301", "B101"]);
    assert_eq!(of(&[], &["B101", "B301"]), ["B403", "B104"]);
    assert_eq!(of(&["B101", "B301"], &["B301"]), ["B101"]);
    // Bandit's name for all lists of names; beside one of them it says nothing more.
    assert_eq!(of(&["B001"], &[]), ["B403", "B301"]);
    assert_eq!(of(&["B001", "B301"], &[]), ["B301"]);
    assert_eq!(of(&[], &["B001"]), ["B101", "B104"]);

    let levels = |severity, confidence| ids(source, &Profile { severity, confidence, ..Profile::default() });
    assert_eq!(levels(Severity::Medium, Confidence::Low), ["B301", "B104"]);
    assert_eq!(levels(Severity::Low, Confidence::High), ["B403", "B301", "B101"]);
    assert_eq!(levels(Severity::High, Confidence::Low), [""; 0]);
}

#[test]
fn a_profile_that_names_what_is_not_there_is_wrong() {
    let check = |tests: &[&str], skips: &[&str]| {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        Profile { tests: owned(tests), skips: owned(skips), ..Profile::default() }.check()
    };
    assert_eq!(check(&["B101", "B001"], &["B102"]), Ok(()));
    assert_eq!(check(&["B109"], &[]), Err(ProfileError::Unknown("B109".into())));
    assert_eq!(check(&["B101"], &["b101"]), Err(ProfileError::Unknown("b101".into())));
    assert_eq!(check(&["B101"], &["B101"]), Err(ProfileError::Both("B101".into())));
}

#[test]
fn comments_silence_what_they_name_unless_nobody_listens() {
    for (source, told) in [
        ("assert x  # nosec\n", &[][..]),
        ("assert x  # nosec B101\n", &[]),
        ("assert x  # nosec: assert_used\n", &[]),
        ("assert x  # nosec B102\n", &["B101"]),
        ("assert x  # nosec B102, B101 # why\n", &[]),
        ("assert x  # nosec B102,B101\n", &[]),
        ("assert x  # nosec because it is a test\n", &[]),
        ("# nosec\nassert x\n", &["B101"]),
        ("assert x\n# nosec\n", &["B101"]),
        ("x = '# nosec'; assert x\n", &["B101"]),
        // On any line of what is found.
        ("f(x,  # nosec\n  y, shell=True)\n", &[]),
        ("f(x,\n  y,  # nosec\n  shell=True)\n", &[]),
        ("f(x,\n  y, shell=True\n)  # nosec\n", &[]),
        ("f(x,\n  y, shell=True\n)\n# nosec\n", &["B604"]),
        // The first comment of several counts; with the one on the line of the finding.
        ("f(x,  # nosec B101\n  y,  # nosec\n  shell=True)\n", &["B604"]),
        ("f(x,  # nosec B101\n  shell=True)  # nosec B604\n", &[]),
        ("def f(password='x'):\n    a()\n    b()  # nosec\n", &[]),
    ] {
        assert_eq!(ids(source, &Profile::default()), told, "{source}");
        let deaf = Profile { nosec: false, ..Profile::default() };
        assert_eq!(ids(source, &deaf).len(), 1, "{source}");
    }
}

#[test]
fn names_are_resolved_through_imports() {
    for (source, place) in [
        ("import pickle as p\np.loads(x)\n", Some(("B301", 2))),
        ("from pickle import loads\nloads(x)\n", Some(("B301", 2))),
        ("from pickle import loads as l\nl(x)\n", Some(("B301", 2))),
        ("import xml.etree.ElementTree as E\nE.parse(x)\n", Some(("B314", 2))),
        ("def f():\n    import random as r\nr.random()\n", Some(("B311", 3))),
        ("random.random()\n", Some(("B311", 1))),
        ("r.random()\nimport random as r\n", None),
        ("__import__('telnetlib')\n", Some(("B401", 1))),
        ("import importlib\nimportlib.import_module('telnetlib')\n", Some(("B401", 2))),
        ("import importlib\nimportlib.import_module(name='telnetlib')\n", Some(("B401", 2))),
        ("import importlib\nimportlib.import_module()\n", None),
        ("__import__(x)\n", None),
    ] {
        let found = places(source);
        let found: Vec<_> = found.iter().filter(|(id, _)| !["B403", "B405"].contains(id)).collect();
        assert_eq!(found, place.iter().collect::<Vec<_>>(), "{source}");
    }
}

#[test]
fn every_module_of_an_import_is_told() {
    assert_eq!(places("import os, subprocess, pickle\n"), [("B403", 1), ("B404", 1)]);
    assert_eq!(places("from . import pickle\nfrom .pickle import x\n"), [("B403", 1), ("B403", 2)]);
}

#[test]
fn findings_stand_where_bandit_puts_them() {
    for (source, place) in [
        ("f(x,\n  y,\n  shell=True)\n", ("B604", 3)),
        ("@d\n@d\ndef f(password='x'): pass\n", ("B107", 3)),
        ("x = (1,\n '0.0.0.0')\n", ("B104", 2)),
        ("x = {\n 'a': 1,\n 'password': 2}\n", ("B105", 3)),
        ("try: pass\nexcept:\n    pass\n", ("B110", 2)),
        ("x(\n  'select %s from '\n  't' % y)\n", ("B608", 2)),
        ("x = f'''\n{y}\nselect {x} from t'''\n", ("B608", 1)),
        ("x = 1\n# \u{2067}\n", ("B613", 2)),
    ] {
        assert_eq!(places(source), [place], "{source}");
    }
    let latin = b"# coding: latin-1\nx = '\xe9', '0.0.0.0', '\xe9' '0.0.0.0'; eval('\xe9')\n";
    let analysis = scan("x.py", latin, TARGET, &Profile::default());
    let found: Vec<_> = bandits(&analysis).collect();
    let spans: Vec<_> = found.iter().map(|one| (one.rule, &latin[one.span.start..one.span.end])).collect();
    assert_eq!(spans, [("B104", &b"'0.0.0.0'"[..]), ("B307", &b"eval('\xe9')"[..])]);
    assert_eq!((found[0].span.column, found[1].span.column), (10, 36));
}

#[test]
fn options_have_bandits_keys() {
    let options = r#"{
        "assert_used": {"skips": ["*/script.py"]},
        "hardcoded_tmp_directory": {"tmp_dirs": ["/scratch"]},
        "shell_injection": {"subprocess": ["run"], "shell": [], "no_shell": []},
        "ssl_with_bad_version": {"bad_protocol_versions": ["V1"]},
        "try_except_pass": {"check_typed_exception": true},
        "try_except_continue": {"check_typed_exception": true},
        "weak_cryptographic_key": {"weak_key_size_rsa_high": 4096},
        "markupsafe_xss": {"extend_markup_names": ["m"], "allowed_calls": ["safe"]}
    }"#;
    let options: Options = serde_json::from_str(options).unwrap();
    let profile = Profile { options, ..Profile::default() };
    for (source, before, after) in [
        ("assert x\n", &["B101"][..], &[][..]),
        ("x = '/tmp', '/scratch/x'\n", &["B108"], &["B108"]),
        ("run(x)\n", &[], &["B603"]),
        ("import os\nos.system(x)\n", &["B605"], &[]),
        ("f(method=V1)\n", &[], &["B502"]),
        ("try: x\nexcept E: pass\n", &[], &["B110"]),
        ("for x in y:\n try: x\n except E: continue\n", &[], &["B112"]),
        ("import Crypto\nCrypto.PublicKey.RSA.generate(3072)\n", &[], &["B505"]),
        ("m(x)\nm(safe(x))\n", &[], &["B704"]),
    ] {
        assert_eq!(ids(source, &Profile::default()), before, "{source}");
        assert_eq!(ids(source, &profile), after, "{source}");
    }
    let column = |profile: &Profile| scanned("x = '/tmp', '/scratch/x'\n", profile).findings[0].span.column;
    assert_eq!((column(&Profile::default()), column(&profile)), (5, 13));
    assert!(serde_json::from_str::<Options>(r#"{"assert_used": {"skip": []}}"#).is_err());
}
