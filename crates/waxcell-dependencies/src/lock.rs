//! Lock files: what one of several tools has chosen.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::Name;
use crate::specifier::Specifiers;
use crate::wanted::{Ask, Wanted};

/// Whose a lock file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`.
    Poetry,
    /// `pdm.lock`.
    Pdm,
    /// `Pipfile.lock`.
    Pipfile,
    /// `pylock.toml` or `pylock.NAME.toml`: packaging specifications, *pylock.toml* (PEP 751).
    Pylock,
}

impl Lock {
    /// Whose a file of this name is; nothing if it is no lock file.
    pub fn of_file(name: &str) -> Option<Lock> {
        let middle = name.strip_prefix("pylock.").and_then(|rest| rest.strip_suffix(".toml"));
        Some(match name {
            "uv.lock" => Lock::Uv,
            "poetry.lock" => Lock::Poetry,
            "pdm.lock" => Lock::Pdm,
            "Pipfile.lock" => Lock::Pipfile,
            "pylock.toml" => Lock::Pylock,
            _ if middle.is_some_and(|middle| !middle.is_empty() && !middle.contains('.')) => Lock::Pylock,
            _ => return None,
        })
    }

    /// What it has chosen, for whatever platform.
    pub fn read(self, text: &str) -> Result<Vec<Wanted>, String> {
        match self {
            Lock::Pipfile => pipfile(text),
            Lock::Pylock => tables(text, "packages", &[&["directory"]]),
            Lock::Uv => tables(
                text,
                "package",
                &[&["source", "virtual"], &["source", "editable"], &["source", "directory"]],
            ),
            Lock::Poetry => tables(text, "package", &[]),
            Lock::Pdm => tables(text, "package", &[&["path"]]),
        }
    }
}

/// A TOML file with a list of tables, each of which is a package, unless it has one of the keys `local`: then it is a
/// folder beside it, which no index has.
fn tables(text: &str, key: &str, local: &[&[&str]]) -> Result<Vec<Wanted>, String> {
    let document = DeTable::parse(text).map_err(|error| format!("it is no TOML: {}", error.message()))?;
    let packages = match document.get_ref().get(key).map(|list| list.get_ref()) {
        None => return Ok(Vec::new()),
        Some(DeValue::Array(packages)) => packages,
        Some(_) => return Err(format!("`{key}` is no list")),
    };
    let (mut wanted, mut line, mut upto) = (Vec::new(), 1, 0);
    for package in packages {
        let start = package.span().start.clamp(upto, text.len());
        line += text.as_bytes()[upto..start].iter().filter(|byte| **byte == b'\n').count();
        upto = start;
        let DeValue::Table(package) = package.get_ref() else {
            return Err(format!("`{key}` has what is no table"));
        };
        if local.iter().any(|path| has(package, path)) {
            continue;
        }
        let text = |key: &str| package.get(key).and_then(|value| value.get_ref().as_str());
        let name = text("name").ok_or_else(|| format!("one of `{key}` has no name"))?;
        wanted.push(Wanted { line, ask: locked(name, text("version")) });
    }
    Ok(wanted)
}

fn has(table: &DeTable<'_>, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match table.get(*first).map(|value| value.get_ref()) {
        Some(DeValue::Table(inner)) => has(inner, rest),
        Some(_) => rest.is_empty(),
        None => false,
    }
}

fn locked(name: &str, version: Option<&str>) -> Ask {
    match (Name::new(name), version) {
        (Some(name), Some(version)) => Ask::Locked(name, version.to_owned()),
        (Some(_), None) => Ask::Unknown(name.to_owned(), "the lock file names no version".to_owned()),
        (None, _) => Ask::Unknown(name.to_owned(), "it is no name of a package".to_owned()),
    }
}

fn pipfile(text: &str) -> Result<Vec<Wanted>, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let groups = document.as_object().ok_or("it is no object")?;
    let mut wanted = Vec::new();
    let lines: std::collections::HashMap<&str, usize> = text
        .lines()
        .enumerate()
        .filter_map(|(at, line)| Some((line.trim().strip_prefix('"')?.strip_suffix("\": {")?, at + 1)))
        .collect();
    for (_, packages) in groups.iter().filter(|(group, _)| *group != "_meta") {
        for (name, package) in packages.as_object().ok_or("a group of packages is no object")? {
            let pin =
                package["version"].as_str().and_then(Specifiers::parse).and_then(|version| version.pin());
            let line = lines.get(name.as_str()).copied().unwrap_or(1);
            wanted
                .push(Wanted { line, ask: locked(name, pin.map(|version| version.to_string()).as_deref()) });
        }
    }
    wanted.sort_by_key(|wanted| wanted.line);
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::Lock;
    use crate::Ask;

    fn read(file: &str, text: &str) -> Vec<String> {
        let wanted = Lock::of_file(file).unwrap().read(text).unwrap();
        wanted
            .into_iter()
            .map(|wanted| match wanted.ask {
                Ask::Locked(name, version) => format!("{}: {name} {version}", wanted.line),
                Ask::Unknown(name, _) => format!("{}: {name}?", wanted.line),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn lock_files_name_versions() {
        let uv = "version = 1\n[[package]]\nname = \"own\"\nversion = \"0.1\"\nsource = { virtual = \".\" }\n\n[[package]]\nname = \"Gear_Box\"\n\
            version = \"1.0\"\nsource = { registry = \"https://example.com/simple\" }\nwheels = [\n    { url = \"x\" },\n]\n\n[[package]]\nname = \"sprocket\"\n";
        assert_eq!(read("uv.lock", uv), ["7: gear-box 1.0", "15: sprocket?"]);
        let poetry = "[[package]]\nname = \"gear-box\"\nversion = \"1.0\"\n\n[package.extras]\nfast = [\"x\"]\n\n[[package]]\nname = \"sprocket\"\nversion = \"2\"\n\n[metadata]\nlock-version = \"2.1\"\n";
        assert_eq!(read("poetry.lock", poetry), ["1: gear-box 1.0", "8: sprocket 2"]);
        assert_eq!(read("pdm.lock", poetry), ["1: gear-box 1.0", "8: sprocket 2"]);
        let pylock = "lock-version = '1.0'\n[[packages]]\nname = 'gear-box'\nversion = '1.0'\n[[packages.wheels]]\nname = 'x'\n[[packages]]\nname = 'here'\ndirectory = { path = '.' }\n";
        assert_eq!(read("pylock.dev.toml", pylock), ["2: gear-box 1.0"]);
        let pipfile = "{\n    \"_meta\": {},\n    \"default\": {\n        \"gear-box\": {\n            \"version\": \"==1.0\"\n        }\n    },\n    \"develop\": {\n        \"sprocket\": {\n            \"git\": \"x\"\n        }\n    }\n}\n";
        assert_eq!(read("Pipfile.lock", pipfile), ["4: gear-box 1.0", "9: sprocket?"]);
    }

    #[test]
    fn what_is_no_lock_file_is_an_error() {
        for (file, text) in [
            ("uv.lock", "x"),
            ("uv.lock", "package = 1"),
            ("poetry.lock", "[[package]]\nversion = '1'"),
            ("Pipfile.lock", "[]"),
            ("Pipfile.lock", "{\"default\": 1}"),
            ("pylock.toml", "packages = [1]"),
        ] {
            assert!(Lock::of_file(file).unwrap().read(text).is_err(), "{file}: {text}");
        }
        for other in ["requirements.txt", "pylock.a.b.toml", "pylock..toml", "Cargo.lock"] {
            assert_eq!(Lock::of_file(other), None);
        }
    }
}
