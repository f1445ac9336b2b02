//! The policy: one YAML file, parsed into one total and deterministic value, [`Policy`].
//!
//! The stages, each with a type of its own: bytes ([`ReadError`]), a tree with places in the file (`document`), the
//! known keys and their nodes (`settings`), and the value (`decode`). One table of keys (`keys`) drives decoding,
//! suggestions, the JSON Schema, the starting file and the reference page.
//!
//! Every problem of a file is collected, not only the first; a policy with one error is no policy.

mod amend;
mod date;
mod decode;
mod diagnostic;
mod document;
mod explain;
mod explanation;
mod find;
mod gate;
mod keys;
mod least;
mod mechanisms;
mod model;
mod network;
mod numbers;
mod operations;
mod paths;
mod read;
mod reference;
mod rules;
mod schema;
mod settings;
mod starting_file;
mod text;
mod values;
mod written;

pub(crate) use amend::file_of;
pub use amend::{AmendError, amend};
pub use date::{Date, ParseDateError};
pub use diagnostic::{Diagnostic, Report, Severity, showable};
pub use explain::explain;
pub use explanation::{Explanation, HostFacts, LimitsRung, Provenance, Setting};
pub(crate) use find::found_before;
pub use find::{FindError, Found, Origin, find, project_root_of_policy, project_root_of_script};
pub use gate::{Gate, Level, Suppression, Vulnerabilities};
pub use keys::{KEYS, Key, Kind, Unit};
pub use least::{Used, least};
pub use model::{
    AddressRule, AlertThresholds, Degradation, DomainRule, Environment, Execution, Filesystem, LogLevel,
    Monitoring, Network, PathAccess, PathRule, Policy, SecurityEvents, Source, WriteMode,
};
pub(crate) use network::is_name;
pub(crate) use paths::{HOME, LOADED, PROGRAMS, is_wide, named as path_named};
pub use read::{MAX_BYTES, ReadError};
pub use reference::reference;
pub use schema::schema;
pub use starting_file::init;
pub(crate) use written::path_entry;

use std::path::Path;

use sha2::{Digest, Sha256};

/// Why a policy could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be found or read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The place of the file cannot be used.
    #[error(transparent)]
    Place(#[from] FindError),
    /// The file was read and says something that cannot be enforced as it stands.
    #[error("{0}")]
    Invalid(Box<Report>),
}

impl LoadError {
    /// The error for people, as a compiler would show it; ends with a line break.
    pub fn render(&self, color: bool) -> String {
        match self {
            LoadError::Invalid(report) => report.render(color),
            LoadError::Read(error) => {
                let place = error.place().map(|place| (error.path(), place));
                diagnostic::render_plain(&error.to_string(), place, error.help(), color)
            }
            LoadError::Place(error) => {
                diagnostic::render_plain(&error.to_string(), None, error.help(), color)
            }
        }
    }

    /// The error in one sentence: the first one, where there are several.
    pub fn cause(&self) -> String {
        let LoadError::Invalid(report) = self else { return self.to_string() };
        let Some(first) = report.first_error() else { return self.to_string() };
        format!("{self}: line {}, column {}: {}", first.line, first.column, first.message)
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            LoadError::Invalid(report) => report.first_error().and_then(|first| first.help.clone()),
            LoadError::Read(error) => Some(error.help().to_owned()),
            LoadError::Place(error) => Some(error.help().to_owned()),
        }
    }

    /// The policy file that cannot be used, as it was named; `None`: none was chosen.
    pub fn path(&self) -> Option<&Path> {
        match self {
            LoadError::Invalid(report) => report.path.as_deref(),
            LoadError::Read(error) => Some(error.path()),
            LoadError::Place(_) => None,
        }
    }

    /// SHA-256 of the file, where it could be read.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        match self {
            LoadError::Invalid(report) => Some(report.sha256),
            LoadError::Read(_) | LoadError::Place(_) => None,
        }
    }

    /// The error for programs: a list of `{file, line, column, severity, message, help}`.
    pub fn to_json(&self) -> serde_json::Value {
        let plain = |path: &Path, place: Option<(usize, usize)>, message: String, help: &str| {
            serde_json::json!([{
                "file": path.to_string_lossy(), "line": place.map(|p| p.0), "column": place.map(|p| p.1),
                "severity": "error", "message": message, "help": help,
            }])
        };
        match self {
            LoadError::Invalid(report) => report.to_json(),
            LoadError::Read(error) => plain(error.path(), error.place(), error.to_string(), error.help()),
            LoadError::Place(error) => plain(error.path(), None, error.to_string(), error.help()),
        }
    }
}

/// Loads a policy file. A relative path is taken from the current directory.
pub fn load(path: &Path) -> Result<Policy, LoadError> {
    let (policy, report) = examine(path)?;
    policy.ok_or_else(|| LoadError::Invalid(Box::new(report)))
}

/// Everything there is to say about a policy file on a day: all errors and all warnings.
pub fn lint(path: &Path, today: Date) -> Result<Report, LoadError> {
    let (policy, mut report) = examine(path)?;
    if let Some(policy) = policy {
        report.diagnostics.extend(gate::past(&policy.analysis, &report.text, today));
        report.diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    }
    Ok(report)
}

/// The strict default that holds where there is no policy file.
pub fn builtin(project_root: &Path) -> Policy {
    let text = starting_file::builtin_text();
    let source = Source { path: None, sha256: Sha256::digest(text.as_bytes()).into(), text };
    match decode::decode(source, None, project_root) {
        (Some(policy), _) => policy,
        // The text is ours and the same on every machine; a test loads it.
        (None, report) => unreachable!("the built-in policy does not load: {report}"),
    }
}

fn examine(path: &Path) -> Result<(Option<Policy>, Report), LoadError> {
    let file = read::read(path)?;
    let folder = file.path.parent().unwrap_or(Path::new("/"));
    let root = find::project_root_of_folder(folder, &file.path)?;
    let source = Source { path: Some(file.path), sha256: file.sha256, text: file.text };
    Ok(decode::decode(source, Some(path), &root))
}

/// Decodes a policy from text that is not in a file (a request body, a test). `name` is what messages call it.
pub fn parse(text: &str, name: &Path, project_root: &Path) -> Result<Policy, LoadError> {
    let (policy, report) = parse_all(text, name, project_root);
    policy.ok_or_else(|| LoadError::Invalid(Box::new(report)))
}

/// As [`parse`], with the warnings of a policy that is good.
pub fn parse_all(text: &str, name: &Path, project_root: &Path) -> (Option<Policy>, Report) {
    let sha256 = Sha256::digest(text.as_bytes()).into();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source { path: Some(name.to_path_buf()), sha256, text: text.to_owned() };
    decode::decode(source, Some(name), project_root)
}
