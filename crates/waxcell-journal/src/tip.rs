//! The segment that grows: reading it, following what others append, clearing a torn tail.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::{AppendError, Corruption, OpenError, Recovered};
use crate::frame;
use crate::header::{Header, HeaderFault};
use crate::segment::{self, Frames, SEGMENT_BYTES, Step, used};
use crate::state::State;

/// The last segment as far as it has been read.
#[derive(Debug)]
pub(crate) struct Tip {
    pub(crate) number: u64,
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) journal: [u8; 16],
    pub(crate) seed: u32,
    /// Where the first frame stands.
    first: usize,
    /// Where the last frame stands, if there is one.
    last: Option<usize>,
    /// Where the next frame goes.
    pub(crate) at: usize,
    pub(crate) state: State,
}

/// What stands behind the last whole frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Zeros, to the end of the segment.
    Clean,
    /// The remains of a write that was never finished: up to where there are bytes, and what is missing of the file.
    Torn { end: usize, missing: usize },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TipError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Corrupt(#[from] Corruption),
}

impl From<TipError> for OpenError {
    fn from(error: TipError) -> OpenError {
        match error {
            TipError::Open(error) => error,
            TipError::Disk(error) => error.into(),
            TipError::Corrupt(error) => error.into(),
        }
    }
}

impl TipError {
    /// The same for somebody who appends; `directory` names what cannot be trusted.
    pub(crate) fn while_appending(self, directory: &Directory) -> AppendError {
        match self {
            TipError::Disk(error) | TipError::Open(OpenError::Disk(error)) => AppendError::Disk(error),
            TipError::Corrupt(error) | TipError::Open(OpenError::Corrupt(error)) => error.into(),
            TipError::Open(_) => {
                AppendError::Disk(DiskError::new("trust", &directory.path_of(""), rustix::io::Errno::PERM))
            }
        }
    }
}

impl Tip {
    /// A segment that has been written this moment.
    pub(crate) fn fresh(header: &Header, file: File, path: PathBuf) -> Tip {
        Tip {
            number: header.segment,
            file,
            path,
            journal: header.journal,
            seed: frame::seed(&header.journal),
            first: header.len(),
            last: None,
            at: header.len(),
            state: State::at(header),
        }
    }

    /// Reads a segment, once.
    pub(crate) fn load(directory: &Directory, number: u64) -> Result<(Tip, Tail), TipError> {
        let name = segment::name(number);
        let path = directory.path_of(&name);
        let file = directory.open(&name, false)?;
        let bytes = read_from(&file, 0).map_err(|error| DiskError::new("read", &path, error))?;
        let damaged = |index, what| Corruption { file: path.clone(), offset: 0, index, what };
        let header = Header::decode(&bytes).map_err(|fault| damaged(0, header_fault(fault)))?;
        if header.segment != number {
            return Err(damaged(header.first_index, "the header is that of another segment").into());
        }
        let mut tip = Tip::fresh(&header, file, path.clone());
        let tail = tip.follow(&bytes[header.len()..])?;
        let length = tip.file.metadata().map_err(|error| DiskError::new("examine", &path, error))?.len();
        if length > SEGMENT_BYTES as u64 {
            return Err(damaged(header.first_index, "the file is longer than a segment").into());
        }
        let missing = SEGMENT_BYTES - usize::try_from(length).unwrap_or(SEGMENT_BYTES);
        Ok(match tail {
            Tail::Clean if missing > 0 => (Tail::Torn { end: tip.at, missing }, tip),
            Tail::Torn { end, .. } => (Tail::Torn { end, missing }, tip),
            Tail::Clean => (Tail::Clean, tip),
        })
        .map(|(tail, tip)| (tip, tail))
    }

    /// Whether no record stands in this segment.
    pub(crate) fn is_fresh(&self) -> bool {
        self.at == self.first
    }

    /// Takes in a frame that stands where the next one goes.
    pub(crate) fn take(&mut self, frame: &frame::Frame<'_>, next: usize) {
        self.state.take(frame);
        self.last = Some(self.at);
        self.at = next;
    }

    /// Whether the last frame that was read or written here still stands. The lock must be held.
    pub(crate) fn stands(&self) -> Result<bool, DiskError> {
        let Some(last) = self.last else { return Ok(true) };
        // The chain value stands for this record and all before it.
        let mut chain = [0; 32];
        let place = (last + frame::CHAIN_AT) as u64;
        let read = self.file.read_at(&mut chain, place);
        let read = read.map_err(|error| DiskError::new("read", &self.path, error))?;
        Ok(read == chain.len() && chain == self.state.chain)
    }

    /// Takes in what others have appended here since. The lock must be held.
    pub(crate) fn catch_up(&mut self) -> Result<Tail, TipError> {
        let failed = |error| DiskError::new("read", &self.path, error);
        let mut next = [0; 4];
        let here = self.file.read_at(&mut next, self.at as u64).map_err(failed)?;
        if here == next.len() && next == [0; 4] {
            return Ok(Tail::Clean);
        }
        if self.at + frame::FRAME_HEADER > SEGMENT_BYTES {
            return Ok(Tail::Clean);
        }
        let bytes = read_from(&self.file, self.at).map_err(failed)?;
        self.follow(&bytes)
    }

    /// `bytes` reach from [`Tip::at`] to the end of the segment.
    fn follow(&mut self, bytes: &[u8]) -> Result<Tail, TipError> {
        let mut frames = Frames::new(self.seed, bytes);
        let start = self.at;
        loop {
            let step = frames.step();
            if let Step::Frame(frame) = step {
                if frame.index != self.state.next_index {
                    return Err(self.damaged("a record of another index stands here").into());
                }
                if self.state.admits(frame.mark, frame.span).is_err() {
                    return Err(self.damaged("the record opens or closes a span against the rules").into());
                }
                let next = start + frames.at();
                self.take(&frame, next);
                continue;
            }
            let rest = used(frames.rest());
            if rest == 0 {
                return Ok(Tail::Clean);
            }
            // A write that was never finished leaves nothing valid behind it but, perhaps, other frames of that
            // same write, or of one whose writer had not seen this place durable either. A frame whose writer had
            // seen it durable proves that a finished record stood here.
            let missing = self.state.next_index;
            if frames.skip_to(|frame| proves(frame, missing)).is_some() {
                return Err(self
                    .damaged("the record is unreadable, and later ones prove that it was whole")
                    .into());
            }
            return Ok(Tail::Torn { end: self.at + rest, missing: 0 });
        }
    }

    /// Clears a torn tail. The lock must be held.
    pub(crate) fn repair(&mut self, end: usize, missing: usize) -> Result<Recovered, DiskError> {
        let failed = |error| DiskError::new("read", &self.path, error);
        let mut torn = vec![0; end - self.at];
        let length = SEGMENT_BYTES - missing;
        let here = length.min(end).saturating_sub(self.at);
        self.file.read_exact_at(&mut torn[..here], self.at as u64).map_err(failed)?;
        // A crash within these leaves a tail that is torn still, or clean: the next start does the same again.
        if missing > 0 {
            disk::zero(&self.file, length, SEGMENT_BYTES, &self.path)?;
        }
        disk::zero(&self.file, self.at, end, &self.path)?;
        disk::sync_all(&self.file, &self.path)?;
        Ok(Recovered {
            file: self.path.clone(),
            offset: self.at as u64,
            index: self.state.next_index,
            bytes: torn.len() as u64,
            sha256: Sha256::digest(&torn).into(),
            missing: missing as u64,
        })
    }

    /// Takes back a write that failed: what the page cache now says and what the disk holds may differ, so all of
    /// the segment is written again as it was before, to be made durable with whatever is appended next.
    pub(crate) fn withdraw(&self, end: usize) -> Result<(), DiskError> {
        let mut bytes = vec![0; self.at];
        self.file.read_exact_at(&mut bytes, 0).map_err(|error| DiskError::new("read", &self.path, error))?;
        disk::zero(&self.file, self.at, end, &self.path)?;
        disk::write(&self.file, &bytes, 0, &self.path)
    }

    pub(crate) fn damaged(&self, what: &'static str) -> Corruption {
        Corruption { file: self.path.clone(), offset: self.at as u64, index: self.state.next_index, what }
    }
}

/// Whether whoever wrote this frame had seen the record `missing` durable.
pub(crate) fn proves(frame: &frame::Frame<'_>, missing: u64) -> bool {
    // No segment holds more frames than this; a frame further on is no successor.
    const MOST: u64 = (SEGMENT_BYTES / frame::FRAME_HEADER) as u64;
    frame.settled_before() > missing && frame.index - missing <= MOST
}

pub(crate) fn header_fault(fault: HeaderFault) -> &'static str {
    match fault {
        HeaderFault::Magic => "this is not the header of a segment",
        HeaderFault::Version(_) => "the segment has a format that this version does not know",
        HeaderFault::Length => "the length in the header is impossible",
        HeaderFault::Checksum => "the checksum of the header differs",
        HeaderFault::Spans => "the open spans in the header are impossible",
    }
}

/// The bytes of a segment from a place to its last that is not zero, and enough zeros behind it to see that nothing
/// follows. Read piece by piece: most of a segment is zeros, and a buffer for all of it costs more than the reading.
fn read_from(file: &File, at: usize) -> std::io::Result<Vec<u8>> {
    const PIECE: usize = 64 * 1024;
    let length = SEGMENT_BYTES.saturating_sub(at);
    let mut bytes = vec![];
    let mut piece = vec![0; PIECE.min(length)];
    let mut here = 0;
    while here < length {
        let room = piece.len().min(length - here);
        match file.read_at(&mut piece[..room], (at + here) as u64) {
            Ok(0) => break,
            Ok(read) => {
                let used = used(&piece[..read]);
                if used > 0 {
                    bytes.resize(here, 0);
                    bytes.extend_from_slice(&piece[..used]);
                }
                here += read;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.resize(length.min(bytes.len() + 2 * frame::FRAME_HEADER), 0);
    Ok(bytes)
}
