//! Public keys as somebody names them: by themselves, or in a file.

use std::path::Path;

use crate::disk::DiskError;
use crate::log::read_file;
use crate::tlog::{KeyError, VerifierKey};

/// Longer is no file with keys, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// What is named gives no keys.
#[derive(Debug, thiserror::Error)]
pub enum GivenKeysError {
    /// It is no key, and there is no file of that name.
    #[error("`{given}` is neither a key ({fault}) nor a file with keys")]
    Neither {
        /// What was given.
        given: String,
        /// Why it is no key.
        fault: KeyError,
    },
    /// A line of the file is no key.
    #[error("line {line} of `{given}` is no key: {fault}")]
    Line {
        /// The file.
        given: String,
        /// The line, from 1.
        line: usize,
        /// Why it is none.
        fault: KeyError,
    },
    /// The file holds none, or is too long to be looked through.
    #[error("`{0}` holds no key")]
    Empty(String),
    /// The file cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The key `NAME+ID+KEY`, or those of a file, one a line; empty lines and those that begin with `#` are passed over.
///
/// # Errors
///
/// See [`GivenKeysError`].
pub fn given_keys(given: &str) -> Result<Vec<VerifierKey>, GivenKeysError> {
    let fault = match given.parse() {
        Ok(key) => return Ok(vec![key]),
        Err(fault) => fault,
    };
    let named = || given.to_owned();
    let bytes = read_file(Path::new(given), MAX_FILE)?;
    let bytes = bytes.ok_or_else(|| GivenKeysError::Neither { given: named(), fault })?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = (1..).zip(text.lines().map(str::trim));
    let keys: Vec<VerifierKey> = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, text)| {
            text.parse().map_err(|fault| GivenKeysError::Line { given: named(), line, fault })
        })
        .collect::<Result<_, _>>()?;
    if keys.is_empty() || bytes.len() as u64 > MAX_FILE {
        Err(GivenKeysError::Empty(named()))
    } else {
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

    #[test]
    fn a_key_is_named_by_itself_or_in_a_file() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("keys").display().to_string();
        let given = |text: &str| {
            std::fs::write(&file, text).unwrap();
            given_keys(&file)
        };
        assert_eq!(given_keys(KEY).unwrap(), [KEY.parse().unwrap()]);
        assert_eq!(given(&format!("# mine\n\n  {KEY}\n")).unwrap(), [KEY.parse().unwrap()]);
        assert_eq!(given(&format!("{KEY}\n{KEY}")).unwrap().len(), 2);
        assert!(matches!(given("# none\n"), Err(GivenKeysError::Empty(_))));
        assert!(matches!(given(&format!("{KEY}\nx\n")), Err(GivenKeysError::Line { line: 2, .. })));
        assert!(matches!(given_keys("nowhere"), Err(GivenKeysError::Neither { .. })));
        assert!(matches!(
            given_keys(&home.path().display().to_string()),
            Err(GivenKeysError::Neither { .. })
        ));
    }
}
