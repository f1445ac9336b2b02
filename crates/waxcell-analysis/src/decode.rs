//! From bytes to text, as the interpreter does it (PEP 263): byte-order mark, coding declaration, UTF-8 otherwise.

use std::borrow::Cow;

use crate::codec::{Codec, fits_bom};
use crate::finding::Problem;
use crate::lines::start_of_line;
use crate::rules;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A script as text, and the way back from places in the text to places in the bytes.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    pub(crate) text: Cow<'a, str>,
    origin: Origin,
}

#[derive(Clone, Copy, Debug)]
enum Origin {
    /// The text is the bytes from this offset on.
    Shifted(usize),
    /// Each character was one byte.
    OneByteEach,
}

impl Decoded<'_> {
    /// Turns places in the text into the places in the bytes that they came from, and puts them in order.
    pub(crate) fn place(&self, problems: &mut [Problem]) {
        problems.sort_by_key(|problem| (problem.start, problem.rule.id));
        match self.origin {
            Origin::Shifted(by) => {
                for problem in problems {
                    problem.start += by;
                    problem.end += by;
                }
            }
            Origin::OneByteEach => self.count(problems),
        }
    }

    /// Counts characters once from one start to the next, and once from one end to the next.
    fn count(&self, problems: &mut [Problem]) {
        let mut counted = Counted { text: &self.text, offset: 0, characters: 0, line_start: 0 };
        for problem in &mut *problems {
            problem.start = counted.upto(problem.start);
            problem.column = Some(problem.start - counted.line_start + 1);
        }
        let mut by_end: Vec<&mut Problem> = problems.iter_mut().collect();
        by_end.sort_by_key(|problem| problem.end);
        let mut counted = Counted { text: &self.text, offset: 0, characters: 0, line_start: 0 };
        for problem in by_end {
            problem.end = counted.upto(problem.end);
        }
    }
}

/// How many characters of a text have been counted.
struct Counted<'t> {
    text: &'t str,
    offset: usize,
    characters: usize,
    /// How many of them come before the current line.
    line_start: usize,
}

impl Counted<'_> {
    /// How many there are before this offset, which is not before the last one that was asked for.
    fn upto(&mut self, offset: usize) -> usize {
        let offset = self.text.floor_char_boundary(offset);
        let between = &self.text[self.offset..offset];
        let line_start = start_of_line(between.as_bytes());
        if line_start > 0 {
            self.line_start = self.characters + between[..line_start].chars().count();
        }
        self.characters += between.chars().count();
        self.offset = offset;
        self.characters
    }
}

pub(crate) fn decode(source: &[u8]) -> Result<Decoded<'_>, Problem> {
    // The library is faster at finding whether than where.
    if source.contains(&0)
        && let Some(at) = source.iter().position(|&byte| byte == 0)
    {
        return Err(Problem {
            start: at,
            end: at + 1,
            message: match binary(source) {
                Some(what) => format!("the script is {what}, not Python text"),
                None => "NUL byte in the script".into(),
            },
            help: if binary(source).is_some() {
                "only text can be analysed: name the source file itself".into()
            } else if source.starts_with(b"\xFF\xFE") || source.starts_with(b"\xFE\xFF") {
                "this looks like UTF-16; save the file as UTF-8".into()
            } else {
                rules::NUL_BYTE.help.into()
            },
            ..Problem::of(&rules::NUL_BYTE)
        });
    }
    let (body, bom) = match source.strip_prefix(BOM) {
        Some(body) => (body, BOM.len()),
        None => (source, 0),
    };
    let Some(declared) = declaration(body) else { return utf8(body, bom, false) };
    let name = declared.name;
    let problem = |message: String| Problem {
        start: bom + declared.start,
        end: bom + declared.start + name.len(),
        message,
        help: "save the file as UTF-8 and remove the declaration".into(),
        ..Problem::of(&rules::UNDECODABLE)
    };
    let Some(codec) = Codec::find(name) else {
        return Err(problem(format!("the script declares the encoding `{name}`, which is not analysed")));
    };
    match codec {
        _ if bom > 0 && !fits_bom(name) => {
            let message = format!(
                "the script declares the encoding `{name}` but begins with a byte-order mark, which goes with `utf-8`"
            );
            Err(problem(message))
        }
        Codec::Utf8 => utf8(body, bom, true),
        _ => single_byte(body, codec),
    }
}

/// What Python also runs, though nobody wrote it by hand. It tells an archive by its end.
fn binary(source: &[u8]) -> Option<&'static str> {
    const MAGIC: &[u8] = b"\r\n";
    match source {
        [_, 0x0b..=0x0e, rest @ ..] if rest.starts_with(MAGIC) => Some("compiled bytecode"),
        _ => source.windows(4).any(|end| end == b"PK\x05\x06").then_some("a zip archive"),
    }
}

fn utf8(body: &[u8], bom: usize, declared: bool) -> Result<Decoded<'_>, Problem> {
    match std::str::from_utf8(body) {
        Ok(text) => Ok(Decoded { text: text.into(), origin: Origin::Shifted(bom) }),
        Err(error) => {
            let at = error.valid_up_to();
            let length = error.error_len().unwrap_or(body.len() - at);
            Err(Problem {
                start: bom + at,
                end: bom + at + length,
                message: if declared || bom > 0 {
                    format!("byte 0x{:02x} is not UTF-8", body[at])
                } else {
                    format!("byte 0x{:02x} is not UTF-8, and no other encoding is declared", body[at])
                },
                ..Problem::of(&rules::UNDECODABLE)
            })
        }
    }
}

fn single_byte(body: &[u8], codec: Codec) -> Result<Decoded<'_>, Problem> {
    let mut text = String::with_capacity(body.len());
    for (at, &byte) in body.iter().enumerate() {
        let Some(character) = codec.character(byte) else {
            return Err(Problem {
                start: at,
                end: at + 1,
                column: Some(at - start_of_line(&body[..at]) + 1),
                message: format!(
                    "byte 0x{byte:02x} means nothing in {}, which the script declares",
                    codec.name()
                ),
                help: "declare the encoding that the file really has, or save it as UTF-8".into(),
                ..Problem::of(&rules::UNDECODABLE)
            });
        };
        text.push(character);
    }
    Ok(Decoded { text: text.into(), origin: Origin::OneByteEach })
}

struct Declaration<'a> {
    name: &'a str,
    /// Offset of the name.
    start: usize,
}

/// The coding declaration: a comment that matches `^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)` on the first line, or
/// on the second if the first holds nothing but blanks and a comment.
fn declaration(body: &[u8]) -> Option<Declaration<'_>> {
    let (first, second) = split_line(body);
    if let Some(found) = in_line(first, 0) {
        return Some(found);
    }
    let blank = match first.trim_ascii_start_blanks() {
        [] | [b'#', ..] => true,
        [..] => false,
    };
    if blank { in_line(split_line(&body[second..]).0, second) } else { None }
}

/// The first line without its end, and the offset of the second.
fn split_line(bytes: &[u8]) -> (&[u8], usize) {
    match bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        None => (bytes, bytes.len()),
        Some(end) => {
            let crlf = bytes[end..].starts_with(b"\r\n");
            (&bytes[..end], end + 1 + usize::from(crlf))
        }
    }
}

fn in_line(line: &[u8], offset: usize) -> Option<Declaration<'_>> {
    let comment = line.trim_ascii_start_blanks();
    if comment.first() != Some(&b'#') {
        return None;
    }
    let mut rest = comment;
    while let Some(at) = rest.windows(6).position(|word| word == b"coding") {
        rest = &rest[at + 6..];
        let [b':' | b'=', name @ ..] = rest else { continue };
        let blanks = name.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let name = &name[blanks..];
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let length = name.iter().take_while(is_name).count();
        if length > 0 {
            let start = offset + line.len() - name.len();
            return std::str::from_utf8(&name[..length]).ok().map(|name| Declaration { name, start });
        }
    }
    None
}

trait Blanks {
    /// Without blanks, tabs and form feeds in front (what may stand before a comment).
    fn trim_ascii_start_blanks(&self) -> &[u8];
}

impl Blanks for [u8] {
    fn trim_ascii_start_blanks(&self) -> &[u8] {
        let blanks = self.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\x0c')).count();
        &self[blanks..]
    }
}

#[cfg(test)]
mod tests {
    use super::{declaration, decode};

    fn declared(source: &str) -> Option<&str> {
        declaration(source.as_bytes()).map(|found| {
            assert_eq!(&source[found.start..][..found.name.len()], found.name);
            found.name
        })
    }

    #[test]
    fn the_declaration_is_where_the_interpreter_looks_for_it() {
        for (source, name) in [
            ("# coding: latin-1\n", Some("latin-1")),
            ("# -*- coding: iso-8859-15 -*-", Some("iso-8859-15")),
            ("#!/usr/bin/python3\n# vim: set fileencoding=utf-8 :\n", Some("utf-8")),
            ("\n# coding=ascii", Some("ascii")),
            ("\r# coding=ascii", Some("ascii")),
            ("\r\n \t\x0c# coding:\t cp1252\r\n", Some("cp1252")),
            ("#coding:\n# coding: b", Some("b")),
            ("# coding encoding: coding= x", Some("coding")),
            ("# coding:, coding=y", Some("y")),
            ("# CODING: latin-1\n", None),
            ("# coding : latin-1\n", None),
            ("x = 1 # coding: latin-1\n", None),
            ("x = 1\n# coding: latin-1\n", None),
            ("\\\n# coding: latin-1\n", None),
            ("\n\n# coding: latin-1\n", None),
            ("'''\n# coding: latin-1\n'''", None),
            ("# coding:", None),
            ("", None),
        ] {
            assert_eq!(declared(source), name, "{source:?}");
        }
    }

    #[test]
    fn archives_and_bytecode_are_called_by_their_name() {
        let message = |source: &[u8]| decode(source).map(|_| ()).unwrap_err().message;
        assert_eq!(
            message(b"#!/usr/bin/python3\nPK\x03\x04\0\0PK\x05\x06\0"),
            "the script is a zip archive, not Python text"
        );
        assert_eq!(message(b"\xa7\r\r\n\0\0\0\0"), "the script is compiled bytecode, not Python text");
        assert_eq!(message(b"x = 1\0"), "NUL byte in the script");
    }

    #[test]
    fn each_encoding_gives_its_own_characters() {
        let text = |source: &[u8]| decode(source).map(|decoded| decoded.text.into_owned()).ok();
        assert_eq!(text(b"# coding: latin-1\n\xa4\x80"), Some("# coding: latin-1\n\u{a4}\u{80}".into()));
        assert_eq!(text(b"# coding: cp1252\n\xa4\x80"), Some("# coding: cp1252\n\u{a4}\u{20ac}".into()));
        assert_eq!(text(b"# coding: l9\n\xa4\xa6"), Some("# coding: l9\n\u{20ac}\u{160}".into()));
        assert_eq!(text(b"# coding: utf-8-unix\n\xc3\xa9"), Some("# coding: utf-8-unix\né".into()));
        assert_eq!(text(b"\xef\xbb\xbfx"), Some("x".into()));
        assert_eq!(text(b"# coding: cp1252\n\x81"), None);
        assert_eq!(text(b"# coding: ascii\n\xc3\xa9"), None);
        assert_eq!(text(b"# coding: utf-7\n+ACM-"), None);
    }
}
