//! What is asked for: the command line, and behind it the files in which Bandit's users say it: `.bandit` in a folder that is
//! looked at, and a configuration (`-c`) as YAML or as `[tool.bandit]` of a `pyproject.toml`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use waxcell_analysis::{Confidence, Options, Profile, RULES, Severity, path_matches};

use super::yaml;
use crate::args::Check;

/// A file of settings that is longer is none.
const LONGEST: u64 = 1 << 20;

/// The keys of a configuration that are no settings of a rule.
const KNOWN: [&str; 4] = ["exclude_dirs", "tests", "skips", "assert_used"];

/// All that was asked for.
pub(super) struct Settings {
    pub(super) profile: Profile,
    /// What is left out of folders.
    pub(super) excluded: Excluded,
    pub(super) baseline: Option<PathBuf>,
    /// What was not understood and counts for nothing.
    pub(super) notes: Vec<String>,
}

/// What of a folder is not looked at.
#[derive(Default)]
pub(super) struct Excluded {
    /// By its path, or by its name anywhere.
    pub(super) paths: Vec<PathBuf>,
    /// Patterns of paths, or parts of them, as Bandit has it.
    pub(super) patterns: Vec<String>,
}

impl Excluded {
    pub(super) fn has(&self, path: &Path) -> bool {
        let is_named = |one: &PathBuf| path.starts_with(one) || Some(one.as_os_str()) == path.file_name();
        let text = path.to_string_lossy();
        let fits = |pattern: &String| path_matches(pattern, &text) || text.contains(pattern.as_str());
        self.paths.iter().any(is_named) || self.patterns.iter().any(fits)
    }
}

impl Settings {
    /// # Errors
    ///
    /// When a file cannot be read, or does not say what it means.
    pub(super) fn of(command: &Check) -> Result<Settings, String> {
        let mut notes = Vec::new();
        let ini = ini_of(command)?;
        let word = |key: &str| ini.get(key).and_then(Value::as_str);
        let file = command.config.clone().or_else(|| word("configfile").map(PathBuf::from));
        let config = file.as_deref().map(configuration).transpose()?.unwrap_or_default();
        let options = options(&config, &mut notes)?;
        let listed = |given: &[String], key: &str| -> Result<Vec<String>, String> {
            match (given, word(key)) {
                ([], Some(text)) => Ok(commas(text)),
                ([], None) => list(&config, key),
                _ => Ok(given.to_vec()),
            }
        };
        let level = |count: u8, key: &str| {
            let count = if count > 0 { count } else { word(key).and_then(|n| n.parse().ok()).unwrap_or(0) };
            usize::from(count).saturating_sub(1).min(2)
        };
        let severities = [Severity::Low, Severity::Medium, Severity::High];
        let confidences = [Confidence::Low, Confidence::Medium, Confidence::High];
        let severity = severities[level(command.severity_count, "level")];
        let confidence = confidences[level(command.confidence_count, "confidence")];
        let profile = Profile {
            tests: listed(&command.select, "tests")?,
            skips: listed(&command.ignore, "skips")?,
            severity: severity.max(command.severity.into()),
            confidence: confidence.max(command.confidence.into()),
            nosec: !(command.ignore_nosec || word("ignore-nosec").is_some_and(|value| value == "true")),
            options,
            capabilities: command.capabilities || command.osv_db.is_some(),
        };
        profile.check().map_err(|error| error.to_string())?;
        let mut patterns: Vec<String> = command.exclude_patterns.iter().map(|text| pattern(text)).collect();
        if patterns.is_empty() {
            patterns.extend(word("exclude").map(commas).unwrap_or_default().iter().map(|text| pattern(text)));
        }
        patterns.extend(list(&config, "exclude_dirs")?);
        Ok(Settings {
            profile,
            excluded: Excluded { paths: command.exclude.clone(), patterns },
            baseline: command.baseline.clone().or_else(|| word("baseline").map(PathBuf::from)),
            notes,
        })
    }
}

/// A folder stands for what is in it.
fn pattern(text: &str) -> String {
    if Path::new(text).is_dir() { format!("{}/*", text.trim_end_matches('/')) } else { text.to_owned() }
}

fn commas(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn list(config: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let Some(value) = config.get(key).filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let texts =
        value.as_array().map(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
    texts.flatten().ok_or_else(|| format!("`{key}` of the configuration is to be a list of texts"))
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = super::files::read(path, LONGEST)
        .map_err(|why| format!("cannot read `{}`: {why}", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("`{}` is not UTF-8", path.display()))
}

/// What stands in a configuration: YAML, or of TOML what is below `[tool.bandit]`.
fn configuration(path: &Path) -> Result<Map<String, Value>, String> {
    let text = read(path)?;
    let is_toml = path.extension().is_some_and(|end| end == "toml");
    let value = if is_toml {
        let table: Result<Value, _> = toml::from_str(&text);
        table.map(|value| value["tool"]["bandit"].clone()).map_err(|error| error.message().to_owned())
    } else {
        yaml::parse(&text)
    };
    match value {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(format!("`{}` has no keys", path.display())),
        Err(why) => Err(format!("cannot understand `{}`: {why}", path.display())),
    }
}

/// The settings of rules, by the names of the rules.
fn options(config: &Map<String, Value>, notes: &mut Vec<String>) -> Result<Options, String> {
    let known = serde_json::to_value(Options::default()).unwrap_or_default();
    let mut settings = Map::new();
    for (key, value) in config {
        if known.get(key).is_some() {
            settings.insert(key.clone(), value.clone());
        } else if !KNOWN.contains(&key.as_str()) {
            let what = if RULES.iter().any(|rule| rule.name == *key) {
                "a rule without settings"
            } else {
                "unknown"
            };
            notes.push(format!("`{key}` of the configuration is {what}, and counts for nothing"));
        }
    }
    serde_json::from_value(Value::Object(settings)).map_err(|error| format!("in the configuration: {error}"))
}

/// What the `.bandit` says that is named, or that lies in or below a folder that is looked at.
fn ini_of(command: &Check) -> Result<Map<String, Value>, String> {
    let found = match &command.ini {
        Some(path) => vec![path.clone()],
        None => {
            let folders = command.paths.iter().filter(|path| path.is_dir());
            folders.map(|folder| folder.join(".bandit")).filter(|path| path.is_file()).collect()
        }
    };
    match &found[..] {
        [] => Ok(Map::new()),
        [one] => ini(&read(one)?).ok_or_else(|| format!("`{}` has no section [bandit]", one.display())),
        more => Err(format!("there are {} files `.bandit`; choose one with --ini", more.len())),
    }
}

/// The section `[bandit]` of a file as Python's `configparser` reads it.
fn ini(text: &str) -> Option<Map<String, Value>> {
    let mut section: Option<Map<String, Value>> = None;
    let (mut inside, mut last) = (false, None);
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if bare.starts_with('[') && bare.ends_with(']') {
            inside = bare == "[bandit]";
            if inside {
                section.get_or_insert_default();
            }
            continue;
        }
        let Some(map) = section.as_mut().filter(|_| inside) else { continue };
        if line.starts_with([' ', '\t'])
            && let Some(Value::String(value)) = last.as_ref().and_then(|key: &String| map.get_mut(key))
        {
            *value += &format!("\n{bare}");
            continue;
        }
        let (key, value) = bare.split_once(['=', ':']).unwrap_or((bare, ""));
        let key = key.trim().to_lowercase();
        map.insert(key.clone(), value.trim().into());
        last = Some(key);
    }
    section
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Excluded, ini};

    #[test]
    fn a_section_is_read_as_python_reads_it() {
        let section =
            ini("[other]\ntests: B1\n[bandit]\n# x\nTests: B101,\n  B102\nskips = B103\nexclude=/a\n")
                .unwrap();
        assert_eq!(section["tests"], "B101,\nB102");
        assert_eq!((&section["skips"], &section["exclude"]), (&"B103".into(), &"/a".into()));
        assert!(ini("tests: B101\n").is_none());
    }

    #[test]
    fn patterns_and_parts_of_paths_leave_out() {
        let excluded =
            Excluded { paths: vec!["out".into()], patterns: vec!["*/tests/*".into(), "venv".into()] };
        for (path, is_out) in
            [("a/out", true), ("a/tests/b.py", true), ("a/myvenv/b.py", true), ("a/b.py", false)]
        {
            assert_eq!(excluded.has(Path::new(path)), is_out, "{path}");
        }
    }
}
