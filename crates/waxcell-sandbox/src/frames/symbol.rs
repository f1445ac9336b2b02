//! Where `_PyRuntime` is in a process: in the interpreter itself or in its library, by the tables that the dynamic linker
//! goes by, which are in memory with everything else (`elf(5)`). So nothing has to be known before there is a process to
//! look at.

use rustix::fs::OFlags;

use super::memory::Memory;
use crate::procfs;

const NAME: &[u8; 11] = b"_PyRuntime\0";
/// Of `/proc/[pid]/maps`, at most.
const MOST_MAPS: usize = 1 << 20;
/// Entries of a table, in bytes, and how many are looked at, at most.
const SEGMENT: usize = 56;
const MOST_SEGMENTS: usize = 64;
const ENTRY: usize = 16;
const MOST_DYNAMIC: usize = 128;
const SYMBOL: u64 = 24;
const MOST_CHAIN: u64 = 256;

/// The address of `_PyRuntime`, and the minor version of the CPython 3 that it belongs to.
pub(super) fn runtime(memory: Memory) -> Option<(u64, u32)> {
    let maps = procfs::open(memory.tid, c"maps", OFlags::RDONLY | OFlags::CLOEXEC).ok()?;
    // A line is an address range and such, and a path.
    let mut buffer = [0u8; 8192];
    let (mut have, mut total) = (0, 0);
    loop {
        let read = rustix::io::read(&maps, &mut buffer[have..]).ok()?;
        have += read;
        total += read;
        if read == 0 || total > MOST_MAPS {
            return None;
        }
        let mut start = 0;
        while let Some(length) = buffer[start..have].iter().position(|byte| *byte == b'\n') {
            let line = &buffer[start..start + length];
            start += length + 1;
            if let Some((address, minor)) = beginning_of_python(line)
                && let Some(found) = symbol(memory, address)
            {
                return Some((found, minor));
            }
        }
        buffer.copy_within(start..have, 0);
        have -= start;
    }
}

/// Where a file is mapped from its beginning, if its name is that of a CPython (`python3.11`, `libpython3.11.so.1.0`), and
/// of which one.
fn beginning_of_python(line: &[u8]) -> Option<(u64, u32)> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let range = fields.next()?;
    let offset = fields.nth(1)?;
    if offset.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let name = fields.nth(2)?.rsplit(|byte| *byte == b'/').next()?;
    let minor = name.strip_prefix(b"lib").unwrap_or(name).strip_prefix(b"python3.")?;
    let digits = minor.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let address = range.split(|byte| *byte == b'-').next()?;
    Some((u64::from_str_radix(text(address)?, 16).ok()?, text(&minor[..digits])?.parse().ok()?))
}

/// Looks the symbol up in the file that is mapped at an address.
pub(super) fn symbol(memory: Memory, image: u64) -> Option<u64> {
    const LOAD: u64 = 1;
    const DYNAMIC: u64 = 2;
    let header: [u8; 64] = memory.bytes(image)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let mut segments = [0; SEGMENT * MOST_SEGMENTS];
    let count = usize::from(u16::from_le_bytes([header[56], header[57]])).min(MOST_SEGMENTS);
    let segments = &mut segments[..SEGMENT * count];
    memory.fill(image.wrapping_add(word(&header, 32)), segments)?;
    let (mut bias, mut dynamic) = (None, None);
    for segment in segments.chunks_exact(SEGMENT) {
        let (kind, offset, address) = (word(segment, 0) & 0xffff_ffff, word(segment, 8), word(segment, 16));
        match kind {
            LOAD if offset == 0 => bias = Some(image.wrapping_sub(address)),
            DYNAMIC => dynamic = Some((address, word(segment, 40))),
            _ => {}
        }
    }
    let (bias, (address, size)) = (bias?, dynamic?);
    Tables::read(memory, bias, bias.wrapping_add(address), size)?.look_up(memory)
}

/// Eight bytes of a table as a number.
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// The dynamic linker's tables of one file.
struct Tables {
    bias: u64,
    symbols: u64,
    names: u64,
    hashes: u64,
}

impl Tables {
    fn read(memory: Memory, bias: u64, dynamic: u64, size: u64) -> Option<Tables> {
        const END: u64 = 0;
        const NAMES: u64 = 5;
        const SYMBOLS: u64 = 6;
        const GNU_HASH: u64 = 0x6fff_fef5;
        let mut entries = [0; ENTRY * MOST_DYNAMIC];
        let count = (size / ENTRY as u64).min(MOST_DYNAMIC as u64) as usize;
        let entries = &mut entries[..ENTRY * count];
        memory.fill(dynamic, entries)?;
        let (mut symbols, mut names, mut hashes) = (None, None, None);
        for entry in entries.chunks_exact(ENTRY) {
            let value = word(entry, 8);
            // Some C libraries put addresses in here when they load the file, others leave what the file has.
            let value = if value < bias { value.wrapping_add(bias) } else { value };
            match word(entry, 0) {
                END => break,
                NAMES => names = Some(value),
                SYMBOLS => symbols = Some(value),
                GNU_HASH => hashes = Some(value),
                _ => {}
            }
        }
        Some(Tables { bias, symbols: symbols?, names: names?, hashes: hashes? })
    }

    /// By the hash table: counts, a Bloom filter that is not needed here, a chain for each bucket.
    fn look_up(&self, memory: Memory) -> Option<u64> {
        let hash = NAME[..NAME.len() - 1]
            .iter()
            .fold(5381u32, |hash, byte| hash.wrapping_mul(33).wrapping_add((*byte).into()));
        let count = |index: u64| memory.half_word(self.hashes.wrapping_add(4 * index));
        let (buckets, first, filter) = (count(0)?, count(1)?, count(2)?);
        let bucket_at = 4 + 2 * u64::from(filter) + u64::from(hash.checked_rem(buckets)?);
        let start = count(bucket_at)?;
        let chains = 4 + 2 * u64::from(filter) + u64::from(buckets);
        for symbol in (u64::from(start)..).take(MOST_CHAIN as usize) {
            let found = count(chains.wrapping_add(symbol.checked_sub(first.into())?))?;
            if (found | 1) == (hash | 1)
                && let Some(address) = self.defined(memory, symbol)
            {
                return Some(address);
            }
            if found & 1 == 1 {
                break;
            }
        }
        None
    }

    /// The address of a symbol, if it is the one, and defined here.
    fn defined(&self, memory: Memory, symbol: u64) -> Option<u64> {
        let entry: [u8; SYMBOL as usize] = memory.bytes(self.symbols.wrapping_add(SYMBOL * symbol))?;
        let name = word(&entry, 0) & 0xffff_ffff;
        let is_defined = entry[6..8] != [0, 0];
        let is_it = memory.bytes(self.names.wrapping_add(name))? == *NAME;
        (is_it && is_defined).then(|| self.bias.wrapping_add(word(&entry, 8)))
    }
}
