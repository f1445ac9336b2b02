//! The smallest change of a policy that allows something, as a value: shown in words, kept in the record, and made by
//! [`crate::policy::amend`].

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use waxcell_operations::Operation;

use crate::policy::{self, PathAccess};

/// The path of a key, one of [`policy::KEYS`]. (A name of its own, so that reading one does not mean borrowing it.)
pub(crate) type KeyPath = &'static str;

/// One change of a policy. `key` is a path of the key table ([`policy::KEYS`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Edit {
    /// Leave a value out of a list, under whichever of its names it stands there.
    Remove {
        /// The list.
        #[serde(deserialize_with = "known_key")]
        key: KeyPath,
        /// The value.
        value: String,
    },
    /// Put a word into a list.
    Add {
        /// The list.
        #[serde(deserialize_with = "known_key")]
        key: KeyPath,
        /// The word.
        value: String,
    },
    /// Give a key another value.
    Set {
        /// The key.
        #[serde(deserialize_with = "known_key")]
        key: KeyPath,
        /// The value, as YAML.
        value: String,
    },
    /// Put a path into `filesystem.allowed_paths`, or give the entry that names it this access.
    AddPath {
        /// As it is written in the policy: absolute, or `./x` in the project.
        path: String,
        /// What the script may do there.
        access: PathAccess,
    },
}

impl Edit {
    /// Leaves an operation out of `filesystem.blocked_operations`.
    pub fn unblock(operation: Operation) -> Edit {
        let name = operation.aliases().first().copied().unwrap_or(operation.name());
        Edit::Remove { key: "filesystem.blocked_operations", value: name.to_owned() }
    }

    /// Lets a name be reached; nothing where no policy can name it.
    pub fn allow_name(name: &str) -> Vec<Edit> {
        policy::is_name(name)
            .then(|| Edit::Add { key: "network.allowed_domains", value: name.to_owned() })
            .into_iter()
            .collect()
    }

    /// Lets an address be reached; nothing if it is none.
    pub fn allow_address(address: &str) -> Vec<Edit> {
        let address = address.parse::<IpAddr>().map(|address| address.to_canonical());
        let add = |address: IpAddr| Edit::Add { key: "network.allow_addresses", value: address.to_string() };
        address.map(add).into_iter().collect()
    }

    /// Leaves a port out of `network.blocked_ports`.
    pub fn unblock_port(port: u16) -> Edit {
        Edit::Remove { key: "network.blocked_ports", value: port.to_string() }
    }

    /// Allows `access` to a path; `None` where no policy can name it, or not for this. `root` is the project root.
    pub fn add_path(path: &Path, access: PathAccess, root: &Path) -> Option<Edit> {
        let written = match path.strip_prefix(root) {
            Ok(inside) if inside.as_os_str().is_empty() => ".".to_owned(),
            Ok(inside) => format!("./{}", inside.to_str()?),
            Err(_) => path.to_str()?.to_owned(),
        };
        let is_same = policy::path_named(&written, access, root).is_some_and(|named| named == path);
        is_same.then_some(Edit::AddPath { path: written, access })
    }
}

/// In words: "add `./data` to filesystem.allowed_paths".
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edit::Remove { key, value } => write!(f, "leave `{value}` out of {key}"),
            Edit::Add { key, value } => write!(f, "add `{value}` to {key}"),
            Edit::Set { key, value } => write!(f, "write `{value}` for {key}"),
            Edit::AddPath { path, access } => {
                write!(f, "add `{}` to filesystem.allowed_paths", policy::path_entry(path, *access))
            }
        }
    }
}

/// Edits that are needed together, as one sentence; `None`: there are none.
pub(crate) fn in_words(edits: &[Edit]) -> Option<String> {
    let words: Vec<String> = edits.iter().map(Edit::to_string).collect();
    (!words.is_empty()).then(|| words.join(", and "))
}

/// A key that this version knows: an edit of another one could not be made.
pub(crate) fn known_key<'de, D: Deserializer<'de>>(source: D) -> Result<KeyPath, D::Error> {
    let name = String::deserialize(source)?;
    policy::KEYS
        .iter()
        .map(|key| key.path)
        .find(|path| *path == name)
        .ok_or_else(|| serde::de::Error::custom("a key that this version does not know"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str, access: PathAccess) -> Option<String> {
        Edit::add_path(Path::new(path), access, Path::new("/work/project")).map(|edit| edit.to_string())
    }

    #[test]
    fn a_path_is_written_as_the_policy_would_name_it() {
        let added = |entry: &str| Some(format!("add `{entry}` to filesystem.allowed_paths"));
        assert_eq!(path("/work/project/out", PathAccess::Write), added("./out"));
        assert_eq!(path("/work/project", PathAccess::Write), added("."));
        assert_eq!(path("/etc/ssl", PathAccess::Read), added("{path: /etc/ssl, access: read}"));
        assert_eq!(path("/srv/a, b", PathAccess::Read), added("{path: \"/srv/a, b\", access: read}"));
        assert_eq!(path("/srv/\"q\": \\", PathAccess::Write), added("\"/srv/\\\"q\\\": \\\\\""));
    }

    #[test]
    fn what_no_policy_can_name_has_no_edit() {
        for refused in ["/", "/proc/1/environ", "/srv/a*", "/srv/$HOME", "/srv/\u{1b}[1m", "/srv/x\ny"] {
            assert_eq!(path(refused, PathAccess::Read), None, "{refused:?}");
        }
        assert_eq!(path("/usr/bin/x", PathAccess::Write), None);
        assert_eq!(path("/srv/../etc", PathAccess::Read), None);
        let bytes = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/srv/\xff");
        assert_eq!(Edit::add_path(Path::new(bytes), PathAccess::Read, Path::new("/p")), None);
    }

    #[test]
    fn an_edit_is_read_back_from_a_record() {
        let edits = [
            Edit::unblock(Operation::FsXattr),
            Edit::unblock(Operation::FsChmod),
            Edit::Set { key: "execution.timeout_seconds", value: "600".to_owned() },
            Edit::Add { key: "degrade", value: "landlock".to_owned() },
            Edit::AddPath { path: "./data".to_owned(), access: PathAccess::Write },
        ];
        for edit in edits {
            let text = serde_json::to_string(&edit).unwrap();
            assert_eq!(serde_json::from_str::<Edit>(&text).unwrap(), edit, "{text}");
        }
        let unknown = r#"{"change": "set", "key": "execution.future", "value": "1"}"#;
        assert!(serde_json::from_str::<Edit>(unknown).is_err());
    }
}
