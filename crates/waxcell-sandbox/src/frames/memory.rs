//! Memory of a process that waits for the init. Whatever is read there, the script may have written: every address may
//! lead anywhere, so a read fails or gives some bytes, and nothing here goes on for longer than the caller says.

use crate::target::read_exactly;

/// The memory of a thread's process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) tid: u32,
}

impl Memory {
    pub(super) fn bytes<const N: usize>(self, address: u64) -> Option<[u8; N]> {
        let mut buffer = [0; N];
        self.fill(address, &mut buffer)?;
        Some(buffer)
    }

    pub(super) fn fill(self, address: u64, buffer: &mut [u8]) -> Option<()> {
        read_exactly(self.tid, address, buffer).ok()
    }

    pub(super) fn word(self, address: u64) -> Option<u64> {
        self.bytes(address).map(u64::from_le_bytes)
    }

    pub(super) fn half_word(self, address: u64) -> Option<u32> {
        self.bytes(address).map(u32::from_le_bytes)
    }

    pub(super) fn byte(self, address: u64) -> Option<u8> {
        self.bytes::<1>(address).map(|[byte]| byte)
    }

    /// The bytes from an address on, one after the other, read in larger pieces.
    pub(super) fn stream(self, address: u64, length: u64) -> Stream {
        Stream { memory: self, address, left: length, buffer: [0; PIECE], at: 0, have: 0 }
    }
}

const PIECE: usize = 512;

/// See [`Memory::stream`]. Ends early where a read fails.
pub(super) struct Stream {
    memory: Memory,
    address: u64,
    left: u64,
    buffer: [u8; PIECE],
    at: usize,
    have: usize,
}

impl Iterator for Stream {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.at == self.have {
            let size = self.left.min(PIECE as u64) as usize;
            if size == 0 {
                return None;
            }
            self.memory.fill(self.address, &mut self.buffer[..size])?;
            self.address = self.address.wrapping_add(size as u64);
            self.left -= size as u64;
            (self.at, self.have) = (0, size);
        }
        self.at += 1;
        Some(self.buffer[self.at - 1])
    }
}
