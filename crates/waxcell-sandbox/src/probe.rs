//! What this host offers a sandbox, tried out rather than looked up.

use serde::Serialize;

/// One feature that the sandbox can use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feature {
    /// What it is called.
    pub name: &'static str,
    /// Whether it is here.
    pub present: bool,
    /// What was found.
    pub found: String,
    /// What is lost without it.
    pub without: &'static str,
    /// How to get it.
    pub how: &'static str,
}

/// Everything that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// Feature by feature.
    pub features: Vec<Feature>,
}

/// Tries out what this host offers to this user.
pub fn probe() -> Probe {
    Probe { features: Vec::new() }
}
