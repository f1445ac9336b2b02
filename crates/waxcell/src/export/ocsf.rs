//! OCSF 1.5: a run is one Script Activity when it is over, what it was refused one Detection Finding, and every other
//! record a Base Event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::{Exported, without, without_nulls};

const VERSION: &str = "1.5.0";

/// Fields of every record that have a place of their own.
const PLACED: [&str; 8] = ["actor", "index", "run", "script", "time", "type", "v", "violations"];

/// Turns the records of a log, from the first one on, into events.
#[derive(Debug)]
pub struct Ocsf {
    origin: String,
    /// What `started` said of the runs that are not over. A journal has at most 1024 of them.
    open: BTreeMap<String, Value>,
}

impl Ocsf {
    /// For the log with this name.
    #[must_use]
    pub fn new(origin: &str) -> Ocsf {
        Ocsf { origin: origin.to_owned(), open: BTreeMap::new() }
    }

    /// The events that a record leads to: none for `started`, which waits for how the run ends.
    pub fn events(&mut self, exported: &Exported) -> Vec<Value> {
        let run = exported.text("run");
        let events = match exported.kind() {
            "started" => {
                self.open.insert(run.to_owned(), exported.record.clone());
                Vec::new()
            }
            "finished" | "refused" | "lost" => {
                let started = self.open.remove(run).unwrap_or_default();
                let found = self.finding(exported, &started);
                std::iter::once(self.activity(exported, &started)).chain(found).collect()
            }
            _ => vec![self.other(exported)],
        };
        events.into_iter().map(without_nulls).collect()
    }

    fn activity(&self, exported: &Exported, started: &Value) -> Value {
        let record = &exported.record;
        let (begin, end) = (milliseconds(&started["time"]), milliseconds(&record["time"]));
        let verdict = record["verdict"].as_str().unwrap_or("lost");
        let (status_id, status) = match verdict {
            "ok" => (1, "Success"),
            "lost" => (0, "Unknown"),
            _ => (2, "Failure"),
        };
        let of = first_known(&started["script"], &record["script"]);
        let mut event = self.event(exported, started, (1, "System Activity"), (1009, "Script Activity"));
        extend(
            &mut event,
            json!({
                "activity_id": 1,
                "activity_name": "Execute",
                "type_uid": 100_901,
                "type_name": "Script Activity: Execute",
                "start_time": begin,
                "end_time": begin.and(end),
                "duration": begin.zip(end).map(|(begin, end)| end.saturating_sub(begin)),
                "status_id": status_id,
                "status": status,
                "status_code": record["exit_code"].as_u64().map(|code| code.to_string()),
                "status_detail": record["cause"],
                "message": format!("run {}: {verdict}", exported.text("run")),
                "script": script(of, exported.text("run")),
                "unmapped": {"started": rest(started), exported.kind(): rest(record)},
            }),
        );
        extend(&mut event, severity(verdict));
        event
    }

    /// What was refused in a run.
    fn finding(&self, exported: &Exported, started: &Value) -> Option<Value> {
        let record = &exported.record;
        let violations = record["violations"].as_array().filter(|list| !list.is_empty())?;
        let begin = milliseconds(&started["time"]);
        let since = |name: &str, value: &Value| Some(begin? + value[name].as_u64()?);
        let kinds: BTreeSet<&str> = violations.iter().filter_map(|one| one["operation"].as_str()).collect();
        let count: u64 = violations.iter().filter_map(|one| one["count"].as_u64()).sum();
        let evidences = violations.iter().map(|one| json!({"name": one["operation"], "data": one}));
        let mut event = self.event(exported, started, (2, "Findings"), (2004, "Detection Finding"));
        event["metadata"]["uid"] = format!("{}/violations", exported.id(&self.origin)).into();
        event["metadata"]["profiles"] = json!(["host"]);
        extend(
            &mut event,
            json!({
                "activity_id": 1,
                "activity_name": "Create",
                "type_uid": 200_401,
                "type_name": "Detection Finding: Create",
                "status_id": 1,
                "status": "New",
                "count": count,
                "message": format!("run {}: {count} operations refused", exported.text("run")),
                "finding_info": {
                    "uid": exported.id(&self.origin),
                    "title": "operations that the sandbox refused",
                    "types": kinds,
                    "created_time": milliseconds(&record["time"]),
                    "first_seen_time": violations.iter().filter_map(|one| since("first_ms", one)).min(),
                    "last_seen_time": violations.iter().filter_map(|one| since("last_ms", one)).max(),
                },
                "evidences": evidences.collect::<Vec<_>>(),
            }),
        );
        extend(&mut event, severity(if record["verdict"] == "violation" { "violation" } else { "timeout" }));
        Some(event)
    }

    fn other(&self, exported: &Exported) -> Value {
        let mut event = self.event(exported, &Value::Null, (0, "Uncategorized"), (0, "Base Event"));
        extend(
            &mut event,
            json!({
                "activity_id": 99,
                "activity_name": exported.kind(),
                "type_uid": 99,
                "type_name": "Base Event: Other",
                "message": match exported.text("run") {
                    run if run.bytes().all(|digit| digit == b'0') => exported.kind().to_owned(),
                    run => format!("{} of run {run}", exported.kind()),
                },
                "unmapped": {exported.kind(): rest(&exported.record)},
            }),
        );
        extend(&mut event, severity("ok"));
        event
    }

    /// What all events have: class, time, where it stands in the log, who and where.
    fn event(
        &self,
        exported: &Exported,
        started: &Value,
        category: (u32, &str),
        class: (u32, &str),
    ) -> Value {
        let record = &exported.record;
        let who = first_known(&started["actor"], &record["actor"]);
        let device = who["host"].as_str().map(|host| {
            json!({
                "hostname": host,
                "type_id": 0,
                "type": "Unknown",
                "os": {"name": "Linux", "type_id": 200, "type": "Linux"},
            })
        });
        json!({
            "category_uid": category.0,
            "category_name": category.1,
            "class_uid": class.0,
            "class_name": class.1,
            "time": milliseconds(&record["time"]),
            "metadata": {
                "version": VERSION,
                "product": {"name": "Waxcell", "vendor_name": "Waxcell"},
                "uid": exported.id(&self.origin),
                "correlation_uid": record["run"],
                "event_code": exported.kind(),
                "log_name": self.origin,
                "log_version": record["v"].as_u64().map(|v| v.to_string()),
                "original_time": record["time"],
                "sequence": exported.index,
            },
            "actor": who.is_object().then(|| actor(who)),
            "device": device,
        })
    }
}

fn actor(who: &Value) -> Value {
    json!({
        "user": {"name": who["user"], "uid": who["uid"].as_u64().map(|uid| uid.to_string())},
        "process": {"pid": who["pid"]},
    })
}

/// The class demands the content, which is on record nowhere: an empty text that says so.
fn script(script: &Value, run: &str) -> Value {
    let hashes = script["sha256"]
        .as_str()
        .map(|hash| json!([{"algorithm_id": 3, "algorithm": "SHA-256", "value": hash}]));
    let file = script["path"].as_str().map(|path| {
        json!({
            "path": path,
            "name": path.rsplit('/').next(),
            "type_id": 1,
            "type": "Regular File",
            "size": script["bytes"],
            "hashes": hashes,
        })
    });
    json!({
        "type_id": 3,
        "type": "Python",
        "uid": run,
        "script_content": {"value": "", "is_truncated": true, "untruncated_size": script["bytes"]},
        "hashes": hashes,
        "file": file,
    })
}

/// How much it matters to whoever watches many hosts, by the verdict.
fn severity(verdict: &str) -> Value {
    let (id, name) = match verdict {
        "ok" | "failed" => (1, "Informational"),
        "refused" | "error" | "lost" => (3, "Medium"),
        "violation" => (4, "High"),
        _ => (2, "Low"),
    };
    json!({"severity_id": id, "severity": name})
}

/// What OCSF has no place for, under our names.
fn rest(record: &Value) -> Value {
    if record.is_object() { without(record, &PLACED) } else { Value::Null }
}

fn first_known<'a>(one: &'a Value, other: &'a Value) -> &'a Value {
    if one.is_null() { other } else { one }
}

fn extend(event: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (event, more) {
        fields.extend(more);
    }
}

/// A time of a record in milliseconds since 1970.
fn milliseconds(time: &Value) -> Option<u64> {
    let time = humantime::parse_rfc3339(time.as_str()?).ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(index: u64, record: Value) -> Exported {
        Exported { index, record, leaf_hash: [0; 32] }
    }

    #[test]
    fn every_verdict_has_a_status_and_a_severity() {
        for (verdict, status, severity) in [
            ("ok", 1, 1),
            ("failed", 2, 1),
            ("timeout", 2, 2),
            ("memory_limit", 2, 2),
            ("killed", 2, 2),
            ("refused", 2, 3),
            ("error", 2, 3),
            ("violation", 2, 4),
        ] {
            let record = json!({"type": "finished", "run": "r", "verdict": verdict, "exit_code": 1});
            let event = Ocsf::new("log").events(&exported(1, record)).remove(0);
            assert_eq!(
                (&event["status_id"], &event["severity_id"]),
                (&json!(status), &json!(severity)),
                "{verdict}"
            );
        }
        let lost = Ocsf::new("log").events(&exported(1, json!({"type": "lost", "run": "r"}))).remove(0);
        assert_eq!((&lost["status_id"], &lost["severity_id"]), (&json!(0), &json!(3)));
    }

    #[test]
    fn a_run_is_one_activity_with_what_was_known_at_its_start() {
        let mut events = Ocsf::new("log");
        let started = json!({
            "type": "started", "run": "r", "time": "1970-01-01T00:00:01.000000Z", "v": 1, "args": [{"...": "d"}],
            "script": {"path": "/p/s.py", "sha256": "ab", "bytes": 7}, "actor": {"uid": 0, "user": null, "host": "h", "pid": 9},
        });
        assert_eq!(events.events(&exported(0, started)), Vec::<Value>::new());
        let finished = json!({
            "type": "finished", "run": "r", "time": "1970-01-01T00:00:03.500000Z", "v": 1, "verdict": "ok", "exit_code": 0,
            "violations": [
                {"operation": "fs.read", "count": 2, "first_ms": 5, "last_ms": 90},
                {"operation": "fs.read", "count": 1, "first_ms": 3, "last_ms": 4},
            ],
        });
        let made = events.events(&exported(1, finished));
        let [activity, finding] = &made[..] else { panic!("{made:#?}") };
        assert_eq!((&activity["class_uid"], &activity["type_uid"]), (&json!(1009), &json!(100_901)));
        assert_eq!((&activity["start_time"], &activity["time"]), (&json!(1000), &json!(3500)));
        assert_eq!(activity["duration"], 2500);
        assert_eq!(
            activity["script"]["script_content"],
            json!({"value": "", "is_truncated": true, "untruncated_size": 7})
        );
        assert_eq!(activity["script"]["file"]["name"], "s.py");
        assert_eq!(activity["actor"], json!({"user": {"uid": "0"}, "process": {"pid": 9}}));
        assert_eq!(activity["unmapped"]["started"]["args"], json!([{"...": "d"}]));
        assert_eq!((&finding["class_uid"], &finding["count"]), (&json!(2004), &json!(3)));
        let info = &finding["finding_info"];
        assert_eq!((&info["first_seen_time"], &info["last_seen_time"]), (&json!(1003), &json!(1090)));
        assert_eq!(info["types"], json!(["fs.read"]));
    }
}
