//! The file of `--report`: there when it is whole, and not before.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// Opened before the run, and not through a link that an earlier script may have planted.
pub(crate) struct ReportFile<'a> {
    path: &'a Path,
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
    pub(crate) fn open(path: &'a Path) -> Result<ReportFile<'a>, String> {
        let way = Way::find(path).map_err(|error| {
            let why = match Errno::from_io_error(&error) {
                Some(Errno::LOOP) => "it is a symbolic link; name the file itself".to_owned(),
                Some(Errno::NXIO) => "nobody reads from it".to_owned(),
                _ => error.to_string(),
            };
            complaint(path, &why)
        })?;
        Ok(ReportFile { path, way })
    }

    pub(crate) fn write(self, text: &str) -> Result<(), String> {
        let written = match self.way {
            Way::Written(file) => write_over(file, text),
            Way::Replaced { folder, mode } => replace(&folder, self.path, mode, text),
        };
        written.map_err(|error| complaint(self.path, &error.to_string()))
    }
}

fn complaint(path: &Path, why: &str) -> String {
    format!("cannot write the report to `{}`: {why}", path.display())
}

impl Way {
    fn find(path: &Path) -> io::Result<Way> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let there = match OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            open => Some(open?),
        };
        let kind = there.as_ref().map(File::metadata).transpose()?;
        let mode = match (there, kind) {
            (Some(file), Some(kind)) if !kind.is_file() => return Ok(Way::Written(file)),
            (Some(file), Some(kind)) => match writable_folder(path) {
                Ok(_) => Mode::from_raw_mode(std::os::unix::fs::PermissionsExt::mode(&kind.permissions())),
                Err(_) => return Ok(Way::Written(file)),
            },
            _ => Mode::from_raw_mode(0o666),
        };
        Ok(Way::Replaced { folder: writable_folder(path)?, mode })
    }
}

fn writable_folder(path: &Path) -> io::Result<OwnedFd> {
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Errno::ISDIR.into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = rustix::fs::openat(CWD, folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::accessat(&folder, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?;
    Ok(folder)
}

fn write_over(mut file: File, text: &str) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}

fn replace(folder: &OwnedFd, path: &Path, mode: Mode, text: &str) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default();
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
