//! Messages of DNS: questions that a script asks, answers to them; questions to the host's resolver, its answers. Pure.

mod reader;
mod reply;

use std::net::IpAddr;

use crate::name::{Name, NameProblem};
use reader::Reader;
pub(crate) use reply::{Found, reply};

/// Types of records.
pub(crate) const A: u16 = 1;
pub(crate) const AAAA: u16 = 28;
const CNAME: u16 = 5;
const INTERNET: u16 = 1;

/// Of the second pair of bytes of a message.
const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;

/// No question that a script can have needs more.
pub(crate) const QUERY_MAX: usize = 512;

/// Why a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the message ends too early")]
    Short,
    #[error("the message is longer than what it says")]
    Long,
    #[error("it is no question, or not one")]
    Question,
    #[error("a label has a form that is not allowed here")]
    Label,
    #[error("it does not answer what was asked")]
    Other,
}

/// A question, as a script sent it.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    head: [u8; 4],
    /// The bytes of the question, which the answer repeats.
    question: &'a [u8],
    /// The name as it was asked for, for the record.
    pub(crate) written: String,
    /// The name, if it is one.
    pub(crate) name: Result<Name, NameProblem>,
    /// The type of record.
    pub(crate) kind: u16,
    /// Whether it is an ordinary question about the internet.
    pub(crate) ordinary: bool,
}

/// Reads a question. What has no readable head cannot be answered; see [`answer_to_malformed`] for the rest.
pub(crate) fn query(message: &[u8]) -> Result<Query<'_>, Malformed> {
    let mut reader = Reader::new(message);
    let head: [u8; 4] = reader.take(4)?.try_into().map_err(|_| Malformed::Short)?;
    let flags = u16::from_be_bytes([head[2], head[3]]);
    let (questions, answers, authorities, additional) =
        (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
    // One more record may say how long answers can be (EDNS); ours are never long.
    if flags & RESPONSE != 0 || questions != 1 || answers != 0 || authorities != 0 || additional > 1 {
        return Err(Malformed::Question);
    }
    let begin = reader.position();
    let labels = reader.plain_name()?;
    let (kind, class) = (reader.u16()?, reader.u16()?);
    let question = message.get(begin..reader.position()).ok_or(Malformed::Short)?;
    for _ in 0..additional {
        reader.plain_name()?;
        reader.take(8)?;
        let length = reader.u16()?;
        reader.take(usize::from(length))?;
    }
    reader.end()?;
    let ordinary = flags & OPCODE == 0 && class == INTERNET;
    // A dot inside a label would become one between two.
    let dotted = labels.iter().any(|label| label.contains(&b'.'));
    let joined = labels.join(&b'.');
    let name = if dotted { Err(NameProblem::Character) } else { Name::parse(&joined) };
    Ok(Query { head, question, written: joined.escape_ascii().to_string(), name, kind, ordinary })
}

/// What a script is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Address(IpAddr),
    /// The name exists and has no such record.
    Nothing,
    /// There is no such name.
    NoSuchName,
    /// It could not be found out.
    Failed,
    /// This resolver does not do such things.
    NotImplemented,
}

/// How long a script may remember an address inside: for the run, in effect.
const TTL: u32 = 600;

/// The answer to a question.
pub(crate) fn answer(query: &Query<'_>, answer: Answer) -> Vec<u8> {
    let code = match answer {
        Answer::Address(_) | Answer::Nothing => 0,
        Answer::Failed => 2,
        Answer::NoSuchName => 3,
        Answer::NotImplemented => 4,
    };
    let mut message = head(&query.head, code, 1, u16::from(matches!(answer, Answer::Address(_))));
    message.extend(query.question);
    if let Answer::Address(address) = answer {
        let (kind, bytes) = match address {
            IpAddr::V4(v4) => (A, v4.octets().to_vec()),
            IpAddr::V6(v6) => (AAAA, v6.octets().to_vec()),
        };
        // The name is that of the question, behind the head.
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend(INTERNET.to_be_bytes());
        message.extend(TTL.to_be_bytes());
        message.extend([0, if kind == A { 4 } else { 16 }]);
        message.extend(bytes);
    }
    message
}

/// What is answered to a message that is no question, if it is not an answer itself.
pub(crate) fn answer_to_malformed(message: &[u8]) -> Option<Vec<u8>> {
    let begin: [u8; 4] = message.get(..4)?.try_into().ok()?;
    (message.len() >= 12 && begin[2] & 0x80 == 0).then(|| head(&begin, 1, 0, 0))
}

fn head(of: &[u8; 4], code: u16, questions: u16, answers: u16) -> Vec<u8> {
    let asked = u16::from_be_bytes([of[2], of[3]]);
    let flags = RESPONSE | RECURSION_AVAILABLE | asked & (OPCODE | RECURSION_DESIRED) | code;
    let mut message = of[..2].to_vec();
    for pair in [flags, questions, answers, 0, 0] {
        message.extend(pair.to_be_bytes());
    }
    message
}

/// A question to the host's resolver.
pub(crate) fn question(id: u16, name: &Name, kind: u16) -> Vec<u8> {
    let mut message = Vec::with_capacity(name.as_str().len() + 18);
    for pair in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        message.extend(pair.to_be_bytes());
    }
    message.extend(wire(name));
    message.extend(kind.to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    message
}

/// A name as it stands in messages: each label behind its length, an empty one at the end.
fn wire(name: &Name) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.as_str().len() + 2);
    for label in name.as_str().split('.') {
        // A label of a name has at most 63 bytes.
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests;
