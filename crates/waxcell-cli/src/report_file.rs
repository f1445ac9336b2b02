//! The file of `--report`: there when it is whole, and not before.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use waxcell::WayError;
use waxcell::policy::Policy;

/// Opened before the run, and not through a link that a script may have planted.
pub(crate) struct ReportFile<'a> {
    path: &'a Path,
    name: &'a OsStr,
    way: Way,
}

enum Way {
    /// A file appears under a name of its own, and takes its place when it is whole. The folder is held open: what its
    /// path leads to could be another one after the run.
    Replaced { folder: OwnedFd, mode: Mode },
    /// A device, a FIFO, or a file in a folder that is not ours to write to.
    Written(File),
}

impl<'a> ReportFile<'a> {
    /// `policy` is that of the run, if it could be read.
    pub(crate) fn open(
        path: &'a Path,
        cwd: &Path,
        policy: Option<&Policy>,
    ) -> Result<ReportFile<'a>, String> {
        let name = name_of(path).map_err(|error| complaint(path, &error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let folder = waxcell::open_folder(folder, cwd, policy).map_err(|error| {
            let why = match error {
                WayError::Kernel(errno) => io::Error::from(errno).to_string(),
                other => other.to_string(),
            };
            complaint(path, &why)
        })?;
        let way = Way::find(folder, name).map_err(|error| {
            let why = match Errno::from_io_error(&error) {
                Some(Errno::LOOP) => "it is a symbolic link; name the file itself".to_owned(),
                Some(Errno::NXIO) => "nobody reads from it".to_owned(),
                _ => error.to_string(),
            };
            complaint(path, &why)
        })?;
        Ok(ReportFile { path, name, way })
    }

    pub(crate) fn write(self, text: &str) -> Result<(), String> {
        let written = match self.way {
            Way::Written(file) => write_over(file, text),
            Way::Replaced { folder, mode } => replace(&folder, self.name, mode, text),
        };
        written.map_err(|error| complaint(self.path, &error.to_string()))
    }
}

fn complaint(path: &Path, why: &str) -> String {
    format!("cannot write the report to `{}`: {why}", path.display())
}

impl Way {
    fn find(folder: OwnedFd, name: &OsStr) -> io::Result<Way> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let there = match rustix::fs::openat(&folder, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => None,
            open => Some(File::from(open?)),
        };
        let kind = there.as_ref().map(File::metadata).transpose()?;
        let writable =
            rustix::fs::accessat(&folder, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
        match (there, kind) {
            (Some(file), Some(kind)) if !kind.is_file() || writable.is_err() => Ok(Way::Written(file)),
            (_, kind) => {
                writable?;
                let mode = kind.map_or(0o666, |kind| kind.permissions().mode());
                Ok(Way::Replaced { folder, mode: Mode::from_raw_mode(mode) })
            }
        }
    }
}

fn name_of(path: &Path) -> io::Result<&OsStr> {
    let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    path.file_name().filter(|_| !is_folder).ok_or(Errno::ISDIR.into())
}

fn write_over(mut file: File, text: &str) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}

fn replace(folder: &OwnedFd, name: &OsStr, mode: Mode, text: &str) -> io::Result<()> {
    let new = format!(".waxcell-report-{}", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, &new, flags, mode)?;
    let written = File::from(file)
        .write_all(text.as_bytes())
        .and_then(|()| Ok(rustix::fs::renameat(folder, &new, folder, name)?));
    if written.is_err() {
        // Half a report is none.
        let _ = rustix::fs::unlinkat(folder, &new, AtFlags::empty());
    }
    written
}
