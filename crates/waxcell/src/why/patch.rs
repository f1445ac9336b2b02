//! The change of the policy that would allow what a run was refused, as a diff of its file.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Why;
use crate::diff;
use crate::edit::Edit;
use crate::policy::{self, AmendError, LoadError, Policy};

/// A change of a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The file that is changed, or made.
    pub file: PathBuf,
    /// A unified diff; empty if the policy allows all of it already.
    pub diff: String,
    /// The folder in which it applies, with `patch -p0`.
    pub folder: PathBuf,
    /// What is not in it although a policy might allow it, and why.
    pub left: Vec<Left>,
}

/// What is not in a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which violation, from 1; 0: the run itself.
    pub number: usize,
    /// Why.
    pub why: String,
}

/// Why there is no patch.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// There is nothing that a policy could allow.
    #[error("no change of the policy would allow what was refused in this run")]
    Nothing,
    /// It is not known which policy it was.
    #[error("the record does not say which policy it was")]
    NoPolicy,
    /// The policy cannot be used as it is now.
    #[error("the policy cannot be used as it is now: {}", .0.cause())]
    Policy(LoadError),
}

impl Why {
    /// The smallest change of the policy, as it is now, that allows everything that a policy can allow. Names in the diff
    /// are relative to `cwd` if the policy lies below it, else to the policy's own folder.
    ///
    /// # Errors
    ///
    /// When there is nothing to allow, or no policy to change.
    pub fn patch(&self, cwd: &Path) -> Result<Patch, PatchError> {
        let groups = self.all_edits();
        if groups.is_empty() {
            return Err(PatchError::Nothing);
        }
        let policy = self.policy_now()?;
        let file = policy::file_of(&policy);
        let (edits, left) = possible(&policy, groups);
        let mark = byte_order_mark(&policy);
        let is_there = policy.source.path.is_some();
        let old = if is_there { [mark, &policy.source.text].concat() } else { String::new() };
        let new = policy::amend(&policy, &edits).map_or_else(|_| old.clone(), |text| [mark, &text].concat());
        let folder = match file.strip_prefix(cwd) {
            Ok(_) => cwd,
            Err(_) => file.parent().unwrap_or(Path::new("/")),
        };
        let name = header(file.strip_prefix(folder).unwrap_or(&file));
        let diff = diff::unified((is_there.then_some(name.as_str()), &old), (&name, &new));
        Ok(Patch { folder: folder.to_owned(), diff, left, file })
    }

    /// The policy that held, as it is now; one that was made meanwhile where there was none.
    fn policy_now(&self) -> Result<Policy, PatchError> {
        let root = self.project_root.as_deref().ok_or(PatchError::NoPolicy).map(Path::new)?;
        let builtin = policy::builtin(root);
        let made = policy::file_of(&builtin);
        let path = match &self.policy.path {
            Some(path) => Path::new(path),
            None if made.symlink_metadata().is_ok() => &made,
            None => return Ok(builtin),
        };
        policy::load(path).map_err(PatchError::Policy)
    }
}

/// The edits that can be made together, and those that cannot.
fn possible(policy: &Policy, groups: Vec<(usize, &[Edit])>) -> (Vec<Edit>, Vec<Left>) {
    let union = |kept: &[Edit], more: &[Edit]| {
        let mut edits = kept.to_vec();
        edits.extend(more.iter().filter(|edit| !kept.contains(edit)).cloned());
        edits
    };
    let all = groups.iter().fold(Vec::new(), |all, (_, edits)| union(&all, edits));
    if policy::amend(policy, &all).is_ok() {
        return (all, Vec::new());
    }
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    for (number, edits) in groups {
        let more = union(&kept, edits);
        match policy::amend(policy, &more) {
            Ok(_) => kept = more,
            Err(error) => left.push(Left { number, why: reason(&error) }),
        }
    }
    (kept, left)
}

fn reason(error: &AmendError) -> String {
    match error {
        AmendError::ByHand(_) => error.to_string(),
        AmendError::Refused(error) => error.cause(),
    }
}

/// What stands before the text of some files, and is no part of it.
fn byte_order_mark(policy: &Policy) -> &'static str {
    let hash: [u8; 32] = Sha256::digest(policy.source.text.as_bytes()).into();
    if hash == policy.source.sha256 { "" } else { "\u{feff}" }
}

/// A name in the head of a diff: in quotes as C has them where it holds what would end it, and with a tab behind it where
/// a space would.
fn header(name: &Path) -> String {
    let bytes = name.as_os_str().as_bytes();
    let text =
        name.to_str().filter(|text| !text.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')));
    if let Some(text) = text {
        return if text.contains(' ') { format!("{text}\t") } else { text.to_owned() };
    }
    let mut quoted = String::from("\"");
    for byte in bytes {
        let _ = match byte {
            b'"' | b'\\' => write!(quoted, "\\{}", char::from(*byte)),
            0x20..=0x7e => write!(quoted, "{}", char::from(*byte)),
            _ => write!(quoted, "\\{byte:03o}"),
        };
    }
    quoted + "\""
}
