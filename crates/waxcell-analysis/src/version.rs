//! The version of an interpreter, as far as syntax depends on it.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `major.minor` of an interpreter. Written and serialised as `3.11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonVersion {
    /// 3.
    pub major: u8,
    /// 11 in 3.11.
    pub minor: u8,
}

impl PythonVersion {
    /// The oldest one that is supported.
    pub const OLDEST: PythonVersion = PythonVersion { major: 3, minor: 8 };
    /// The newest one that is supported.
    pub const NEWEST: PythonVersion = PythonVersion { major: 3, minor: 14 };

    /// `major.minor`.
    pub const fn new(major: u8, minor: u8) -> PythonVersion {
        PythonVersion { major, minor }
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The text is not of the form `3.11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseVersionError;

impl fmt::Display for ParseVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a version such as `3.11`")
    }
}

impl std::error::Error for ParseVersionError {}

impl FromStr for PythonVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten().ok_or(ParseVersionError)
        };
        let (major, minor) = text.split_once('.').ok_or(ParseVersionError)?;
        Ok(PythonVersion { major: number(major)?, minor: number(minor)? })
    }
}

impl Serialize for PythonVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PythonVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{ParseVersionError, PythonVersion};

    #[test]
    fn a_version_is_two_numbers_and_3_9_comes_before_3_10() {
        assert_eq!("3.11".parse(), Ok(PythonVersion::new(3, 11)));
        assert!(PythonVersion::new(3, 9) < PythonVersion::new(3, 10));
        for wrong in ["", "3", "3.", ".3", "3.11.2", "3.x", "+3.1", "3.300", "3.-1"] {
            assert_eq!(wrong.parse::<PythonVersion>(), Err(ParseVersionError), "{wrong}");
        }
    }
}
