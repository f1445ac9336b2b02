//! What turns bytes into others or into texts: base64 and its kin, hexadecimal, rot13, zlib, encodings.

use miniz_oxide::inflate::{decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit};

use super::meaning::{MAX_TEXT, Made, Meaning};

/// The functions that [`decode`] and the folding of texts know.
pub(super) fn is_known(name: &str) -> bool {
    const PLAIN: &[&str] = &[
        "abs",
        "ascii",
        "bytearray",
        "bytes",
        "chr",
        "format",
        "hex",
        "int",
        "len",
        "memoryview",
        "ord",
        "range",
        "repr",
        "reversed",
        "str",
    ];
    PLAIN.binary_search(&name).is_ok()
        || name.starts_with("str.")
        || name.starts_with("bytes.")
        || name.starts_with("bytearray.")
        || is_decoder(name)
}

/// Whether this makes something readable of what is not.
pub(crate) fn is_decoder(name: &str) -> bool {
    match name.split_once('.') {
        Some(("base64", rest)) => rest.contains("decode"),
        Some(("binascii", rest)) => rest.starts_with("unhexlify") || rest.starts_with("a2b_"),
        Some(("codecs", rest)) => {
            rest == "decode" || rest == "escape_decode" || rest == "encode" || rest.ends_with("_decode")
        }
        Some(("zlib" | "gzip" | "bz2" | "lzma", rest)) => rest == "decompress",
        Some(("bytes" | "bytearray", rest)) => rest == "fromhex",
        Some(("marshal", rest)) => rest == "loads",
        Some(("urllib", rest)) => rest == "parse.unquote",
        Some(("html", rest)) => rest == "unescape",
        Some(("quopri", rest)) => rest == "decodestring",
        _ => false,
    }
}

/// What a decoding function returns.
pub(super) fn decode<'a>(name: &str, given: &[Meaning<'a>]) -> Option<Meaning<'a>> {
    let (bytes, _) = bytes_of(given.first()?)?;
    let decoded = match name {
        "base64.b64decode"
        | "base64.standard_b64decode"
        | "base64.decodebytes"
        | "base64.decodestring"
        | "binascii.a2b_base64" => base64(&bytes, [b'+', b'/'])?,
        "base64.urlsafe_b64decode" => base64(&bytes, [b'-', b'_'])?,
        "base64.b32decode" => base32(&bytes)?,
        "base64.b16decode" | "binascii.unhexlify" | "binascii.a2b_hex" | "bytes.fromhex"
        | "bytearray.fromhex" => hexadecimal(&bytes)?,
        "base64.b85decode" => base85(&bytes, B85)?,
        "base64.a85decode" => ascii85(&bytes)?,
        "zlib.decompress" => match given.get(1) {
            Some(Meaning::Int(window)) if *window < 0 => {
                decompress_to_vec_with_limit(&bytes, MAX_TEXT).ok()?
            }
            _ => decompress_to_vec_zlib_with_limit(&bytes, MAX_TEXT).ok().or_else(|| gzip(&bytes))?,
        },
        "gzip.decompress" => gzip(&bytes)?,
        "codecs.decode" | "codecs.encode" => {
            let Some(Meaning::Text(encoding, _)) = given.get(1) else { return None };
            return match given.first()? {
                Meaning::Text(text, made) if name == "codecs.encode" => to_bytes(text, encoding, *made),
                _ => from_bytes(&bytes, encoding, Made::Decoded),
            };
        }
        "codecs.escape_decode" | "codecs.unicode_escape_decode" => {
            return from_bytes(&bytes, "unicode_escape", Made::Decoded);
        }
        "urllib.parse.unquote" => {
            let text = String::from_utf8(percent(&bytes)).ok()?;
            return Some(Meaning::Text(text.into(), Made::Decoded));
        }
        _ => return None,
    };
    Some(Meaning::Bytes(decoded.into(), Made::Decoded))
}

fn bytes_of(value: &Meaning<'_>) -> Option<(Vec<u8>, Made)> {
    match value {
        Meaning::Text(text, made) => Some((text.as_bytes().to_vec(), *made)),
        Meaning::Bytes(bytes, made) => Some((bytes.to_vec(), *made)),
        _ => None,
    }
}

/// The usual spelling of the name of an encoding.
fn normal(encoding: &str) -> String {
    encoding.to_ascii_lowercase().replace(['_', ' ', '.'], "-")
}

/// `bytes.decode(encoding)`; also what `codecs.decode` makes of a text.
pub(super) fn from_bytes<'a>(bytes: &[u8], encoding: &str, made: Made) -> Option<Meaning<'a>> {
    let hidden = |bytes: Vec<u8>| Some(Meaning::Bytes(bytes.into(), Made::Decoded));
    let text = match normal(encoding).as_str() {
        "utf-8" | "utf8" | "u8" | "utf" | "ascii" | "us-ascii" | "utf-8-sig" => {
            let text = String::from_utf8_lossy(bytes);
            return Some(Meaning::Text(text.trim_start_matches('\u{feff}').into(), made));
        }
        "latin-1" | "latin1" | "iso-8859-1" | "l1" | "cp1252" | "charmap" | "cp437" => {
            return Some(Meaning::Text(
                bytes.iter().map(|&byte| char::from(byte)).collect::<String>().into(),
                made,
            ));
        }
        "utf-16" | "utf16" | "utf-16-le" | "utf-16le" | "u16" => wide(bytes, false)?,
        "utf-16-be" | "utf-16be" => wide(bytes, true)?,
        "utf-32" | "utf32" | "utf-32-le" | "utf-32le" | "u32" => wide32(bytes, false)?,
        "utf-32-be" | "utf-32be" => wide32(bytes, true)?,
        "utf-7" | "utf7" => String::from_utf8_lossy(bytes).into_owned(),
        "rot13" | "rot-13" => rot13(&String::from_utf8_lossy(bytes)),
        "unicode-escape" | "unicodeescape" | "raw-unicode-escape" | "string-escape" => escapes(bytes)?,
        "hex" | "hex-codec" => return hidden(hexadecimal(bytes)?),
        "base64" | "base64-codec" | "base-64" => return hidden(base64(bytes, [b'+', b'/'])?),
        "zlib" | "zip" | "zlib-codec" => {
            return hidden(decompress_to_vec_zlib_with_limit(bytes, MAX_TEXT).ok()?);
        }
        _ => return None,
    };
    Some(Meaning::Text(text.into(), Made::Decoded))
}

/// `text.encode(encoding)`.
pub(super) fn to_bytes<'a>(text: &str, encoding: &str, made: Made) -> Option<Meaning<'a>> {
    let bytes: Vec<u8> = match normal(encoding).as_str() {
        "utf-8" | "utf8" | "u8" | "utf" | "ascii" | "us-ascii" => text.as_bytes().to_vec(),
        "latin-1" | "latin1" | "iso-8859-1" | "l1" | "cp1252" | "raw-unicode-escape" => {
            text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<_>>()?
        }
        "utf-16-le" | "utf-16le" | "utf-16" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16-be" | "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "rot13" | "rot-13" => return Some(Meaning::Text(rot13(text).into(), Made::Decoded)),
        _ => return None,
    };
    Some(Meaning::Bytes(bytes.into(), made))
}

fn rot13(text: &str) -> String {
    let turn = |c: char| match c {
        'a'..='m' | 'A'..='M' => char::from(c as u8 + 13),
        'n'..='z' | 'N'..='Z' => char::from(c as u8 - 13),
        _ => c,
    };
    text.chars().map(turn).collect()
}

fn wide(bytes: &[u8], big: bool) -> Option<String> {
    let mut units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| {
            if big { u16::from_be_bytes([pair[0], pair[1]]) } else { u16::from_le_bytes([pair[0], pair[1]]) }
        })
        .collect();
    if units.first() == Some(&0xFEFF) {
        units.remove(0);
    } else if units.first() == Some(&0xFFFE) {
        units = units[1..].iter().map(|unit| unit.swap_bytes()).collect();
    }
    String::from_utf16(&units).ok()
}

fn wide32(bytes: &[u8], big: bool) -> Option<String> {
    let unit = |four: &[u8]| {
        let four = [four[0], four[1], four[2], four[3]];
        char::from_u32(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    };
    let text: String = bytes.chunks_exact(4).map(unit).collect::<Option<_>>()?;
    Some(text.trim_start_matches('\u{feff}').to_owned())
}

fn escapes(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            text.push(char::from(byte));
            continue;
        }
        match rest.next()? {
            b'x' => text.push(hex_character(&mut rest, 2)?),
            b'u' => text.push(hex_character(&mut rest, 4)?),
            b'U' => text.push(hex_character(&mut rest, 8)?),
            b'n' => text.push('\n'),
            b't' => text.push('\t'),
            b'r' => text.push('\r'),
            first @ b'0'..=b'7' => {
                let mut value = u32::from(first - b'0');
                let mut ahead = rest.clone();
                for _ in 0..2 {
                    match ahead.next() {
                        Some(digit @ b'0'..=b'7') => {
                            value = value * 8 + u32::from(digit - b'0');
                            rest = ahead.clone();
                        }
                        _ => break,
                    }
                }
                text.push(char::from_u32(value)?);
            }
            other => text.push(char::from(other)),
        }
    }
    Some(text)
}

fn hex_character(rest: &mut impl Iterator<Item = u8>, count: usize) -> Option<char> {
    let digits: Vec<u8> = rest.take(count).collect();
    char::from_u32(u32::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?)
}

fn percent(bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                all.push(byte);
                at += 3;
            }
            None => {
                all.push(bytes[at]);
                at += 1;
            }
        }
    }
    all
}

/// Six bits a character. Like Python's, what is no digit is passed over.
fn base64(bytes: &[u8], last: [u8; 2]) -> Option<Vec<u8>> {
    let (mut all, mut bits, mut held) = (Vec::with_capacity(bytes.len() * 3 / 4), 0u32, 0);
    for &byte in bytes {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            _ if byte == last[0] => 62,
            _ if byte == last[1] => 63,
            b'=' => break,
            _ => continue,
        };
        bits = (bits << 6 | u32::from(digit)) & 0xFF_FFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            all.push((bits >> held) as u8);
        }
    }
    Some(all)
}

fn base32(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut all, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for &byte in bytes {
        let digit = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            number @ b'2'..=b'7' => number - b'2' + 26,
            b'=' => break,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(digit)) & 0xFF_FFFF;
        held += 5;
        if held >= 8 {
            held -= 8;
            all.push((bits >> held) as u8);
        }
    }
    Some(all)
}

fn hexadecimal(bytes: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = bytes
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace() && **byte != b':')
        .map(|&byte| char::from(byte).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

const B85: &[u8; 85] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

/// Five digits for four bytes; of the last ones as many as there are.
fn fives(digits: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::with_capacity(digits.len());
    for chunk in digits.chunks(5) {
        let padded = (0..5).map(|at| chunk.get(at).copied().unwrap_or(84));
        let value = padded.fold(0u64, |value, digit| value * 85 + u64::from(digit));
        let bytes = u32::try_from(value).ok()?.to_be_bytes();
        all.extend_from_slice(&bytes[..chunk.len().saturating_sub(1)]);
    }
    Some(all)
}

fn base85(bytes: &[u8], alphabet: &[u8; 85]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| alphabet.iter().position(|one| one == byte).map(|at| at as u8);
    fives(&bytes.iter().map(digit).collect::<Option<Vec<_>>>()?)
}

fn ascii85(bytes: &[u8]) -> Option<Vec<u8>> {
    let inner = bytes.trim_ascii();
    let inner = inner.strip_prefix(b"<~").unwrap_or(inner);
    let inner = inner.strip_suffix(b"~>").unwrap_or(inner);
    let mut digits = Vec::with_capacity(inner.len());
    for &byte in inner {
        match byte {
            b'z' => digits.extend_from_slice(&[0; 5]),
            b'!'..=b'u' => digits.push(byte - b'!'),
            _ if byte.is_ascii_whitespace() => {}
            _ => return None,
        }
    }
    fives(&digits)
}

/// One member of a gzip file (RFC 1952).
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let flags = *bytes.get(3)?;
    if bytes.get(..3)? != [0x1F, 0x8B, 8] {
        return None;
    }
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            at += bytes.get(at..)?.iter().position(|&byte| byte == 0)? + 1;
        }
    }
    at += if flags & 2 != 0 { 2 } else { 0 };
    decompress_to_vec_with_limit(bytes.get(at..)?, MAX_TEXT).ok()
}
