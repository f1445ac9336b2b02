//! Dependencies of scripts, read from the host and judged by a database that lies there too ([`audit()`]).
//!
//! Nothing is run and nothing fetched. What can be judged is in `waxcell-dependencies`; here is what reads files for it.

mod database;
mod findings;
mod installed;
mod lists;
mod local;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use waxcell_dependencies::{Audit, Data, Entry, Fault, Level, Place, Source, Status, Vulnerability};
use waxcell_dependencies::{Environment, Resolver, Version, block};

pub use findings::{UNAUDITED, VULNERABLE, doubts, imports, unaudited, vulnerable};

use crate::PythonVersion;
use crate::interpreter::Interpreter;

/// What is to be audited, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Scripts, with what they import.
    pub scripts: &'a [Importing],
    /// Lists of requirements and lock files.
    pub files: &'a [PathBuf],
    /// The database: a folder of JSON files in the OSV format, or a zip archive of them.
    pub database: &'a Path,
    /// How many days ago the last entry of the database may have been changed.
    pub max_age_days: Option<u64>,
    /// The interpreter whose packages the scripts would import; without one, nothing is known of what is installed.
    pub interpreter: Option<&'a Interpreter>,
    /// The time.
    pub now: SystemTime,
}

/// A script, and what it imports.
#[derive(Clone, Debug)]
pub struct Importing {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes, in which a block may say what it asks for.
    pub source: Vec<u8>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// A module that a script imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its dotted name; nothing where that is worked out while the script runs.
    pub module: Option<String>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Whether the script goes on without it.
    pub is_optional: bool,
}

/// Audits. What cannot be found out is part of the answer: there is no error, and nothing unknown is clean.
pub fn audit(question: &Question<'_>) -> Audit {
    let mut gaps = Vec::new();
    let sites = question.interpreter.map(|interpreter| interpreter.sites.as_slice()).unwrap_or_default();
    let installed = installed::read(sites, &mut gaps);
    if question.interpreter.is_none() {
        gaps.push("no interpreter was found, so that it is not known what is installed".to_owned());
    }
    let version = question.interpreter.map_or(PythonVersion::NEWEST, |interpreter| interpreter.version);
    let python = (version.major, version.minor);
    let environment = Environment { python, machine: std::env::consts::ARCH.to_owned() };
    let mut resolver = Resolver::new(&installed, &environment);
    let mut local = local::Local::default();
    for script in question.scripts {
        let file = script.path.to_string_lossy().into_owned();
        if !script.is_complete {
            gaps.push(format!("not all imports of `{file}` are known"));
        }
        for import in &script.imports {
            let place = Place { file: file.clone(), line: import.line, column: import.column };
            let Some(module) = &import.module else {
                gaps.push(format!("{file}:{}: what is imported is not known before it runs", import.line));
                continue;
            };
            let is_installed = !installed.providers(module).is_empty();
            if !local.has(script.path.parent().unwrap_or(Path::new("")), module, is_installed) {
                resolver.import(module, import.is_optional, &place);
            }
        }
        match block(&String::from_utf8_lossy(&script.source)) {
            Ok(None) => {}
            Err((line, why)) => gaps.push(format!("{file}:{line}: {why}")),
            Ok(Some(block)) => {
                for wanted in &block.wanted {
                    let place = Place { file: file.clone(), line: wanted.line, column: 1 };
                    resolver.ask(&wanted.ask, &BTreeMap::new(), &place);
                }
                // Of the interpreter's version the last number is not known.
                let has = |last: u8| Version::parse(&format!("{version}.{last}"));
                if let Some((line, wanted)) = &block.python
                    && !(0..50).filter_map(has).any(|version| wanted.contains(&version))
                {
                    gaps.push(format!(
                        "{file}:{line}: the script is for Python {wanted}, and this one is {version}"
                    ));
                }
            }
        }
    }
    for path in question.files {
        lists::read(path, &mut resolver, &mut gaps);
    }
    let database = database::read(question.database, &resolver.names(), question.now);
    let path = question.database.to_string_lossy();
    Audit::new(
        resolver,
        database.as_ref().map_err(Clone::clone),
        &path,
        question.now,
        question.max_age_days,
        gaps,
    )
}

/// The bytes of a file, if it is one and not larger than that.
fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;

    // Without waiting for somebody who writes into a FIFO.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(|error| error.to_string())?;
    let meta = file.metadata().map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(most)).unwrap_or(0));
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most { Err(format!("it is larger than {most} bytes")) } else { Ok(bytes) }
}

/// The text of such a file; bytes that are none become signs that are in no name.
fn bounded_text(path: &Path, most: u64) -> Result<String, String> {
    let bytes = bounded(path, most)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
