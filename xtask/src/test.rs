//! `cargo xtask test`: the one command that passes all tests, on a fresh Debian or Ubuntu machine with Rust and
//! Python 3. CI runs nothing else.

use std::path::PathBuf;
use std::time::Instant;

use crate::shell::{Done, cargo, is_root, output, run};
use crate::{controls, deny, foreign, ordinary, packages, skips, tidy, vm};

/// A test program or a binary that cargo built.
pub(crate) struct Built {
    pub(crate) is_test: bool,
    pub(crate) package: String,
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
}

/// Every step, in this order. A step that fails does not keep the later ones from telling what they know.
pub(crate) fn test() -> Done {
    let python = packages::install()?;
    let mut skipped = skips::List::new()?;
    let mut report = Report::default();

    report.step("format", || run(&mut cargo(&["fmt", "--all", "--check"])));
    // The same profile and features in every step, so that nothing is compiled twice for the same purpose.
    report.step("lints", || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    let mut built = Vec::new();
    report.step("build", || build().map(|all| built = all));
    if !built.is_empty() {
        report.step("tests", || {
            let mut tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
            tests.env("WAXCELL_TEST_PYTHON", &python);
            run(tests.envs(skips::VARIABLES.map(|name| (name, skipped.path()))))
        });
    }
    report.step("tidy", tidy::tidy);
    if is_root() && !built.is_empty() {
        report.step("tests as an ordinary user", || ordinary::test(&built, &python, &mut skipped));
    }
    report.step("attacks without the layers that stop them", controls::test);
    if is_root() && !built.is_empty() {
        report.step("another kernel", || vm::test(&built, &python));
    }
    if let Some(waxcell) = built.iter().find(|one| one.name == "waxcell") {
        report.step("verifiers of others", || foreign::test(&waxcell.executable, &skipped));
    }
    report.step("dependencies", deny::check);
    report.step("skips", || skipped.check());
    report.finish()
}

/// Builds all that the tests execute; gives the test programs.
pub(crate) fn build() -> Done<Vec<Built>> {
    println!("$ cargo test --workspace --no-run");
    let mut build = cargo(&["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]);
    Ok(output(&mut build)?.lines().filter_map(built).collect())
}

fn built(message: &str) -> Option<Built> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let is_test = target["kind"].as_array()?.iter().any(|kind| kind == "test");
    let is_binary =
        target["kind"].as_array()?.iter().any(|kind| kind == "bin") && message["profile"]["test"] == false;
    // `path+file:///somewhere/crates/waxcell-cli#0.1.0`, or `...#name@0.1.0` where folder and name differ.
    let id = message["package_id"].as_str()?;
    let (path, version) = id.rsplit_once('#')?;
    let package = version.split_once('@').map_or_else(|| path.rsplit('/').next(), |(name, _)| Some(name))?;
    (is_test || is_binary).then_some(())?;
    Some(Built {
        is_test,
        package: package.to_owned(),
        name: target["name"].as_str()?.to_owned(),
        executable: message["executable"].as_str()?.into(),
    })
}

/// What became of the steps.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    failed: usize,
}

impl Report {
    fn step(&mut self, name: &str, step: impl FnOnce() -> Done) {
        println!("\n== {name}");
        let started = Instant::now();
        let (mark, why) = match step() {
            Ok(()) => ("ok    ", String::new()),
            Err(why) => {
                self.failed += 1;
                ("FAILED", format!("\n       {}", why.replace('\n', "\n       ")))
            }
        };
        self.lines.push(format!("{mark} {:5.0} s  {name}{why}", started.elapsed().as_secs_f64()));
    }

    fn finish(self) -> Done {
        println!("\n{}", self.lines.join("\n"));
        if self.failed == 0 { Ok(()) } else { Err(format!("{} steps failed", self.failed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, built};

    #[test]
    fn test_programs_and_binaries_are_found_in_cargos_messages() {
        let message = |kind: &str, test: bool, id: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"{id}","target":{{"kind":["{kind}"],"name":"hive"}},
                "profile":{{"test":{test}}},"executable":"/t/hive-1"}}"#
            )
        };
        let found = built(&message("test", true, "path+file:///w/crates/waxcell-cli#0.1.0")).expect("a test");
        assert_eq!((found.package.as_str(), found.name.as_str()), ("waxcell-cli", "hive"));
        let found =
            built(&message("bin", false, "path+file:///w/crates/cli#waxcell-cli@0.1.0")).expect("a binary");
        assert_eq!(found.package, "waxcell-cli");
        assert!(built(&message("lib", true, "path+file:///w/crates/waxcell-cli#0.1.0")).is_none());
        assert!(built(r#"{"reason":"build-finished"}"#).is_none());
    }

    #[test]
    fn one_failed_step_fails_the_whole() {
        let mut report = Report::default();
        report.step("good", || Ok(()));
        report.step("bad", || Err("broken".into()));
        report.step("good again", || Ok(()));
        assert_eq!(report.lines.len(), 3);
        assert_eq!(report.finish(), Err("1 steps failed".into()));
    }
}
