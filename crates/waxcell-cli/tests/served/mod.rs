//! A witness as a process on loopback, and hosts that it watches.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    dead_code,
    reason = "a test fails where it stands, starts programs, and uses a part of this"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{self, Place, Said, say};

pub(crate) const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";

/// A witness that runs until this is dropped, with what it says.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) key: String,
    pub(crate) url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    pub(crate) fn start(place: &Place, log: &str, listen: &str) -> Served {
        Served::of(place.waxcell(&["witness", "serve", "--listen", listen, "--log", log]), place)
    }

    pub(crate) fn of(mut command: Command, place: &Place) -> Served {
        let said = fs::OpenOptions::new().create(true).append(true).open(place.root().join("said")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(said).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let (key, url) = (line(), line());
        assert!(
            url.starts_with("http://"),
            "{url}: {}",
            fs::read_to_string(place.root().join("said")).unwrap()
        );
        Served { child, key, url }
    }

    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        stream
    }

    /// Sends a body; status and body of the answer.
    pub(crate) fn submit(&self, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        write!(
            stream,
            "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        reply(&mut stream)
    }
}

/// All of an answer, after which the connection ends.
pub(crate) fn reply(stream: &mut TcpStream) -> (u16, String) {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// A host with one run on record.
pub(crate) fn host() -> Place {
    let place = Place::new(POLICY);
    assert_eq!(place.run("print(1)").code, 0);
    place
}

pub(crate) fn key(place: &Place) -> String {
    say(&mut place.waxcell(&["audit", "key"])).out().trim().to_owned()
}

pub(crate) fn said_by(place: &Place) -> String {
    fs::read_to_string(place.root().join("said")).unwrap()
}

/// Has a host ask these witnesses, of which `quorum` have to sign.
pub(crate) fn set(place: &Place, witnesses: &[(&str, &str)], quorum: &str, more: &[&str]) {
    let mut policy = String::new();
    for (nth, (key, url)) in witnesses.iter().enumerate() {
        policy += &format!("witness w{nth} {key} {url}\n");
    }
    let names: Vec<String> = (0..witnesses.len()).map(|nth| format!("w{nth}")).collect();
    policy += &format!("group all-of-them {quorum} {}\nquorum all-of-them\n", names.join(" "));
    let file = place.write("witnesses.policy", policy).display().to_string();
    let done = say(&mut place.waxcell(&[&["audit", "witness", "set", &file], more].concat()));
    assert_eq!(done.code, 0, "{done:?}");
}

pub(crate) fn verify(place: &Place, more: &[&str]) -> Said {
    say(&mut place.waxcell(&[&["audit", "verify"], more].concat()))
}

pub(crate) fn verified(place: &Place) -> Value {
    let said = verify(place, &["--json", "--complete"]);
    assert_eq!(said.code, 0, "{said:?}");
    said.report()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

/// What is sent to a witness that has signed nothing yet.
pub(crate) fn first_submission(place: &Place) -> String {
    format!("old 0\n\n{}", fs::read_to_string(place.journal().join("tlog/checkpoint")).unwrap())
}
