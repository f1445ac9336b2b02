//! A layer over a place of the host that a script may write to: what it writes goes into the layer, and the host's files
//! stay as they are (overlayfs, mounted by the run's own user namespace).
//!
//! Like the tree that it becomes a part of ([`crate::mounts`]): *build* is pure, *apply* runs in the stage and allocates
//! nothing. The kernel is given names for both halves, so they are attached for a moment in a folder that goes with
//! the old root. A script never sees either of them by itself.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, Mode};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::mounts::{attach, bind_attributes, c_path, clone_alone, clone_at};
use crate::plan::Access;
use crate::sys;

/// The folders of a layer: what was written, and where the kernel prepares it.
pub const PARTS: [&str; 2] = ["upper", "work"];

/// One place with a layer over it.
#[derive(Debug)]
pub(crate) struct Overlay {
    /// The folder of the host.
    lower: CString,
    layer: CString,
    /// Of the folder the one file that is shown.
    file: Option<CString>,
    attributes: u64,
    /// Names in the folder in which it is put together: of the folder, of the layer, of both together.
    names: [CString; 3],
    /// The last as the kernel wants to be told: from that folder.
    options: [(&'static CStr, CString); 4],
    trees: Option<[OwnedFd; 2]>,
}

impl Overlay {
    /// Pure. `index` tells it from the others of its tree.
    pub(crate) fn build(index: usize, source: &Path, is_file: bool, access: Access, layer: &Path) -> Overlay {
        let text = |text: String| CString::new(text).unwrap_or_default();
        let [lower, both, whole] = ["lower", "layer", "whole"].map(|part| format!("{index}.{part}"));
        let [upper, work] = PARTS.map(|part| format!("{both}/{part}"));
        let folder = if is_file { source.parent().unwrap_or(source) } else { source };
        Overlay {
            lower: c_path(folder),
            layer: c_path(layer),
            file: is_file.then(|| c_path(Path::new(source.file_name().unwrap_or_default()))),
            attributes: bind_attributes(access),
            // Without an index hard links are parted when they are written to, and nothing is looked up by file handle.
            options: [
                (c"lowerdir", text(lower.clone())),
                (c"upperdir", text(upper)),
                (c"workdir", text(work)),
                (c"index", c"off".to_owned()),
            ],
            names: [lower, both, whole].map(text),
            trees: None,
        }
    }

    /// Opens both halves, unless they are open. `userns` maps the caller's files to the script's.
    pub(crate) fn open(&mut self, userns: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        if self.trees.is_none() {
            self.trees = Some([clone_alone(&self.lower, userns)?, clone_alone(&self.layer, userns)?]);
        }
        Ok(())
    }

    /// What [`Overlay::open`] opened.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        self.trees.iter().flatten()
    }

    /// Mounts the layer over the folder; returns what is to be attached where the script shall see it. `aside` is an
    /// attached folder of nobody else's.
    pub(crate) fn mount(&self, aside: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let [lower, layer, whole] = &self.names;
        for (tree, name) in self.trees.iter().flatten().zip([lower, layer]) {
            fs::mkdirat(aside, name, Mode::RWXU)?;
            attach(tree.as_fd(), aside, name)?;
        }
        // The kernel looks the names up from here.
        rustix::process::fchdir(aside)?;
        let config = rustix::mount::fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (key, value) in &self.options {
            rustix::mount::fsconfig_set_string(config.as_fd(), *key, value)?;
        }
        // Marks of the kernel's are attributes that a user may have (Linux 5.11), and that overlayfs keeps from the script. With
        // them it follows no redirect, whatever the host's default is.
        rustix::mount::fsconfig_set_flag(config.as_fd(), c"userxattr")?;
        rustix::mount::fsconfig_create(config.as_fd())?;
        let attributes = MountAttrFlags::from_bits_retain(self.attributes as u32);
        let mount = rustix::mount::fsmount(config.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        let Some(file) = &self.file else { return Ok(mount) };
        fs::mkdirat(aside, whole, Mode::RWXU)?;
        attach(mount.as_fd(), aside, whole)?;
        let shown = clone_at(mount.as_fd(), file)?;
        sys::mount_setattr(shown.as_fd(), false, self.attributes, 0, None)?;
        Ok(shown)
    }
}

/// Whether a mount is one of those made here, and not an overlay of the host's: by type, source and options of its file
/// system, as in the last fields of `proc_pid_mountinfo(5)`.
pub(crate) fn is_layer(system: &str) -> bool {
    let upper = |option: &str| {
        option.strip_prefix("upperdir=").and_then(|path| path.split_once('.')).is_some_and(|(index, rest)| {
            index.parse::<usize>().is_ok() && rest.strip_prefix("layer/") == Some(PARTS[0])
        })
    };
    system.starts_with("overlay ") && system.split([' ', ',']).any(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_told_from_an_overlay_of_the_hosts() {
        let ours = "overlay none rw,lowerdir=7.lower,upperdir=7.layer/upper,workdir=7.layer/work,userxattr";
        assert!(is_layer(ours));
        assert!(!is_layer(&ours.replace("7.layer", "/var/lib/docker/7.layer")));
        assert!(!is_layer(&ours.replace("overlay none", "ext4 overlay")));
        assert!(!is_layer("ext4 /dev/vda rw"));
    }

    #[test]
    fn the_folder_of_a_file_is_what_the_layer_lies_over() {
        let file = Overlay::build(3, Path::new("/p/out.json"), true, Access::Write, Path::new("/s/1"));
        assert_eq!((file.lower.to_str(), file.file.as_deref()), (Ok("/p"), Some(c"out.json")));
        assert_eq!(file.options[1], (c"upperdir", c"3.layer/upper".to_owned()));
        let folder = Overlay::build(0, Path::new("/p/data"), false, Access::Write, Path::new("/s/0"));
        assert_eq!((folder.lower.to_str(), folder.file), (Ok("/p/data"), None));
    }
}
