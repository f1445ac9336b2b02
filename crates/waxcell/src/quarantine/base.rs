//! What there is on the host under a name, and whether it is still the same.
//!
//! Content is not read: a file is the same as long as its inode, size, owner, mode and times are, of which the time of
//! change (`ctime`) is set by the kernel alone. So a file that was only touched counts as changed; one that was changed
//! never counts as the same.

use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

/// What there was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Base {
    Absent,
    There(Facts),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Folder => "folder",
            Kind::Link => "link",
            Kind::Other => "other",
        }
    }

    pub(super) fn of(stat: &Stat) -> Kind {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        }
    }
}

/// What tells one state of a file from another. Not its device, whose number another boot may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) kind: Kind,
    pub(super) inode: u64,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
    /// Of a folder that goes: all that lies below it, as a hash of everybody's facts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) below: Option<String>,
}

/// The bits of a mode that a change of it can be about.
pub(super) const MODE: u32 = 0o7777;

impl Facts {
    pub(super) fn of(stat: &Stat) -> Facts {
        Facts {
            kind: Kind::of(stat),
            inode: stat.st_ino,
            mode: stat.st_mode & MODE,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: stat.st_size as u64,
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
            below: None,
        }
    }

    /// Whether it is the same folder, whatever has become of its entries.
    pub(super) fn is_same_folder(&self, now: &Facts) -> bool {
        self.kind == Kind::Folder && (self.kind, self.inode) == (now.kind, now.inode)
    }

    /// Whether who may do what with it is the same.
    pub(super) fn has_same_mode(&self, now: &Facts) -> bool {
        (self.mode, self.uid, self.gid) == (now.mode, now.uid, now.gid)
    }

    /// Whether nothing about it is another; of a folder, nothing about what lies below it.
    pub(super) fn is_same(&self, now: &Facts) -> bool {
        match self.kind {
            Kind::Folder => self.is_same_folder(now) && self.has_same_mode(now) && self.below == now.below,
            _ => self == now,
        }
    }

    /// The same without the time of change, which another name of the file gives it by going.
    pub(super) fn is_nearly(&self, now: &Facts) -> bool {
        self.is_same(&Facts { changed: self.changed, ..now.clone() })
    }

    /// For the hash of all that lies below a folder.
    pub(super) fn line(&self) -> String {
        let Facts { kind, inode, mode, uid, gid, size, modified, changed, .. } = self;
        match kind {
            // Times of a folder are about its entries, which have lines of their own.
            Kind::Folder => format!("{kind:?} {inode} {mode:o} {uid} {gid}"),
            _ => format!("{kind:?} {inode} {mode:o} {uid} {gid} {size} {modified:?} {changed:?}"),
        }
    }
}
