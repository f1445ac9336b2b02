//! Starting programs, and the folders of the workspace.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a step failed: a sentence for a person.
pub(crate) type Done<T = ()> = Result<T, String>;

/// The workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// A program, to be run in the workspace.
pub(crate) fn program(name: impl AsRef<Path>) -> Command {
    let mut command = Command::new(name.as_ref());
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs us. Each step builds once, so what a second build would be quicker by is not kept: it is more
/// than all the rest on the disk.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = program(std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from));
    command.args(words).env("CARGO_INCREMENTAL", "0");
    command
}

/// Runs it, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Done {
    println!("$ {}", words(command));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` ended with {status}", words(command))),
        Err(error) => Err(format!("cannot start `{}`: {error}", words(command))),
    }
}

/// Runs it for its standard output.
pub(crate) fn output(command: &mut Command) -> Done<String> {
    match command.stderr(Stdio::inherit()).output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(format!("`{}` ended with {}", words(command), output.status)),
        Err(error) => Err(format!("cannot start `{}`: {error}", words(command))),
    }
}

/// Whether it runs and succeeds, in silence.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// Says what went wrong with a file.
pub(crate) fn at<T>(path: &Path, result: std::io::Result<T>) -> Done<T> {
    result.map_err(|error| format!("`{}`: {error}", path.display()))
}
