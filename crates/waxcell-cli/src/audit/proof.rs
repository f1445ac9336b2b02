//! `waxcell audit verify PROOF`: what one proof proves.

use std::path::Path;

use waxcell_journal::tlog::{Policy, Proof};
use waxcell_journal::{Apart, Cosigned, Log, Proven, leaf_hash};

use super::trust::Trust;
use super::verify::{Stop, keys, read, unchecked};
use crate::args::Verify;
use crate::edge;
use crate::exit::Exit;

/// Checks one proof; what it proves, in words.
pub(super) fn check(path: &Path, command: &Verify, state: Option<&Path>) -> Result<String, Stop> {
    let wrong = |error: &dyn std::error::Error| Stop {
        message: format!("`{}` proves nothing: {}", path.display(), edge::with_causes(error)),
        exit: Exit::FOUND,
    };
    let proof = Proof::parse(&read(path)?).map_err(|error| wrong(&error))?;
    let beside = Log::at(&state.map(|state| state.join("journal/tlog")).unwrap_or_default());
    let trust = Trust::of(command.trust.as_deref(), None).map_err(unchecked)?;
    let (keys, named) = keys(command, &beside, trust.as_ref())?;
    if keys.is_empty() {
        return Err(unchecked("no key to check the proof with: name the public key of the log with --key"));
    }
    let proven = Proven::of(proof.extra.as_deref().unwrap_or_default());
    let record = proven.record;
    let policy = match &trust {
        Some(trust) => trust.policy.clone().with_logs(&keys),
        None => Policy::of_logs(&keys),
    };
    let signed = proof.verify(&leaf_hash(record), &policy).map_err(|error| wrong(&error))?;
    let disclosed = proven.values().map_err(|error| wrong(&error))?;
    let value: serde_json::Value = serde_json::from_slice(record).unwrap_or_default();
    let field = |name: &str| value[name].as_str().unwrap_or("?").to_owned();
    let verdict = value["verdict"].as_str().map(|verdict| format!(", {verdict}")).unwrap_or_default();
    let mut text = format!(
        "proved: record {} of {}, `{}`{verdict}, of run {}, made {}\n",
        proof.index,
        signed.checkpoint.size(),
        field("type"),
        field("run"),
        field("time"),
    );
    for Apart { path, value, .. } in disclosed {
        text += &format!("disclosed: {} is {}\n", edge::printable(&path), value.unwrap_or_default());
    }
    for signature in &signed.signatures {
        text += &format!("signed by {}\n", signature.key);
    }
    if trust.is_some() {
        text += &format!("{}\n", Cosigned::of(&policy, &signed));
    }
    if !named {
        text += "(the key of this state directory: name the one you noted with --key)\n";
    }
    Ok(edge::printable_lines(&text))
}
