//! Group commit: many threads append, and one wait for the disk serves all records that have come meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::error::AppendError;
use crate::frame::{Mark, SpanId};
use crate::journal::{Journal, Receipt};

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
/// the disk, and hands out the receipts.
#[derive(Debug)]
pub struct SharedJournal {
    /// Closed, when dropped, so that the writer ends.
    requests: Option<Sender<Request>>,
    writer: Option<JoinHandle<Journal>>,
}

struct Request {
    pending: Pending,
    answer: SyncSender<Result<Receipt, AppendError>>,
}

impl SharedJournal {
    /// Shares an open journal.
    ///
    /// # Errors
    ///
    /// When the system has no room for another thread.
    pub fn new(journal: Journal) -> std::io::Result<SharedJournal> {
        let (requests, incoming) = channel();
        let writer =
            thread::Builder::new().name("journal".to_owned()).spawn(move || write(journal, &incoming))?;
        Ok(SharedJournal { requests: Some(requests), writer: Some(writer) })
    }

    /// Appends one record; durable when this returns.
    ///
    /// # Errors
    ///
    /// See [`AppendError`]. After the disk failed, every append fails: open the journal anew.
    pub fn append(&self, pending: Pending) -> Result<Receipt, AppendError> {
        let (answer, answered) = sync_channel(1);
        let requests = self.requests.as_ref().ok_or(AppendError::Poisoned)?;
        requests.send(Request { pending, answer }).map_err(|_| AppendError::Poisoned)?;
        answered.recv().map_err(|_| AppendError::Poisoned)?
    }

    /// Ends the sharing, after what is on its way; `None` if the writer has died.
    #[must_use]
    pub fn into_inner(mut self) -> Option<Journal> {
        self.requests = None;
        self.writer.take()?.join().ok()
    }
}

impl Drop for SharedJournal {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write(mut journal: Journal, incoming: &Receiver<Request>) -> Journal {
    while let Ok(first) = incoming.recv() {
        let (pending, answers): (Vec<_>, Vec<_>) = std::iter::once(first)
            .chain(incoming.try_iter())
            .map(|request| (request.pending, request.answer))
            .unzip();
        for (answer, result) in answers.iter().zip(journal.append_pending(&pending)) {
            // Whoever asked may have died meanwhile; the record stays.
            let _ = answer.send(result);
        }
    }
    journal
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
