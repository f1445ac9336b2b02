//! `waxcell audit key`: the keys of the log, and who holds them.

use std::path::Path;
use std::time::SystemTime;

use waxcell_journal::Log;
use waxcell_journal::tlog::{KeyName, VerifierKey};

use super::NO_PLACE;
use super::prove::{opened, told};
use crate::args::KeyArgs;
use crate::edge;
use crate::exit::Exit;

pub(super) fn run(command: &KeyArgs, state: Option<&Path>) -> Exit {
    told(match command {
        KeyArgs { rotate: true, .. } => rotate(state, None),
        KeyArgs { signer: Some(socket), .. } => rotate(state, Some(socket)),
        KeyArgs { recovery: Some(key), .. } => name_recovery(state, key),
        KeyArgs { new_recovery: Some(file), origin, .. } => new_recovery(state, file, origin.as_deref()),
        _ => keys(state).map(|keys| keys.iter().map(|key| format!("{key}\n")).collect()),
    })
}

/// The public keys of the log, the first one first.
fn keys(state: Option<&Path>) -> Result<Vec<VerifierKey>, String> {
    let log = Log::at(&state.ok_or(NO_PLACE)?.join("journal/tlog"));
    let keys = log.keys().map_err(|error| edge::with_causes(&error))?;
    if keys.is_empty() {
        return Err("nothing was signed there yet: the first run makes the key".to_owned());
    }
    Ok(keys)
}

pub(super) fn now() -> String {
    humantime::format_rfc3339_micros(SystemTime::now()).to_string()
}

/// Lets another key follow the present one, which is destroyed; gives it.
fn rotate(state: Option<&Path>, signer: Option<&Path>) -> Result<String, String> {
    let (publisher, mut journal) = opened(state)?;
    let changed = match signer {
        None => publisher.rotate(&mut journal, &now()),
        Some(socket) => {
            let socket = std::path::absolute(socket)
                .map_err(|error| format!("cannot tell where `{}` is: {error}", socket.display()))?;
            publisher.move_to_signer(&mut journal, &socket, &now())
        }
    };
    let key = changed.map_err(|error| edge::with_causes(&error))?;
    // The end of the old epoch, while the witnesses know its key alone.
    super::witness::cosign(&publisher)?;
    Ok(format!("{key}\n"))
}

fn name_recovery(state: Option<&Path>, key: &str) -> Result<String, String> {
    let text = match std::fs::read_to_string(key) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => key.to_owned(),
    };
    let key: VerifierKey = text.parse().map_err(|error| {
        format!("`{}` is no public key, and no file with one: {error}", edge::printable(key))
    })?;
    let (publisher, mut journal) = opened(state)?;
    publisher.name_recovery(&mut journal, &key, &now()).map_err(|error| edge::with_causes(&error))?;
    super::witness::cosign(&publisher)?;
    Ok(format!("{key}\n"))
}

fn new_recovery(state: Option<&Path>, file: &Path, origin: Option<&str>) -> Result<String, String> {
    let name = match origin {
        Some(origin) => KeyName::new(origin).map_err(|error| error.to_string())?,
        None => keys(state)?.first().map(|key| key.name().clone()).ok_or(NO_PLACE)?,
    };
    let key = waxcell_journal::new_recovery_key(file, name).map_err(|error| edge::with_causes(&error))?;
    Ok(format!("{key}\n"))
}
