//! Which logs are trusted, and how many witnesses must have seen a checkpoint (C2SP `tlog-policy`).

use super::checkpoint::SignedCheckpoint;
use super::key::{KeyError, KeyKind, VerifierKey};

/// The longest file of a policy, in bytes.
pub const MAX_POLICY: usize = 256 * 1024;

/// The most logs, and the most witnesses and groups together.
pub const MAX_LINES: usize = 1024;

/// What makes a checkpoint one to rely on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    /// In the order of the file: each refers to earlier ones only.
    voices: Vec<Voice>,
    /// Which voice decides; none is needed without one.
    quorum: Option<usize>,
}

/// A log that is trusted to sign its checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its key. The key's name is the log's.
    pub key: VerifierKey,
    /// Where it can be reached, as the policy says.
    pub url: Option<String>,
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What the policy calls it; any bytes.
    pub name: Vec<u8>,
    /// Its key.
    pub key: VerifierKey,
    /// Where it can be reached, as the policy says.
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Voice {
    Witness(Box<Witness>),
    /// Speaks when `least` of its members do.
    Group {
        name: Vec<u8>,
        least: usize,
        members: Vec<usize>,
    },
}

impl Voice {
    fn name(&self) -> &[u8] {
        match self {
            Voice::Witness(witness) => &witness.name,
            Voice::Group { name, .. } => name,
        }
    }
}

/// A file is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {fault}")]
pub struct PolicyError {
    /// The line, from 1; the one after the last when something is missing.
    pub line: usize,
    /// What is wrong with it.
    pub fault: PolicyFault,
}

/// What is wrong with a line of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// The file is longer than [`MAX_POLICY`].
    #[error("the file is longer than {MAX_POLICY} bytes")]
    TooLong,
    /// There are more than [`MAX_LINES`].
    #[error("more than {MAX_LINES} logs, or witnesses and groups")]
    TooMany,
    /// The line does not end in a newline.
    #[error("the line does not end in a newline")]
    Unfinished,
    /// There is a control character other than tab and newline.
    #[error("a control character")]
    Control,
    /// The line begins with a word that is not known.
    #[error("`{0}` is not `log`, `witness`, `group` or `quorum`")]
    Word(String),
    /// Words are missing, or there are too many.
    #[error("the form of such a line is `{0}`")]
    Form(&'static str),
    /// The key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key has the type of a log where a witness stands, or the other way round.
    #[error("the key signs {}", match .0 { KeyKind::Ed25519 => "as a log, not as a witness", KeyKind::Cosignature => "as a witness, not as a log" })]
    Kind(KeyKind),
    /// The key stands on another such line.
    #[error("the key is that of another line already")]
    DuplicateKey,
    /// The name is taken, or is `none`.
    #[error("the name `{0}` is taken")]
    Taken(String),
    /// No line above defines the name.
    #[error("`{0}` is not a witness or group of a line above")]
    Unknown(String),
    /// A name is a member of two groups, or twice of one.
    #[error("`{0}` is a member already")]
    Member(String),
    /// The number is not one between 1 and the number of members.
    #[error("`{0}` is not `all`, `any` or a number from 1 to {1}")]
    Threshold(String, usize),
    /// There is a second quorum.
    #[error("a second quorum")]
    SecondQuorum,
    /// There is no quorum.
    #[error("there is no line `quorum NAME`; `quorum none` asks for no witness")]
    NoQuorum,
}

/// Too few witnesses have seen a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{cosigned} of the {known} witnesses of the policy signed the checkpoint, which is not its quorum `{quorum}`"
)]
pub struct QuorumError {
    /// What the policy asks for.
    pub quorum: String,
    /// How many signed.
    pub cosigned: usize,
    /// How many there are.
    pub known: usize,
}

impl Policy {
    /// The policy that trusts these keys of logs and asks for no witness.
    #[must_use]
    pub fn of_logs(keys: &[VerifierKey]) -> Policy {
        let logs = keys.iter().map(|key| Log { key: key.clone(), url: None }).collect();
        Policy { logs, voices: Vec::new(), quorum: None }
    }

    /// The same policy, which trusts these keys of logs.
    #[must_use]
    pub fn with_logs(self, keys: &[VerifierKey]) -> Policy {
        Policy { logs: Policy::of_logs(keys).logs, ..self }
    }

    /// Reads the file of a policy.
    ///
    /// # Errors
    ///
    /// Which line is wrong, and why.
    pub fn parse(file: &[u8]) -> Result<Policy, PolicyError> {
        if file.len() > MAX_POLICY {
            return Err(PolicyError { line: 1, fault: PolicyFault::TooLong });
        }
        let mut reading = Reading::default();
        let mut last = 0;
        for (line, bytes) in (1..).zip(file.split_inclusive(|&byte| byte == b'\n')) {
            last = line;
            reading.line(bytes).map_err(|fault| PolicyError { line, fault })?;
        }
        let missing = PolicyError { line: last + 1, fault: PolicyFault::NoQuorum };
        let quorum = reading.quorum.ok_or(missing)?;
        Ok(Policy { logs: reading.logs, voices: reading.voices, quorum })
    }

    /// The logs that are trusted; none when they are known otherwise.
    #[must_use]
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The keys of the logs.
    #[must_use]
    pub fn log_keys(&self) -> Vec<VerifierKey> {
        self.logs.iter().map(|log| log.key.clone()).collect()
    }

    /// Whether any witness has to sign.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.quorum.is_some()
    }

    /// The witnesses that are known.
    pub fn witnesses(&self) -> impl Iterator<Item = &Witness> {
        self.voices.iter().filter_map(|voice| match voice {
            Voice::Witness(witness) => Some(&**witness),
            Voice::Group { .. } => None,
        })
    }

    /// The keys of the witnesses.
    #[must_use]
    pub fn witness_keys(&self) -> Vec<VerifierKey> {
        self.witnesses().map(|witness| witness.key.clone()).collect()
    }

    /// Checks that enough witnesses signed a checkpoint, which was [opened](SignedCheckpoint::open) with
    /// [their keys](Self::witness_keys).
    ///
    /// # Errors
    ///
    /// Too few did.
    pub fn check(&self, checkpoint: &SignedCheckpoint) -> Result<(), QuorumError> {
        let Some(quorum) = self.quorum else { return Ok(()) };
        let signed = |key: &VerifierKey| checkpoint.cosignatures.iter().any(|cosigner| cosigner.key == *key);
        let mut speaks: Vec<bool> = Vec::new();
        for voice in &self.voices {
            speaks.push(match voice {
                Voice::Witness(witness) => signed(&witness.key),
                Voice::Group { least, members, .. } => {
                    members.iter().filter(|&&member| speaks[member]).count() >= *least
                }
            });
        }
        if speaks[quorum] {
            return Ok(());
        }
        let cosigned = self.witnesses().filter(|witness| signed(&witness.key)).count();
        let name = shown(self.voices[quorum].name());
        Err(QuorumError { quorum: name, cosigned, known: self.witnesses().count() })
    }
}

/// What the lines so far say.
#[derive(Default)]
struct Reading {
    logs: Vec<Log>,
    voices: Vec<Voice>,
    /// Of every voice, whether a group has it as a member.
    is_member: Vec<bool>,
    quorum: Option<Option<usize>>,
}

impl Reading {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        let line = line.strip_suffix(b"\n").ok_or(PolicyFault::Unfinished)?;
        if line.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            return Err(PolicyFault::Control);
        }
        let words = line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
        let words: Vec<&[u8]> = words.collect();
        match words.as_slice() {
            [] => Ok(()),
            [word, ..] if word.starts_with(b"#") => Ok(()),
            [b"log", rest @ ..] => self.log(rest),
            [b"witness", rest @ ..] => self.witness(rest),
            [b"group", rest @ ..] => self.group(rest),
            [b"quorum", rest @ ..] => self.quorum(rest),
            [word, ..] => Err(PolicyFault::Word(shown(word))),
        }
    }

    fn log(&mut self, words: &[&[u8]]) -> Result<(), PolicyFault> {
        let (key, url) = match words {
            [key] => (key, None),
            [key, url] => (key, Some(shown(url))),
            _ => return Err(PolicyFault::Form("log KEY [URL]")),
        };
        let key = key_of(key, KeyKind::Ed25519)?;
        if self.logs.iter().any(|log| log.key.public() == key.public()) {
            return Err(PolicyFault::DuplicateKey);
        }
        self.logs.push(Log { key, url });
        if self.logs.len() > MAX_LINES { Err(PolicyFault::TooMany) } else { Ok(()) }
    }

    fn witness(&mut self, words: &[&[u8]]) -> Result<(), PolicyFault> {
        let (name, key, url) = match words {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some(shown(url))),
            _ => return Err(PolicyFault::Form("witness NAME KEY [URL]")),
        };
        let key = key_of(key, KeyKind::Cosignature)?;
        let same =
            |voice: &Voice| matches!(voice, Voice::Witness(witness) if witness.key.public() == key.public());
        if self.voices.iter().any(same) {
            return Err(PolicyFault::DuplicateKey);
        }
        self.define(Voice::Witness(Box::new(Witness { name: name.to_vec(), key, url })))
    }

    fn group(&mut self, words: &[&[u8]]) -> Result<(), PolicyFault> {
        let [name, least, names @ ..] = words else {
            return Err(PolicyFault::Form("group NAME all|any|K MEMBER..."));
        };
        if names.is_empty() {
            return Err(PolicyFault::Form("group NAME all|any|K MEMBER..."));
        }
        let least = match *least {
            b"all" => Some(names.len()),
            b"any" => Some(1),
            number => decimal(number).filter(|least| (1..=names.len()).contains(least)),
        }
        .ok_or_else(|| PolicyFault::Threshold(shown(least), names.len()))?;
        let mut members = Vec::new();
        for name in names {
            let member = self.find(name)?;
            if std::mem::replace(&mut self.is_member[member], true) {
                return Err(PolicyFault::Member(shown(name)));
            }
            members.push(member);
        }
        self.define(Voice::Group { name: name.to_vec(), least, members })
    }

    fn quorum(&mut self, words: &[&[u8]]) -> Result<(), PolicyFault> {
        let [name] = words else { return Err(PolicyFault::Form("quorum NAME")) };
        if self.quorum.is_some() {
            return Err(PolicyFault::SecondQuorum);
        }
        self.quorum = Some(if *name == b"none" { None } else { Some(self.find(name)?) });
        Ok(())
    }

    fn define(&mut self, voice: Voice) -> Result<(), PolicyFault> {
        if voice.name() == b"none" || self.find(voice.name()).is_ok() {
            return Err(PolicyFault::Taken(shown(voice.name())));
        }
        self.voices.push(voice);
        self.is_member.push(false);
        if self.voices.len() > MAX_LINES { Err(PolicyFault::TooMany) } else { Ok(()) }
    }

    fn find(&self, name: &[u8]) -> Result<usize, PolicyFault> {
        let found = self.voices.iter().position(|voice| voice.name() == name);
        found.ok_or_else(|| PolicyFault::Unknown(shown(name)))
    }
}

fn key_of(word: &[u8], kind: KeyKind) -> Result<VerifierKey, PolicyFault> {
    let text = std::str::from_utf8(word).map_err(|_| KeyError::Form("NAME+ID+KEY"))?;
    let key: VerifierKey = text.parse()?;
    if key.kind() == kind { Ok(key) } else { Err(PolicyFault::Kind(key.kind())) }
}

/// A number in plain decimal digits.
fn decimal(word: &[u8]) -> Option<usize> {
    std::str::from_utf8(word).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// A word for a message, or for whom it may concern; names are compared as bytes.
fn shown(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}
