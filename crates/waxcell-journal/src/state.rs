//! What a journal says up to some record: the next index, the chain, the spans.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::chain::{self, Hash};
use crate::frame::{Frame, Mark, SpanId};
use crate::header::Header;

/// The most spans that may be open at once. Their closing records are kept room for, and a segment lists them.
pub const MAX_OPEN_SPANS: usize = 1024;

/// A mark that the rules of spans forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkFault {
    /// All zeros name no span.
    #[error("the all-zero name cannot be opened or closed")]
    Nameless,
    /// The span is open.
    #[error("it is open already")]
    AlreadyOpen,
    /// The span was open once and has been closed.
    #[error("it has been closed")]
    AlreadyClosed,
    /// The span was never opened.
    #[error("it was never opened")]
    NeverOpened,
    /// [`MAX_OPEN_SPANS`] are open.
    #[error("{MAX_OPEN_SPANS} spans are open, which is the most")]
    TooMany,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) next_index: u64,
    pub(crate) chain: Hash,
    /// All records below this index are known to be durable.
    pub(crate) settled: u64,
    pub(crate) open: BTreeMap<SpanId, u64>,
    /// Spans closed since the segment began: a writer knows no more than its segment tells.
    pub(crate) closed: HashSet<SpanId>,
}

impl State {
    /// Of a journal without a record.
    pub(crate) fn empty(journal: &[u8; 16]) -> State {
        State {
            next_index: 0,
            chain: chain::genesis(journal),
            settled: 0,
            open: BTreeMap::new(),
            closed: HashSet::new(),
        }
    }

    /// As a segment begins. Whoever began it had made all before it durable.
    pub(crate) fn at(header: &Header) -> State {
        State {
            next_index: header.first_index,
            chain: header.chain,
            settled: header.first_index,
            open: header.open.iter().copied().collect(),
            closed: HashSet::new(),
        }
    }

    pub(crate) fn open_by_index(&self) -> Vec<(SpanId, u64)> {
        let mut open: Vec<_> = self.open.iter().map(|(&span, &at)| (span, at)).collect();
        open.sort_unstable_by_key(|&(_, at)| at);
        open
    }

    /// May this mark come next?
    pub(crate) fn admits(&self, mark: Mark, span: SpanId) -> Result<(), MarkFault> {
        judge(mark, span, self.open.contains_key(&span), self.closed.contains(&span), self.open.len())
    }

    /// Takes in a record that is on its way to the disk or was read from it, and that [`State::admits`].
    pub(crate) fn take(&mut self, frame: &Frame<'_>) {
        match frame.mark {
            Mark::None => {}
            Mark::Open => {
                self.open.insert(frame.span, frame.index);
            }
            Mark::Close => {
                self.open.remove(&frame.span);
                self.closed.insert(frame.span);
            }
        }
        self.next_index = frame.index.saturating_add(1);
        self.chain = frame.chain;
        self.settled = self.settled.max(frame.settled_before());
    }
}

fn judge(mark: Mark, span: SpanId, open: bool, closed: bool, count: usize) -> Result<(), MarkFault> {
    match mark {
        Mark::None => Ok(()),
        _ if span == SpanId::NONE => Err(MarkFault::Nameless),
        Mark::Open if open => Err(MarkFault::AlreadyOpen),
        Mark::Open if closed => Err(MarkFault::AlreadyClosed),
        Mark::Open if count >= MAX_OPEN_SPANS => Err(MarkFault::TooMany),
        Mark::Close if open => Ok(()),
        Mark::Close if closed => Err(MarkFault::AlreadyClosed),
        Mark::Close => Err(MarkFault::NeverOpened),
        Mark::Open => Ok(()),
    }
}

/// The spans as they would be after some records that are not written yet.
pub(crate) struct Draft<'a> {
    state: &'a State,
    /// `true`: opened (and not closed) by the draft; `false`: closed by it.
    changed: HashMap<SpanId, bool>,
    open: usize,
}

impl<'a> Draft<'a> {
    pub(crate) fn of(state: &'a State) -> Draft<'a> {
        Draft { state, changed: HashMap::new(), open: state.open.len() }
    }

    pub(crate) fn take(&mut self, mark: Mark, span: SpanId) -> Result<(), MarkFault> {
        let (open, closed) = match self.changed.get(&span) {
            Some(&open) => (open, !open),
            None => (self.state.open.contains_key(&span), self.state.closed.contains(&span)),
        };
        judge(mark, span, open, closed, self.open)?;
        match mark {
            Mark::None => {}
            Mark::Open => {
                self.changed.insert(span, true);
                self.open += 1;
            }
            Mark::Close => {
                self.changed.insert(span, false);
                self.open -= 1;
            }
        }
        Ok(())
    }

    /// How many spans are then open.
    pub(crate) fn open(&self) -> usize {
        self.open
    }
}
