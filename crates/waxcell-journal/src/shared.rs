//! Group commit: many threads append, and one wait for the disk serves all records that have come meanwhile.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::futex;

use crate::directory::Directory;
use crate::error::AppendError;
use crate::frame::{Mark, SpanId};
use crate::journal::{Journal, Receipt};
use crate::spare;

/// What share of the time that a group takes is waited for those who are about to come back.
const PATIENCE: u32 = 4;

/// As many segments are made ahead. Some groups fill one.
const SPARES: usize = 2;

/// A record to append, whose payload may contain its own index.
pub struct Pending {
    /// What it does to its span.
    pub mark: Mark,
    /// The span it belongs to, or [`SpanId::NONE`].
    pub span: SpanId,
    /// Makes the payload from the index; may be called more than once.
    pub payload: Box<dyn Fn(u64) -> Vec<u8> + Send>,
}

/// A journal for many threads of one process. Other processes may append to it as before.
///
/// A thread of its own takes all records that have come since it last looked, appends them together with one wait for
/// the disk, and hands out the receipts; another one makes the segments that it will need.
pub struct SharedJournal {
    desk: Arc<Desk>,
    writer: Option<JoinHandle<Journal>>,
}

/// Where threads leave their records and the writer fetches them.
#[derive(Default)]
struct Desk {
    queue: Mutex<Queue>,
    /// Told when the first record comes, when as many are there as the writer waits for, and at the end.
    enough: Condvar,
}

#[derive(Default)]
struct Queue {
    pending: Vec<Pending>,
    group: Arc<Group>,
    /// How many the writer waits for.
    wanted: usize,
    /// No more records come.
    closed: bool,
    /// The writer is gone.
    dead: bool,
}

/// The records that are appended together, from the side of those who wait for them.
///
/// They wait by futex(2): one call wakes all of them, and none meets another at a lock.
#[derive(Default)]
struct Group {
    done: AtomicU32,
    /// By place in the group, each to be fetched once.
    results: OnceLock<Vec<Mutex<Option<Appended>>>>,
}

type Appended = Result<Receipt, AppendError>;

impl SharedJournal {
    /// Shares an open journal.
    ///
    /// # Errors
    ///
    /// When the system has no room for two more threads.
    pub fn new(journal: Journal) -> std::io::Result<SharedJournal> {
        let desk = Arc::new(Desk::default());
        let (directory, theirs) =
            (journal.directory().again().map_err(|error| error.source)?, Arc::clone(&desk));
        let (need, needed) = sync_channel(1);
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        named("spares").spawn(move || make_spares(&directory, &needed))?;
        let writer = named("journal").spawn(move || write(journal, theirs, need))?;
        Ok(SharedJournal { desk, writer: Some(writer) })
    }

    /// Appends one record; durable when this returns.
    ///
    /// # Errors
    ///
    /// See [`AppendError`]. After the disk failed, every append fails: open the journal anew.
    pub fn append(&self, pending: Pending) -> Result<Receipt, AppendError> {
        let (group, place) = self.desk.leave(pending).ok_or(AppendError::Poisoned)?;
        group.result(place)
    }

    /// Ends the sharing, after what is on its way; `None` if the writer has died.
    #[must_use]
    pub fn into_inner(mut self) -> Option<Journal> {
        self.desk.close();
        self.writer.take()?.join().ok()
    }
}

impl fmt::Debug for SharedJournal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedJournal").finish_non_exhaustive()
    }
}

impl Drop for SharedJournal {
    fn drop(&mut self) {
        self.desk.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Desk {
    /// A record for the next group, and its place there; `None` when nobody will fetch it.
    fn leave(&self, pending: Pending) -> Option<(Arc<Group>, usize)> {
        let mut queue = lock(&self.queue);
        if queue.dead {
            return None;
        }
        let place = queue.pending.len();
        queue.pending.push(pending);
        if place == 0 || place + 1 == queue.wanted {
            self.enough.notify_one();
        }
        Some((Arc::clone(&queue.group), place))
    }

    /// Waits for the next group; `None` at the end. Of those who were answered a moment ago most come back at once, and
    /// a group that begins with the first of them leaves the others to wait for two: so it waits until as many are
    /// there as the last time, but not for longer than `patience`.
    fn fetch(&self, last: usize, patience: Duration) -> Option<(Vec<Pending>, Owed)> {
        let mut queue = lock(&self.queue);
        queue.wanted = last;
        while queue.pending.is_empty() {
            if queue.closed {
                return None;
            }
            queue = self.enough.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let few = |queue: &mut Queue| queue.pending.len() < last && !queue.closed;
        let waited = self.enough.wait_timeout_while(queue, patience, few);
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Some((std::mem::take(&mut queue.pending), Owed(std::mem::take(&mut queue.group))))
    }

    fn close(&self) {
        lock(&self.queue).closed = true;
        self.enough.notify_one();
    }
}

impl Group {
    fn result(&self, place: usize) -> Appended {
        while self.done.load(Ordering::Acquire) == 0 {
            // Whatever ends the waiting: the word itself is asked again.
            let _ = futex::wait(&self.done, futex::Flags::PRIVATE, 0, None);
        }
        let own = self.results.get().and_then(|results| results.get(place));
        own.and_then(|own| lock(own).take()).unwrap_or(Err(AppendError::Poisoned))
    }
}

/// A group whose threads wait for an answer. They have one, whatever becomes of the writer.
struct Owed(Arc<Group>);

impl Owed {
    fn answer(self, results: Vec<Appended>) {
        self.0.results.get_or_init(|| results.into_iter().map(|one| Mutex::new(Some(one))).collect());
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.results.get_or_init(Vec::new);
        self.0.done.store(1, Ordering::Release);
        let _ = futex::wake(&self.0.done, futex::Flags::PRIVATE, u32::MAX >> 1);
    }
}

/// Says at the desk that nobody fetches any more, however the writer ends.
struct Attendance(Arc<Desk>);

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.dead = true;
        drop(Owed(Arc::clone(&queue.group)));
    }
}

fn write(mut journal: Journal, desk: Arc<Desk>, need: SyncSender<()>) -> Journal {
    let attendance = Attendance(desk);
    let (mut last, mut patience) = (0, Duration::ZERO);
    while let Some((pending, owed)) = attendance.0.fetch(last, patience) {
        let (started, segment) = (Instant::now(), journal.segment());
        owed.answer(journal.append_pending(&pending));
        (last, patience) = (pending.len(), started.elapsed() / PATIENCE);
        if journal.segment() != segment {
            // One that was asked for already serves as well.
            let _ = need.try_send(());
        }
    }
    journal
}

/// Makes segments ahead of need. Where that fails, the append that needs one tries again, and says why it cannot.
fn make_spares(directory: &Directory, needed: &Receiver<()>) {
    while needed.recv().is_ok() {
        let _ = spare::ensure(directory, SPARES);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Appends records that have nothing to do with each other, with as few waits for the disk as their size allows.
    /// Each has its own result: one that breaks a rule is left out, and the others are appended all the same.
    ///
    /// # Errors
    ///
    /// See [`AppendError`]; where the disk fails, those of a group have the same error.
    pub fn append_pending(&mut self, pending: &[Pending]) -> Vec<Result<Receipt, AppendError>> {
        let mut results: Vec<_> = Vec::with_capacity(pending.len());
        while results.len() < pending.len() {
            let rest = &pending[results.len()..];
            match self.append_group(rest) {
                Ok(group) => results.extend(group),
                // What is owed to open spans fits, even where all of them together do not.
                Err(AppendError::NoRoom(_)) if rest.len() > 1 => {
                    results.extend(rest.iter().map(|one| self.append_with(one.mark, one.span, &one.payload)));
                }
                Err(error) => {
                    let error = Arc::new(error);
                    results.extend(rest.iter().map(|_| Err(AppendError::Group(Arc::clone(&error)))));
                }
            }
        }
        results
    }
}
