//! Values that a record holds only the digest of, as RFC 9901 has it: `_sd` in place of fields, `{"...": digest}` in place of
//! items of lists. Finding them, and putting those back that are disclosed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::disclosures::{digest_of, disclosed};

/// The field with the digests of fields.
pub const SEALED_FIELDS: &str = "_sd";
/// The only field of an object that stands for an item of a list.
pub const SEALED_ITEM: &str = "...";
/// What is shown in place of a value that was erased.
pub const ERASED: &str = "<erased>";

/// A value that a record keeps apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// Where it stood: names and numbers from the top, with dots between them; of a field as far as its disclosure tells.
    pub path: String,
    /// What stands there now.
    pub digest: String,
    /// The value, if it is disclosed.
    pub value: Option<Value>,
}

impl Apart {
    /// Whether it is the field with this name, or below it.
    #[must_use]
    pub fn is_at(&self, name: &str) -> bool {
        self.path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// Puts the values back that are disclosed, by their digests, and says of the others that they are erased. Gives all that
/// were apart.
pub fn unseal(record: &mut Value, texts: &BTreeMap<String, String>) -> Vec<Apart> {
    let mut found = Vec::new();
    unseal_at(record, "", texts, &mut found);
    found
}

fn unseal_at(value: &mut Value, path: &str, texts: &BTreeMap<String, String>, found: &mut Vec<Apart>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Array(items) => {
            for (number, item) in items.iter_mut().enumerate() {
                let path = below(&number.to_string());
                match item.get(SEALED_ITEM).and_then(Value::as_str) {
                    Some(digest) => {
                        let digest = digest.to_owned();
                        let value = match said(texts, &digest).as_deref() {
                            Some([_, value]) => Some(value.clone()),
                            _ => None,
                        };
                        *item = value.clone().unwrap_or_else(|| ERASED.into());
                        found.push(Apart { path, digest, value });
                    }
                    None => unseal_at(item, &path, texts, found),
                }
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut().filter(|(name, _)| *name != SEALED_FIELDS) {
                unseal_at(value, &below(name), texts, found);
            }
            let Some(Value::Array(digests)) = fields.remove(SEALED_FIELDS) else { return };
            let mut erased = 0;
            for digest in digests.iter().filter_map(Value::as_str) {
                let (path, value) = match said(texts, digest).as_deref() {
                    Some([_, Value::String(name), value]) if !fields.contains_key(name) => {
                        fields.insert(name.clone(), value.clone());
                        (below(name), Some(value.clone()))
                    }
                    _ => {
                        erased += 1;
                        (below(""), None)
                    }
                };
                found.push(Apart { path, digest: digest.to_owned(), value });
            }
            if erased > 0 {
                fields.insert(ERASED.to_owned(), erased.into());
            }
        }
        _ => {}
    }
}

/// What the disclosure with a digest says.
fn said(texts: &BTreeMap<String, String>, digest: &str) -> Option<Vec<Value>> {
    serde_json::from_slice(&disclosed(texts.get(digest)?)?).ok()
}

/// What a proof of a record carries as its `extra`: the record, and behind it the disclosures that somebody chose to show,
/// one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<'a> {
    /// The record: the leaf of the log.
    pub record: &'a [u8],
    rest: Option<&'a [u8]>,
}

/// What stands behind the record of a proof discloses nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenError {
    /// The record is none.
    #[error("values are disclosed of what is no record")]
    NoRecord,
    /// It is no text.
    #[error("what the proof discloses is not UTF-8")]
    NotText,
    /// A line is not the disclosure of a value that the record has the digest of, or is there twice.
    #[error("value {0} that the proof discloses is none that the record has the digest of")]
    Foreign(usize),
}

impl Proven<'_> {
    /// Reads what a proof carries. A record is canonical JSON, which has no line feed.
    #[must_use]
    pub fn of(extra: &[u8]) -> Proven<'_> {
        match extra.iter().position(|&byte| byte == b'\n') {
            Some(end) => Proven { record: &extra[..end], rest: Some(&extra[end + 1..]) },
            None => Proven { record: extra, rest: None },
        }
    }

    /// What a proof is to carry that discloses these values of its record.
    #[must_use]
    pub fn extra(record: &[u8], disclosures: &[&str]) -> Vec<u8> {
        let lines = disclosures.iter().flat_map(|text| [b"\n", text.as_bytes()].concat());
        record.iter().copied().chain(lines).collect()
    }

    /// The values that are disclosed, each of which the record has the digest of.
    ///
    /// # Errors
    ///
    /// When something else stands there.
    pub fn values(&self) -> Result<Vec<Apart>, ProvenError> {
        let Some(rest) = self.rest else { return Ok(Vec::new()) };
        let lines: Vec<&str> =
            std::str::from_utf8(rest).map_err(|_| ProvenError::NotText)?.split('\n').collect();
        let mut record: Value = serde_json::from_slice(self.record).map_err(|_| ProvenError::NoRecord)?;
        let texts = lines.iter().map(|text| (digest_of(text), (*text).to_owned())).collect();
        let values: Vec<Apart> =
            unseal(&mut record, &texts).into_iter().filter(|one| one.value.is_some()).collect();
        for (nth, text) in lines.iter().enumerate() {
            let digest = digest_of(text);
            if lines[..nth].contains(text) || !values.iter().any(|value| value.digest == digest) {
                return Err(ProvenError::Foreign(nth + 1));
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::disclosures::disclosure_of;

    fn text(parts: &Value) -> String {
        disclosure_of(parts.to_string().as_bytes())
    }

    #[test]
    fn what_a_proof_discloses_is_what_the_record_has_the_digest_of() {
        let (arg, cwd) = (text(&json!(["salt", "--bip"])), text(&json!(["salt", "cwd", "/home/x"])));
        let record =
            json!({"args": [{"...": digest_of(&arg)}], "_sd": [digest_of(&cwd)], "index": 3}).to_string();
        let values = |lines: &[&str]| {
            let extra = Proven::extra(record.as_bytes(), lines);
            let proven = Proven::of(&extra);
            assert_eq!(proven.record, record.as_bytes());
            let values = proven.values()?;
            Ok(values.into_iter().map(|one| (one.path, one.value.unwrap_or_default())).collect::<Vec<_>>())
        };
        assert_eq!(values(&[]), Ok(vec![]));
        let (shown_arg, shown_cwd) =
            (("args.0".to_owned(), json!("--bip")), ("cwd".to_owned(), json!("/home/x")));
        assert_eq!(values(&[&arg]), Ok(vec![shown_arg.clone()]));
        assert_eq!(values(&[&cwd, &arg]), Ok(vec![shown_arg, shown_cwd]));
        let other = text(&json!(["other salt", "--bip"]));
        for (lines, nth) in [
            (vec![other.as_str()], 1),
            (vec![&arg, &arg], 2),
            (vec![&arg, ""], 2),
            (vec![""], 1),
            (vec![&cwd, "nonsense"], 2),
        ] {
            assert_eq!(values(&lines), Err(ProvenError::Foreign(nth)), "{lines:?}");
        }
        let mut extra = Proven::extra(record.as_bytes(), &[&arg]);
        *extra.last_mut().unwrap() = 0xff;
        assert_eq!(Proven::of(&extra).values(), Err(ProvenError::NotText));
        assert_eq!(Proven::of(b"no record\nx").values(), Err(ProvenError::NoRecord));
    }

    /// The digest is in the record, and what it stands for has the form of the other kind, or a name that is taken.
    #[test]
    fn a_disclosure_of_the_wrong_form_discloses_nothing() {
        let (field, item, taken) = (
            text(&json!(["salt", "cwd", "/x"])),
            text(&json!(["salt", "x"])),
            text(&json!(["salt", "index", 4])),
        );
        let digests = [digest_of(&item), digest_of(&taken)];
        let record = json!({"args": [{"...": digest_of(&field)}], "_sd": digests, "index": 3}).to_string();
        for text in [&field, &item, &taken] {
            let extra = Proven::extra(record.as_bytes(), &[text.as_str()]);
            assert_eq!(Proven::of(&extra).values(), Err(ProvenError::Foreign(1)), "{text}");
        }
    }
}
