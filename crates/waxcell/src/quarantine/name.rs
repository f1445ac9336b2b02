//! Names of files, whatever bytes are in them: in our own files as hexadecimal digits, for people escaped.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::record::{hex, unhex};

/// A name, or a path, that a script may have made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(pub(super) OsString);

impl Name {
    pub(super) fn as_os(&self) -> &OsStr {
        &self.0
    }

    pub(super) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl<N: AsRef<OsStr> + ?Sized> From<&N> for Name {
    fn from(name: &N) -> Name {
        Name(name.as_ref().to_owned())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let digits = String::deserialize(deserializer)?;
        unhex(&digits)
            .map(|bytes| Name(OsString::from_vec(bytes)))
            .ok_or_else(|| de::Error::custom("no name in hexadecimal"))
    }
}

/// A name on one line: bytes that are no text as `\xff`. What a terminal would act on is left to whoever prints.
pub(super) fn shown(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// The same for a sentence: of a long one beginning and end.
pub(super) fn brief(name: &OsStr) -> String {
    const MOST: usize = 200;
    let text = shown(name);
    let count = text.chars().count();
    if count <= MOST {
        return text;
    }
    let head = text.chars().take(MOST / 2);
    let tail = text.chars().skip(count - MOST / 2);
    head.chain(['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_survives_the_file_and_can_be_shown() {
        for bytes in [&b"plain"[..], b"a\nb\x1b[31m", b"\xff\xfe\"'\\", "zürich".as_bytes(), b""] {
            let name = Name(OsString::from_vec(bytes.to_vec()));
            let text = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<Name>(&text).unwrap(), name);
        }
        assert_eq!(shown(OsStr::from_bytes(b"a\xff\xc3\xa4")), "a\\xffä");
        assert_eq!(brief(OsStr::new(&"é".repeat(200))), "é".repeat(200));
        assert_eq!(brief(OsStr::new(&"é".repeat(5000))).chars().count(), 201);
        for broken in ["\"abc\"", "\"zz\"", "\"+1\"", "\"\u{e4}\"", "7"] {
            assert!(serde_json::from_str::<Name>(broken).is_err(), "{broken}");
        }
    }
}
