//! What the checks read of a record: an object of JSON, of which they know few fields.

use serde::Deserialize;

use crate::tlog::{Hash, TILE_WIDTH, VerifierKey, decode_bundle};

/// The type of a record that says what was packed.
const ARCHIVED: &str = "archive";
/// The type of a record that says what was taken away.
const PRUNE: &str = "prune";
/// The type of a record that names the key of the next epoch.
pub(crate) const KEY: &str = "key";

/// The type of a record that names the recovery key.
pub(crate) const RECOVERY: &str = "recovery";

/// The longest record that is taken in, in bytes.
pub(crate) const MAX_RECORD: usize = 16 * 1024;

/// The fields that say what a record does to its run.
#[derive(Debug, Deserialize)]
pub(crate) struct Fields<'a> {
    pub(crate) index: u64,
    #[serde(rename = "type", borrow)]
    pub(crate) kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) run: std::borrow::Cow<'a, str>,
    pub(crate) v: u64,
    #[serde(default)]
    epoch: Option<u64>,
    #[serde(default, borrow)]
    vkey: Option<std::borrow::Cow<'a, str>>,
    /// Of a record that was too long: the object that has all of it.
    #[serde(default)]
    pub(crate) whole: Option<Whole>,
}

/// An object that a record names.
#[derive(Debug, Deserialize)]
pub(crate) struct Whole {
    /// In hexadecimal.
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

impl Whole {
    /// Its hash, if the digits are those of one.
    pub(crate) fn hash(&self) -> Option<Hash> {
        let digits = self.sha256.as_bytes();
        let is_hash = digits.len() == 64 && digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f'));
        let mut hash = Hash::default();
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        is_hash.then_some(hash)
    }
}

/// The version of records that is known here.
pub(crate) const VERSION: u64 = 1;

/// What a record does to its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Begins,
    /// Ends it; `refused` alone also stands for a run that never began.
    Ends {
        may_stand_alone: bool,
    },
    None,
}

/// A record of `type` `archive`: records were packed, and lie in an archive too.
#[derive(Debug, Deserialize)]
pub(crate) struct Archived {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The SHA-256 of the manifest, in hexadecimal.
    pub(crate) manifest: String,
}

/// A record of `type` `prune`: all records before one lie in archives alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Pruned {
    /// The first record that was not taken away.
    pub(crate) before: u64,
}

impl Archived {
    /// What a record says, if it is one of this type.
    pub(crate) fn of(record: &[u8]) -> Option<Archived> {
        is_of_type(record, ARCHIVED).then(|| serde_json::from_slice(record).ok())?
    }
}

impl Pruned {
    /// What a record says, if it is one of this type.
    pub(crate) fn of(record: &[u8]) -> Option<Pruned> {
        is_of_type(record, PRUNE).then(|| serde_json::from_slice(record).ok())?
    }
}

fn is_of_type(record: &[u8], kind: &str) -> bool {
    // Nearly no record is, and to see that costs little.
    let mark = format!("\"type\":\"{kind}\"");
    String::from_utf8_lossy(record).contains(&mark)
        && Fields::of(record).is_ok_and(|fields| fields.kind == kind)
}

/// The times of the records of a full bundle, as they say.
pub(crate) fn times_of(bundle: &[u8]) -> impl Iterator<Item = Option<String>> {
    #[derive(Deserialize)]
    struct Timed {
        time: String,
    }
    let entries = decode_bundle(bundle, TILE_WIDTH).unwrap_or_default().into_iter();
    entries.map(|entry| serde_json::from_slice::<Timed>(entry).ok().map(|timed| timed.time))
}

/// The version of a record, if it is newer than what is known here: whatever else it says may mean something else.
pub(crate) fn newer_version(record: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u64,
    }
    let versioned: Versioned = serde_json::from_slice(record).ok()?;
    Some(versioned.v).filter(|v| *v > VERSION)
}

impl Fields<'_> {
    pub(crate) fn of(record: &[u8]) -> Result<Fields<'_>, serde_json::Error> {
        serde_json::from_slice(record)
    }

    /// The key of the next epoch and the number of that, if the record names one.
    pub(crate) fn next_key(&self) -> Option<(u64, VerifierKey)> {
        if self.kind != KEY {
            return None;
        }
        Some((self.epoch?, self.vkey.as_deref()?.parse().ok()?))
    }

    /// The recovery key, if the record names one.
    pub(crate) fn recovery_key(&self) -> Option<VerifierKey> {
        if self.kind == RECOVERY { self.vkey.as_deref()?.parse().ok() } else { None }
    }

    pub(crate) fn effect(&self) -> Effect {
        match &*self.kind {
            "started" => Effect::Begins,
            "finished" | "lost" => Effect::Ends { may_stand_alone: false },
            "refused" => Effect::Ends { may_stand_alone: true },
            _ => Effect::None,
        }
    }
}
