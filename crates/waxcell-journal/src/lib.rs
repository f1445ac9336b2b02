//! A durable, append-only journal of byte records that several processes may write at once.
//!
//! It knows bytes, hashes and files, and nothing of what the records mean. A [`Receipt`] exists only for a record
//! that is on the disk. Records may open and close *spans*, so that whoever reads the journal later can tell what
//! was begun and never ended. The bytes on disk are specified in `docs/journal-format.md`.
//!
//! ```
//! use waxcell_journal::{Entry, Journal, Mark, SpanId};
//! # let state = tempfile::tempdir()?;
//! let mut journal = Journal::open(&state.path().join("journal"))?;
//! let span = SpanId::new([7; 16]);
//! let begun = journal.append(Entry { mark: Mark::Open, span, payload: b"started" })?;
//! assert_eq!(begun.index(), 0);
//! assert_eq!(journal.open_spans()?[0].span, span);
//! journal.append(Entry { mark: Mark::Close, span, payload: b"finished" })?;
//! assert!(journal.open_spans()?.is_empty());
//! assert!(waxcell_journal::verify(&state.path().join("journal"))?.is_sound());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apart;
mod archive;
mod chain;
mod directory;
mod disclosures;
mod disk;
mod error;
mod first;
mod frame;
mod fuzzing;
mod given;
mod header;
mod journal;
mod lock;
mod log;
mod loss;
mod objects;
mod publish;
mod reader;
mod report;
mod retention;
mod segment;
mod shared;
mod signer;
mod span_lock;
mod spare;
mod state;
#[cfg(test)]
mod tests;
mod tip;
pub mod tlog;
mod verify;
mod whole;
mod witness;
mod witnesses;

pub use apart::{Apart, ERASED, Proven, ProvenError, SEALED_FIELDS, SEALED_ITEM, unseal};
pub use archive::{ARCHIVE, Archive, ArchiveError, History, Manifest};
pub use chain::leaf_hash;
pub use disclosures::{Disclosed, DisclosureError, Disclosures, Listed, digest_of, disclosed, disclosure_of};
pub use disk::{DiskError, DiskFault};
pub use error::{AppendError, Corruption, OpenError, ReadError, Recovered, SpanLockError, with_causes};
pub use frame::{MAX_PAYLOAD, Mark, SpanId};
#[doc(hidden)]
pub use fuzzing::{
    fuzz_bundle, fuzz_canonical, fuzz_checkpoint, fuzz_key, fuzz_note, fuzz_policy, fuzz_proof,
    fuzz_submission,
};
pub use given::{GivenKeysError, given_keys};
pub use journal::{Entry, Journal, MAX_GROUP, OpenSpan, Receipt};
pub use log::{
    Demands, Gap, Log, LogError, LogFault, LogFaultKind, LogReport, Moment, Promise, Recovery, Seal,
};
pub use loss::{Loss, LossError};
pub use objects::{GetError, MAX_OBJECT, Objects, PutError};
pub use publish::{
    Asking, Claim, Cosigned, KeyFileError, Patience, PublishError, Publisher, RecoveryError, Step, evidence,
    new_recovery_key,
};
pub use reader::{Reader, Record};
pub use report::{Fault, FaultKind, Report};
pub use retention::{Prunable, Retention, RetentionError, Stays};
pub use segment::SEGMENT_BYTES;
pub use shared::{Pending, SharedJournal};
pub use signer::{MAX_REQUEST, Signer, SignerError, SignerFailure, Signing};
pub use span_lock::{Pause, SpanLock};
pub use spare::CLOSING_RESERVE;
pub use state::{MAX_OPEN_SPANS, MarkFault};
pub use verify::verify;
pub use witness::{Answer, Evidence, Followed, Refusal, Sign, Witness, WitnessError};
pub use witnesses::{MOST_ASKED, Witnesses, WitnessesError};
