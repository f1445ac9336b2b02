//! The resolver inside: answers for allowed names, with addresses that stand for them, and for nothing else.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::dns::{A, AAAA, Answer, QUERY_MAX, Query, answer, answer_to_malformed, query};
use crate::line::hear;
use crate::lookup::{Known, lookup};
use crate::name::NameProblem;
use crate::report::{Attempt, Rule};
use crate::run::Run;
use crate::synthetic::Entry;

/// Questions that are being answered at one time; more are left to be asked again.
const AT_ONCE: usize = 64;

/// Connections to the resolver at one time.
const STREAMS: usize = 16;

/// How long such a connection may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers datagrams until the run is over.
pub(crate) async fn datagrams(run: Rc<Run>, socket: Rc<UdpSocket>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let Ok(inside) = socket.local_addr() else { return };
    let mut message = [0; QUERY_MAX + 1];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut message).await else {
            // Of an earlier answer that nobody wanted; anything that lasts must not become a busy loop.
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        let Ok(turn) = turns.clone().try_acquire_owned() else { continue };
        hear(&run);
        let place = run.place_of(inside);
        let (run, socket) = (run.clone(), socket.clone());
        let message = message.get(..length).unwrap_or_default().to_vec();
        spawn_local(async move {
            if let Some(told) = respond(&run, &message, place).await {
                let _ = socket.send_to(&told, from).await;
            }
            drop(turn);
        });
    }
}

/// Answers over TCP until the run is over.
pub(crate) async fn streams(run: Rc<Run>, listener: TcpListener) {
    let turns = Arc::new(Semaphore::new(STREAMS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        hear(&run);
        let Ok(turn) = turns.clone().try_acquire_owned() else { continue };
        let run = run.clone();
        spawn_local(async move {
            // Whatever ends it: the script asks again if it wants to.
            let _ = converse(&run, stream).await;
            drop(turn);
        });
    }
}

async fn converse(run: &Run, mut stream: TcpStream) -> io::Result<()> {
    let place = run.place_of(stream.local_addr()?);
    loop {
        let length = usize::from(timeout(PATIENCE, stream.read_u16()).await??);
        if length > QUERY_MAX {
            let why = "it is too long".to_owned();
            run.refuse(Attempt::Resolve, "a message".to_owned(), Rule::Malformed, why, place);
            return Ok(());
        }
        let mut message = vec![0; length];
        timeout(PATIENCE, stream.read_exact(&mut message)).await??;
        let Some(told) = respond(run, &message, place.clone()).await else { return Ok(()) };
        let mut framed = (told.len() as u16).to_be_bytes().to_vec();
        framed.extend(told);
        timeout(PATIENCE, stream.write_all(&framed)).await??;
    }
}

/// The answer to a message, if it is one that is answered.
async fn respond(run: &Run, message: &[u8], place: Option<String>) -> Option<Vec<u8>> {
    run.counters.borrow_mut().questions += 1;
    let asked = query(message).and_then(|asked| match message.len() {
        ..=QUERY_MAX => Ok(asked),
        _ => Err(crate::dns::Malformed::Long),
    });
    match asked {
        Ok(asked) => {
            let told = decide(run, &asked, place).await;
            Some(answer(&asked, told))
        }
        Err(why) => {
            run.refuse(Attempt::Resolve, "a message".to_owned(), Rule::Malformed, why.to_string(), place);
            answer_to_malformed(message)
        }
    }
}

async fn decide(run: &Run, asked: &Query<'_>, place: Option<String>) -> Answer {
    let refuse = |rule, why: String| {
        run.refuse(Attempt::Resolve, asked.written.clone(), rule, why, place.clone());
    };
    if !asked.ordinary {
        refuse(Rule::Malformed, "it is no question about the internet".to_owned());
        return Answer::NotImplemented;
    }
    let name = match &asked.name {
        Ok(name) => name,
        // Programs ask for both all the time; nothing leaves the run for it.
        Err(NameProblem::Empty | NameProblem::Localhost) => return Answer::NoSuchName,
        Err(why) => {
            refuse(Rule::AllowedDomains, why.to_string());
            return Answer::NoSuchName;
        }
    };
    if name.as_str().ends_with(".in-addr.arpa") || name.as_str().ends_with(".ip6.arpa") {
        return Answer::NoSuchName;
    }
    if !run.rules.knows(name) {
        refuse(Rule::AllowedDomains, "the name is not allowed".to_owned());
        return Answer::NoSuchName;
    }
    // Other records could carry anything, and lead past what is decided here (HTTPS, SVCB): none is ever looked up.
    if asked.kind != A && asked.kind != AAAA {
        return Answer::Nothing;
    }
    let Some(entry) = run.names.borrow_mut().of(name) else {
        refuse(Rule::Lookups, "the run has asked for too many names".to_owned());
        return Answer::Failed;
    };
    match entry.known.get_or_try_init(|| find(run, &entry)).await {
        Err(Failure::Unanswered) => Answer::Failed,
        Err(Failure::UsedUp) => {
            refuse(Rule::Lookups, "the run has asked too often".to_owned());
            Answer::Failed
        }
        Ok(Known::NoSuchName) => Answer::NoSuchName,
        Ok(Known::Addresses(addresses)) if addresses.is_empty() => Answer::Nothing,
        Ok(Known::Addresses(addresses)) => match forbidden(run, addresses) {
            Some(why) => {
                refuse(Rule::AllowAddresses, why);
                Answer::NoSuchName
            }
            None if asked.kind == A => Answer::Address(entry.v4.into()),
            None => Answer::Address(entry.v6.into()),
        },
    }
}

enum Failure {
    Unanswered,
    UsedUp,
}

async fn find(run: &Run, entry: &Entry<OnceCell<Known>>) -> Result<Known, Failure> {
    {
        let mut counters = run.counters.borrow_mut();
        if counters.lookups >= run.rules.limits.lookups as u64 {
            return Err(Failure::UsedUp);
        }
        counters.lookups += 1;
    }
    let known = lookup(&run.host, &entry.name).await.map_err(|_| Failure::Unanswered)?;
    run.introduce(entry).await;
    Ok(known)
}

/// Why none of the addresses of a name may be reached, on any port.
fn forbidden(run: &Run, addresses: &[IpAddr]) -> Option<String> {
    let mut why = None;
    for address in addresses {
        let listed = run.rules.addresses.iter().any(|rule| rule.network.contains(*address));
        match run.host.special(*address) {
            Some(what) if !listed => why = Some(format!("the name leads to {address} ({what})")),
            _ => return None,
        }
    }
    why
}
