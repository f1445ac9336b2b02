//! Values that a record holds only the digest of, as RFC 9901 has it: `_sd` in place of fields, `{"...": digest}` in
//! place of items of lists. What says the values lies beside the log, and can be erased.

use serde_json::{Map, Value, json};
use waxcell_journal::{SEALED_FIELDS, SEALED_ITEM, digest_of, disclosure_of};

use super::{hex, unhex};
use crate::secrets::Secrets;

/// Fields whose texts are ours, or hashes: no secrets.
const OURS: [&str; 20] = [
    "baseline_sha256",
    "boot",
    "changes_sha256",
    "digests",
    "fingerprint",
    "index",
    "layer",
    "leaf_hash",
    "operation",
    "plan",
    "rules_sha256",
    "run",
    "sha256",
    "started_index",
    "state",
    "time",
    "type",
    "v",
    "verdict",
    "vkey",
];
/// Fields that are sealed whatever is in them.
const ALWAYS: [&str; 2] = ["args", "args_hex"];

/// A record without the values that are to be kept apart, and the disclosures of these.
pub(crate) fn seal(record: Value, secrets: &Secrets) -> (Value, Vec<String>) {
    let mut sealing = Sealing { secrets, disclosures: Vec::new() };
    let record = match record {
        Value::Object(fields) => Value::Object(sealing.fields(fields, true)),
        other => other,
    };
    (record, sealing.disclosures)
}

struct Sealing<'a> {
    secrets: &'a Secrets,
    disclosures: Vec<String>,
}

impl Sealing<'_> {
    fn fields(&mut self, fields: Map<String, Value>, is_top: bool) -> Map<String, Value> {
        let (mut open, mut digests) = (Map::new(), Vec::new());
        for (name, value) in fields {
            let always = is_top && ALWAYS.contains(&name.as_str());
            if OURS.contains(&name.as_str()) {
                open.insert(name, value);
            } else if self.is_secret(&name, &value) {
                digests.push(self.disclose(&json!([salt(), name, value])));
            } else {
                let value = self.within(value, always, name.ends_with("_hex"));
                open.insert(name, value);
            }
        }
        if !digests.is_empty() {
            // Their order would tell which is which.
            digests.sort();
            open.insert(SEALED_FIELDS.to_owned(), digests.into());
        }
        open
    }

    /// What stands in a field: all of it is sealed, or what is secret in it.
    fn within(&mut self, value: Value, always: bool, are_hex: bool) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(|item| self.item(item, always)).collect(),
            Value::Object(fields) if always || are_hex => {
                let (mut open, mut digests) = (Map::new(), Vec::new());
                for (name, value) in fields {
                    if always || self.is_secret("_hex", &value) {
                        digests.push(self.disclose(&json!([salt(), name, value])));
                    } else {
                        open.insert(name, value);
                    }
                }
                if !digests.is_empty() {
                    digests.sort();
                    open.insert(SEALED_FIELDS.to_owned(), digests.into());
                }
                Value::Object(open)
            }
            Value::Object(fields) => Value::Object(self.fields(fields, false)),
            other => other,
        }
    }

    fn item(&mut self, item: Value, always: bool) -> Value {
        if always || self.is_secret("", &item) {
            return json!({SEALED_ITEM: self.disclose(&json!([salt(), item]))});
        }
        self.within(item, false, false)
    }

    fn is_secret(&self, name: &str, value: &Value) -> bool {
        let Value::String(text) = value else { return false };
        let bytes = name.ends_with("_hex").then(|| unhex(text)).flatten();
        match bytes {
            Some(bytes) => self.secrets.are_in(&String::from_utf8_lossy(&bytes)),
            None => self.secrets.are_in(text),
        }
    }

    fn disclose(&mut self, parts: &Value) -> String {
        let text = disclosure_of(parts.to_string().as_bytes());
        let digest = digest_of(&text);
        self.disclosures.push(text);
        digest
    }
}

/// 128 bits by chance: without them, whoever guesses a value could see that it is the one.
fn salt() -> String {
    let mut bytes = [0u8; 16];
    // A kernel that is up always has some.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    hex(&bytes)
}

/// Covers in a view what a record seals; nobody can open it again.
pub(crate) fn cover(value: &mut Value, secrets: &Secrets) {
    cover_at("", value, false, &Sealing { secrets, disclosures: Vec::new() });
}

fn cover_at(name: &str, value: &mut Value, always: bool, sealing: &Sealing<'_>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| cover_at(name, item, always, sealing)),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut().filter(|(name, _)| !OURS.contains(&name.as_str())) {
                cover_at(name, value, always || ALWAYS.contains(&name.as_str()), sealing);
            }
        }
        other => {
            if always || sealing.is_secret(name, other) {
                *other = "<sealed>".into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use waxcell_journal::{ERASED, unseal};

    use super::*;

    const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

    fn texts(disclosures: Vec<String>) -> BTreeMap<String, String> {
        disclosures.into_iter().map(|text| (digest_of(&text), text)).collect()
    }

    #[test]
    fn what_is_sealed_comes_back_and_what_is_erased_is_named() {
        let record = json!({
            "type": "started", "v": 1, "args": ["--bip", "25"], "args_hex": {"3": "ff"}, "cwd": format!("/x/{TOKEN}"),
            "violations": [{"target": TOKEN, "target_hex": hex(TOKEN.as_bytes()), "rule": "r"}],
            "placeholders": ["data", TOKEN], "script": {"path": "/a", "path_hex": {"0": hex(TOKEN.as_bytes())}, "sha256": "ab"},
        });
        let (sealed, disclosures) = seal(record.clone(), &Secrets::default());
        let text = sealed.to_string();
        for hidden in ["--bip", TOKEN, &hex(TOKEN.as_bytes()), "\"ff\""] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        assert_eq!(disclosures.len(), 8);
        let mut texts = texts(disclosures);
        let mut opened = sealed.clone();
        let apart = unseal(&mut opened, &texts);
        assert_eq!(opened, record);
        let paths: Vec<&str> = apart.iter().map(|one| one.path.as_str()).collect();
        for path in [
            "args.0",
            "args.1",
            "args_hex.3",
            "cwd",
            "placeholders.1",
            "script.path_hex.0",
            "violations.0.target",
        ] {
            assert!(paths.contains(&path), "{path}: {paths:?}");
        }

        for one in apart.iter().filter(|one| ["args.1", "cwd"].contains(&one.path.as_str())) {
            texts.remove(&one.digest);
        }
        let mut opened = sealed;
        unseal(&mut opened, &texts);
        assert_eq!((&opened["args"], &opened["cwd"]), (&json!(["--bip", ERASED]), &Value::Null));
        assert_eq!(opened[ERASED], json!(1));
    }

    #[test]
    fn the_same_value_has_another_digest_each_time() {
        let seal = || seal(json!({"args": ["x", "x"]}), &Secrets::default()).0["args"].clone();
        let (one, other) = (seal(), seal());
        assert!(one[0] != one[1] && one[0] != other[0], "{one} {other}");
    }

    #[test]
    fn a_view_says_only_that_there_was_something() {
        let mut line = json!({"args": ["--bip"], "message": format!("open {TOKEN}"), "details": {"target": TOKEN}, "n": 1});
        cover(&mut line, &Secrets::default());
        assert_eq!(
            line,
            json!({"args": ["<sealed>"], "message": "<sealed>", "details": {"target": "<sealed>"}, "n": 1})
        );
    }
}
