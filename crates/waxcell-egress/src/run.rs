//! What all connections of a run share: rules, names, quotas, counters, and the way to the supervisor.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::UnixDatagram;
use tokio::sync::{OnceCell, mpsc, watch};

use crate::bucket::Bucket;
use crate::host::Host;
use crate::lookup::Known;
use crate::places::Places;
use crate::report::{Attempt, Connection, Counters, Named, Refusal, Report, Rule};
use crate::rules::Rules;
use crate::synthetic::{Entry, Names};

/// Bytes that are moved at a time, through one buffer for all connections. Moving a quarter of it takes a third longer: what
/// costs is waking the other side.
pub(crate) const BUFFER: usize = 1024 * 1024;

/// More kinds of refusals are told as one.
const REFUSALS_MAX: usize = 1024;

/// Reports that wait for the supervisor; connections wait beyond that.
const WAITING_MAX: usize = 256;

pub(crate) struct Run {
    pub(crate) rules: Rules,
    pub(crate) host: Host,
    pub(crate) names: RefCell<Names<OnceCell<Known>>>,
    pub(crate) counters: RefCell<Counters>,
    pub(crate) buffer: RefCell<Vec<u8>>,
    pub(crate) line: UnixDatagram,
    pub(crate) listeners: Cell<usize>,
    pub(crate) places: RefCell<Places>,
    pub(crate) over: watch::Receiver<bool>,
    started: Instant,
    up: RefCell<Option<Bucket>>,
    down: RefCell<Option<Bucket>>,
    left: Cell<u64>,
    refusals: RefCell<HashMap<Key, Kept>>,
    reports: mpsc::Sender<Report>,
}

type Key = (Attempt, String, Rule);

struct Kept {
    refusal: Refusal,
    /// Whether the supervisor knows the count.
    told: bool,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the script to a server.
    Up,
    /// From a server to the script.
    Down,
}

/// Why no bytes may pass now.
pub(crate) enum NotNow {
    Wait(Duration),
    UsedUp,
}

impl Run {
    pub(crate) fn new(
        rules: Rules,
        host: Host,
        over: watch::Receiver<bool>,
        line: UnixDatagram,
    ) -> (Rc<Run>, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(WAITING_MAX);
        let started = Instant::now();
        let limits = &rules.limits;
        let run = Run {
            names: RefCell::new(Names::new(limits.lookups)),
            counters: RefCell::default(),
            buffer: RefCell::new(vec![0; BUFFER]),
            line,
            listeners: Cell::default(),
            places: RefCell::default(),
            over,
            started,
            up: RefCell::new(limits.up.map(|rate| Bucket::new(rate, started))),
            down: RefCell::new(limits.down.map(|rate| Bucket::new(rate, started))),
            left: Cell::new(limits.max_bytes.unwrap_or(u64::MAX)),
            refusals: RefCell::default(),
            reports,
            rules,
            host,
        };
        (Rc::new(run), receiver)
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Ready when the run is over.
    pub(crate) async fn is_over(&self) {
        let mut over = self.over.clone();
        // The other end goes away with the run.
        let _ = over.wait_for(|over| *over).await;
    }

    /// What an address inside stands for.
    pub(crate) fn name_at(&self, address: std::net::IpAddr) -> Option<Rc<Entry<OnceCell<Known>>>> {
        self.names.borrow().at(address)
    }

    /// From where in the script this address was last sent to, if that was told.
    pub(crate) fn place_of(&self, inside: SocketAddr) -> Option<String> {
        self.places.borrow().of(inside)
    }

    /// Takes from the run's allowance; what does not pass has to be given back before anybody else is let in.
    pub(crate) fn take(&self, way: Way, wanted: usize) -> Result<usize, NotNow> {
        let wanted = self.left.get().min(wanted as u64);
        if wanted == 0 {
            return Err(NotNow::UsedUp);
        }
        let taken = match self.bucket(way).borrow_mut().as_mut() {
            Some(bucket) => bucket.take(wanted, Instant::now()).map_err(NotNow::Wait)?,
            None => wanted,
        };
        self.left.set(self.left.get() - taken);
        // No more than was wanted.
        Ok(taken as usize)
    }

    /// Says how much of what was taken has passed.
    pub(crate) fn settle(&self, way: Way, taken: usize, passed: usize) {
        let back = taken.saturating_sub(passed) as u64;
        self.left.set(self.left.get().saturating_add(back));
        if let Some(bucket) = self.bucket(way).borrow_mut().as_mut() {
            bucket.give_back(back);
        }
        let mut counters = self.counters.borrow_mut();
        match way {
            Way::Up => counters.up += passed as u64,
            Way::Down => counters.down += passed as u64,
        }
    }

    fn bucket(&self, way: Way) -> &RefCell<Option<Bucket>> {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    /// Counts a refusal, and tells of it if there is room; [`Run::untold`] has it otherwise.
    pub(crate) fn refuse(
        &self,
        operation: Attempt,
        target: String,
        rule: Rule,
        why: String,
        place: Option<String>,
    ) {
        self.counters.borrow_mut().refused += 1;
        let now = self.now();
        let mut refusals = self.refusals.borrow_mut();
        let mut key = (operation, target, rule);
        let mut why = why;
        if refusals.len() >= REFUSALS_MAX && !refusals.contains_key(&key) {
            key.1 = "others".to_owned();
            why = "see those before".to_owned();
        }
        let kept = refusals.entry(key).or_insert_with_key(|(operation, target, rule)| Kept {
            refusal: Refusal {
                operation: *operation,
                target: target.clone(),
                why,
                rule: *rule,
                place,
                count: 0,
                first_ms: now,
                last_ms: now,
            },
            told: false,
        });
        kept.refusal.count += 1;
        kept.refusal.last_ms = now;
        let first = kept.refusal.count == 1;
        kept.told = first && self.reports.try_send(Report::Refusal(kept.refusal.clone())).is_ok();
    }

    /// Refusals whose count the supervisor does not know; it is about to.
    pub(crate) fn untold(&self) -> Vec<Report> {
        let mut refusals = self.refusals.borrow_mut();
        let untold = refusals.values_mut().filter(|kept| !kept.told);
        untold
            .map(|kept| {
                kept.told = true;
                Report::Refusal(kept.refusal.clone())
            })
            .collect()
    }

    /// Tells what stands for a name; waits for room.
    pub(crate) async fn introduce(&self, entry: &Entry<OnceCell<Known>>) {
        let Entry { name, v4, v6, .. } = entry;
        let _ = self.reports.send(Report::Name(Named { name: name.to_string(), v4: *v4, v6: *v6 })).await;
    }

    /// Tells of a connection that has ended; waits for room.
    pub(crate) async fn tell(&self, connection: Connection) {
        // Nobody listens any more: then there is nobody to tell.
        let _ = self.reports.send(Report::Connection(connection)).await;
    }
}
