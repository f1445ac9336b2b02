//! Where in the script a thread is that waits for the init: the innermost frames of CPython, read from its memory.
//!
//! The thread waits in the kernel, so its own frames stand still. Everything else in its process may change meanwhile, and
//! all of it may be made up: a script that lies gets a wrong line on record, or none. It decides nothing.
//!
//! Nothing here allocates once the fork is made.

mod layout;
mod lines;
mod memory;
mod symbol;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use layout::{BYTES, Instruction, LENGTH, Layout, OWNED_BY_C, PTHREAD_TID, STATE, ThreadId};
use memory::Memory;

use crate::plan::{Code, Plan};
use crate::wire::PATH_MAX;

/// How far is looked, at most.
const MOST_THREADS: usize = 1024;
const MOST_FRAMES: usize = 1024;
/// The longest table of lines, in bytes: that of a function with half a million lines.
const MOST_LINES: u64 = 1 << 20;
/// Folders of what is installed, though it may lie in the project.
const INSTALLED: [&[u8]; 3] = [b"/site-packages/", b"/dist-packages/", b"/lib/python3."];

/// What code is looked for, made before the fork.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Names of the script.
    script: Vec<Vec<u8>>,
    /// The project's folder; empty: nothing is looked for.
    project: Vec<u8>,
    /// What relative names start at.
    cwd: Vec<u8>,
}

/// A place in the script, or in another file of its project.
#[derive(Debug)]
pub(crate) struct Place {
    file: Name,
    /// In that file.
    pub(crate) line: u32,
    /// The line of the script that led there, if it is another file and that can be known.
    pub(crate) script_line: Option<u32>,
}

impl Place {
    /// The file; `None`: the script.
    pub(crate) fn file(&self) -> Option<&[u8]> {
        Some(self.file.bytes()).filter(|file| !file.is_empty())
    }
}

/// Whose code a frame executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Script,
    Project,
    Other,
}

impl Frames {
    pub(crate) fn new(plan: &Plan) -> Frames {
        let Some(Code { script, project }) = &plan.program.code else { return Frames::default() };
        let cwd = plan.program.cwd.as_os_str().as_bytes().to_vec();
        let resolved = |path: &Path| {
            let mut name = Name::new();
            name.resolve(&cwd, path.as_os_str().as_bytes()).map(|()| name.bytes().to_vec())
        };
        let script = script.iter().filter_map(|path| resolved(path)).collect();
        Frames { script, project: resolved(project).unwrap_or_default(), cwd }
    }

    /// Where a waiting thread is, if it executes Python that is the script's or its project's.
    pub(crate) fn place(&self, tid: u32) -> Option<Place> {
        if self.project.is_empty() {
            return None;
        }
        let memory = Memory { tid };
        let (runtime, minor) = symbol::runtime(memory)?;
        let python = Python { memory, layout: Layout::of(minor, memory, runtime)? };
        let thread = python.thread(runtime)?;
        let mut place: Option<Place> = None;
        let mut last = (0, Whose::Other);
        let mut name = Name::new();
        let mut frame = python.innermost(thread)?;
        for _ in 0..MOST_FRAMES {
            if frame == 0 {
                break;
            }
            if let Some(code) = python.code(frame) {
                let text = memory.word(code.wrapping_add(python.layout.file))?;
                // Most frames are of the file of the frame before.
                if text != last.0 {
                    last = (text, self.whose(python, text, &mut name));
                }
                match (last.1, &mut place) {
                    (Whose::Script, None) => {
                        let line = python.line(frame, code)?;
                        return Some(Place { file: Name::new(), line, script_line: None });
                    }
                    (Whose::Script, Some(place)) => {
                        place.script_line = python.line(frame, code);
                        break;
                    }
                    (Whose::Project, None) => {
                        let line = python.line(frame, code)?;
                        place = Some(Place { file: name.clone(), line, script_line: None });
                    }
                    (Whose::Project, Some(_)) | (Whose::Other, _) => {}
                }
            }
            frame = memory.word(frame.wrapping_add(python.layout.caller))?;
        }
        place
    }

    /// Whose a file is by its name; leaves the whole name of one of the project's in `name`.
    fn whose(&self, python: Python, text: u64, name: &mut Name) -> Whose {
        let mut written = Name::new();
        if python.text(text, &mut written).is_none() || name.resolve(&self.cwd, written.bytes()).is_none() {
            return Whose::Other;
        }
        let name = name.bytes();
        if self.script.iter().any(|script| script == name) {
            return Whose::Script;
        }
        // `<string>`, `<frozen importlib._bootstrap>`.
        let is_file = !(written.bytes().starts_with(b"<") && written.bytes().ends_with(b">"));
        let is_in = |inside: &[u8], folder: &[u8]| inside.windows(folder.len()).any(|part| part == folder);
        match name.strip_prefix(self.project.as_slice()) {
            Some(inside)
                if is_file
                    && inside.starts_with(b"/")
                    && !INSTALLED.iter().any(|folder| is_in(inside, folder)) =>
            {
                Whose::Project
            }
            _ => Whose::Other,
        }
    }
}

/// The CPython of a process.
#[derive(Clone, Copy, Debug)]
struct Python {
    memory: Memory,
    layout: Layout,
}

impl Python {
    /// The state of the thread.
    fn thread(self, runtime: u64) -> Option<u64> {
        let Python { memory, layout } = self;
        let mut interpreter = memory.word(runtime.wrapping_add(layout.interpreters))?;
        let mut thread = memory.word(interpreter.wrapping_add(layout.threads))?;
        for _ in 0..MOST_THREADS {
            if thread == 0 {
                interpreter = memory.word(interpreter.wrapping_add(layout.next_interpreter))?;
                thread = memory.word(interpreter.wrapping_add(layout.threads))?;
            } else if self.number_of(thread)? == memory.tid {
                return Some(thread);
            } else {
                thread = memory.word(thread.wrapping_add(layout.next_thread))?;
            }
        }
        None
    }

    /// The number by which the kernel knows a thread.
    fn number_of(self, thread: u64) -> Option<u32> {
        match self.layout.thread_id {
            ThreadId::Native(at) => self.memory.half_word(thread.wrapping_add(at)),
            ThreadId::Pthread(at) => {
                let pthread = self.memory.word(thread.wrapping_add(at))?;
                self.memory.half_word(pthread.wrapping_add(PTHREAD_TID))
            }
        }
    }

    fn innermost(self, thread: u64) -> Option<u64> {
        let (at, behind) = self.layout.frame;
        let frame = self.memory.word(thread.wrapping_add(at))?;
        behind.map_or(Some(frame), |at| self.memory.word(frame.wrapping_add(at)))
    }

    /// The code of a frame, if it has any.
    fn code(self, frame: u64) -> Option<u64> {
        if let Some(owner) = self.layout.owner
            && self.memory.byte(frame.wrapping_add(owner))? >= OWNED_BY_C
        {
            return None;
        }
        self.memory.word(frame.wrapping_add(self.layout.code))
    }

    fn line(self, frame: u64, code: u64) -> Option<u32> {
        let Python { memory, layout } = self;
        let offset = match layout.instruction {
            Instruction::Index { at, unit } => {
                u64::from(memory.half_word(frame.wrapping_add(at))?).wrapping_mul(unit)
            }
            Instruction::Address { at, code: start } => {
                memory.word(frame.wrapping_add(at))?.wrapping_sub(code.wrapping_add(start))
            }
        };
        let first = memory.half_word(code.wrapping_add(layout.first_line))? as i32;
        let (at, form) = layout.lines;
        let table = memory.word(code.wrapping_add(at))?;
        let length = memory.word(table.wrapping_add(LENGTH))?.min(MOST_LINES);
        form.line(memory.stream(table.wrapping_add(BYTES), length), first.into(), offset)
    }

    /// Reads a text that is the name of a file, as the bytes that it stands for.
    fn text(self, text: u64, name: &mut Name) -> Option<()> {
        const COMPACT: u32 = 1 << 5;
        const ASCII: u32 = 1 << 6;
        let Python { memory, layout } = self;
        let length = memory.word(text.wrapping_add(LENGTH))?;
        let state = memory.half_word(text.wrapping_add(STATE))?;
        let width = u64::from(state >> 2 & 7);
        if length > PATH_MAX as u64 || state & COMPACT == 0 || !matches!(width, 1 | 2 | 4) {
            return None;
        }
        let start = text.wrapping_add(if state & ASCII == 0 { layout.compact } else { layout.ascii });
        let mut bytes = memory.stream(start, length * width);
        name.length = 0;
        for _ in 0..length {
            let mut character = [0; 4];
            for byte in &mut character[..width as usize] {
                *byte = bytes.next()?;
            }
            match u32::from_le_bytes(character) {
                // Bytes that are no text (PEP 383).
                escaped @ 0xdc80..=0xdcff => name.push(&[escaped as u8])?,
                other => name.push(char::from_u32(other)?.encode_utf8(&mut [0; 4]).as_bytes())?,
            }
        }
        Some(())
    }
}

/// The name of a file.
#[derive(Clone, Debug)]
struct Name {
    bytes: [u8; PATH_MAX],
    length: usize,
}

impl Name {
    fn new() -> Name {
        Name { bytes: [0; PATH_MAX], length: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length + bytes.len();
        self.bytes.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }

    /// Becomes a name without `.` and `..`, by its text alone.
    fn resolve(&mut self, cwd: &[u8], name: &[u8]) -> Option<()> {
        self.length = 0;
        let start = if name.starts_with(b"/") { b"".as_slice() } else { cwd };
        for part in start.split(|byte| *byte == b'/').chain(name.split(|byte| *byte == b'/')) {
            match part {
                b"" | b"." => {}
                b".." => self.length = self.bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0),
                part => {
                    self.push(b"/")?;
                    self.push(part)?;
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
