//! An in-toto statement about one run: what ran, under which policy, what it did. The predicate is `runtime-trace`.

use serde_json::{Value, json};

use super::{Exported, without, without_nulls};
use crate::record::hex;

/// The type of what an envelope around a statement carries.
pub const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";

const PREDICATE: &str = "https://in-toto.io/attestation/runtime-trace/v0.1";
const MONITOR: &str = "https://github.com/waxcell/waxcell/sandbox/v1";
const RUN: &str = "https://github.com/waxcell/waxcell/run/v1";

/// There is nothing that a statement could be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The run is still going on, or waits to be found lost.
    #[error("the run is not over: no record closes it")]
    Open,
    /// Nobody read the script, so it has no hash.
    #[error("the script of the run could not be read, so there is no hash that a statement could be about")]
    NoScript,
}

/// The statement about a run, given all its records in their order. `origin` is the name of the log.
///
/// # Errors
///
/// See [`StatementError`].
pub fn statement(records: &[Exported], origin: &str) -> Result<Value, StatementError> {
    let find = |kinds: &[&str]| records.iter().find(|one| kinds.contains(&one.kind()));
    let end = &find(&["finished", "refused", "lost"]).ok_or(StatementError::Open)?.record;
    // What was refused before it was started says all by itself.
    let begin = find(&["started"]).map_or(end, |one| &one.record);
    let script = &begin["script"];
    let hash = script["sha256"].as_str().ok_or(StatementError::NoScript)?;
    let written = list(records.iter().map(|one| &one.record["paths"]));

    let mut subject = vec![json!({"name": script["path"], "digest": {"sha256": hash}})];
    // Only what was committed has hashes on record.
    let committed = written.iter().filter(|file| file["sha256"].is_string());
    subject.extend(committed.map(|file| json!({"name": file["path"], "digest": {"sha256": file["sha256"]}})));
    let changed = list(std::iter::once(&end["files_changed"]));
    let places =
        changed.iter().map(|file| json!({"name": file["path"], "annotations": without(file, &["path"])}));
    let interpreter = &begin["interpreter"];
    let process = json!({
        "program": interpreter["real"],
        "program_sha256": interpreter["sha256"],
        "script": script["path"],
        "args": begin["args"],
        "actor": begin["actor"],
        "end": without(end, &["v", "type", "index", "time", "run", "script", "args", "actor", "policy", "network", "files_changed"]),
    });
    let policy = &begin["policy"];
    let in_log = records
        .iter()
        .map(|one| json!({"index": one.index, "type": one.kind(), "leaf_hash": hex(&one.leaf_hash)}));
    Ok(without_nulls(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": PREDICATE,
        "predicate": {
            "monitor": {
                "type": MONITOR,
                "configSource": {
                    "name": name_of(policy),
                    "digest": policy["sha256"].as_str().map(|hash| json!({"sha256": hash})),
                },
                "tracePolicy": {"plan": begin["plan"]},
            },
            "monitoredProcess": {"hostID": origin, "type": RUN, "event": begin["run"]},
            "monitorLog": {
                "process": [process],
                "network": list(std::iter::once(&end["network"])),
                "fileAccess": places.collect::<Vec<_>>(),
            },
            "metadata": {
                "buildStartedOn": begin["time"],
                "buildFinishedOn": end["time"],
                "waxcell_log": {"origin": origin, "records": in_log.collect::<Vec<_>>()},
            },
        },
    })))
}

/// A null says that the policy is the built-in one; a path that is not there is kept apart from the record.
fn name_of(policy: &Value) -> Option<&str> {
    match policy.get("path")? {
        Value::Null => Some("built-in"),
        path => path.as_str(),
    }
}

fn list<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    values.filter_map(Value::as_array).flatten().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_whose_path_is_sealed_is_not_the_built_in_one() {
        assert_eq!(name_of(&json!({"path": null, "sha256": "ab"})), Some("built-in"));
        assert_eq!(name_of(&json!({"path": "/p.yml"})), Some("/p.yml"));
        assert_eq!(name_of(&json!({"_sd": ["d"], "sha256": "ab"})), None);
    }

    fn exported(index: u64, record: Value) -> Exported {
        Exported { index, record, leaf_hash: [1; 32] }
    }

    #[test]
    fn a_statement_is_about_the_script_and_what_was_committed() {
        let started =
            json!({"type": "started", "run": "r", "time": "t0", "script": {"path": "/s.py", "sha256": "ab"}});
        let finished = json!({
            "type": "finished", "run": "r", "time": "t1", "verdict": "ok",
            "files_changed": [{"path": "/d/x", "change": "created", "size": 2}],
        });
        let operator = json!({"type": "operator", "run": "r", "paths": [{"path": "/d/x", "sha256": "cd"}, {"path": "/d/y", "sha256": null}]});
        let records = [exported(0, started.clone()), exported(1, finished), exported(2, operator)];
        let made = statement(&records, "host/log").expect("a statement");
        assert_eq!(
            made["subject"],
            json!([
                {"name": "/s.py", "digest": {"sha256": "ab"}},
                {"name": "/d/x", "digest": {"sha256": "cd"}},
            ])
        );
        let predicate = &made["predicate"];
        assert_eq!(
            predicate["monitorLog"]["fileAccess"],
            json!([{"name": "/d/x", "annotations": {"change": "created", "size": 2}}])
        );
        assert_eq!(predicate["metadata"]["buildFinishedOn"], "t1");
        assert_eq!(predicate["metadata"]["waxcell_log"]["records"][2]["index"], 2);

        assert_eq!(statement(&records[..1], "host/log"), Err(StatementError::Open));
        let unread = json!({"type": "refused", "run": "r", "script": {"path": "/s.py", "sha256": null}});
        assert_eq!(statement(&[exported(0, unread)], "host/log"), Err(StatementError::NoScript));
    }
}
