//! What is said between a journal and its signer: one order and one reply, both text.

use std::fmt;

use crate::tlog::{
    Checkpoint, Hash, KeyName, MAX_NOTE, MAX_SUBMISSION, Note, VerifierKey, base64, submission,
};

/// The longest order, in bytes.
pub const MAX_REQUEST: usize = MAX_SUBMISSION;

/// The longest reply, in bytes.
pub(crate) const MAX_REPLY: usize = MAX_NOTE + 8192;

/// What every order begins with.
const VERSION: &str = "waxcell-signer/1 ";

/// What a journal asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// How it stands.
    Status,
    /// To hold the key of the log with this name.
    Begin(KeyName),
    /// To sign a checkpoint that goes on from one of `old` records.
    Sign { old: u64, proof: Vec<Hash>, checkpoint: Checkpoint },
    /// To make the key of another epoch ready.
    Next,
    /// To throw that away.
    Forget,
    /// To let it take over, and to destroy the present one.
    Follow(VerifierKey),
}

impl Order {
    /// Reads an order; says why there is none.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Order, String> {
        if bytes.len() > MAX_REQUEST {
            return Err(format!("an order has at most {MAX_REQUEST} bytes"));
        }
        let line_ends = bytes.iter().position(|&byte| byte == b'\n');
        let (line, rest) = bytes.split_at(line_ends.map_or(bytes.len(), |at| at + 1));
        let line =
            std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix(VERSION)?.strip_suffix('\n'));
        let line = line.ok_or_else(|| format!("an order begins with a line `{VERSION}...`"))?;
        let (word, of) = line.split_once(' ').unwrap_or((line, ""));
        let order = match (word, of) {
            ("status", "") => Order::Status,
            ("next", "") => Order::Next,
            ("forget", "") => Order::Forget,
            ("begin", name) => Order::Begin(KeyName::new(name).map_err(|error| error.to_string())?),
            ("follow", key) => {
                Order::Follow(key.parse().map_err(|error: crate::tlog::KeyError| error.to_string())?)
            }
            ("sign", "") => {
                let (old, proof, text) = submission::head(rest).map_err(|error| error.to_string())?;
                let text = std::str::from_utf8(text).map_err(|_| "the checkpoint is no text".to_owned())?;
                let checkpoint = text.parse::<Checkpoint>().map_err(|error| error.to_string())?;
                return Ok(Order::Sign { old, proof, checkpoint });
            }
            _ => return Err("there is no such order".to_owned()),
        };
        if rest.is_empty() { Ok(order) } else { Err("something follows the order".to_owned()) }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        match self {
            Order::Status => f.write_str("status\n"),
            Order::Begin(name) => writeln!(f, "begin {name}"),
            Order::Next => f.write_str("next\n"),
            Order::Forget => f.write_str("forget\n"),
            Order::Follow(key) => writeln!(f, "follow {key}"),
            Order::Sign { old, proof, checkpoint } => {
                writeln!(f, "sign\nold {old}")?;
                proof.iter().try_for_each(|hash| writeln!(f, "{}", base64::encode(hash)))?;
                write!(f, "\n{checkpoint}")
            }
        }
    }
}

/// How a signer stands after an order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The key that signs.
    pub(crate) key: VerifierKey,
    /// The one that was made ready.
    pub(crate) next: Option<VerifierKey>,
    /// What was signed last.
    pub(crate) last: Option<Note>,
}

impl Standing {
    /// How many records were signed.
    pub(crate) fn signed(&self) -> u64 {
        let last = self.last.as_ref().and_then(|note| note.text().parse::<Checkpoint>().ok());
        last.map_or(0, |last| last.size())
    }
}

/// What a signer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done(Box<Standing>),
    Refused(String),
    /// Refused, because of another tree than the one that was signed.
    Against(String),
    Failed(String),
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |why: &str| why.replace(char::is_control, " ");
        match self {
            Reply::Refused(why) => writeln!(f, "refused {}", line(why)),
            Reply::Against(why) => writeln!(f, "against {}", line(why)),
            Reply::Failed(why) => writeln!(f, "failed {}", line(why)),
            Reply::Done(standing) => {
                let Standing { key, next, last } = &**standing;
                writeln!(f, "done\nkey {key}")?;
                if let Some(next) = next {
                    writeln!(f, "next {next}")?;
                }
                writeln!(f)?;
                last.as_ref().map_or(Ok(()), |last| write!(f, "{last}"))
            }
        }
    }
}

impl Reply {
    /// Reads a reply; nothing where it is none.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Reply> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (first, rest) = text.split_once('\n')?;
        let why = |why: &str| why.chars().take(1000).collect();
        match first.split_once(' ') {
            Some(("refused", words)) => return Some(Reply::Refused(why(words))),
            Some(("against", words)) => return Some(Reply::Against(why(words))),
            Some(("failed", words)) => return Some(Reply::Failed(why(words))),
            _ if first != "done" => return None,
            _ => {}
        }
        let (lines, note) = match rest.split_once("\n\n") {
            Some((lines, note)) => (lines, note),
            None => (rest.strip_suffix("\n\n").unwrap_or(rest), ""),
        };
        let mut lines = lines.lines();
        let key = lines.next()?.strip_prefix("key ")?.parse().ok()?;
        let next = match lines.next() {
            None => None,
            Some(line) => Some(line.strip_prefix("next ")?.parse().ok()?),
        };
        let last = if note.is_empty() { None } else { Some(Note::parse(note.as_bytes()).ok()?) };
        Some(Reply::Done(Box::new(Standing { key, next, last })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::PrivateKey;

    #[test]
    fn what_is_written_is_what_is_read() {
        let key = PrivateKey::from_seed(KeyName::new("host/log").unwrap(), &[7; 32]);
        let (name, vkey) = (key.name().clone(), key.verifier());
        let checkpoint = Checkpoint::new(&name, 3, [1; 32]);
        for order in [
            Order::Status,
            Order::Next,
            Order::Forget,
            Order::Begin(name),
            Order::Follow(vkey.clone()),
            Order::Sign { old: 2, proof: vec![[5; 32], [6; 32]], checkpoint: checkpoint.clone() },
            Order::Sign { old: 0, proof: Vec::new(), checkpoint: checkpoint.clone() },
        ] {
            let text = order.to_string();
            assert_eq!(Order::parse(text.as_bytes()), Ok(order));
            for cut in 0..text.len() {
                assert!(Order::parse(&text.as_bytes()[..cut]).is_err(), "{cut} of {text:?}");
            }
            assert!(Order::parse(format!("{text}x").as_bytes()).is_err());
        }
        let mut note = Note::new(checkpoint.to_string()).unwrap();
        note.sign(&key);
        for reply in [
            Reply::Refused("no".to_owned()),
            Reply::Against("you".to_owned()),
            Reply::Failed("so".to_owned()),
            Reply::Done(Box::new(Standing { key: vkey.clone(), next: None, last: None })),
            Reply::Done(Box::new(Standing { key: vkey.clone(), next: Some(vkey.clone()), last: None })),
            Reply::Done(Box::new(Standing { key: vkey.clone(), next: None, last: Some(note.clone()) })),
            Reply::Done(Box::new(Standing { key: vkey.clone(), next: Some(vkey), last: Some(note) })),
        ] {
            assert_eq!(Reply::parse(reply.to_string().as_bytes()), Some(reply));
        }
        for none in ["", "done", "done\n", "done\nkey x\n\n", "yes\n", "done\n\n"] {
            assert_eq!(Reply::parse(none.as_bytes()), None, "{none:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_order_or_none(noise in "(waxcell-signer/1 )?(status|begin|next|forget|follow|sign|)[ \\n-~]{0,80}") {
            if let Ok(order) = Order::parse(noise.as_bytes()) {
                proptest::prop_assert_eq!(order.to_string(), noise.clone());
            }
        }

        #[test]
        fn any_bytes_have_an_answer(noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = (Order::parse(&noise), Reply::parse(&noise));
            for first in ["done\nkey ", "refused ", "done\n\n"] {
                let _ = Reply::parse(&[first.as_bytes(), &noise].concat());
            }
        }
    }
}
