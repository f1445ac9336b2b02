//! Names and keys of those who sign notes, and their texts (C2SP `signed-note`, "Verifier keys").

use std::fmt;
use std::io;
use std::str::FromStr;

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::base64;

/// What a text with a private key begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// The name of a key: not empty, without spaces, `+` and control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Takes a name.
    ///
    /// # Errors
    ///
    /// The name is none.
    pub fn new(name: &str) -> Result<KeyName, KeyError> {
        let bad = |c: char| c.is_whitespace() || c < ' ' || c == '+';
        if name.is_empty() || name.contains(bad) {
            return Err(KeyError::Name(name.to_owned()));
        }
        Ok(KeyName(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key signs, and how. The key's id depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The text of a note, with Ed25519: type 1.
    Ed25519,
    /// A checkpoint as somebody else's, with the time and Ed25519: type 4, `cosignature/v1`.
    Cosignature,
}

impl KeyKind {
    fn code(self) -> u8 {
        match self {
            KeyKind::Ed25519 => 1,
            KeyKind::Cosignature => 4,
        }
    }
}

/// A text is not the key that it should be. The text of a private key is in no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is none.
    #[error("`{}` is not a key name, which has no space, `+` or control character and is not empty", .0.escape_debug())]
    Name(String),
    /// The parts are not all there.
    #[error("a key has the form `{0}`")]
    Form(&'static str),
    /// The id is not eight hexadecimal digits.
    #[error("the id of the key is not eight hexadecimal digits")]
    Id,
    /// The last part is not base 64.
    #[error("the last part of the key is not base 64")]
    Base64,
    /// Nothing but the types 1 and 4 is known here; as a private key, nothing but type 1.
    #[error("keys of type {0:#04x} are not known here")]
    Kind(u8),
    /// The key has the wrong length, or is no point of the curve, or one that anybody can sign for.
    #[error("the key is not one of Ed25519")]
    Bytes,
    /// The id is not the one that follows from name and key.
    #[error("the id of the key is {found:08x}, and {expected:08x} follows from its name and bytes")]
    WrongId {
        /// What follows from the name, the type and the key.
        expected: u32,
        /// What the text says.
        found: u32,
    },
}

/// A public key with its name, as somebody trusts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: u32,
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    fn new(name: KeyName, kind: KeyKind, key: VerifyingKey) -> VerifierKey {
        let id = id_of(&name, kind, &key);
        VerifierKey { name, id, kind, key }
    }

    /// Whose key it is.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The four bytes that tell a name's keys apart.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key, as RFC 8032 writes it.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether this is the key's signature of the message. Stricter than RFC 8032 asks: one message has one signature.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

/// `NAME+ID+KEY`, the form in which public keys are handed on.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.code()], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id, base64::encode(&key))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<VerifierKey, KeyError> {
        let (name, id, key) = parts(text).ok_or(KeyError::Form("NAME+ID+KEY"))?;
        let bytes = base64::decode(key).ok_or(KeyError::Base64)?;
        let (kind, key) = match bytes.split_first() {
            Some((1, key)) => (KeyKind::Ed25519, key),
            Some((4, key)) => (KeyKind::Cosignature, key),
            Some((&code, _)) => return Err(KeyError::Kind(code)),
            None => return Err(KeyError::Bytes),
        };
        let key = key.try_into().ok().and_then(|key| VerifyingKey::from_bytes(key).ok());
        let key = key.filter(|key| !key.is_weak()).ok_or(KeyError::Bytes)?;
        let key = VerifierKey::new(KeyName::new(name)?, kind, key);
        check_id(id, key.id)?;
        Ok(key)
    }
}

/// A private key with its name. What it holds is overwritten when it is dropped, and never shown.
#[derive(Clone)]
pub struct PrivateKey {
    name: KeyName,
    key: SigningKey,
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// The kernel gives no random bytes.
    pub fn generate(name: KeyName) -> io::Result<PrivateKey> {
        let mut seed = Zeroizing::new([0; 32]);
        let given = rustix::rand::getrandom(seed.as_mut_slice(), rustix::rand::GetRandomFlags::empty())?;
        if given < seed.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(PrivateKey::from_seed(name, &seed))
    }

    /// The key that follows from 32 random bytes, which the caller overwrites.
    #[must_use]
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> PrivateKey {
        PrivateKey { name, key: SigningKey::from_bytes(seed) }
    }

    /// The key in a text `PRIVATE+KEY+NAME+ID+SEED`, as Go's `sumdb/note` has it.
    ///
    /// # Errors
    ///
    /// The text is no such key.
    pub fn from_text(text: &str) -> Result<PrivateKey, KeyError> {
        let form = KeyError::Form("PRIVATE+KEY+NAME+ID+KEY");
        let (name, id, seed) = text.strip_prefix(PRIVATE).and_then(parts).ok_or(form)?;
        let bytes = Zeroizing::new(base64::decode(seed).ok_or(KeyError::Base64)?);
        let seed = match bytes.split_first() {
            Some((1, seed)) => seed.try_into().map_err(|_| KeyError::Bytes)?,
            Some((&code, _)) => return Err(KeyError::Kind(code)),
            None => return Err(KeyError::Bytes),
        };
        let key = PrivateKey::from_seed(KeyName::new(name)?, seed);
        check_id(id, key.verifier().id)?;
        Ok(key)
    }

    /// The key as a text that [`from_text`](Self::from_text) reads. It is overwritten when it is dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut seed = Zeroizing::new([0; 33]);
        seed[0] = KeyKind::Ed25519.code();
        seed[1..].copy_from_slice(self.key.as_bytes());
        let seed = Zeroizing::new(Base64::encode_string(seed.as_slice()));
        Zeroizing::new(format!("{PRIVATE}{}+{:08x}+{}", self.name, self.verifier().id, *seed))
    }

    /// Whose key it is.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The public key that checks what this one signs as the author of a note.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(self.name.clone(), KeyKind::Ed25519, self.key.verifying_key())
    }

    /// The public key that checks what this one signs as a witness. Use one key for one purpose.
    #[must_use]
    pub fn cosigner(&self) -> VerifierKey {
        VerifierKey::new(self.name.clone(), KeyKind::Cosignature, self.key.verifying_key())
    }

    pub(super) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Name, id and key of a text; base 64 may have a `+`, names and ids have none.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    Some((name, id, key))
}

fn check_id(text: &str, expected: u32) -> Result<(), KeyError> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = u32::from_str_radix(text, 16).ok().filter(|_| digits).ok_or(KeyError::Id)?;
    if found == expected { Ok(()) } else { Err(KeyError::WrongId { expected, found }) }
}

fn id_of(name: &KeyName, kind: KeyKind, key: &VerifyingKey) -> u32 {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(name.as_str())
        .chain_update([b'\n', kind.code()])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}
