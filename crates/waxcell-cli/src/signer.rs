//! `waxcell signer`: the key of a record in a process of its own.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::fs::Mode;
use waxcell_journal::Signer;
use waxcell_witness::serve_signer;

use crate::args::{Common, SignerCommand};
use crate::edge;
use crate::exit::Exit;

pub(crate) fn run(command: &SignerCommand, common: &Common) -> Exit {
    let Some(state) = edge::state_directory(common) else {
        edge::complain(
            "no place for a signer: set HOME, XDG_STATE_HOME or WAXCELL_STATE, or use --state DIR",
        );
        return Exit::FAILED;
    };
    let home = state.join("signer");
    let done = match command {
        SignerCommand::Serve { socket, user } => attend(&home, socket, user.as_deref(), common.quiet),
        SignerCommand::Key => match Signer::key_in(&home) {
            Ok(Some(key)) => Ok(edge::print(&format!("{key}\n"), Exit::SUCCESS)),
            Ok(None) => Err("there is no key yet: `waxcell audit key --signer` makes one".to_owned()),
            Err(error) => Err(edge::with_causes(&error)),
        },
    };
    done.unwrap_or_else(|message| {
        edge::complain(&message);
        Exit::FAILED
    })
}

/// Serves until the process is ended. Whatever it was doing then, what it has signed is remembered.
fn attend(home: &Path, socket: &Path, user: Option<&str>, quiet: bool) -> Result<Exit, String> {
    let own = rustix::process::geteuid().as_raw();
    let user = match user {
        None => own,
        Some(name) => edge::user_of(name).ok_or_else(|| format!("there is no user `{name}`"))?,
    };
    let signer = Signer::open(home).map_err(|error| edge::with_causes(&error))?;
    let failed = |error: std::io::Error| format!("cannot listen at `{}`: {error}", socket.display());
    let listener = listen(socket, own, user).map_err(failed)?;
    let key = signer.verifier().map_or_else(|| "no key yet".to_owned(), |key| key.to_string());
    // Programs that start a signer wait for these two lines.
    edge::print(&format!("{key}\n{}\n", socket.display()), Exit::SUCCESS);
    let tell = move |line: &str| {
        if !quiet || !line.starts_with("signed") {
            edge::note(line);
        }
    };
    serve_signer(&listener, signer, &[user], tell).map_err(failed)?;
    Ok(Exit::FAILED)
}

/// A socket that nobody but the user can connect to; where that is somebody else and only root could give it to them, anybody
/// can connect, and is sent away by what the kernel says of them.
fn listen(socket: &Path, own: u32, user: u32) -> std::io::Result<UnixListener> {
    match fs::symlink_metadata(socket) {
        Ok(there) if there.file_type().is_socket() => {
            if UnixStream::connect(socket).is_ok() {
                return Err(std::io::Error::new(ErrorKind::AddrInUse, "somebody listens there"));
            }
            fs::remove_file(socket)?;
        }
        Ok(_) => return Err(std::io::Error::new(ErrorKind::AlreadyExists, "something else is there")),
        Err(_) => {}
    }
    let before = rustix::process::umask(Mode::from(0o177));
    let listener = UnixListener::bind(socket);
    rustix::process::umask(before);
    let listener = listener?;
    if user != own {
        if own == 0 {
            std::os::unix::fs::chown(socket, Some(user), None)?;
        } else {
            fs::set_permissions(socket, fs::Permissions::from_mode(0o666))?;
        }
    }
    Ok(listener)
}
