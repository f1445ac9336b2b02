//! Records in forms that other software reads: which field becomes which is in `docs/export.md`.

mod cloud_events;
mod in_toto;
mod ocsf;

use serde_json::{Map, Value};

pub use cloud_events::cloud_event;
pub use in_toto::{STATEMENT_TYPE, StatementError, statement};
pub use ocsf::Ocsf;

use crate::record::hex;

/// A record to be exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// Its number.
    pub index: u64,
    /// What it says: as the log has it, or with the values that are kept apart.
    pub record: Value,
    /// The hash of its leaf in the log.
    pub leaf_hash: [u8; 32],
}

impl Exported {
    /// The record as it is, with `leaf_hash`. Without that field, and where nothing was put back, it is the leaf.
    #[must_use]
    pub fn json_line(&self) -> Value {
        let mut record = self.record.clone();
        if let Value::Object(fields) = &mut record {
            fields.insert("leaf_hash".to_owned(), hex(&self.leaf_hash).into());
        }
        record
    }

    fn kind(&self) -> &str {
        self.text("type")
    }

    fn text(&self, name: &str) -> &str {
        self.record[name].as_str().unwrap_or_default()
    }

    /// A name for it that no other record anywhere has.
    fn id(&self, origin: &str) -> String {
        format!("{origin}/{}", self.index)
    }
}

/// The fields of a record but for some.
fn without(record: &Value, names: &[&str]) -> Value {
    let fields = record.as_object().cloned().unwrap_or_default();
    Value::Object(fields.into_iter().filter(|(name, _)| !names.contains(&name.as_str())).collect())
}

/// Leaves out what is not known: a null is an error for many readers. Lists keep their places.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let known = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(known.map(|(name, value)| (name, without_nulls(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
