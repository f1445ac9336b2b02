//! All cases: those that were built in, or those of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::case::{Case, Control, Told};

/// What was built in, by path below `attacks/`.
static BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/corpus.rs"));

/// Why there are no cases.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `case.toml` is not understood.
    #[error("case `{case}`: {message}")]
    Case {
        /// Its folder.
        case: String,
        /// What is wrong, with its place.
        message: String,
    },
}

/// The cases that this binary was built with, in the order of their names.
pub fn built_in() -> Result<Vec<Case>, CorpusError> {
    let mut folders: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (path, text) in BUILT_IN {
        if let [_, folder, file] = path.split('/').collect::<Vec<_>>()[..] {
            folders.entry(folder).or_default().insert(file, text);
        }
    }
    folders
        .into_iter()
        .map(|(name, files)| read(name, |file| Ok(files.get(file).map(|text| (*text).to_owned()))))
        .collect()
}

/// A file beside the cases, as it was built in.
pub(crate) fn built_in_file(name: &str) -> &'static str {
    BUILT_IN.iter().find(|(path, _)| *path == name).map_or("", |(_, text)| text)
}

/// The cases of a folder that looks as `attacks/` does, in the order of their names.
pub fn of_folder(folder: &Path) -> Result<Vec<Case>, CorpusError> {
    let mut cases = Vec::new();
    for class in folders(folder)? {
        for case in folders(&class)? {
            let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = |file: &str| {
                let path = case.join(file);
                match std::fs::read_to_string(&path) {
                    Ok(text) => Ok(Some(text)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(source) => Err(CorpusError::Read { path, source }),
                }
            };
            cases.push(read(&name, text)?);
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    let read = |source| CorpusError::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(read)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    Ok(paths.map_err(read)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn read(name: &str, text: impl Fn(&str) -> Result<Option<String>, CorpusError>) -> Result<Case, CorpusError> {
    let wrong = |message: String| CorpusError::Case { case: name.to_owned(), message };
    let needed = |file: &str| text(file)?.ok_or_else(|| wrong(format!("there is no `{file}`")));
    let told: Told =
        toml::from_str(&needed("case.toml")?).map_err(|error| wrong(format!("case.toml: {error}")))?;
    let case = Case {
        name: name.to_owned(),
        told,
        probe: needed("probe.py")?,
        deny: text("deny.yml")?,
        allow: text("allow.yml")?,
        patience: 1,
    };
    match fault(&case) {
        Some(message) => Err(wrong(message)),
        None => Ok(case),
    }
}

/// What makes a case one that cannot fail, or cannot be judged.
fn fault(case: &Case) -> Option<String> {
    let told = &case.told;
    let evidence = &told.escaped;
    let waits = !(evidence.status.is_empty()
        && evidence.seen.is_empty()
        && evidence.holds.is_empty()
        && evidence.apart.is_empty());
    let known =
        |names: &[String], list: Vec<&String>| names.iter().find(|name| !list.contains(name)).cloned();
    let stranger = known(&evidence.heard, told.listeners.keys().collect())
        .or_else(|| known(&evidence.hurt, told.victims.keys().collect()));
    let id = &told.id;
    if !case.name.starts_with(&format!("{id}-")) {
        Some(format!("the folder's name begins with the id and a dash: `{id}-...`"))
    } else if told.layers.is_empty() {
        Some("`layers` is empty: something stops it, or it is no case".to_owned())
    } else if !evidence.is_some() {
        Some("`[escaped]` is empty: nothing would tell that the attack succeeded".to_owned())
    } else if (told.control == Control::Allow) != case.allow.is_some() {
        Some("a positive control: either `allow.yml`, or `control = \"outside\"`".to_owned())
    } else if !(case.needs_world() || evidence.reached.is_empty() && evidence.asked.is_empty()) {
        Some("`reached` and `asked` are of a world: `needs = [\"world\"]`".to_owned())
    } else if waits && !told.waits {
        Some("`status`, `seen`, `holds` and `apart` look at a probe that waits: `waits = true`".to_owned())
    } else if told.waits && told.stdin.is_some() {
        Some("`waits` and `stdin` exclude each other".to_owned())
    } else {
        stranger.map(|name| format!("`{name}` is no listener or victim of this case"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_cases_are_those_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../attacks");
        let names = |cases: Vec<Case>| cases.into_iter().map(|case| case.name).collect::<Vec<_>>();
        let built_in = names(built_in().expect("cases"));
        assert!(!built_in.is_empty());
        assert_eq!(built_in, names(of_folder(&folder).expect("cases")));
    }

    fn fault_of(toml: &str, allow: bool) -> String {
        let text = |file: &str| {
            Ok(match file {
                "case.toml" => Some(toml.to_owned()),
                "probe.py" => Some("pass".to_owned()),
                "allow.yml" if allow => Some(String::new()),
                _ => None,
            })
        };
        read("A01-x", text).expect_err("a fault").to_string()
    }

    #[test]
    fn a_case_that_could_not_fail_is_refused() {
        let head = "id = \"A01\"\ntitle = \"x\"\nlayers = [\"mounts\"]\n";
        let expect = "[expect]\nverdict = \"ok\"\nexit = 0\n";
        let check = |toml: String, allow: bool, part: &str| {
            let fault = fault_of(&toml, allow);
            assert!(fault.contains(part), "{fault}");
        };
        check(format!("{head}[escaped]\n{expect}"), true, "`[escaped]` is empty");
        check(format!("{head}[escaped]\nloot = true\n{expect}"), false, "positive control");
        check(format!("{head}[escaped]\nheard = [\"x\"]\n{expect}"), true, "`x` is no listener");
        check(format!("{head}[escaped]\nasked = [\"x\"]\n{expect}"), true, "`needs = [\"world\"]`");
        check(format!("{head}[escaped]\nholds = [\"/\"]\n{expect}"), true, "`waits = true`");
        check(format!("{head}colour = 1\n[escaped]\nloot = true\n{expect}"), true, "unknown field");
        let other = head.replace("A01", "A02");
        check(format!("{other}[escaped]\nloot = true\n{expect}"), true, "begins with the id");
    }
}
