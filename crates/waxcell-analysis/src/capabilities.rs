//! What a script can use of the world: modules, files, variables, hosts, programs, and the rest of what operations name.
//!
//! Worked out from the script's text alone: names are followed through imports and assignments, and values through what
//! builds texts and paths, as far as that is certain. What a value is not known of is told as unknown, and never left out.

mod calls;
mod evaluate;
mod gather;
mod known;
mod path;
mod places;
mod scopes;
mod shell;
mod table;
mod targets;
mod url;
mod worth;

use std::fmt;

use ruff_python_ast::Stmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use waxcell_operations::Operation;

use crate::lines::Lines;
use crate::names::Names;

/// What a script can use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Each once, in the order in which the script first has them.
    pub entries: Vec<Capability>,
    /// Whether all of the script was followed to its end: one that was made to take too long was not.
    pub complete: bool,
}

/// One thing that a script can use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// What kind of thing.
    pub family: Family,
    /// What is done, where the registry of operations has a word for it: not of modules, variables, threads and code.
    #[serde(serialize_with = "name_of", deserialize_with = "of_name")]
    pub operation: Option<Operation>,
    /// To what.
    pub target: Target,
    /// How well the target is known.
    pub certainty: Certainty,
    /// Where in the script, in its order; at most [`MOST_PLACES`].
    pub places: Vec<Evidence>,
}

/// The most places that are kept of one capability.
pub const MOST_PLACES: usize = 20;

/// The most capabilities of one script.
pub(crate) const MOST_ENTRIES: usize = 10_000;

/// A place in the script that uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The text there, in one line and shortened.
    pub text: String,
    /// Whether the script goes on without it: it stands in a `try` that catches the refusal, or behind a question whether
    /// it is there, or is one of several targets that are possible.
    pub optional: bool,
}

/// Kinds of what a script can use, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Modules that it imports.
    Modules,
    /// Files and folders.
    Files,
    /// Environment variables.
    Environment,
    /// Hosts, names and ports.
    Network,
    /// Programs that it executes.
    Programs,
    /// Processes beside its own.
    Processes,
    /// Threads beside its first.
    Threads,
    /// Shared libraries that are called without Python.
    Native,
    /// Code that is made from text while it runs.
    Code,
    /// Everything else that the registry of operations names.
    System,
}

impl Family {
    /// All, in their order.
    pub const ALL: [Family; 10] = [
        Family::Modules,
        Family::Files,
        Family::Environment,
        Family::Network,
        Family::Programs,
        Family::Processes,
        Family::Threads,
        Family::Native,
        Family::Code,
        Family::System,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Modules => "modules",
            Family::Files => "files",
            Family::Environment => "environment",
            Family::Network => "network",
            Family::Programs => "programs",
            Family::Processes => "processes",
            Family::Threads => "threads",
            Family::Native => "native",
            Family::Code => "code",
            Family::System => "system",
        }
    }
}

/// What something is done to. Of a pattern, `*` stands for what is not known; of something unknown there is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// Nothing that has a name.
    None,
    /// A module, by its dotted name.
    Module {
        /// `os.path`.
        name: Option<String>,
        /// Whether it is of no use without a network, and the script has another use for it than its constants.
        network: bool,
    },
    /// A path.
    Path {
        /// As the script has it: relative to `base` if it does not begin with `/`, without `.` and, but for those at its
        /// beginning, `..`.
        path: Option<String>,
        /// What a relative path begins at.
        base: Base,
    },
    /// An environment variable.
    Variable {
        /// `HOME`.
        name: Option<String>,
    },
    /// A host.
    Host {
        /// A name or an address.
        host: Option<String>,
        /// From 1, if it is known.
        port: Option<u16>,
    },
    /// A program.
    Program {
        /// As it is looked up: a path, or a name on `PATH`.
        name: Option<String>,
    },
    /// A shared library.
    Library {
        /// As it is looked up.
        name: Option<String>,
    },
}

/// What a relative path begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// The working directory.
    Cwd,
    /// The folder of the script.
    Script,
    /// The home folder of whoever runs it.
    Home,
}

/// How well a target is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// All of it.
    Exact,
    /// How it begins or ends, with `*` for what is not known.
    Pattern,
    /// Nothing.
    Unknown,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Certainty::Exact => "exact",
            Certainty::Pattern => "pattern",
            Certainty::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |name: &Option<String>, f: &mut fmt::Formatter<'_>| match name {
            Some(name) => f.write_str(name),
            None => f.write_str("(not known before it runs)"),
        };
        match self {
            Target::None => Ok(()),
            Target::Module { name, .. }
            | Target::Variable { name }
            | Target::Program { name }
            | Target::Library { name } => named(name, f),
            Target::Path { path: Some(path), base: Base::Script } => match path.as_str() {
                "" => f.write_str("{script's folder}"),
                path => write!(f, "{{script's folder}}/{path}"),
            },
            Target::Path { path: Some(path), base: Base::Home } => match path.as_str() {
                "" => f.write_str("~"),
                path => write!(f, "~/{path}"),
            },
            Target::Path { path: Some(path), .. } if path.is_empty() => f.write_str("."),
            Target::Path { path, .. } => named(path, f),
            Target::Host { host, port } => {
                named(host, f)?;
                match port {
                    Some(port) => write!(f, ":{port}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn name_of<S: Serializer>(operation: &Option<Operation>, to: S) -> Result<S::Ok, S::Error> {
    operation.map(Operation::name).serialize(to)
}

fn of_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Operation>, D::Error> {
    let name: Option<String> = Option::deserialize(from)?;
    let known = |name: String| {
        Operation::parse(&name)
            .ok_or_else(|| serde::de::Error::custom("an operation that this version does not know"))
    };
    name.map(known).transpose()
}

/// What the script with this body, text and names can use.
pub(crate) fn infer<'a>(body: &'a [Stmt], text: &'a str, names: &Names<'a>) -> Capabilities {
    let (noted, complete) = gather::gather(body, text, names);
    let mut lines = Lines::new(text.as_bytes());
    Capabilities::of(noted, complete, |offset| lines.position(offset))
}

#[cfg(test)]
mod tests;
