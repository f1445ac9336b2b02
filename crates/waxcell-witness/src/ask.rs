//! Asking all witnesses of a journal at once, within a time, for their cosignatures.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use waxcell_journal::tlog::Witness;
use waxcell_journal::{Asking, Claim, Cosigned, Patience, PublishError, Publisher, Step};

use crate::http::{Connection, MAX_HEAD, length};
use crate::url::Url;

/// The longest body of an answer that is taken in.
const MAX_ANSWER: usize = 64 << 10;
/// So often a witness is sent a checkpoint: by a guess, by its answer, and once more where others came between.
const ATTEMPTS: u32 = 3;

/// What came of asking.
#[derive(Debug, Default)]
pub struct Round {
    /// How many witnesses have signed the newest checkpoint; nothing where nobody was to be asked.
    pub cosigned: Option<Cosigned>,
    /// Who did not sign, and why.
    pub silent: Vec<String>,
    /// What a witness claims against this journal without showing it.
    pub claims: Vec<String>,
    /// What a witness has shown against this journal. Nothing more is signed.
    pub evidence: Vec<PathBuf>,
}

/// Asks the witnesses of a journal to cosign its newest checkpoint, and the ends of epochs that they have not signed; shows
/// those that do not know its key what has led to it. Takes `patience` at most, but for the disk.
///
/// # Errors
///
/// When the journal cannot be read or written. That nobody answers is no error.
pub fn ask(publisher: &Publisher, patience: Patience) -> Result<Round, PublishError> {
    let until = Instant::now() + patience.longest;
    let mut round = Round::default();
    let Some(mut asking) = publisher.ask(patience)? else { return Ok(round) };
    let (send, receive) = mpsc::channel();
    let mut waiting = HashMap::new();
    for (nth, witness) in asking.open().into_iter().enumerate() {
        match witness.url.as_deref().unwrap_or_default().parse::<Url>() {
            Err(error) => round.silent.push(format!("{}: {error}", name(&witness))),
            Ok(url) => {
                let last = asking.last_of(&witness);
                let Some(step) = asking.next_for(&witness, last, None) else { continue };
                let send = send.clone();
                let mut one =
                    Asked { witness, url, nth, step, last, attempts: 0, has_shown: false, send, until };
                one.submit(&asking, last)?;
                waiting.insert(nth, one);
            }
        }
    }
    // What comes too late is not waited for: its thread ends with its connection, which has the same bound.
    while !waiting.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        let Ok((nth, event)) = receive.recv_timeout(left) else { break };
        let Some(mut one) = waiting.remove(&nth) else { continue };
        if one.goes_on(event, &mut asking, &mut round)? {
            waiting.insert(nth, one);
        }
    }
    for one in waiting.values() {
        asking.heard(&one.witness, false);
        round.silent.push(format!("{}: no answer in time", name(&one.witness)));
    }
    round.cosigned = Some(asking.finish()?);
    Ok(round)
}

fn name(witness: &Witness) -> String {
    let url = witness.url.as_deref().unwrap_or("no address");
    format!("witness {} ({url})", String::from_utf8_lossy(&witness.name))
}

/// What one exchange led to.
enum Event {
    Submitted(io::Result<Reply>),
    /// With what had been answered before to a checkpoint whose key was not known.
    Followed(Reply, io::Result<Reply>),
    /// With what had been said before.
    Shown(String, io::Result<Reply>),
}

/// A witness that was asked.
struct Asked {
    witness: Witness,
    url: Url,
    nth: usize,
    /// Which checkpoint it was sent last.
    step: Step,
    /// How many records it has signed, as far as that is known.
    last: u64,
    /// How often it was sent that.
    attempts: u32,
    /// Whether it was shown then what has led to its key.
    has_shown: bool,
    send: mpsc::Sender<(usize, Event)>,
    until: Instant,
}

impl Asked {
    /// Takes in an answer, and says whether there is more to come.
    fn goes_on(
        &mut self,
        event: Event,
        asking: &mut Asking<'_>,
        round: &mut Round,
    ) -> Result<bool, PublishError> {
        let who = name(&self.witness);
        match event {
            Event::Submitted(Err(error)) => {
                asking.heard(&self.witness, !is_silence(&error));
                round.silent.push(format!("{who}: {error}"));
            }
            Event::Submitted(Ok(reply)) => {
                asking.heard(&self.witness, true);
                return self.answered(reply, asking, round);
            }
            Event::Followed(before, followed) => {
                match followed.ok().map(|reply| (reply.status, reply.size())) {
                    Some((200, _)) => {
                        self.submit(asking, self.last)?;
                        return Ok(true);
                    }
                    // It knows nothing of such requests, or of that epoch.
                    _ => return self.next(asking, round, &format!("{} {}", before.status, before.words())),
                }
            }
            Event::Shown(said, shown) => {
                let claim = match shown.ok().filter(|reply| reply.status == 200) {
                    Some(reply) => asking.judge(&self.witness, reply.body.as_bytes())?,
                    None => Claim::Unproved,
                };
                match claim {
                    Claim::Harmless => round.silent.push(format!("{who}: {said}")),
                    Claim::Unproved => round.claims.push(format!("{who}: {said}; it does not show that")),
                    Claim::Proved(path) => round.evidence.push(path),
                }
            }
        }
        Ok(false)
    }

    /// What it says to a checkpoint.
    fn answered(
        &mut self,
        reply: Reply,
        asking: &mut Asking<'_>,
        round: &mut Round,
    ) -> Result<bool, PublishError> {
        let who = name(&self.witness);
        let sent = asking.size_of(self.step);
        match (reply.status, reply.size()) {
            (200, _) if asking.take(self.step, &self.witness, &reply.body) => {
                self.last = sent;
                return self.next(asking, round, "");
            }
            (200, _) => round.silent.push(format!("{who}: its answer has no right signature")),
            (409, Some(size)) if size <= sent && self.attempts < ATTEMPTS => {
                self.submit(asking, size)?;
                return Ok(true);
            }
            // It has gone past the end of that epoch.
            (409, Some(size)) if size > sent && !asking.is_newest(self.step) => {
                self.last = size;
                return self.next(asking, round, "");
            }
            (409, Some(size)) if size > asking.size() => {
                let said = format!("it has signed {size} records, and there are {}", asking.size());
                self.get(asking.origin_hash(), said);
                return Ok(true);
            }
            (403, _) if !self.has_shown => match asking.change_of_keys(self.step)? {
                Some(proof) => {
                    self.has_shown = true;
                    let posted = self.post("add-seal", &proof.to_string());
                    self.exchange(posted, |followed| Event::Followed(reply, followed));
                    return Ok(true);
                }
                None => return self.next(asking, round, &format!("403 {}", reply.words())),
            },
            (403, _) => return self.next(asking, round, &format!("403 {}", reply.words())),
            (422, _) => {
                self.get(asking.origin_hash(), format!("it refuses the proof: {}", reply.words()));
                return Ok(true);
            }
            (status, _) => round.silent.push(format!("{who}: {status} {}", reply.words())),
        }
        Ok(false)
    }

    /// Goes on to what is to be signed next, if anything is. What it said, if that was no signature, is told at the end.
    fn next(&mut self, asking: &Asking<'_>, round: &mut Round, said: &str) -> Result<bool, PublishError> {
        match asking.next_for(&self.witness, self.last, Some(self.step)) {
            Some(step) => {
                (self.step, self.attempts, self.has_shown) = (step, 0, false);
                self.submit(asking, self.last)?;
                Ok(true)
            }
            None => {
                if !said.is_empty() {
                    round.silent.push(format!("{}: {said}", name(&self.witness)));
                }
                Ok(false)
            }
        }
    }

    fn submit(&mut self, asking: &Asking<'_>, old: u64) -> Result<(), PublishError> {
        self.attempts += 1;
        self.last = old;
        let body = asking.submission(self.step, old.min(asking.size_of(self.step)))?.to_string();
        self.exchange(self.post("add-checkpoint", &body), Event::Submitted);
        Ok(())
    }

    fn post(&self, path: &str, body: &str) -> String {
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.url.path(path),
            self.url.address(),
            body.len(),
        )
    }

    fn get(&self, origin_hash: String, said: String) {
        let path = self.url.path(&format!("{origin_hash}/checkpoint"));
        let host = self.url.address();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        self.exchange(request, |reply| Event::Shown(said, reply));
    }

    /// In a thread of its own, so that nobody waits for another's witness.
    fn exchange(&self, request: String, event: impl FnOnce(io::Result<Reply>) -> Event + Send + 'static) {
        let (url, nth, until, send) = (self.url.clone(), self.nth, self.until, self.send.clone());
        let answer = self.send.clone();
        let begun = thread::Builder::new().spawn(move || {
            let _ = send.send((nth, event(exchange(&url, &request, until))));
        });
        if let Err(error) = begun {
            let _ = answer.send((self.nth, Event::Submitted(Err(error))));
        }
    }
}

/// Whether it is one that said nothing, and not one that says no.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn exchange(url: &Url, request: &str, until: Instant) -> io::Result<Reply> {
    let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut connection = Connection::new(TcpStream::connect_timeout(&url.address(), left)?, until);
    connection.write(request.as_bytes())?;
    let whole = |bytes: &[u8]| Reply::parse(bytes).is_some_and(|(_, whole)| whole);
    let bytes = connection.reply(MAX_HEAD + MAX_ANSWER, whole)?;
    let reply = Reply::parse(&bytes).map(|(reply, _)| reply);
    reply.ok_or_else(|| io::Error::other("this is no answer of HTTP/1.1"))
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    status: u16,
    body: String,
}

impl Reply {
    /// The answer in these bytes, and whether it is whole; one without a length is when the connection ends.
    fn parse(bytes: &[u8]) -> Option<(Reply, bool)> {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(used)) = parsed.parse(bytes) else { return None };
        let status = parsed.code?;
        let field = |name: &str| {
            let mut all = parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
            all.next().map(|field| String::from_utf8_lossy(field.value).into_owned())
        };
        let rest = &bytes[used..];
        // Nothing asks for a body to be continued; what comes before the answer is passed over.
        if (100..200).contains(&status) {
            return Reply::parse(rest);
        }
        if field("transfer-encoding").is_some() {
            let body = chunks(rest);
            let whole = body.is_some();
            return Some((Reply { status, body: body.unwrap_or_default() }, whole));
        }
        let length = field("content-length").and_then(|text| length(&text));
        let body = &rest[..rest.len().min(length.unwrap_or(usize::MAX))];
        let whole = length.is_some_and(|length| rest.len() >= length);
        Some((Reply { status, body: String::from_utf8_lossy(body).into_owned() }, whole))
    }

    /// A number of entries alone on a line.
    fn size(&self) -> Option<u64> {
        let number = self.body.strip_suffix('\n').unwrap_or(&self.body);
        length(number).and_then(|number| u64::try_from(number).ok())
    }

    /// The first words of the body, for a message.
    fn words(&self) -> String {
        self.body.lines().next().unwrap_or_default().chars().take(200).collect()
    }
}

/// A body in pieces; nothing while it is not whole, or where it is none.
fn chunks(mut rest: &[u8]) -> Option<String> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((used, size)) = httparse::parse_chunk_size(rest).ok()? else {
            return None;
        };
        if size == 0 {
            return String::from_utf8(body).ok();
        }
        let size = usize::try_from(size).ok()?;
        let piece = rest.get(used..)?.get(..size)?;
        body.extend_from_slice(piece);
        rest = rest.get(used + size..)?.strip_prefix(b"\r\n")?;
    }
}
