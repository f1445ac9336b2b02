//! The segment that grows: reading it, following what others append, clearing a torn tail.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::{AppendError, Corruption, OpenError, Recovered};
use crate::frame::{self, MAX_FRAME, padded};
use crate::header::{Header, HeaderFault};
use crate::segment::{self, Frames, SEGMENT_BYTES, used};
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
        let failed = |error| DiskError::new("read", &path, error);
        let damaged = |index, what| Corruption { file: path.clone(), offset: 0, index, what };
        let head = Window::at(&file, 0).map_err(failed)?;
        let header = match Header::decode(head.bytes()) {
            // More spans were open than the window shows.
            Err(_) => Header::decode(&read_from(&file, 0).map_err(failed)?),
            header => header,
        };
        let header = header.map_err(|fault| damaged(0, header_fault(fault)))?;
        if header.segment != number {
            return Err(damaged(header.first_index, "the header is that of another segment").into());
        }
        let mut tip = Tip::fresh(&header, file, path.clone());
        let tail = tip.follow(head)?;
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
        self.follow(Window::at(&self.file, self.at).map_err(failed)?)
    }

    /// Takes in the frames from [`Tip::at`] on, and says what stands behind the last of them.
    fn follow(&mut self, mut window: Window) -> Result<Tail, TipError> {
        let failed = |path: &PathBuf, error| DiskError::new("read", path, error);
        loop {
            window.move_to(&self.file, self.at).map_err(|error| failed(&self.path, error))?;
            let Ok(frame) = frame::decode(self.seed, window.bytes()) else { break };
            if frame.index != self.state.next_index {
                return Err(self.damaged("a record of another index stands here").into());
            }
            if self.state.admits(frame.mark, frame.span).is_err() {
                return Err(self.damaged("the record opens or closes a span against the rules").into());
            }
            self.take(&frame, self.at + padded(frame.payload.len()));
        }
        if window.only_zeros_follow(&self.file).map_err(|error| failed(&self.path, error))? {
            return Ok(Tail::Clean);
        }
        let rest = read_from(&self.file, self.at).map_err(|error| failed(&self.path, error))?;
        self.judge_tail(&rest)
    }

    /// What the bytes from [`Tip::at`] on are, which are no frame and not all zero.
    fn judge_tail(&self, bytes: &[u8]) -> Result<Tail, TipError> {
        let mut frames = Frames::new(self.seed, bytes);
        // A write that was never finished leaves nothing valid behind it but, perhaps, other frames of that same
        // write, or of one whose writer had not seen this place durable either. A frame whose writer had seen it
        // durable proves that a finished record stood here.
        let missing = self.state.next_index;
        if frames.skip_to(|frame| proves(frame, missing)).is_some() {
            return Err(self
                .damaged("the record is unreadable, and later ones prove that it was whole")
                .into());
        }
        Ok(match used(bytes) {
            0 => Tail::Clean,
            rest => Tail::Torn { end: self.at + rest, missing: 0 },
        })
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

/// A part of a segment, moved along as it is read: a buffer for all of it costs more than the reading.
struct Window {
    buffer: Vec<u8>,
    /// Where in the segment the buffer begins.
    start: usize,
    /// How much of it has been read.
    filled: usize,
    /// Where in the buffer the bytes begin that are looked at.
    at: usize,
}

impl Window {
    const BYTES: usize = 3 * MAX_FRAME;

    fn at(file: &File, start: usize) -> std::io::Result<Window> {
        let room = SEGMENT_BYTES.saturating_sub(start).min(Window::BYTES);
        let mut window = Window { buffer: vec![0; room], start, filled: 0, at: 0 };
        window.fill(file)?;
        Ok(window)
    }

    /// At least a whole frame, or all to the end of the segment.
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.at..self.filled]
    }

    fn end(&self) -> usize {
        self.start + self.filled
    }

    /// Places only ever grow.
    fn move_to(&mut self, file: &File, place: usize) -> std::io::Result<()> {
        if place > self.end() {
            *self = Window::at(file, place)?;
        }
        self.at = place - self.start;
        if self.filled - self.at < MAX_FRAME && self.end() < SEGMENT_BYTES {
            self.drop_seen();
            self.fill(file)?;
        }
        Ok(())
    }

    fn drop_seen(&mut self) {
        self.buffer.copy_within(self.at..self.filled, 0);
        self.start += self.at;
        self.filled -= self.at;
        self.at = 0;
    }

    /// A file that ends early is one whose missing end was never written: zeros, as far as frames go.
    fn fill(&mut self, file: &File) -> std::io::Result<()> {
        let room = self.buffer.len().min(SEGMENT_BYTES - self.start);
        while self.filled < room {
            let place = (self.start + self.filled) as u64;
            match file.read_at(&mut self.buffer[self.filled..room], place) {
                Ok(0) => {
                    self.buffer[self.filled..room].fill(0);
                    self.filled = room;
                }
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether nothing but zeros stands from here to the end of the segment. The window is used up by that.
    fn only_zeros_follow(mut self, file: &File) -> std::io::Result<bool> {
        while used(self.bytes()) == 0 {
            if self.end() >= SEGMENT_BYTES {
                return Ok(true);
            }
            self.at = self.filled;
            self.drop_seen();
            self.fill(file)?;
        }
        Ok(false)
    }
}

/// The bytes of a segment from a place to its end; what the file does not have is zero.
fn read_from(file: &File, at: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; SEGMENT_BYTES.saturating_sub(at)];
    let mut here = 0;
    while here < bytes.len() {
        match file.read_at(&mut bytes[here..], (at + here) as u64) {
            Ok(0) => break,
            Ok(read) => here += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
