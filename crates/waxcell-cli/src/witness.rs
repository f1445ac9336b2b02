//! `waxcell witness`: watching the logs of others.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::SystemTime;

use waxcell_journal::tlog::{KeyName, VerifierKey};
use waxcell_journal::{Witness, given_keys};
use waxcell_witness::{Bounds, serve};

use crate::args::{Common, WitnessCommand};
use crate::edge;
use crate::exit::Exit;

pub(crate) fn run(command: &WitnessCommand, common: &Common) -> Exit {
    let Some(state) = edge::state_directory(common) else {
        edge::complain(
            "no place for a witness: set HOME, XDG_STATE_HOME or WAXCELL_STATE, or use --state DIR",
        );
        return Exit::FAILED;
    };
    let home = state.join("witness");
    let done = match command {
        WitnessCommand::Serve { listen, name, log } => {
            attend(&home, *listen, name.as_deref(), log, common.quiet)
        }
        WitnessCommand::Key => Witness::key_in(&home)
            .map(|key| edge::print(&format!("{key}\n"), Exit::SUCCESS))
            .map_err(|error| edge::with_causes(&error)),
    };
    done.unwrap_or_else(|message| {
        edge::complain(&message);
        Exit::FAILED
    })
}

/// Serves until the process is ended. Whatever it was doing then, what it has cosigned is durable.
fn attend(
    home: &Path,
    listen: SocketAddr,
    name: Option<&str>,
    logs: &[String],
    quiet: bool,
) -> Result<Exit, String> {
    let told = |error: &dyn std::error::Error| edge::with_causes(error);
    let name = name.map(KeyName::new).transpose().map_err(|error| told(&error))?;
    let keys = keys(logs)?;
    let mut logs: Vec<String> = keys.iter().map(|key| key.name().to_string()).collect();
    logs.dedup();
    let witness =
        Witness::open(home, name.as_ref(), &edge::host_name(), keys).map_err(|error| told(&error))?;
    let failed = |error: std::io::Error| format!("cannot listen on {listen}: {error}");
    let listener = TcpListener::bind(listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let begun = format!("{}\nhttp://{address}\n", witness.verifier());
    // Programs that start a witness wait for these two lines.
    edge::print(&begun, Exit::SUCCESS);
    if !quiet {
        edge::note(&format!("watches {}", logs.join(", ")));
    }
    let tell = move |line: &str| {
        if !quiet || !line.starts_with("cosigned") {
            edge::note(line);
        }
    };
    serve(&listener, witness, Bounds::default(), seconds, tell).map_err(failed)?;
    Ok(Exit::FAILED)
}

/// Now, in seconds since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The keys that are named, or stand in files that are, each once.
fn keys(given: &[String]) -> Result<Vec<VerifierKey>, String> {
    let mut keys: Vec<VerifierKey> = Vec::new();
    for given in given {
        for key in given_keys(given).map_err(|error| edge::with_causes(&error))? {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    Ok(keys)
}
