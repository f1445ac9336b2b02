//! What was refused in a run, by what, and what would allow it: from the record, for people and programs.
//!
//! The record says what happened; files are only looked at for what makes it easier to read (the line of the script, if
//! its bytes are those that ran) and for the patch of the policy, which is made for the policy as it is now.

mod find;
mod patch;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use waxcell_journal::{ERASED, Record};
use waxcell_operations::Operation;

use crate::edit::Edit;
use crate::limit::Limit;
use crate::own_files;
use crate::record;

pub use find::{WhyError, records_of};
pub use patch::{Left, Patch, PatchError};

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran, and ended.
    Finished,
    /// Nothing of it ran.
    Refused,
    /// It ran, and nobody was left to say how it ended.
    Lost,
    /// It is going on; or nobody has found yet that it is lost.
    Open,
}

/// The answer about one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The run's name.
    pub run: String,
    /// When it began.
    pub time: String,
    /// The script's path, and the hash of what ran; null where it could not be read.
    pub script: File,
    /// The policy's path (null: built-in), and its hash.
    pub policy: File,
    /// What relative paths of the policy start at.
    pub project_root: Option<String>,
    /// How far it came.
    pub outcome: Outcome,
    /// The verdict, in one word; null while there is none.
    pub verdict: Option<String>,
    /// The verdict in a sentence.
    pub cause: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// The exit code of `waxcell run`.
    pub exit_code: Option<i64>,
    /// The limit that was reached.
    pub limit: Option<Limit>,
    /// Changes of the policy with which the run would have begun, or gone on; for a limit, a guess.
    pub edits: Vec<Edit>,
    /// What was refused, in the order in which it was tried.
    pub violations: Vec<Denied>,
    /// How many more there were that the record has no room for.
    pub violations_left_out: u64,
    /// How often something was refused on targets beyond those that are told apart.
    pub violations_beyond: u64,
    /// Whether the script's file is still what ran; null if it cannot be read.
    pub script_unchanged: Option<bool>,
    /// Whether the policy's file is still what held; null if it cannot be read, or there was none.
    pub policy_unchanged: Option<bool>,
}

/// A file that a record names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it was.
    #[serde(default)]
    pub path: Option<String>,
    /// SHA-256 of its bytes.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// An attempt that was refused, as a record tells it, and what can be said of it beside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Denied {
    /// The operation.
    pub operation: String,
    /// What the operation is, in words.
    #[serde(skip_deserializing)]
    pub summary: Option<&'static str>,
    /// On what.
    pub target: String,
    /// Its bytes, where they are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_hex: Option<String>,
    /// What decided.
    pub rule: String,
    /// What stopped it.
    pub layer: String,
    /// The error that the script got.
    pub errno: i32,
    /// How often.
    pub count: u64,
    /// When first, in milliseconds from the start.
    pub first_ms: u64,
    /// When last.
    pub last_ms: u64,
    /// Who tried first.
    pub process: Option<u32>,
    /// Its thread.
    pub thread: Option<u32>,
    /// What it executed.
    pub program: Option<String>,
    /// The line of `file`, or of the script.
    pub line: Option<u32>,
    /// The file, if it is another than the script.
    pub file: Option<String>,
    /// The line of the script that led there.
    pub script_line: Option<u32>,
    /// The text of the script's line, if the script is still what ran.
    #[serde(skip_deserializing)]
    pub source: Option<String>,
    /// What would allow it, in words; null: no policy can.
    pub allow: Option<String>,
    /// The same for programs; null: it was too long for the record.
    #[serde(deserialize_with = "known_edits")]
    pub edits: Option<Vec<Edit>>,
}

impl Why {
    /// The answer from the records of one run ([`records_of`]) of a state directory; `None` if they do not say how it
    /// began.
    pub fn of(state: &Path, records: &[Record]) -> Option<Why> {
        let values: Vec<Value> = records
            .iter()
            .map(|one| record::read_archived(state, &one.payload, one.object.as_deref()))
            .collect();
        let is = |value: &Value, kinds: &[&str]| kinds.iter().any(|kind| value["type"] == *kind);
        let begun = values.iter().find(|value| is(value, &["started", "refused"]))?;
        let ended = values.iter().rfind(|value| is(value, &["finished", "refused", "lost"]));
        let outcome = match ended.and_then(|ended| ended["type"].as_str()) {
            Some("finished") => Outcome::Finished,
            Some("refused") => Outcome::Refused,
            Some(_) => Outcome::Lost,
            None => Outcome::Open,
        };
        let nothing = Value::Null;
        let ended = ended.unwrap_or(&nothing);
        let violations = ended["violations"].as_array().into_iter().flatten();
        let mut why = Why {
            run: text(&begun["run"]).unwrap_or_default(),
            time: text(&begun["time"]).unwrap_or_default(),
            script: part(&begun["script"]).unwrap_or_default(),
            policy: part(&begun["policy"]).unwrap_or_default(),
            project_root: text(&begun["policy"]["project_root"]),
            outcome,
            verdict: text(&ended["verdict"]),
            cause: text(&ended["cause"]),
            help: text(&ended["help"]),
            exit_code: ended["exit_code"].as_i64(),
            limit: part(&ended["limit"]),
            edits: part(&ended["edits"]).unwrap_or_default(),
            violations: violations.filter_map(part).collect(),
            violations_left_out: ended["violations_left_out"].as_u64().unwrap_or(0),
            violations_beyond: ended["violations_beyond"].as_u64().unwrap_or(0),
            script_unchanged: None,
            policy_unchanged: None,
        };
        for violation in &mut why.violations {
            if violation.target.is_empty() {
                violation.target = ERASED.to_owned();
            }
            violation.summary = Operation::parse(&violation.operation).map(Operation::summary);
        }
        why.look_at_policy();
        why.look_at_script(&path_of(&begun["script"]));
        Some(why)
    }

    fn look_at_policy(&mut self) {
        let Some(path) = &self.policy.path else { return };
        let hash = match crate::policy::load(Path::new(path)) {
            Ok(policy) => Some(policy.source.sha256),
            Err(error) => error.sha256(),
        };
        self.policy_unchanged = hash.map(|hash| Some(record::hex(&hash)) == self.policy.sha256);
    }

    /// Adds the lines of the script, if they are those that ran.
    fn look_at_script(&mut self, path: &Path) {
        let Ok(bytes) = own_files::read(path) else { return };
        let is_it = Some(record::hex(&Sha256::digest(&bytes))) == self.script.sha256;
        self.script_unchanged = Some(is_it);
        if !is_it {
            return;
        }
        for violation in &mut self.violations {
            let line = if violation.file.is_some() { violation.script_line } else { violation.line };
            violation.source = line.and_then(|line| line_of(&bytes, line));
        }
    }

    /// All edits that a policy can take, each with the number of the violation (from 1) that it is for; 0: the run itself.
    fn all_edits(&self) -> Vec<(usize, &[Edit])> {
        let violations =
            self.violations.iter().map(|violation| violation.edits.as_deref().unwrap_or_default());
        let all = std::iter::once(self.edits.as_slice()).chain(violations).enumerate();
        all.filter(|(_, edits)| !edits.is_empty()).collect()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A part of a record, if this version can read it.
fn part<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// A newer version may know edits that this one does not.
fn known_edits<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<Vec<Edit>>, D::Error> {
    Ok(part(&Value::deserialize(source)?))
}

/// The path of a script, in its own bytes.
fn path_of(script: &Value) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = script["path_hex"]["0"].as_str().and_then(record::unhex);
    match bytes {
        Some(bytes) => std::ffi::OsString::from_vec(bytes).into(),
        None => script["path"].as_str().unwrap_or_default().into(),
    }
}

/// A line of a script, as Python counts them, without the white space around it.
fn line_of(bytes: &[u8], number: u32) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let line = text.split('\n').nth((number as usize).checked_sub(1)?)?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}
