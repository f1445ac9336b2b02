//! Who holds the key that signs: a file of the journal, or a signer at a socket.

use std::path::Path;

use super::key_file::{self, KeyFileError};
use super::tiles::Public;
use super::{PublishError, Publisher};
use crate::directory::Directory;
use crate::disk;
use crate::signer::{Client, Order, SignerError, Standing};
use crate::tlog::{
    Checkpoint, Frontier, KeyName, Note, PrivateKey, TileReader, VerifierKey, consistency_proof,
};
use crate::whole;

/// Names the signer's socket, in place of a key.
pub(crate) const SIGNER: &str = "signer";
/// Names the signer to which the key is being moved, and its key.
pub(crate) const MOVING: &str = "signer.next";
/// Longer than a path and a key.
const MAX_SIGNER: u64 = 8192;

/// Who signs in an epoch.
pub(super) enum Holder {
    Key(Box<PrivateKey>),
    Signer(Client, Box<Standing>),
}

/// Who will sign in the next one.
pub(super) enum Next {
    /// A key in a file, which was made ready.
    Key(Box<PrivateKey>),
    /// The key that the signer has made ready.
    Signed(Client, VerifierKey),
    /// A signer that has not signed anything yet.
    Moved(VerifierKey),
}

impl Holder {
    pub(super) fn verifier(&self) -> VerifierKey {
        match self {
            Holder::Key(key) => key.verifier(),
            Holder::Signer(_, standing) => standing.key.clone(),
        }
    }

    pub(super) fn name(&self) -> KeyName {
        self.verifier().name().clone()
    }

    /// How many records the signer has signed. What a key has signed, the head says.
    pub(super) fn signed(&self) -> u64 {
        match self {
            Holder::Key(_) => 0,
            Holder::Signer(_, standing) => standing.signed(),
        }
    }

    /// Signs the tree of this state, whose tiles are there.
    pub(super) fn sign(&self, frontier: &Frontier, public: &Public) -> Result<Note, PublishError> {
        let checkpoint = Checkpoint::new(&self.name(), frontier.size(), frontier.root());
        let mut note = Note::new(checkpoint.to_string())?;
        let (client, standing) = match self {
            Holder::Key(key) => {
                note.sign(key);
                return Ok(note);
            }
            Holder::Signer(client, standing) => (client, standing),
        };
        let (old, size) = (standing.signed(), frontier.size());
        let mut tiles = TileReader::new(size, |path| public.read(path, 1 << 16));
        let proof = consistency_proof(old, size, &mut |node| tiles.node(node))
            .map_err(|error| PublishError::Tile(error.to_string()))?;
        let standing = client.ask(&Order::Sign { old, proof, checkpoint })?;
        let strange = || SignerError::Strange(client.socket());
        let signed = standing.last.filter(|signed| signed.text() == note.text()).ok_or_else(strange)?;
        // Where only the answer to the first time was lost, it is the key of then that has signed.
        if signed.open(std::slice::from_ref(&self.verifier())).is_err() {
            return Err(strange().into());
        }
        Ok(signed)
    }
}

impl Next {
    pub(super) fn verifier(&self) -> VerifierKey {
        match self {
            Next::Key(key) => key.verifier(),
            Next::Signed(_, key) | Next::Moved(key) => key.clone(),
        }
    }
}

impl Publisher {
    /// Who holds the key now. The lock must be held.
    pub(super) fn holder(&self) -> Result<Holder, PublishError> {
        if let Some(key) = key_file::load(&self.directory, key_file::NAME)? {
            return Ok(Holder::Key(Box::new(key)));
        }
        let Some(client) = self.signer()? else {
            return Err(KeyFileError::Missing(self.directory.path_of(key_file::NAME)).into());
        };
        let standing = client.ask(&Order::Status)?;
        // Whoever listens there may have any key; the one that counts is named in the log.
        let named = self.log().seals()?.last().map(|seal| seal.next.clone());
        if named.as_ref() != Some(&standing.key) {
            let (socket, key) = (client.socket(), standing.key.to_string());
            return Err(SignerError::OtherKey { socket, key }.into());
        }
        Ok(Holder::Signer(client, Box::new(standing)))
    }

    /// Who shall hold it next, if that was begun. The lock must be held.
    pub(super) fn pending(&self) -> Result<Option<Next>, PublishError> {
        if let Some(key) = key_file::load(&self.directory, key_file::NEXT)? {
            return Ok(Some(Next::Key(Box::new(key))));
        }
        if let Some(moving) = self.moving()? {
            return Ok(Some(moving));
        }
        match self.signer()?.filter(|_| !self.directory.has(key_file::NAME).unwrap_or(false)) {
            None => Ok(None),
            Some(client) => {
                let next = client.ask(&Order::Status)?.next;
                Ok(next.map(|key| Next::Signed(client, key)))
            }
        }
    }

    fn moving(&self) -> Result<Option<Next>, PublishError> {
        let Some(text) = whole::read(&self.directory, MOVING, MAX_SIGNER)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&text);
        // The socket comes first, as in the file that this one becomes.
        let key = text.split_once('\n').and_then(|(_, key)| key.trim_end().parse().ok());
        let moved = key.map(Next::Moved);
        Ok(Some(moved.ok_or_else(|| SignerError::Strange(self.directory.path_of(MOVING)))?))
    }

    /// The signer of this journal.
    pub(super) fn signer(&self) -> Result<Option<Client>, PublishError> {
        let text = whole::read(&self.directory, SIGNER, MAX_SIGNER)?;
        Ok(text.map(|text| {
            let text = String::from_utf8_lossy(&text);
            Client::at(Path::new(text.lines().next().unwrap_or_default()))
        }))
    }

    /// How many records the signer has signed; none where there is no signer, or it does not answer.
    pub(super) fn signed_elsewhere(&self) -> Result<u64, PublishError> {
        if self.directory.has(key_file::NAME)? {
            return Ok(0);
        }
        let standing = self.signer()?.map(|client| client.ask(&Order::Status));
        Ok(standing.and_then(Result::ok).map_or(0, |standing| standing.signed()))
    }

    /// Writes down to which signer the key is moved.
    pub(super) fn begin_moving(&self, socket: &Path, key: &VerifierKey) -> Result<(), PublishError> {
        let text = format!("{}\n{key}\n", socket.display());
        Ok(whole::place(&self.directory, MOVING, text.as_bytes())?)
    }

    /// Lets the next holder sign from now on, and destroys the key of the one before.
    pub(super) fn take_over(&self, next: &Next) -> Result<(), PublishError> {
        match next {
            Next::Key(_) => {
                key_file::follow(&self.directory)?;
                // After a recovery: the key was with a signer that is gone. A key in a file comes before it.
                self.remove(SIGNER)?;
                self.remove(MOVING)
            }
            Next::Signed(client, key) => {
                client.ask(&Order::Follow(key.clone()))?;
                Ok(())
            }
            Next::Moved(..) => {
                key_file::destroy(&self.directory)?;
                self.remove(key_file::NAME)?;
                let path = self.directory.path_of(SIGNER);
                disk::rename(&self.directory, MOVING, SIGNER, &path)?;
                Ok(Directory::sync(&self.directory, false)?)
            }
        }
    }

    /// Throws a next holder away that no record names.
    pub(super) fn withdraw(&self, next: &Next) -> Result<(), PublishError> {
        match next {
            Next::Key(_) => self.remove(key_file::NEXT),
            Next::Moved(..) => self.remove(MOVING),
            Next::Signed(client, _) => {
                client.ask(&Order::Forget)?;
                Ok(())
            }
        }
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), PublishError> {
        if self.directory.has(name)? {
            disk::unlink(&self.directory, name, &self.directory.path_of(name))?;
            self.directory.sync(false)?;
        }
        Ok(())
    }
}
