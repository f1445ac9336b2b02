//! Makes edits in the text of a policy, and changes nothing else of it: comments, order and style stay.
//!
//! What comes out is read again, and holds only if it says what was asked for and otherwise what it said before.

mod text;

use std::path::PathBuf;

use waxcell_operations::Operation;

use super::diagnostic::Diagnostics;
use super::document::{self, Node, Value};
use super::gate::Suppression;
use super::model::{Network, PathAccess, PathRule, Policy, Source};
use super::{LoadError, paths};
use crate::edit::Edit;

use text::{Found, Text, look_up};

/// Where a policy file is made if there is none, in the project root.
pub(crate) const FILE_NAME: &str = super::find::FILE_NAME;

const PORTS: &str = "network.blocked_ports";
const DOMAINS: &str = "network.allowed_domains";
const ADDRESSES: &str = "network.allow_addresses";

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    /// The text is written in a way that this does not know how to change.
    #[error("the policy is written in a way that only a person can change: {0}")]
    ByHand(Edit),
    /// With the edit it would be no policy.
    #[error(transparent)]
    Refused(#[from] LoadError),
}

/// The text of a policy with edits made; without a file, that of a new one. What holds already is left alone.
pub fn amend(policy: &Policy, edits: &[Edit]) -> Result<String, AmendError> {
    let name = file_of(policy);
    let mut text = if policy.source.path.is_some() { policy.source.text.clone() } else { String::new() };
    let mut amended = policy.clone();
    for edit in edits.iter().filter(|edit| !is_outdone(edit, edits)) {
        if holds(&amended, edit) {
            continue;
        }
        let by_hand = || AmendError::ByHand(edit.clone());
        text = Text { text: &text, root: &policy.project_root }.with(edit).ok_or_else(by_hand)?;
        amended = super::parse(&text, &name, &policy.project_root)?;
        if !holds(&amended, edit) {
            return Err(by_hand());
        }
    }
    match edits.iter().find(|edit| !holds(&amended, edit)) {
        Some(edit) => Err(AmendError::ByHand(edit.clone())),
        None if is_same_beyond(policy, &amended, edits) => Ok(text),
        None => Err(AmendError::ByHand(edits[0].clone())),
    }
}

/// The file that a policy is in, or would be.
pub(crate) fn file_of(policy: &Policy) -> PathBuf {
    policy.source.path.clone().unwrap_or_else(|| policy.project_root.join(FILE_NAME))
}

/// Whether another edit gives the same path more.
fn is_outdone(edit: &Edit, edits: &[Edit]) -> bool {
    let Edit::AddPath { path, access: PathAccess::Read } = edit else { return false };
    edits.contains(&Edit::AddPath { path: path.clone(), access: PathAccess::Write })
}

/// Whether a policy says already what an edit would have it say.
fn holds(policy: &Policy, edit: &Edit) -> bool {
    match edit {
        Edit::Remove { key: PORTS, value } => {
            value.parse().is_ok_and(|port| !policy.network.blocked_ports.contains(&port))
        }
        Edit::Remove { value, .. } => {
            Operation::parse(value).is_some_and(|operation| !policy.filesystem.blocked.contains(&operation))
        }
        Edit::Add { key: DOMAINS, value } => {
            let mut rules = policy.network.allowed_domains.iter();
            rules.any(|rule| rule.ports.is_empty() && rule.to_string() == *value)
        }
        Edit::Add { key: ADDRESSES, value } => {
            let mut rules = policy.network.allow_addresses.iter();
            rules.any(|rule| rule.ports.is_empty() && rule.to_string() == *value)
        }
        Edit::Add { value, .. } => policy.degrade.iter().any(|degradation| degradation.name() == value),
        Edit::Set { key, value } => {
            let tree = document::parse(&policy.source.text, &mut Diagnostics::new(&policy.source.text));
            let found = tree.as_ref().map(|tree| look_up(tree, key));
            matches!(found, Some(Found::There(_, Node { value: Value::Scalar { text, .. }, .. })) if text == value)
        }
        Edit::AddPath { path, access } => {
            let path = paths::resolve(path, &policy.project_root);
            let rules = policy.filesystem.paths.iter();
            rules.filter(|rule| Ok(&rule.path) == path.as_ref()).any(|rule| {
                rule.access == *access || (rule.access, *access) == (PathAccess::Write, PathAccess::Read)
            })
        }
    }
}

/// Whether two policies are the same but for what the edits are about; of that, nothing is lost.
fn is_same_beyond(before: &Policy, after: &Policy, edits: &[Edit]) -> bool {
    let (mut expected, after) = (without_places(before), without_places(after));
    for edit in edits {
        match edit {
            Edit::Remove { key: PORTS, .. } => {
                expected.network.blocked_ports.clone_from(&after.network.blocked_ports);
            }
            Edit::Add { key: DOMAINS, .. } => {
                expected.network.allowed_domains.clone_from(&after.network.allowed_domains);
            }
            Edit::Add { key: ADDRESSES, .. } => {
                expected.network.allow_addresses.clone_from(&after.network.allow_addresses);
            }
            Edit::Remove { .. } => expected.filesystem.blocked.clone_from(&after.filesystem.blocked),
            Edit::Add { .. } => expected.degrade.clone_from(&after.degrade),
            Edit::Set { key, .. } if key.starts_with("network.") => {
                expected.network = Network {
                    allowed_domains: expected.network.allowed_domains,
                    allow_addresses: expected.network.allow_addresses,
                    blocked_ports: expected.network.blocked_ports,
                    loopback: expected.network.loopback,
                    ..after.network.clone()
                };
            }
            Edit::Set { .. } => expected.execution.clone_from(&after.execution),
            Edit::AddPath { .. } => expected.filesystem.paths.clone_from(&after.filesystem.paths),
        }
    }
    let is_kept = |rule: &PathRule| {
        let same = |other: &PathRule| {
            (&other.path, other.shared, other.execute) == (&rule.path, rule.shared, rule.execute)
        };
        after.filesystem.paths.iter().any(same)
    };
    expected == after
        && before.filesystem.paths.iter().all(is_kept)
        && after.filesystem.blocked.is_subset(&before.filesystem.blocked)
        && after.degrade.is_superset(&before.degrade)
        && after.network.blocked_ports.is_subset(&before.network.blocked_ports)
        && before.network.allowed_domains.iter().all(|rule| after.network.allowed_domains.contains(rule))
        && before.network.allow_addresses.iter().all(|rule| after.network.allow_addresses.contains(rule))
}

/// What a policy says, wherever it says it.
fn without_places(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.source = Source { path: None, sha256: [0; 32], text: String::new() };
    policy.lines.clear();
    policy.warnings.clear();
    policy.filesystem.paths.iter_mut().for_each(|rule| rule.line = 0);
    policy.analysis.suppressions.iter_mut().for_each(Suppression::forget_place);
    policy
}

#[cfg(test)]
mod tests;
