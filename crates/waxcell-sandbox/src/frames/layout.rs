//! Where CPython keeps what is read, by version. Up to 3.12 from its headers, for 64-bit Linux; 3.13 says it itself. The
//! tests run every interpreter of this machine against them.

use super::lines::Form;
use super::memory::Memory;

/// How a thread state tells its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadId {
    /// The kernel's number, at this place.
    Native(u64),
    /// `pthread_self()` at this place: the C library's own structure, in which the kernel's number is.
    Pthread(u64),
}

/// How a frame tells its instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// As a number of units of so many bytes, at this place.
    Index { at: u64, unit: u64 },
    /// As an address, at this place; the code begins at a place of the code object.
    Address { at: u64, code: u64 },
}

/// Offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// `_PyRuntime`: the first interpreter.
    pub(super) interpreters: u64,
    /// Interpreter: the next one, its first thread.
    pub(super) next_interpreter: u64,
    pub(super) threads: u64,
    /// Thread: the next one, which it is, its innermost frame (behind one more pointer in 3.11 and 3.12).
    pub(super) next_thread: u64,
    pub(super) thread_id: ThreadId,
    pub(super) frame: (u64, Option<u64>),
    /// Frame: its caller, its code, its instruction; and whose it is, where some have no code.
    pub(super) caller: u64,
    pub(super) code: u64,
    pub(super) instruction: Instruction,
    pub(super) owner: Option<u64>,
    /// Code: its file, first line, and table of lines.
    pub(super) file: u64,
    pub(super) first_line: u64,
    pub(super) lines: (u64, Form),
    /// Text: where its characters are, if all are ASCII and if not.
    pub(super) ascii: u64,
    pub(super) compact: u64,
}

/// From this owner on, a frame is the interpreter's own.
pub(super) const OWNED_BY_C: u8 = 3;
/// In every version: the length of text and bytes, the state of text, the bytes.
pub(super) const LENGTH: u64 = 16;
pub(super) const STATE: u64 = 32;
pub(super) const BYTES: u64 = 32;
/// In the structure that `pthread_self()` points to, of glibc.
#[cfg(target_arch = "x86_64")]
pub(super) const PTHREAD_TID: u64 = 720;
#[cfg(target_arch = "aarch64")]
pub(super) const PTHREAD_TID: u64 = 208;

const V3_8: Layout = Layout {
    interpreters: 32,
    next_interpreter: 0,
    threads: 8,
    next_thread: 8,
    thread_id: ThreadId::Pthread(176),
    frame: (24, None),
    caller: 24,
    code: 32,
    instruction: Instruction::Index { at: 104, unit: 1 },
    owner: None,
    file: 104,
    first_line: 40,
    lines: (120, Form::Steps),
    ascii: 48,
    compact: 72,
};
const V3_10: Layout =
    Layout { instruction: Instruction::Index { at: 96, unit: 2 }, lines: (120, Form::Ranges), ..V3_8 };
const V3_11: Layout = Layout {
    interpreters: 40,
    threads: 16,
    thread_id: ThreadId::Native(160),
    frame: (56, Some(8)),
    caller: 48,
    code: 32,
    instruction: Instruction::Address { at: 56, code: 184 },
    file: 112,
    first_line: 72,
    lines: (136, Form::Locations),
    ..V3_8
};
const V3_12: Layout = Layout {
    threads: 72,
    thread_id: ThreadId::Native(144),
    frame: (56, Some(0)),
    caller: 8,
    code: 0,
    instruction: Instruction::Address { at: 56, code: 192 },
    owner: Some(70),
    first_line: 68,
    ascii: 40,
    compact: 56,
    ..V3_11
};

impl Layout {
    /// That of CPython 3.`minor`, whose `_PyRuntime` is at an address; `None`: not known.
    pub(super) fn of(minor: u32, memory: Memory, runtime: u64) -> Option<Layout> {
        match minor {
            8 | 9 => Some(V3_8),
            10 => Some(V3_10),
            11 => Some(V3_11),
            12 => Some(V3_12),
            13 => published(memory, runtime),
            _ => None,
        }
    }
}

/// What 3.13 says of itself (`_Py_DebugOffsets`), as words from the start of `_PyRuntime`.
fn published(memory: Memory, runtime: u64) -> Option<Layout> {
    /// No structure is as large.
    const BOUND: u64 = 1 << 24;
    let word = |index: u64| memory.word(runtime.wrapping_add(8 * index));
    let offset = |index: u64| word(index).filter(|offset| *offset < BOUND);
    let is_free_threaded = word(2)? != 0;
    if memory.bytes(runtime)? != *b"xdebugpy" || word(1)? >> 16 != 0x030d || is_free_threaded {
        return None;
    }
    Some(Layout {
        interpreters: offset(5)?,
        next_interpreter: offset(8)?,
        threads: offset(9)?,
        next_thread: offset(21)?,
        thread_id: ThreadId::Native(offset(25)?),
        frame: (offset(23)?, None),
        caller: offset(29)?,
        code: offset(30)?,
        instruction: Instruction::Address { at: offset(31)?, code: offset(43)? },
        owner: Some(offset(33)?),
        file: offset(35)?,
        first_line: offset(39)?,
        lines: (offset(38)?, Form::Locations),
        ..V3_12
    })
}
