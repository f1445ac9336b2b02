//! What of a record goes into the journal: all of it, or a shortened form and an object with all of it.

use std::path::Path;

use serde_json::{Value, json};
use waxcell_journal::tlog::{MAX_WHOLE, to_canonical};
use waxcell_journal::{MAX_OBJECT, MAX_PAYLOAD, Objects, SEALED_FIELDS, SEALED_ITEM};

use super::{hex, unhex};

/// The folder of the published log, in that of the journal.
const LOG: &str = "tlog";

/// What the index takes that a record gets when it is appended, at most: `"index":9007199254740991,`.
const INDEX: usize = 25;

/// Makes room: what does not fit into a record is kept as an object, which the record then names. Where it cannot be kept
/// the record says how much of its lists is left out.
pub(crate) fn fitted(mut record: Value, journal: &Path) -> Value {
    whole_numbers(&mut record);
    let all = canonical(&record);
    if all.len() + INDEX <= MAX_PAYLOAD {
        return record;
    }
    let all = if all.len() <= MAX_OBJECT { all } else { canonical(&within(record.clone(), MAX_OBJECT)) };
    if let Ok(hash) = Objects::of_log(&journal.join(LOG)).put(&all)
        && let Value::Object(fields) = &mut record
    {
        fields.insert("whole".to_owned(), json!({"sha256": hex(&hash), "bytes": all.len()}));
    }
    within(record, MAX_PAYLOAD - INDEX)
}

/// Gives a fitted record its index, and turns it into bytes.
pub(crate) fn indexed(mut record: Value, index: u64) -> Vec<u8> {
    if let Value::Object(fields) = &mut record {
        fields.insert("index".to_owned(), index.into());
    }
    canonical(&record)
}

/// A record with all that its leaf has no room for, if the object is there.
pub(crate) fn whole(payload: &[u8], journal: &Path) -> Value {
    let leaf: Value = serde_json::from_slice(payload).unwrap_or_default();
    let hash = leaf["whole"]["sha256"].as_str().and_then(unhex).and_then(|hash| hash.try_into().ok());
    let object = hash.and_then(|hash| Objects::of_log(&journal.join(LOG)).get(&hash).ok());
    whole_with(payload, object.as_deref())
}

/// A record with all that its leaf has no room for, where that is on hand.
pub(crate) fn whole_with(payload: &[u8], object: Option<&[u8]>) -> Value {
    let leaf: Value = serde_json::from_slice(payload).unwrap_or_default();
    match object.and_then(|bytes| serde_json::from_slice(bytes).ok()) {
        Some(Value::Object(mut fields)) => {
            fields.insert("index".to_owned(), leaf["index"].clone());
            fields.insert("whole".to_owned(), leaf["whole"].clone());
            Value::Object(fields)
        }
        _ => leaf,
    }
}

fn canonical(record: &Value) -> Vec<u8> {
    to_canonical(record).unwrap_or_default()
}

/// Numbers that not every reader of JSON keeps are given as texts.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            if whole.is_none_or(|whole| whole > MAX_WHOLE) {
                *value = number.to_string().into();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// Shortens a record to so many bytes, whatever a script has made of names: long lists give way to their length, then
/// long texts to their beginning. That a run ended is more than all its details.
fn within(mut record: Value, most: usize) -> Value {
    let steps = [(4096, 65536), (64, 4096), (16, 1024), (4, 256), (0, 128), (0, 32)];
    for (items, characters) in steps {
        if canonical(&record).len() <= most {
            break;
        }
        shorten(&mut record, items, characters);
    }
    record
}

/// Cuts every list of the record to a number of items, and every text to a number of characters.
fn shorten(record: &mut Value, items: usize, characters: usize) {
    let Value::Object(fields) = record else { return };
    let mut left_out = Vec::new();
    for (name, value) in fields.iter_mut() {
        let list = match value {
            Value::Array(list) if name != SEALED_FIELDS => Some(list),
            Value::Object(fields) => fields.get_mut(SEALED_FIELDS).and_then(Value::as_array_mut),
            _ => None,
        };
        if let Some(list) = list.filter(|list| list.len() > items) {
            left_out.push((format!("{name}_left_out"), list.len() - items));
            list.truncate(items);
        }
        cut_texts(value, characters);
    }
    for (name, count) in left_out {
        let before = fields.get(&name).and_then(Value::as_u64).unwrap_or(0);
        fields.insert(name, (before + count as u64).into());
    }
}

fn cut_texts(value: &mut Value, characters: usize) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(characters) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| cut_texts(value, characters)),
        Value::Object(fields) => {
            for (name, value) in fields {
                // The beginning of a hash is no hash.
                if [SEALED_FIELDS, SEALED_ITEM, "sha256"].contains(&name.as_str()) {
                    continue;
                }
                // The beginning of a path is another path.
                if name == "edits" && has_longer_text(value, characters) {
                    *value = Value::Null;
                }
                cut_texts(value, characters);
            }
        }
        _ => {}
    }
}

fn has_longer_text(value: &Value, characters: usize) -> bool {
    match value {
        Value::String(text) => text.chars().nth(characters).is_some(),
        Value::Array(list) => list.iter().any(|value| has_longer_text(value, characters)),
        Value::Object(fields) => fields.values().any(|value| has_longer_text(value, characters)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: usize, characters: usize) -> Value {
        json!({"type": "finished", "violations": vec!["x".repeat(characters); items], "n": u64::MAX, "f": 0.5})
    }

    #[test]
    fn a_record_is_never_too_long_and_all_of_it_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let journal = home.path();
        for (items, characters) in
            [(1, 10), (70, 300), (5000, 100), (3, 1 << 20), (300, 60_000), (90_000, 300)]
        {
            let record = list(items, characters);
            let fitted = fitted(record.clone(), journal);
            let payload = indexed(fitted.clone(), MAX_WHOLE);
            assert!(payload.len() <= MAX_PAYLOAD, "{items} {characters}: {}", payload.len());
            let whole = whole(&payload, journal);
            let (kept, left_out) =
                (whole["violations"].as_array().unwrap().len(), whole["violations_left_out"].as_u64());
            if items * characters < MAX_OBJECT {
                assert_eq!((&whole["violations"], left_out), (&record["violations"], None));
            } else {
                assert_eq!(kept as u64 + left_out.unwrap_or(0), items as u64);
            }
            assert_eq!((&whole["index"], &whole["n"]), (&json!(MAX_WHOLE), &json!(u64::MAX.to_string())));
            assert_eq!(fitted["whole"].is_object(), items * characters > MAX_PAYLOAD);
        }
    }

    #[test]
    fn where_the_object_cannot_be_kept_the_record_says_what_it_leaves_out() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(LOG), "in the way").unwrap();
        let payload = indexed(fitted(list(500, 100), home.path()), 7);
        assert!(payload.len() <= MAX_PAYLOAD);
        let record = whole(&payload, home.path());
        assert_eq!((&record["violations_left_out"], &record["whole"]), (&json!(436), &Value::Null));
    }
}
