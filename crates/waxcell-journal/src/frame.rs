//! One record as it stands in a segment. Pure: bytes to values and back.

use std::fmt;

use crate::chain::{self, Hash};

/// The longest payload of one record, in bytes.
pub const MAX_PAYLOAD: usize = 16 * 1024;

/// Bytes before the payload.
pub(crate) const FRAME_HEADER: usize = 72;

/// Where in a frame the chain value stands.
pub(crate) const CHAIN_AT: usize = 40;

/// The longest frame; a multiple of [`ALIGN`].
pub(crate) const MAX_FRAME: usize = FRAME_HEADER + MAX_PAYLOAD;

/// Every frame starts at a multiple of this, and is padded to it with zeros.
pub(crate) const ALIGN: usize = 8;

/// What a record does to its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Nothing; the span may still say what the record belongs to.
    None,
    /// Begins the span. A span is opened once.
    Open,
    /// Ends the span. Only an open span can be closed.
    Close,
}

impl Mark {
    fn code(self) -> u8 {
        match self {
            Mark::None => 0,
            Mark::Open => 1,
            Mark::Close => 2,
        }
    }

    fn from_code(code: u8) -> Option<Mark> {
        match code {
            0 => Some(Mark::None),
            1 => Some(Mark::Open),
            2 => Some(Mark::Close),
            _ => None,
        }
    }
}

/// The name of a span: 16 bytes that the caller draws at random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId([u8; 16]);

impl SpanId {
    /// For a record that belongs to no span.
    pub const NONE: SpanId = SpanId([0; 16]);

    /// Names a span.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> SpanId {
        SpanId(bytes)
    }

    /// The bytes of the name.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl SpanId {
    /// From the form in which it is shown.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<SpanId> {
        let plain = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| plain)?;
        Some(SpanId(number.to_be_bytes()))
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

/// A frame, borrowed from the bytes it was read from or will be written from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) index: u64,
    pub(crate) mark: Mark,
    /// How many records directly before this one its writer did not know to be durable when it wrote this one.
    pub(crate) unsettled: u32,
    pub(crate) span: SpanId,
    pub(crate) chain: Hash,
    pub(crate) payload: &'a [u8],
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameFault {
    /// The length is zero: no frame was written here.
    Empty,
    /// The length is outside the possible, or runs past the segment.
    Length,
    /// The checksum differs.
    Checksum,
    /// The checksum holds, but a field has a value this version does not know.
    Field,
}

impl Frame<'_> {
    /// What the chain covers beside the payload.
    fn fields(&self) -> [u8; 36] {
        let mut fields = [0; 36];
        fields[0..4].copy_from_slice(&frame_len(self.payload.len()).to_le_bytes());
        fields[4..12].copy_from_slice(&self.index.to_le_bytes());
        fields[12] = self.mark.code();
        fields[16..20].copy_from_slice(&self.unsettled.to_le_bytes());
        fields[20..36].copy_from_slice(self.span.as_bytes());
        fields
    }

    /// The chain value that this frame must carry when `before` is the one ahead of it.
    pub(crate) fn chain_after(&self, before: &Hash, leaf: &Hash) -> Hash {
        chain::link(before, &self.fields(), leaf)
    }

    /// Index of the first record that may be missing from the disk although this one is there.
    pub(crate) fn settled_before(&self) -> u64 {
        self.index.saturating_sub(u64::from(self.unsettled))
    }

    /// Appends the frame, padded, to `out`.
    pub(crate) fn encode(&self, seed: u32, out: &mut Vec<u8>) {
        let start = out.len();
        let fields = self.fields();
        out.extend_from_slice(&fields[0..4]);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&fields[4..36]);
        out.extend_from_slice(&self.chain);
        out.extend_from_slice(self.payload);
        out.resize(start + padded(self.payload.len()), 0);
        let crc = checksum(seed, &out[start..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Reads the frame at the start of `bytes`, which end where the segment ends.
pub(crate) fn decode(seed: u32, bytes: &[u8]) -> Result<Frame<'_>, FrameFault> {
    let Some(head) = bytes.first_chunk::<FRAME_HEADER>() else {
        return Err(FrameFault::Empty);
    };
    let length = read_u32(head, 0) as usize;
    if length == 0 {
        return Err(FrameFault::Empty);
    }
    if !(FRAME_HEADER..=MAX_FRAME).contains(&length) {
        return Err(FrameFault::Length);
    }
    let frame = bytes.get(..length.next_multiple_of(ALIGN)).ok_or(FrameFault::Length)?;
    if checksum(seed, frame) != read_u32(head, 4) {
        return Err(FrameFault::Checksum);
    }
    let mark = Mark::from_code(head[16]).ok_or(FrameFault::Field)?;
    if head[17..20] != [0; 3] || frame[length..].iter().any(|&byte| byte != 0) {
        return Err(FrameFault::Field);
    }
    Ok(Frame {
        index: read_u64(head, 8),
        mark,
        unsettled: read_u32(head, 20),
        span: SpanId(read_array(head, 24)),
        chain: read_array(head, CHAIN_AT),
        payload: &frame[FRAME_HEADER..length],
    })
}

/// Bytes on disk of a frame with a payload of this length.
pub(crate) fn padded(payload: usize) -> usize {
    (FRAME_HEADER + payload).next_multiple_of(ALIGN)
}

fn frame_len(payload: usize) -> u32 {
    u32::try_from(FRAME_HEADER + payload).unwrap_or(u32::MAX)
}

/// The checksum starts from the journal's secret-by-chance identity: nobody who cannot read the journal can choose a
/// payload that looks like a frame when recovery searches a damaged tail for one.
pub(crate) fn seed(journal: &[u8; 16]) -> u32 {
    crc32c::crc32c(journal)
}

fn checksum(seed: u32, frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &frame[..4]), &frame[8..])
}

pub(crate) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(read_array(bytes, at))
}

pub(crate) fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(read_array(bytes, at))
}

/// Panics when `bytes` are too short: callers have checked the length once, at the top.
pub(crate) fn read_array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}
