//! CloudEvents 1.0, in JSON.

use serde_json::{Value, json};

use super::{Exported, without_nulls};
use crate::record::hex;

/// What a type begins with; behind it comes that of the record.
const PREFIX: &str = "io.waxcell.record.";

/// A record of the log `origin` as an event. Its hash is an extension attribute.
#[must_use]
pub fn cloud_event(exported: &Exported, origin: &str) -> Value {
    let mut event = without_nulls(json!({
        "specversion": "1.0",
        "id": exported.id(origin),
        "source": origin,
        "type": format!("{PREFIX}{}", exported.kind()),
        "subject": exported.record["run"],
        "time": exported.record["time"],
        "datacontenttype": "application/json",
        "leafhash": hex(&exported.leaf_hash),
    }));
    event["data"] = exported.record.clone();
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_record_as_it_is() {
        let record = json!({"index": 3, "type": "lost", "run": "ab", "time": "2026-01-02T03:04:05.000000Z", "x": null});
        let exported = Exported { index: 3, record: record.clone(), leaf_hash: [0xab; 32] };
        let expected = json!({
            "specversion": "1.0", "id": "host/log/3", "source": "host/log", "type": "io.waxcell.record.lost",
            "subject": "ab", "time": "2026-01-02T03:04:05.000000Z", "datacontenttype": "application/json",
            "leafhash": "ab".repeat(32), "data": record,
        });
        assert_eq!(cloud_event(&exported, "host/log"), expected);
    }
}
