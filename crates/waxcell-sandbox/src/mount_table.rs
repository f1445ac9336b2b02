//! The kernel's table of mounts (`proc_pid_mountinfo(5)`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Where something is mounted, and the type of its file system, line by line.
pub fn mounted(table: &[u8]) -> impl Iterator<Item = (PathBuf, &[u8])> {
    table.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let point = PathBuf::from(OsString::from_vec(unescape(fields.nth(4)?)));
        let kind = fields.skip_while(|field| *field != b"-").nth(1).unwrap_or_default();
        Some((point, kind))
    })
}

/// Where something is mounted, and the number of the mount, line by line.
pub(crate) fn numbered(table: &[u8]) -> impl Iterator<Item = (PathBuf, u64)> {
    table.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let number = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        Some((PathBuf::from(OsString::from_vec(unescape(fields.nth(3)?))), number))
    })
}

/// The first file system that is mounted somewhere below a folder of the host: a layer does not reach into it.
pub fn mount_below(table: &[u8], folder: &Path) -> Option<PathBuf> {
    mounted(table).map(|(point, _)| point).find(|point| point != folder && point.starts_with(folder))
}

/// `\040` and its like back to bytes.
pub(crate) fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let digits =
            tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[3..] } else { tail };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_the_mount_table_are_undone() {
        assert_eq!(unescape(b"/a\\040b\\134c"), b"/a b\\c");
        assert_eq!(unescape(b"/plain\\"), b"/plain\\");
    }

    #[test]
    fn a_mount_has_a_place_and_a_kind() {
        let table = b"2 1 0:9 / /net/a\\040b rw,nosuid shared:2 master:1 - nfs4 server:/x rw\n\n1 2 3\n\\";
        assert_eq!(mounted(table).collect::<Vec<_>>(), [("/net/a b".into(), &b"nfs4"[..])]);
    }

    #[test]
    fn a_mount_below_a_folder_is_found_and_its_own_is_not() {
        let table = b"1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /p/data rw - ext4 a rw\n\
                      3 1 0:3 / /p/data\\040x rw - ext4 a rw\n4 1 0:4 / /p/data/in/\\303\\244 rw - tmpfs a rw\n";
        let below = |path: &str| mount_below(table, Path::new(path));
        assert_eq!(below("/p/data"), Some("/p/data/in/ä".into()));
        assert_eq!(below("/p/data x"), None);
        assert_eq!(below("/p"), Some("/p/data".into()));
        assert_eq!(below("/q"), None);
    }
}
