//! Which rules are asked, and which of their findings are told: Bandit's `-t`, `-s`, `-l`, `-i` and `--ignore-nosec`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::{Confidence, Severity};
use crate::options::Options;
use crate::rules::{RULES, Rule};

/// Stands for all rules that are a list of names, in Bandit's configuration.
const LISTS: &str = "B001";

/// What a scan looks for. The default is every rule and every finding, and comments of the script are honoured.
///
/// What keeps a script from being read is told whatever a profile says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Ids of the only rules to be asked; all if there is none.
    pub tests: Vec<String>,
    /// Ids of rules that are not asked.
    pub skips: Vec<String>,
    /// Findings of lower severity are not told.
    pub severity: Severity,
    /// Findings of lower confidence are not told.
    pub confidence: Confidence,
    /// Whether `# nosec` in the script keeps findings from being told. Not for a script that is going to be run: its
    /// author must not silence who judges it.
    pub nosec: bool,
    /// The settings of rules.
    pub options: Options,
    /// Whether it is also worked out what the script can use ([`Analysis::capabilities`](crate::Analysis::capabilities)).
    pub capabilities: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            tests: Vec::new(),
            skips: Vec::new(),
            severity: Severity::Low,
            confidence: Confidence::Low,
            nosec: true,
            options: Options::default(),
            capabilities: false,
        }
    }
}

/// What is wrong with a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileError {
    /// No rule has this id.
    Unknown(String),
    /// This one is both asked for and skipped.
    Both(String),
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProfileError::Unknown(id) => write!(f, "there is no rule `{id}`"),
            ProfileError::Both(id) => write!(f, "the rule `{id}` is both asked for and skipped"),
        }
    }
}

impl std::error::Error for ProfileError {}

impl Profile {
    /// Whether every id is that of a rule, and none both asked for and skipped. A profile that does not say what it
    /// means still scans; it asks for less than somebody thought.
    pub fn check(&self) -> Result<(), ProfileError> {
        let is_known = |id: &str| id == LISTS || RULES.iter().any(|rule| rule.id == id);
        if let Some(id) = self.tests.iter().chain(&self.skips).find(|id| !is_known(id)) {
            return Err(ProfileError::Unknown(id.clone()));
        }
        match self.tests.iter().find(|id| self.skips.contains(id)) {
            Some(id) => Err(ProfileError::Both(id.clone())),
            None => Ok(()),
        }
    }

    /// Whether this rule is asked.
    pub fn selects(&self, rule: &Rule) -> bool {
        rule.blocks() || ((self.tests.is_empty() || names(&self.tests, rule)) && !names(&self.skips, rule))
    }
}

/// Whether the list names this rule: by its id, or as one of all lists if it names no single one of them.
fn names(list: &[String], rule: &Rule) -> bool {
    let is_named = |id: &str| list.iter().any(|one| one == id);
    let all_lists = || is_named(LISTS) && !RULES.iter().any(|rule| rule.is_list() && is_named(rule.id));
    is_named(rule.id) || (rule.is_list() && all_lists())
}
