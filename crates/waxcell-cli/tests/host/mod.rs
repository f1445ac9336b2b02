//! What these tests take from the host: the binary, the tree of examples, interpreters; and how a test says that it
//! did not take place.
//!
//! `cargo xtask test` sets the variables, so that the same executables also run elsewhere, as an ordinary user:
//!
//! | variable | what | without it |
//! |---|---|---|
//! | `WAXCELL_BIN` | the binary under test | the one that cargo built |
//! | `WAXCELL_TREE` | a folder that holds `examples/` and `docs/` | the workspace |
//! | `WAXCELL_TEST_PYTHON` | a Python that has what `xtask/requirements.txt` names | `/usr/bin/python3` |
//! | `WAXCELL_SKIP_LOG` | a file that collects a line for each test that did not take place | only the test's own output |
#![expect(clippy::disallowed_methods, reason = "the environment is how `cargo xtask test` says what to use")]
#![allow(
    dead_code,
    clippy::print_stdout,
    reason = "each test program uses a part of this, and tells its skips"
)]

use std::io::Write;
use std::path::{Path, PathBuf};

/// The binary under test.
pub(crate) fn waxcell() -> PathBuf {
    variable("WAXCELL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_waxcell").into())
}

/// A file or folder of the workspace.
pub(crate) fn tree(path: &str) -> PathBuf {
    variable("WAXCELL_TREE").unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).join(path)
}

/// A Python with the packages that the examples need, if the host has them.
pub(crate) fn python() -> PathBuf {
    variable("WAXCELL_TEST_PYTHON").unwrap_or_else(|| "/usr/bin/python3".into())
}

/// The value of a variable, if it is there and not empty.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Says that `name` did not take place. `xtask/announced-skips.txt` has to name it, or `cargo xtask test` fails.
#[expect(clippy::print_stdout, reason = "a test's own report")]
pub(crate) fn skip(name: &str, why: &str) {
    let line = format!("SKIPPED {name}: {why}");
    println!("{line}");
    if let Some(list) = variable("WAXCELL_SKIP_LOG") {
        let list = std::fs::OpenOptions::new().create(true).append(true).open(list);
        // In one write: tests run side by side.
        let written = list.expect("the list of skips").write_all(format!("{line}\n").as_bytes());
        written.expect("the list of skips");
    }
}
