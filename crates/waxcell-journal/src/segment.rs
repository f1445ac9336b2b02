//! Segments: their size, their names, and what stands in one. Pure.

use crate::frame::{ALIGN, FRAME_HEADER, Frame, FrameFault, decode};

/// The length of every segment file. It is allocated and zeroed before the first record enters.
pub const SEGMENT_BYTES: usize = 1024 * 1024;

/// The file name of a segment.
pub(crate) fn name(number: u64) -> String {
    format!("{number:08}.log")
}

/// The number of the segment with this file name, if it is one.
pub(crate) fn number(file_name: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(file_name.strip_suffix(b".log")?).ok()?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    // `1.log` and `000000001.log` are not ours.
    (name(number).as_bytes() == file_name).then_some(number)
}

/// What stands at a place in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Frame(Frame<'a>),
    /// No frame was begun here.
    End,
    /// Bytes that are no frame.
    Bad,
}

/// Walks over the frames in `bytes`, which reach to the end of the segment and start where a frame may start.
#[derive(Clone)]
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    seed: u32,
    at: usize,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(seed: u32, bytes: &'a [u8]) -> Frames<'a> {
        Frames { bytes, seed, at: 0 }
    }

    /// Where the next step reads; after [`Step::End`] and [`Step::Bad`], where it stopped.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(crate) fn step(&mut self) -> Step<'a> {
        match decode(self.seed, self.rest()) {
            Ok(frame) => {
                self.at += crate::frame::padded(frame.payload.len());
                Step::Frame(frame)
            }
            Err(FrameFault::Empty) => Step::End,
            Err(FrameFault::Length | FrameFault::Checksum | FrameFault::Field) => Step::Bad,
        }
    }

    /// Goes on at the next place behind the current one where a frame stands whose record is `wanted`.
    pub(crate) fn skip_to(&mut self, wanted: impl Fn(&Frame<'_>) -> bool) -> Option<Frame<'a>> {
        let mut at = self.at + ALIGN;
        while at + FRAME_HEADER <= self.bytes.len() {
            if let Ok(frame) = decode(self.seed, &self.bytes[at..])
                && wanted(&frame)
            {
                self.at = at;
                return Some(frame);
            }
            at += ALIGN;
        }
        None
    }
}

/// The length of `bytes` without the zeros at their end.
pub(crate) fn used(bytes: &[u8]) -> usize {
    const BLOCK: usize = 4096;
    let zeros = [0; BLOCK];
    let mut end = bytes.len();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        if bytes[start..end] != zeros[..end - start] {
            return start + bytes[start..end].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        }
        end = start;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_are_segments() {
        for own in [0, 7, 99_999_999, 100_000_000, u64::MAX] {
            assert_eq!(number(name(own).as_bytes()), Some(own));
        }
        for foreign in ["", ".log", "1.log", "000000001.log", "+0000001.log", "00000001.LOG", "00000001.log~"]
        {
            assert_eq!(number(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(number(b"99999999999999999999.log"), None);
    }

    #[test]
    fn used_finds_the_last_byte() {
        let mut bytes = vec![0; 10_000];
        assert_eq!(used(&bytes), 0);
        for last in [0, 1, 4095, 4096, 5000, 9999] {
            bytes.fill(0);
            bytes[last] = 1;
            assert_eq!(used(&bytes), last + 1);
        }
    }
}
