//! The process as a program that begins anew, so that nothing of the supervisor's memory is in it: not the environment, not the
//! script, not what the policy says of other things.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::MemfdFlags;
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::Handed;
use super::process::Process;
use crate::sys::{self, CStrArray};

/// How the program is called then.
const NAME: &str = "waxcell-egress";

/// Whether this program begins as such a process does.
static IS_KNOWN: AtomicBool = AtomicBool::new(false);

/// To be called first in `main` of a program that starts runs, with its arguments: if it was executed to be the process beside
/// one, that is what it is from here on, and this does not return. Otherwise runs of this program know that it can be.
pub fn serve_if_asked(arguments: impl Iterator<Item = OsString>, serve: fn(&[u8], Handed) -> bool) {
    let arguments: Vec<OsString> = arguments.collect();
    if arguments.first().is_none_or(|name| name != NAME) {
        return IS_KNOWN.store(true, Ordering::Relaxed);
    }
    // For whoever looks at a list of processes: else it would be the last part of `/proc/self/exe`.
    let _ = rustix::thread::set_name(c"waxcell-egress");
    match taken_over(&arguments[1..]) {
        Ok((process, order)) => process.run(&|handed| serve(&order, handed)),
        Err(errno) => sys::exit(errno.raw_os_error()),
    }
}

/// What stands in the arguments: numbers of descriptors, and of what they are for.
fn taken_over(arguments: &[OsString]) -> Result<(Process, Vec<u8>), Errno> {
    let number =
        |argument: &OsStr| argument.to_str().and_then(|text| text.parse::<u64>().ok()).ok_or(Errno::INVAL);
    let numbers = arguments.iter().map(|argument| number(argument)).collect::<Result<Vec<u64>, Errno>>()?;
    let (descriptors, rest) = numbers.split_first_chunk::<3>().ok_or(Errno::INVAL)?;
    let (open_files, change_to) = match rest {
        [open_files] => (*open_files, None),
        [open_files, uid, gid] => (*open_files, Some((*uid as u32, *gid as u32))),
        _ => return Err(Errno::INVAL),
    };
    let [line, reports, order] = descriptors.map(|number| sys::inherited(number as i32));
    let mut bytes = Vec::new();
    File::from(order?).read_to_end(&mut bytes).map_err(super::errno_of)?;
    Ok((Process { line: line?, reports: reports?.into(), change_to, open_files }, bytes))
}

/// An `execve` that is about to be.
pub(super) struct Anew {
    arguments: CStrArray,
    order: OwnedFd,
}

/// For the process's sockets, which both sides of a fork have; `None` where the program does not begin so.
pub(super) fn prepare(process: &Process, order: &[u8]) -> Result<Option<Anew>, Errno> {
    if !IS_KNOWN.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let mut file = File::from(rustix::fs::memfd_create(c"order", MemfdFlags::CLOEXEC)?);
    file.write_all(order).and_then(|()| file.rewind()).map_err(super::errno_of)?;
    let descriptors = [process.line.as_raw_fd(), process.reports.as_raw_fd(), file.as_raw_fd()];
    let mut words = vec![NAME.to_owned()];
    words.extend(descriptors.map(|descriptor| descriptor.to_string()));
    words.push(process.open_files.to_string());
    words.extend(process.change_to.iter().flat_map(|(uid, gid)| [uid.to_string(), gid.to_string()]));
    let words = words.into_iter().map(CString::new).collect::<Result<_, _>>().map_err(|_| Errno::INVAL)?;
    Ok(Some(Anew { arguments: CStrArray::new(words), order: file.into() }))
}

impl Anew {
    /// In the fork, whose sockets are those that it was prepared for.
    pub(super) fn begin(&self, process: &Process) -> ! {
        const THIS_PROGRAM: &CStr = c"/proc/self/exe";
        let kept = [process.line.as_fd(), process.reports.as_fd(), self.order.as_fd()];
        if let Err(errno) = kept.iter().try_for_each(|fd| fcntl_setfd(fd, FdFlags::empty())) {
            sys::exit(errno.raw_os_error());
        }
        let errno = sys::execve(THIS_PROGRAM, &self.arguments, &CStrArray::new(Vec::new()));
        sys::exit(errno.raw_os_error())
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::taken_over;

    #[test]
    fn other_arguments_are_refused() {
        let missing = i32::MAX.to_string();
        for (arguments, errno) in [
            (&[][..], Errno::INVAL),
            (&["1", "2"], Errno::INVAL),
            (&["1", "2", "3"], Errno::INVAL),
            (&["1", "2", "3", "-4"], Errno::INVAL),
            (&["1", "2", "3", "4", "5"], Errno::INVAL),
            (&[&missing, &missing, &missing, "4"], Errno::BADF),
        ] {
            let arguments: Vec<_> = arguments.iter().map(Into::into).collect();
            assert_eq!(taken_over(&arguments).err(), Some(errno), "{arguments:?}");
        }
    }
}
