//! Texts with signatures under them (C2SP `signed-note`, with the bounds and the order of Go's `sumdb/note`).

use std::fmt;

use super::base64;
use super::cosignature;
use super::key::{KeyKind, KeyName, PrivateKey, VerifierKey};

/// The longest note, in bytes.
pub const MAX_NOTE: usize = 1_000_000;

/// The most signatures under a note.
pub const MAX_SIGNATURES: usize = 100;

/// What a line with a signature begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A text and the signatures under it, of which none is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature, of a kind that may be unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: KeyName,
    id: u32,
    bytes: Vec<u8>,
}

/// What is certain about a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The text; it ends in a newline.
    pub text: &'a str,
    /// The signatures that trusted keys made, at least one, in the order of the note.
    pub verified: Vec<Verified>,
    /// The signatures of other keys. They say nothing.
    pub unknown: Vec<&'a Signature>,
}

/// A signature that a trusted key made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose.
    pub key: VerifierKey,
    /// When, in seconds since 1970, as a witness says; authors of notes do not say.
    pub time: Option<u64>,
}

/// Bytes are not a note, or nobody who is trusted signed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is longer than [`MAX_NOTE`].
    #[error("a note of {0} bytes is too long; {MAX_NOTE} are the most")]
    TooLong(usize),
    /// It is not text.
    #[error("the note is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Where it stops being that.
        offset: usize,
    },
    /// There is a control character other than a newline.
    #[error("line {line} of the note has a control character")]
    Control {
        /// The line, from 1.
        line: usize,
    },
    /// The text does not end in a newline.
    #[error("the text of a note ends in a newline")]
    Text,
    /// No blank line divides text and signatures.
    #[error("the note has no blank line with signatures below it")]
    NoSignatures,
    /// The last line does not end.
    #[error("the last line of the note does not end in a newline")]
    Unfinished,
    /// There are more than [`MAX_SIGNATURES`].
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooMany,
    /// A line below the blank one is not a signature.
    #[error("line {line} of the note is not a signature: {fault}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: SignatureFault,
    },
    /// A trusted key did not make the signature that bears its name and id.
    #[error("the signature of `{0}` with key {1:08x} is wrong")]
    Wrong(KeyName, u32),
    /// Two different keys with this name and id are trusted.
    #[error("there are two keys `{0}` with id {1:08x}")]
    Ambiguous(KeyName, u32),
    /// No signature is of a trusted key.
    #[error("no trusted key signed the note")]
    Untrusted,
}

/// What is wrong with the line of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// It does not begin as one does.
    #[error("it does not begin with an em dash and a space")]
    Dash,
    /// What follows is not two words.
    #[error("it has no name and signature with one space between them")]
    Words,
    /// The name is none.
    #[error("its name is not a key name")]
    Name,
    /// The signature is not base 64.
    #[error("its signature is not base 64")]
    Base64,
    /// There is nothing after the id of the key.
    #[error("its signature has fewer than five bytes")]
    Short,
}

impl Note {
    /// A text that nobody signed yet.
    ///
    /// # Errors
    ///
    /// The text has a control character, does not end in a newline, or is too long.
    pub fn new(text: impl Into<String>) -> Result<Note, NoteError> {
        let text = text.into();
        check_text(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Text);
        }
        Ok(Note { text, signatures: Vec::new() })
    }

    /// Reads a note. What [`to_string`](ToString::to_string) gives of it are the same bytes.
    ///
    /// # Errors
    ///
    /// Where and why the bytes are no note.
    pub fn parse(bytes: &[u8]) -> Result<Note, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let note = std::str::from_utf8(bytes);
        let note = note.map_err(|error| NoteError::NotUtf8 { offset: error.valid_up_to() })?;
        check_text(note)?;
        let blank = note.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = (&note[..=blank], &note[blank + 2..]);
        if lines.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Unfinished)?;
        let above = text.matches('\n').count() + 2;
        let mut signatures = Vec::new();
        for (nth, line) in lines.split('\n').enumerate() {
            if nth == MAX_SIGNATURES {
                return Err(NoteError::TooMany);
            }
            let signature = Signature::parse(line);
            signatures.push(signature.map_err(|fault| NoteError::Line { line: above + nth, fault })?);
        }
        Ok(Note { text: text.to_owned(), signatures })
    }

    /// The text, which ends in a newline. It says nothing before the note is [opened](Self::open).
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, of which none is checked.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds the author's signature.
    pub fn sign(&mut self, key: &PrivateKey) {
        let (verifier, bytes) = (key.verifier(), key.sign_bytes(self.text.as_bytes()));
        self.add(Signature::new(&verifier, bytes.to_vec()));
    }

    /// Adds a signature, in place of one of the same name and id.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.retain(|old| (&old.name, old.id) != (&signature.name, signature.id));
        self.signatures.push(signature);
    }

    /// The note with the signatures of these keys alone, of each the first.
    #[must_use]
    pub fn only(&self, keys: &[VerifierKey]) -> Note {
        let of = |key: &VerifierKey| {
            let same = |one: &&Signature| (&one.name, one.id) == (key.name(), key.id());
            self.signatures.iter().find(same).cloned()
        };
        Note { text: self.text.clone(), signatures: keys.iter().filter_map(of).collect() }
    }

    /// Checks the signatures of the keys that are trusted.
    ///
    /// The first signature of a key counts; more of the same are not looked at.
    ///
    /// # Errors
    ///
    /// A signature of a trusted key is wrong, or there is none.
    pub fn open(&self, trusted: &[VerifierKey]) -> Result<Opened<'_>, NoteError> {
        let (mut verified, mut unknown): (Vec<Verified>, Vec<&Signature>) = (Vec::new(), Vec::new());
        for signature in &self.signatures {
            let same = |key: &&VerifierKey| (key.name(), key.id()) == (&signature.name, signature.id);
            let mut keys = trusted.iter().filter(same);
            let Some(key) = keys.next() else {
                if !unknown.contains(&signature) {
                    unknown.push(signature);
                }
                continue;
            };
            if keys.any(|other| other != key) {
                return Err(NoteError::Ambiguous(signature.name.clone(), signature.id));
            }
            if verified.iter().any(|done| done.key == *key) {
                continue;
            }
            let wrong = || NoteError::Wrong(signature.name.clone(), signature.id);
            verified.push(verify(key, &self.text, &signature.bytes).ok_or_else(wrong)?);
        }
        if verified.is_empty() {
            return Err(NoteError::Untrusted);
        }
        Ok(Opened { text: &self.text, verified, unknown })
    }
}

/// The note as it is stored and sent.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl Signature {
    pub(super) fn new(key: &VerifierKey, bytes: Vec<u8>) -> Signature {
        Signature { name: key.name().clone(), id: key.id(), bytes }
    }

    /// Reads the line of a signature, without its newline.
    ///
    /// # Errors
    ///
    /// Why the line is none.
    pub fn parse(line: &str) -> Result<Signature, SignatureFault> {
        let words = line.strip_prefix(DASH).ok_or(SignatureFault::Dash)?;
        let (name, signature) = words.split_once(' ').ok_or(SignatureFault::Words)?;
        let name = KeyName::new(name).map_err(|_| SignatureFault::Name)?;
        let bytes = base64::decode(signature).ok_or(SignatureFault::Base64)?;
        match bytes.split_first_chunk() {
            Some((id, bytes)) if !bytes.is_empty() => {
                Ok(Signature { name, id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
            }
            _ => Err(SignatureFault::Short),
        }
    }

    /// Whose it claims to be.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Of which key of that name.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }
}

/// The line of the signature, without a newline.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes(), self.bytes.as_slice()].concat();
        write!(f, "{DASH}{} {}", self.name, base64::encode(&bytes))
    }
}

fn verify(key: &VerifierKey, text: &str, signature: &[u8]) -> Option<Verified> {
    let time = match key.kind() {
        KeyKind::Ed25519 => {
            key.signed(text.as_bytes(), signature.try_into().ok()?).then_some(())?;
            None
        }
        KeyKind::Cosignature => Some(cosignature::verify(key, text, signature)?),
    };
    Some(Verified { key: key.clone(), time })
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE {
        return Err(NoteError::TooLong(text.len()));
    }
    match text.find(|c: char| c < ' ' && c != '\n') {
        Some(at) => Err(NoteError::Control { line: text[..at].matches('\n').count() + 1 }),
        None => Ok(()),
    }
}
