//! What a witness answers, and what it says of that to its owner.

use waxcell_journal::{Answer, Followed, Refusal, Sign};

use crate::http::reason;

/// An answer of HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    kind: &'static str,
    /// What is known against the log, as a field of the head: bodies have their form.
    against: Option<Sign>,
    body: String,
    sends_body: bool,
    /// Whether the connection ends with it.
    pub(crate) is_last: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Reply {
        let (body, kind) = (body.into(), "text/plain; charset=utf-8");
        Reply { status, kind, against: None, body, sends_body: true, is_last: false }
    }

    /// No request is looked at after this.
    pub(crate) fn last(self) -> Reply {
        Reply { is_last: true, ..self }
    }

    /// The head alone, with the length that the body has.
    pub(crate) fn without_body(self, without: bool) -> Reply {
        Reply { sends_body: !without, ..self }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Reply { status, kind, body, .. } = self;
        let mut text = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
            reason(*status),
            body.len()
        );
        if let Some(sign) = self.against {
            text += &format!("Waxcell-Evidence: {sign}\r\n");
        }
        if self.is_last {
            text += "Connection: close\r\n";
        }
        text += "\r\n";
        if self.sends_body {
            text += body;
        }
        text.into_bytes()
    }
}

/// The answer to a submission, and a line for whoever runs the witness where there is something to know.
pub(crate) fn of_submission(answer: &Answer) -> (Reply, Option<String>) {
    let origin = answer.origin.as_deref().unwrap_or_default();
    let mut reply = match &answer.outcome {
        Ok(cosignature) => Reply::new(200, format!("{cosignature}\n")),
        Err(refusal) => of_refusal(refusal),
    };
    let mut said = match &answer.outcome {
        Ok(_) => Some(format!("cosigned {origin}")),
        Err(Refusal::Failed(error)) => Some(format!("failed for {origin}: {error}")),
        // Anybody can send what is no checkpoint of a known log.
        Err(_) if answer.origin.is_none() => None,
        Err(refusal) => Some(format!("refused {origin}: {refusal}")),
    };
    if let Some(evidence) = &answer.evidence {
        reply.against = Some(evidence.sign);
        let what = match evidence.sign {
            Sign::SplitView => {
                "has signed two different trees of one size: it tells different stories to different people"
            }
            Sign::Smaller => {
                "shows fewer entries than before: it was rolled back, or somebody sent an old checkpoint of it"
            }
        };
        if reply.status != 409 {
            reply.body += &format!("{}: the log {what}\n", evidence.sign);
        }
        let kept = match &evidence.file {
            Ok(Some(path)) => format!("both checkpoints are in `{}`", path.display()),
            Ok(None) => "not kept, since there are too many files with evidence".to_owned(),
            Err(error) => format!("they could not be kept: {error}"),
        };
        said = Some(format!("EVIDENCE: {origin} {what}; {kept}"));
    }
    (reply, said)
}

/// The answer to whoever shows that a log has changed its key, and a line as above.
pub(crate) fn of_seal(followed: &Followed) -> (Reply, Option<String>) {
    let origin = followed.origin.as_deref();
    let said = |what: String| origin.map(|origin| format!("{what} {origin}"));
    match &followed.outcome {
        Ok(key) => (Reply::new(200, format!("{key}\n")), said(format!("follows to the key {key} of"))),
        Err(refusal @ Refusal::Failed(error)) => (of_refusal(refusal), Some(format!("failed: {error}"))),
        Err(refusal) => (of_refusal(refusal), said(format!("does not follow, since {refusal}:"))),
    }
}

fn of_refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Conflict { size } => {
            Reply { kind: "text/x.tlog.size", ..Reply::new(409, format!("{size}\n")) }
        }
        Refusal::Failed(_) => Reply::new(500, "the witness failed; its log says why\n"),
        refusal => Reply::new(refusal.status(), format!("{refusal}\n")),
    }
}
