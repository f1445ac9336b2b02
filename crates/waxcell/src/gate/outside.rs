//! What a script needs that its policy does not give.

use serde::Serialize;
use waxcell_analysis::Analysis;

use crate::edit::Edit;
use crate::policy::Policy;
use crate::script::Script;

/// Something that a script needs and the policy does not give: without it the run could only fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outside {
    /// The line of the script that shows it, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// What it is, as one sentence: lower case, no full stop.
    pub what: String,
    /// Changes of the policy that would give it; empty where no policy can.
    pub edits: Vec<Edit>,
    /// Whether the script needs it without doubt. Only then it is a reason to refuse.
    pub certain: bool,
}

/// What `script` needs beyond `policy`, in the order of its lines.
#[expect(dead_code, reason = "nothing is known yet of what a script needs")]
pub(crate) fn outside(_analysis: &Analysis, _policy: &Policy, _script: &Script) -> Vec<Outside> {
    Vec::new()
}
