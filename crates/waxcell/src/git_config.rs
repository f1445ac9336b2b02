//! What a script sees of `.git/config`: what git needs to read the repository, without addresses that carry a secret
//! and without names of programs (`git-config(1)`). Without the file no git command works at all.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

/// Larger ones are covered.
const LARGEST: u64 = 1 << 20;
/// Sections that are shown; of every other there is nothing.
const SECTIONS: [&[u8]; 5] = [b"core", b"extensions", b"user", b"branch", b"remote"];
/// Keys of them that are not: commands, and folders of commands.
const HIDDEN: [&[u8]; 11] = [
    b"alternaterefscommand",
    b"askpass",
    b"editor",
    b"fsmonitor",
    b"gitproxy",
    b"hookspath",
    b"pager",
    b"proxy",
    b"receivepack",
    b"sshcommand",
    b"uploadpack",
];

/// Whether a covered path is such a file, of the project's repository or of another within it.
pub(crate) fn is_one(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "config" || name == "config.worktree")
}

/// What is shown of the file at `path`; `None` if it cannot be read.
pub(crate) fn shown_of(path: &Path) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()?);
    let meta = file.metadata().ok()?;
    let mut text = Vec::new();
    let size = file.take(LARGEST + 1).read_to_end(&mut text).ok()? as u64;
    (meta.is_file() && size <= LARGEST).then(|| shown(&text))
}

fn shown(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut out = Vec::new();
    let mut section = false;
    for line in whole_lines(text) {
        let mut rest = line.as_slice();
        if let Some((header, behind)) = header(rest) {
            section = SECTIONS.iter().any(|known| header_name(header).eq_ignore_ascii_case(known));
            if section {
                out.extend_from_slice(header);
                out.push(b'\n');
            }
            rest = behind;
        }
        let setting = &rest[..unquoted(rest, b"#;").unwrap_or(rest.len())];
        if section && is_shown(setting) {
            out.push(b'\t');
            out.extend_from_slice(setting.trim_ascii());
            out.push(b'\n');
        }
    }
    out
}

/// The lines, each with those that a backslash at its end goes on in.
fn whole_lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    for part in text.split(|byte| *byte == b'\n') {
        let part = part.trim_ascii();
        let last = lines.len() - 1;
        let goes_on = part.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
        lines[last].extend_from_slice(if goes_on { &part[..part.len() - 1] } else { part });
        if !goes_on {
            lines.push(Vec::new());
        }
    }
    lines
}

/// Where the first of these bytes stands outside of quotes.
fn unquoted(line: &[u8], wanted: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    line.iter().position(|byte| {
        let found = wanted.contains(byte) && !quoted && !escaped;
        quoted ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        found
    })
}

/// `[section "name"]`, and what stands behind it on the same line.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if !line.starts_with(b"[") {
        return None;
    }
    let end = unquoted(line, b"]")?;
    let (header, behind) = line.split_at(end + 1);
    Some((header, behind.trim_ascii_start()))
}

fn header_name(header: &[u8]) -> &[u8] {
    let inner = &header[1..];
    let end = inner.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    &inner[..end.unwrap_or(inner.len())]
}

fn is_shown(line: &[u8]) -> bool {
    let end = line.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    let (name, value) = line.split_at(end.unwrap_or(line.len()));
    let address = value.windows(3).position(|part| part == b"://").map(|at| &value[at..]);
    let tells = address.is_some_and(|address| address.iter().any(|byte| matches!(byte, b'@' | b'?')));
    // Comments and empty lines have no name.
    !name.is_empty() && !tells && !HIDDEN.iter().any(|hidden| name.eq_ignore_ascii_case(hidden))
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_git_needs_is_shown_and_secrets_are_not() {
        let text = "\u{feff}[core]\n\trepositoryformatversion = 0\n  bare = false ; SECRET\n\tsshCommand = ssh -i SECRET\n\
            [Core] pager = SECRET\n\
            # SECRET\n\
            [remote \"a]b\"]\r\n\turl = git@example.org:a/b.git\r\n\tpushurl = https://bee:SECRET@example.org/a\r\n\
            \tfetch = +refs/heads/*:refs/remotes/a/*\r\n\turl = https://example.org/?token=SECRET\n\
            \turl = \\\n https://SECRET@example.org\n\
            [http \"https://example.org\"]\n\textraheader = SECRET\n\
            [credential]\n\thelper = \"!f() { echo SECRET; }; f\"\n\
            [branch \"main\"] merge = refs/heads/main\n\tproxy = a\\\nSECRET\n\
            [url \"https://SECRET@example.org\"]\n\tinsteadOf = x\n[include]\n\tpath = SECRET\n";
        let got = String::from_utf8(shown(text.as_bytes())).unwrap();
        assert_eq!(
            got,
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[Core]\n[remote \"a]b\"]\n\turl = git@example.org:a/b.git\n\
             \tfetch = +refs/heads/*:refs/remotes/a/*\n[branch \"main\"]\n\tmerge = refs/heads/main\n"
        );
    }
}
