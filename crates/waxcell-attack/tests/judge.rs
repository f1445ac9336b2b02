//! What the judge must not miss, nor leave behind. A process of its own: whoever judges kills all children that it has.

use std::path::Path;

use waxcell_attack::{Against, Case, CaseReport, Host, Outcome, Tools, World, run};

/// Runs a probe whose success is more than 4999 bytes of output.
fn judge(place: &Path, probe: &str, words: &[&str]) -> CaseReport {
    let python = Path::new("/usr/bin/python3").to_owned();
    let path = "/usr/bin:/bin".to_owned();
    let tools = Tools {
        waxcell: python.clone(),
        python,
        path: path.clone(),
        place: place.to_owned(),
        world: World::default(),
    };
    let host =
        Host { root: false, user_namespaces: false, landlock_abi: None, limits_by: String::new(), path };
    let told = "id = \"J39\"\ntitle = \"x\"\nlayers = [\"limits\"]\n[escaped]\noutput = 4999\n\
        [expect]\nverdict = \"ok\"\nexit = 0\n";
    let case = Case {
        name: "J39-x".to_owned(),
        told: toml::from_str(told).expect("a case"),
        probe: probe.to_owned(),
        deny: None,
        allow: None,
        patience: 1,
    };
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    run(&case, Against::Other(&words), &host, &tools)
}

// One test, since one attempt would kill what another started.
#[test]
fn attempts_are_seen_to_their_end() {
    let place = tempfile::tempdir().expect("a folder");
    // Output at the very end is counted.
    let last_words = "import os\nos.write(1, b'x' * 5000)\nos._exit(0)\n";
    for _ in 0..5 {
        let report = judge(place.path(), last_words, &["/usr/bin/env"]);
        assert_eq!(report.outcome, Outcome::Escaped);
        assert_eq!(report.why, ["5000 bytes of output came through"]);
    }
    // Who holds the probe can clean up, although it is killed as soon as it has succeeded.
    let cleaned = place.path().join("cleaned");
    let words = format!("{{python}} {{probe}}; : > {}", cleaned.display());
    let goes_on = "import os, time\nos.write(1, b'x' * 5000)\ntime.sleep(5)\n";
    let report = judge(place.path(), goes_on, &["/bin/bash", "-c", &words]);
    assert_eq!(report.outcome, Outcome::Escaped);
    assert!(report.milliseconds < 4000 && cleaned.exists());
}
