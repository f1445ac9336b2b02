//! The head of a segment: all that a writer must know to go on from this segment alone. Pure.

use crate::chain::Hash;
use crate::frame::{SpanId, read_array, read_u32, read_u64};
use crate::state::{MAX_OPEN_SPANS, State};

const MAGIC: [u8; 8] = *b"WAXJRNL\n";
const VERSION: u32 = 1;
const FIXED: usize = 88;
const PER_SPAN: usize = 24;

/// The longest header.
pub(crate) const MAX_HEADER: usize = header_len(MAX_OPEN_SPANS);

/// Bytes of a header that lists so many open spans; a multiple of 8.
pub(crate) const fn header_len(open: usize) -> usize {
    FIXED + PER_SPAN * open
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) journal: [u8; 16],
    pub(crate) segment: u64,
    pub(crate) first_index: u64,
    /// The chain value before the first record of this segment.
    pub(crate) chain: Hash,
    /// The spans that are open here, each with the index of the record that opened it, in that order.
    pub(crate) open: Vec<(SpanId, u64)>,
}

/// Why bytes are not a segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Magic,
    Version(u32),
    Length,
    Checksum,
    /// The checksum holds, but the list of open spans cannot be.
    Spans,
}

impl Header {
    pub(crate) fn of(journal: [u8; 16], segment: u64, state: &State) -> Header {
        Header {
            journal,
            segment,
            first_index: state.next_index,
            chain: state.chain,
            open: state.open_by_index(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        header_len(self.open.len())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&to_u32(self.len()).to_le_bytes());
        out.extend_from_slice(&self.journal);
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&self.first_index.to_le_bytes());
        out.extend_from_slice(&self.chain);
        out.extend_from_slice(&to_u32(self.open.len()).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for (span, opened_at) in &self.open {
            out.extend_from_slice(span.as_bytes());
            out.extend_from_slice(&opened_at.to_le_bytes());
        }
        let crc = checksum(&out);
        out[84..88].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the header at the start of a segment.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Header, HeaderFault> {
        let fixed = bytes.first_chunk::<FIXED>().ok_or(HeaderFault::Length)?;
        if fixed[0..8] != MAGIC {
            return Err(HeaderFault::Magic);
        }
        let open = read_u32(fixed, 80) as usize;
        if open > MAX_OPEN_SPANS || read_u32(fixed, 12) as usize != header_len(open) {
            return Err(HeaderFault::Length);
        }
        let whole = bytes.get(..header_len(open)).ok_or(HeaderFault::Length)?;
        if checksum(whole) != read_u32(fixed, 84) {
            return Err(HeaderFault::Checksum);
        }
        // A flipped bit in the version is damage: only a header that is whole says that another version wrote it.
        let version = read_u32(fixed, 8);
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let header = Header {
            journal: read_array(fixed, 16),
            segment: read_u64(fixed, 32),
            first_index: read_u64(fixed, 40),
            chain: read_array(fixed, 48),
            open: whole[FIXED..]
                .chunks_exact(PER_SPAN)
                .map(|pair| (SpanId::new(read_array(pair, 0)), read_u64(pair, 16)))
                .collect(),
        };
        if header.spans_are_possible() { Ok(header) } else { Err(HeaderFault::Spans) }
    }

    /// Each span once, opened by a record of its own before this segment, in that order.
    fn spans_are_possible(&self) -> bool {
        let mut names: Vec<_> = self.open.iter().map(|(span, _)| span).collect();
        names.sort_unstable();
        self.open.is_sorted_by(|a, b| a.1 < b.1)
            && self.open.last().is_none_or(|last| last.1 < self.first_index)
            && names.is_sorted_by(|a, b| a < b)
            && names.first().is_none_or(|&&first| first != SpanId::NONE)
    }
}

fn to_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn checksum(header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..84]), &header[FIXED..])
}
