//! Why no interpreter was found.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use waxcell_analysis::PythonVersion;

/// Why no interpreter was found, one variant for each thing to do about it.
#[derive(Debug, Error)]
pub enum InterpreterError {
    /// Nothing of that name is on `PATH`.
    #[error("no `{name}` on PATH; install Python 3.8 or newer, or set `interpreter:` in the policy")]
    NotOnPath {
        /// What was looked for.
        name: String,
    },
    /// The path does not exist.
    #[error("the interpreter `{}` does not exist", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// A symbolic link on the way points to nothing.
    #[error(
        "the interpreter `{}` is a dangling link: `{}` points to `{}`, which does not exist",
        path.display(), link.display(), to.display()
    )]
    Dangling {
        /// What was looked for.
        path: PathBuf,
        /// The last link on the way.
        link: PathBuf,
        /// What it says.
        to: PathBuf,
    },
    /// Symbolic links go round in a circle.
    #[error("the interpreter `{}` is a loop of symbolic links", path.display())]
    Loop {
        /// Where it begins.
        path: PathBuf,
    },
    /// Something else than a file.
    #[error("the interpreter `{}` is {what}, not a program", path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
        /// `a directory`, `a FIFO`, ...
        what: &'static str,
    },
    /// It may not be executed.
    #[error("the interpreter `{}` is not executable; `chmod +x` it, or name another", path.display())]
    NotExecutable {
        /// Where.
        path: PathBuf,
    },
    /// It cannot be looked at.
    #[error("cannot read the interpreter `{}`", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither a binary nor a script.
    #[error("the interpreter `{}` is not a program for this system (no ELF binary)", path.display())]
    NotElf {
        /// Where.
        path: PathBuf,
    },
    /// A wrapper of a tool that is not resolved.
    #[error(
        "`{}` is {}, not Python itself; set `interpreter:` in the policy to the real binary (`{}`)",
        path.display(), tool.map_or("a script".into(), |tool| format!("a shim of {tool}")),
        "python3 -c 'import sys; print(sys.executable)'"
    )]
    Shim {
        /// Where.
        path: PathBuf,
        /// Whose, if that can be told.
        tool: Option<&'static str>,
    },
    /// pyenv is told to use a version that it does not have. Worded as pyenv does.
    #[error("pyenv: version `{version}` is not installed (set by {origin})")]
    PyenvVersion {
        /// The version asked for.
        version: String,
        /// The file or variable that says so.
        origin: String,
    },
    /// pyenv has no such command in the versions it is told to use. Worded as pyenv does.
    #[error("pyenv: {command}: command not found in version {versions} (set by {origin})")]
    PyenvCommand {
        /// `python3`.
        command: String,
        /// The versions asked for.
        versions: String,
        /// The file or variable that says so.
        origin: String,
    },
    /// Another implementation of Python, or no Python at all.
    #[error("`{}` is {name}; only CPython is supported", path.display())]
    NotCPython {
        /// The binary.
        path: PathBuf,
        /// What it is.
        name: String,
    },
    /// Nothing tells the version.
    #[error(
        "cannot tell the version of `{}`: neither its name nor `{}` says it; set `interpreter:` to a binary named like `python3.11`",
        path.display(), looked_in.display()
    )]
    UnknownVersion {
        /// The binary.
        path: PathBuf,
        /// Where the standard library was looked for.
        looked_in: PathBuf,
    },
    /// Too old.
    #[error("`{}` is Python {version}; Python 3.8 or newer is needed", path.display())]
    TooOld {
        /// The binary.
        path: PathBuf,
        /// Its version.
        version: PythonVersion,
    },
}

impl InterpreterError {
    /// Whether there is no interpreter at all where one was looked for (exit code 127), as opposed to one that cannot be
    /// used.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            InterpreterError::NotOnPath { .. }
                | InterpreterError::Missing { .. }
                | InterpreterError::Dangling { .. }
                | InterpreterError::PyenvVersion { .. }
                | InterpreterError::PyenvCommand { .. }
        )
    }

    /// What a person can do about it, where the error itself does not say so.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            InterpreterError::NotOnPath { .. }
            | InterpreterError::NotExecutable { .. }
            | InterpreterError::Shim { .. }
            | InterpreterError::UnknownVersion { .. } => None,
            _ => Some(
                "`interpreter:` in the policy names the Python to run; without it that of the active environment, else of PATH, is taken",
            ),
        }
    }
}
