//! What can go wrong, one enum per operation.

use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::DiskError;
use crate::frame::{MAX_PAYLOAD, SpanId};
use crate::journal::MAX_GROUP;
use crate::state::MarkFault;

/// [`Journal::open`](crate::Journal::open) failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path is there and no directory.
    #[error("`{}` is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The path is a symbolic link, which somebody could point elsewhere later.
    #[error("`{}` is a symbolic link; name the directory itself", .0.display())]
    SymbolicLink(PathBuf),
    /// Something in the journal is not the plain file it should be.
    #[error("`{}` is not a plain file", .0.display())]
    NotAFile(PathBuf),
    /// The journal belongs to another user.
    #[error("`{}` belongs to user {owner}, not to user {user}, who runs this", path.display())]
    ForeignOwner {
        /// What belongs to them.
        path: PathBuf,
        /// To whom it belongs.
        owner: u32,
        /// Who runs this.
        user: u32,
    },
    /// Others may write to the journal.
    #[error("others may write to `{}` (mode {mode:03o}); run `chmod go-w` on it", path.display())]
    Loose {
        /// What they may write to.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The journal is damaged, and not as a crash damages it.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
}

/// Appending failed. Nothing of the entry or group counts as written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A payload is longer than [`MAX_PAYLOAD`].
    #[error("a record of {0} bytes is too large; {MAX_PAYLOAD} is the most")]
    TooLarge(usize),
    /// A group takes more than [`MAX_GROUP`] bytes.
    #[error("a group of {0} bytes is too large; {MAX_GROUP} is the most")]
    GroupTooLarge(usize),
    /// The mark breaks the rules of spans.
    #[error("span {span} cannot be marked so: {fault}")]
    Mark {
        /// The span.
        span: SpanId,
        /// The rule.
        fault: MarkFault,
    },
    /// There is no room for this record *and* for the closing records of all open spans. Nothing was written; the
    /// journal stays usable, and open spans can still be closed.
    #[error("no room to take on another record")]
    NoRoom(#[source] DiskError),
    /// The disk failed while the record was being written. The journal takes no more: open it anew.
    #[error("the record could not be made durable")]
    Disk(#[source] DiskError),
    /// What another process wrote since is damaged. The journal takes no more.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The append of a group failed, and with it this record's.
    #[error(transparent)]
    Group(Arc<AppendError>),
    /// An earlier append failed.
    #[error("the journal takes no more records because an earlier append failed; open it anew")]
    Poisoned,
}

/// [`Reader`](crate::Reader) or [`verify`](crate::verify()) could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no journal there.
    #[error("`{}` is not a journal directory", .0.display())]
    NotAJournal(PathBuf),
    /// Another version of this program wrote it, in a form that is not known here.
    #[error("`{}` has a format that this version does not know", .0.display())]
    Version(PathBuf),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The journal is damaged here; [`verify`](crate::verify()) says more.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// An archive is damaged.
    #[error(transparent)]
    Archive(Box<crate::archive::ArchiveError>),
}

/// A [`SpanLock`](crate::SpanLock) could not be taken or asked for.
#[derive(Debug, thiserror::Error)]
pub enum SpanLockError {
    /// The directory of the locks cannot be trusted or made.
    #[error(transparent)]
    Directory(OpenError),
    /// The span has been locked before.
    #[error("span {0} is or was locked already")]
    Taken(SpanId),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Damage that no crash leaves: somebody or something changed the journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is damaged at byte {offset}, record {index}: {what}", file.display())]
pub struct Corruption {
    /// The segment.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// The record that should stand there.
    pub index: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// What opening or catching up removed: the unfinished write of a process or machine that stopped. No receipt had
/// been given for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The segment.
    pub file: PathBuf,
    /// Where the unfinished write began.
    pub offset: u64,
    /// The record it would have been.
    pub index: u64,
    /// How many bytes were zeroed.
    pub bytes: u64,
    /// The SHA-256 of those bytes.
    pub sha256: [u8; 32],
    /// How many bytes at the end of the segment file were missing and have been put back as zeros.
    pub missing: u64,
}

/// The text of an error with its causes, in one line.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
