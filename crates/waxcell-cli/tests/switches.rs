//! The build that everybody gets has no switches: it does not even know the variable that a test build reads.
#![cfg(not(feature = "switches"))]

mod support;

use support::{Place, say};

const VARIABLE: &str = "WAXCELL_TEST_WITHOUT";

#[test]
fn the_binary_does_not_know_the_variable() {
    let binary = std::fs::read(support::waxcell()).expect("the binary");
    let binary = String::from_utf8_lossy(&binary);
    let knows = |text: &str| binary.contains(text);
    assert!(!knows(VARIABLE) && !knows("TEST BUILD") && !knows("a test build"));
    // The control: a variable that it does read is found in this way.
    assert!(knows("WAXCELL_STATE"));
}

#[test]
fn the_variable_changes_nothing() {
    let place = Place::new("filesystem: {allowed_paths: [./data]}");
    place.write("script.py", "pass");
    let mut command = place.waxcell(&["--json", "run", "script.py"]);
    let report = say(command.env(VARIABLE, "mounts,landlock,userns")).report();
    assert_eq!((&report["verdict"], &report["stderr"]), (&"ok".into(), &"".into()), "{report:#}");
    assert!(report["enforced"]["landlock"]["abi"].is_u64(), "{report:#}");
    let namespaces = report["enforced"]["namespaces"].as_array().expect("a list");
    assert!(namespaces.contains(&"user".into()) && report["enforced"]["mounts"]["/tmp"].is_string());
}
