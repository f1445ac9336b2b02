//! The few messages of FUSE that a file system without files needs (`<linux/fuse.h>`, `fuse(4)`). The other side is the
//! kernel of this machine: numbers are in its own order of bytes. Nothing here allocates.

use rustix::io::Errno;

/// As much as a request can have here: names are short, and nothing is written.
pub(super) const LONGEST_REQUEST: usize = 16 * 1024;
const LONGEST_ANSWER: usize = 8 * 1024;
const HEADER: usize = 40;

/// What the kernel wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Lookup,
    Forget,
    Attributes,
    ReadLink,
    Open,
    OpenFolder,
    Read,
    /// `with_nodes`: and what stands behind each name.
    List {
        from: u64,
        size: usize,
        with_nodes: bool,
    },
    Access {
        mask: u32,
    },
    FileSystem,
    Start {
        minor: u32,
        readahead: u32,
    },
    Release,
    Interrupt,
    Other,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) want: Want,
    pub(super) unique: u64,
    pub(super) node: u64,
    /// The thread that waits, by its number in the run; 0 for anybody else.
    pub(super) tid: u32,
    /// A name, for [`Want::Lookup`].
    pub(super) name: &'a [u8],
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl Request<'_> {
    pub(super) fn read(bytes: &[u8]) -> Option<Request<'_>> {
        let body = bytes.get(HEADER..)?;
        let want = match word(bytes, 4)? {
            1 => Want::Lookup,
            2 | 42 => Want::Forget,
            3 => Want::Attributes,
            5 => Want::ReadLink,
            14 => Want::Open,
            15 => Want::Read,
            17 => Want::FileSystem,
            18 | 29 | 38 => Want::Release,
            26 => Want::Start { minor: word(body, 4)?, readahead: word(body, 8)? },
            27 => Want::OpenFolder,
            number @ (28 | 44) => {
                Want::List { from: long(body, 8)?, size: word(body, 16)? as usize, with_nodes: number == 44 }
            }
            34 => Want::Access { mask: word(body, 0)? },
            36 => Want::Interrupt,
            _ => Want::Other,
        };
        let name = body.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Request { want, unique: long(bytes, 8)?, node: long(bytes, 16)?, tid: word(bytes, 32)?, name })
    }
}

/// What is said of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) node: u64,
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Seconds since 1970.
    pub(super) time: u64,
}

/// For ever, in seconds.
const EVER: u64 = 1 << 30;

/// An answer, written piece by piece.
pub(super) struct Answer {
    bytes: [u8; LONGEST_ANSWER],
    length: usize,
}

impl Answer {
    pub(super) fn new(unique: u64) -> Answer {
        let mut answer = Answer { bytes: [0; LONGEST_ANSWER], length: 0 };
        answer.word(0).word(0).long(unique);
        answer
    }

    pub(super) fn failed(unique: u64, errno: Errno) -> Answer {
        let mut answer = Answer::new(unique);
        answer.bytes[4..8].copy_from_slice(&(-errno.raw_os_error()).to_ne_bytes());
        answer
    }

    /// The whole of it, its length in its head.
    pub(super) fn whole(&mut self) -> &[u8] {
        self.bytes[..4].copy_from_slice(&(self.length as u32).to_ne_bytes());
        &self.bytes[..self.length]
    }

    /// What does not fit is left out.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Answer {
        if let Some(space) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            space.copy_from_slice(bytes);
            self.length += bytes.len();
        }
        self
    }

    fn word(&mut self, number: u32) -> &mut Answer {
        self.bytes(&number.to_ne_bytes())
    }

    fn long(&mut self, number: u64) -> &mut Answer {
        self.bytes(&number.to_ne_bytes())
    }

    /// `fuse_attr`.
    fn plain_attributes(&mut self, attributes: &Attributes) -> &mut Answer {
        let Attributes { node, mode, size, uid, gid, time } = *attributes;
        self.long(node).long(size).long(0).long(time).long(time).long(time).word(0).word(0).word(0);
        self.word(mode).word(1).word(uid).word(gid).word(0).word(4096).word(0)
    }

    /// `fuse_attr_out`.
    pub(super) fn attributes(&mut self, attributes: &Attributes) -> &mut Answer {
        self.long(EVER).word(0).word(0).plain_attributes(attributes)
    }

    /// `fuse_entry_out`; `is_asked_again`: at every look, and not once for ever.
    pub(super) fn entry(&mut self, attributes: &Attributes, is_asked_again: bool) -> &mut Answer {
        let valid = if is_asked_again { 0 } else { EVER };
        self.long(attributes.node).long(0).long(valid).long(EVER).word(0).word(0);
        self.plain_attributes(attributes)
    }

    /// `fuse_open_out`.
    pub(super) fn opened(&mut self) -> &mut Answer {
        /// `FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR`.
        const KEEP: u32 = 1 << 1 | 1 << 3;
        self.long(0).word(KEEP).word(0)
    }

    /// `fuse_kstatfs`: no room, and names as everywhere.
    pub(super) fn file_system(&mut self) -> &mut Answer {
        self.bytes(&[0; 40]).word(4096).word(255).word(4096).bytes(&[0; 28])
    }

    /// `fuse_init_out`.
    pub(super) fn start(&mut self, minor: u32, readahead: u32) -> &mut Answer {
        /// Several may look into one folder at a time (`FUSE_PARALLEL_DIROPS`): whoever waits for an answer must not be in
        /// the way of the others. Links are read once (`FUSE_CACHE_SYMLINKS`), and who lists a folder knows what is in it
        /// (`FUSE_DO_READDIRPLUS`).
        const FLAGS: u32 = 1 << 13 | 1 << 18 | 1 << 23;
        const NEWEST: u32 = 31;
        self.word(7).word(minor.min(NEWEST)).word(readahead).word(FLAGS);
        self.word(0).word(4096).word(1).word(0).bytes(&[0; 32])
    }

    /// `fuse_dirent`, if there is room for it in `size` bytes of names; after what is said of the node where that is wanted
    /// (`fuse_direntplus`). Nothing is said of [`Attributes`] that are not given: the kernel asks when somebody looks.
    pub(super) fn name(&mut self, entry: &Entry<'_>, size: usize) -> bool {
        const HEAD: usize = 16;
        const NODE: usize = 128;
        let Entry { node, next, kind, name, told } = *entry;
        let length = (24 + name.len()).next_multiple_of(8) + told.map_or(0, |_| NODE);
        if self.length - HEAD + length > size.min(LONGEST_ANSWER - HEAD) {
            return false;
        }
        match told {
            Some(Some(attributes)) => drop(self.entry(&attributes, false)),
            Some(None) => drop(self.bytes(&[0; NODE])),
            None => {}
        }
        self.long(node).long(next).word(name.len() as u32).word(kind).bytes(name);
        self.length = (self.length - HEAD).next_multiple_of(8) + HEAD;
        true
    }
}

/// A name in a folder.
pub(super) struct Entry<'a> {
    pub(super) node: u64,
    /// Where to go on after it.
    pub(super) next: u64,
    /// `DT_DIR` and its like.
    pub(super) kind: u32,
    pub(super) name: &'a [u8],
    /// Of [`Want::List`] with nodes.
    pub(super) told: Option<Option<Attributes>>,
}
