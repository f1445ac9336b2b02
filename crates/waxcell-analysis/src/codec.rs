//! The encodings that a script may declare, and their tables.

/// An encoding that we decode exactly as the interpreter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Utf8,
    Ascii,
    Latin1,
    Windows1252,
    Latin9,
}

impl Codec {
    /// The codec behind a name in a coding declaration. Names are those of Python's `encodings.aliases`; one that is
    /// not here is not decoded, so nothing is lost but convenience.
    pub(crate) fn find(declared: &str) -> Option<Codec> {
        let name = normal_name(declared);
        Some(match name.as_str() {
            "utf_8" | "u8" | "utf" | "utf8" | "utf8_ucs2" | "utf8_ucs4" | "cp65001" => Codec::Utf8,
            "ascii" | "646" | "ansi_x3.4_1968" | "ansi_x3_4_1968" | "ansi_x3.4_1986" | "cp367"
            | "csascii" | "ibm367" | "iso646_us" | "iso_646.irv_1991" | "iso_ir_6" | "us" | "us_ascii" => {
                Codec::Ascii
            }
            "latin_1" | "8859" | "cp819" | "csisolatin1" | "ibm819" | "iso8859" | "iso8859_1"
            | "iso_8859_1" | "iso_8859_1_1987" | "iso_ir_100" | "l1" | "latin" | "latin1" => Codec::Latin1,
            "cp1252" | "1252" | "windows_1252" => Codec::Windows1252,
            "iso8859_15" | "iso_8859_15" | "latin9" | "l9" => Codec::Latin9,
            _ => return None,
        })
    }

    /// The name to show.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Codec::Utf8 => "utf-8",
            Codec::Ascii => "ascii",
            Codec::Latin1 => "latin-1",
            Codec::Windows1252 => "cp1252",
            Codec::Latin9 => "iso-8859-15",
        }
    }

    /// The character of one byte in a single-byte encoding; `None` where it has none.
    pub(crate) fn character(self, byte: u8) -> Option<char> {
        match (self, byte) {
            (_, 0..0x80) => Some(char::from(byte)),
            (Codec::Utf8 | Codec::Ascii, _) => None,
            (Codec::Latin1, _) => Some(char::from(byte)),
            (Codec::Windows1252, 0x80..0xA0) => WINDOWS_1252[usize::from(byte) - 0x80],
            (Codec::Windows1252, _) => Some(char::from(byte)),
            (Codec::Latin9, _) => Some(match byte {
                0xA4 => '€',
                0xA6 => 'Š',
                0xA8 => 'š',
                0xB4 => 'Ž',
                0xB8 => 'ž',
                0xBC => 'Œ',
                0xBD => 'œ',
                0xBE => 'Ÿ',
                _ => char::from(byte),
            }),
        }
    }
}

/// Bytes 0x80 to 0x9F of Windows-1252.
const WINDOWS_1252: [Option<char>; 32] = [
    Some('€'),
    None,
    Some('‚'),
    Some('ƒ'),
    Some('„'),
    Some('…'),
    Some('†'),
    Some('‡'),
    Some('ˆ'),
    Some('‰'),
    Some('Š'),
    Some('‹'),
    Some('Œ'),
    None,
    Some('Ž'),
    None,
    None,
    Some('‘'),
    Some('’'),
    Some('“'),
    Some('”'),
    Some('•'),
    Some('–'),
    Some('—'),
    Some('˜'),
    Some('™'),
    Some('š'),
    Some('›'),
    Some('œ'),
    None,
    Some('ž'),
    Some('Ÿ'),
];

/// Whether the tokenizer itself takes this name for UTF-8. Beside a byte-order mark no other spelling will do: `utf8`
/// is refused.
pub(crate) fn fits_bom(declared: &str) -> bool {
    is_tokenizer_utf8(&tokenizer_name(declared))
}

fn is_tokenizer_utf8(short: &str) -> bool {
    short == "utf-8" || short.starts_with("utf-8-")
}

/// The first twelve characters, which are all that the tokenizer compares.
fn tokenizer_name(declared: &str) -> String {
    declared.chars().take(12).map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// The name as Python looks it up: the tokenizer's own spellings first (`utf-8-anything` is UTF-8), then lower case
/// with every run of other characters as one underscore.
fn normal_name(declared: &str) -> String {
    let lower = declared.to_ascii_lowercase();
    let short = tokenizer_name(declared);
    if is_tokenizer_utf8(&short) {
        return "utf_8".into();
    }
    for latin in ["latin-1", "iso-8859-1", "iso-latin-1"] {
        if short.strip_prefix(latin).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
            return "latin_1".into();
        }
    }
    let mut name = String::with_capacity(lower.len());
    let mut gap = false;
    for c in lower.chars() {
        if c.is_ascii_alphanumeric() || c == '.' {
            if gap && !name.is_empty() {
                name.push('_');
            }
            name.push(c);
            gap = false;
        } else {
            gap = true;
        }
    }
    name
}
