//! What is installed: distributions, what they ask for, and which modules are theirs.
//!
//! Source: packaging specifications, *Recording installed projects* and *Core metadata*.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::Name;
use crate::requirement::Requirement;
use crate::version::Version;

/// The texts that an installer has left of one distribution.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metadata<'a> {
    /// `METADATA`, or `PKG-INFO` of an older installer.
    pub metadata: &'a str,
    /// `RECORD`, or the file names of an older list, one a line.
    pub record: Option<&'a str>,
    /// `top_level.txt`.
    pub top_level: Option<&'a str>,
    /// `direct_url.json`.
    pub direct_url: Option<&'a str>,
    /// `requires.txt` of an older installer.
    pub requires: Option<&'a str>,
}

/// An installed distribution.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// Its name.
    pub name: Name,
    /// Its version, as it is written.
    pub version: String,
    /// What it asks for.
    pub requires: Vec<Requirement>,
    /// What it asks for and could not be read, as it is written.
    pub unread: Vec<String>,
    /// The folder that it is used from in place, if it was installed so.
    pub folder: Option<String>,
    tops: BTreeSet<String>,
    record: String,
}

#[derive(Deserialize)]
struct DirectUrl {
    url: String,
    dir_info: Option<DirInfo>,
}

#[derive(Deserialize)]
struct DirInfo {
    editable: Option<bool>,
}

impl Distribution {
    /// The distribution that these texts are of; nothing if they name none.
    pub fn new(texts: &Metadata<'_>) -> Option<Distribution> {
        let (mut name, mut version, mut requires, mut unread) = (None, None, Vec::new(), Vec::new());
        for line in texts.metadata.lines().take_while(|line| !line.is_empty()) {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match key.to_ascii_lowercase().as_str() {
                "name" if name.is_none() => name = Name::new(value),
                "version" if version.is_none() => version = Some(value.to_owned()),
                "requires-dist" => match Requirement::parse(value) {
                    Some(requirement) => requires.push(requirement),
                    None => unread.push(value.to_owned()),
                },
                _ => {}
            }
        }
        for text in older_requires(texts.requires.unwrap_or_default()) {
            match Requirement::parse(&text) {
                Some(requirement) => requires.push(requirement),
                None => unread.push(text),
            }
        }
        let record = texts.record.unwrap_or_default().to_owned();
        let mut tops: BTreeSet<String> =
            record.lines().filter_map(module).filter_map(|path| top(&path)).collect();
        tops.extend(
            texts
                .top_level
                .into_iter()
                .flat_map(str::lines)
                .map(str::trim)
                .filter(|top| !top.is_empty())
                .map(str::to_owned),
        );
        let direct: Option<DirectUrl> = texts.direct_url.and_then(|text| serde_json::from_str(text).ok());
        let editable =
            direct.filter(|direct| direct.dir_info.as_ref().is_some_and(|info| info.editable == Some(true)));
        let folder = editable.and_then(|direct| direct.url.strip_prefix("file://").map(str::to_owned));
        Some(Distribution { name: name?, version: version?, requires, unread, folder, tops, record })
    }

    /// Adds a module that it has without saying so, as one that is used from its folder may.
    pub fn add_module(&mut self, top: &str) {
        self.tops.insert(top.to_owned());
    }

    /// How much of a dotted name is that of a module of this distribution, in parts: 0 if it is none of its modules.
    fn depth(&self, module_name: &str) -> usize {
        let parts: Vec<&str> = module_name.split('.').collect();
        let Some(first) = parts.first().filter(|first| self.tops.contains(**first)) else { return 0 };
        let below = |path: String| {
            let theirs = path.split('/');
            if theirs.clone().next() != Some(first) {
                return 0;
            }
            theirs.zip(&parts).take_while(|(one, other)| one == *other).count()
        };
        self.record.lines().filter_map(module).map(below).max().unwrap_or(0).max(1)
    }
}

/// The path of a module in a line of `RECORD`, without its ending: `a/b` of `a/b.py,sha256=…`, `a/b/__init__.py,…` and
/// `a/b.cpython-311-x86_64-linux-gnu.so,…`.
fn module(line: &str) -> Option<String> {
    let path =
        line.strip_prefix('"').map_or_else(|| line.split(',').next(), |quoted| quoted.split('"').next())?;
    let path = path.trim_start_matches("./");
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let is_code = [".py", ".so", ".pyc"].iter().any(|end| file.ends_with(end));
    if !is_code || path.starts_with("..") || path.starts_with('/') || folder.ends_with("__pycache__") {
        return None;
    }
    let stem = file.split('.').next()?;
    Some(match (folder, stem) {
        ("", stem) => stem.to_owned(),
        (folder, "__init__") => folder.to_owned(),
        (folder, stem) => format!("{folder}/{stem}"),
    })
}

fn top(path: &str) -> Option<String> {
    let top = path.split('/').next()?;
    (!top.is_empty() && !top.contains('.')).then(|| top.to_owned())
}

/// Requirements in the form of older installers: sections `[extra:marker]`, and below each what it asks for.
fn older_requires(text: &str) -> Vec<String> {
    let (mut found, mut condition) = (Vec::new(), String::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(section) => {
                let (extra, marker) = section.split_once(':').unwrap_or((section, ""));
                let extra = if extra.is_empty() { String::new() } else { format!("extra == '{extra}'") };
                let marker = if marker.is_empty() { String::new() } else { format!("({marker})") };
                let parts: Vec<String> =
                    [extra, marker].into_iter().filter(|part| !part.is_empty()).collect();
                condition = parts.join(" and ");
            }
            None if condition.is_empty() => found.push(line.to_owned()),
            None => found.push(format!("{line} ; {condition}")),
        }
    }
    found
}

/// All distributions of an interpreter.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    distributions: BTreeMap<Name, Distribution>,
    by_top: BTreeMap<String, Vec<Name>>,
}

impl Installed {
    /// Adds one. The first of a name is the one that is imported.
    pub fn add(&mut self, distribution: Distribution) {
        if self.distributions.contains_key(&distribution.name) {
            return;
        }
        for top in &distribution.tops {
            self.by_top.entry(top.clone()).or_default().push(distribution.name.clone());
        }
        self.distributions.insert(distribution.name.clone(), distribution);
    }

    /// The distribution of this name.
    pub fn get(&self, name: &Name) -> Option<&Distribution> {
        self.distributions.get(name)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.distributions.len()
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Distribution> {
        self.distributions.values()
    }

    /// The version of the distribution of this name, where that can be compared.
    pub fn version(&self, name: &Name) -> Option<Version> {
        self.get(name).and_then(|distribution| Version::parse(&distribution.version))
    }

    /// The distributions that have a module: of several that share a package of a name, those that have most of it.
    pub fn providers(&self, module: &str) -> Vec<&Distribution> {
        let top = module.split('.').next().unwrap_or_default();
        let names = self.by_top.get(top).map(Vec::as_slice).unwrap_or_default();
        let found: Vec<&Distribution> = names.iter().filter_map(|name| self.get(name)).collect();
        if found.len() < 2 {
            return found;
        }
        let depths: Vec<usize> = found.iter().map(|distribution| distribution.depth(module)).collect();
        let most = depths.iter().copied().max().unwrap_or(0);
        found
            .into_iter()
            .zip(depths)
            .filter(|(_, depth)| *depth == most)
            .map(|(distribution, _)| distribution)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Distribution, Installed, Metadata};

    fn distribution(metadata: &str, record: &str, top_level: Option<&str>) -> Distribution {
        Distribution::new(&Metadata { metadata, record: Some(record), top_level, ..Metadata::default() })
            .unwrap()
    }

    #[test]
    fn modules_lead_to_their_distributions() {
        let mut installed = Installed::default();
        installed.add(distribution(
            "Name: PyGears\nVersion: 1.0\n",
            "gears/__init__.py,sha256=x,1\n../../bin/gears,,\nPyGears-1.0.dist-info/RECORD,,\n",
            None,
        ));
        installed.add(distribution(
            "Name: plant-core\nVersion: 2\n",
            "plant/core/__init__.py,,\nplant/core/shop.py,,\n\"plant/core/odd,name.py\",,\n",
            None,
        ));
        installed.add(distribution(
            "Name: plant-api\nVersion: 2\n",
            "plant/api/v1/x.cpython-311-x86_64-linux-gnu.so,,\n",
            None,
        ));
        installed.add(distribution(
            "Name: single\nVersion: 2\n",
            "one_file.py,,\n__pycache__/other.cpython-311.pyc,,\n_native.abi3.so,,\n",
            None,
        ));
        installed.add(distribution("Name: old\nVersion: 2\n", "", Some("old_module\n")));
        let names = |module: &str| {
            installed.providers(module).iter().map(|one| one.name.to_string()).collect::<Vec<_>>()
        };
        for (module, expected) in [
            ("gears", &["pygears"][..]),
            ("gears.anything", &["pygears"]),
            ("plant.core.shop.Door", &["plant-core"]),
            ("plant.api.v1.x", &["plant-api"]),
            ("plant.api", &["plant-api"]),
            ("plant", &["plant-api", "plant-core"]),
            ("plant.none", &["plant-api", "plant-core"]),
            ("one_file", &["single"]),
            ("_native", &["single"]),
            ("old_module", &["old"]),
            ("other", &[]),
            ("bin", &[]),
            ("pygears", &[]),
        ] {
            let mut found = names(module);
            found.sort();
            assert_eq!(found, expected, "{module}");
        }
    }

    #[test]
    fn what_is_asked_for_is_read_from_the_head() {
        let one = distribution(
            "Metadata-Version: 2.1\nName: A.b\nVersion: 1.0\nRequires-Dist: c>=1; extra == 'x'\nRequires-Dist: ???\n\nRequires-Dist: no\n",
            "",
            None,
        );
        assert_eq!((one.name.as_str(), one.requires.len(), one.unread.len()), ("a-b", 1, 1));
        assert!(
            Distribution::new(&Metadata { metadata: "Name: a\n\nVersion: 1\n", ..Metadata::default() })
                .is_none()
        );
        let older = Metadata {
            metadata: "Name: a\nVersion: 1\n",
            requires: Some("b>=1\n\n[fast]\nc\n\n[:python_version < '3.8']\nd\n[fast:os_name == 'nt']\ne"),
            direct_url: Some(r#"{"url": "file:///srv/a", "dir_info": {"editable": true}}"#),
            ..Metadata::default()
        };
        let older = Distribution::new(&older).unwrap();
        assert_eq!(
            (older.requires.len(), older.unread.len(), older.folder.as_deref()),
            (4, 0, Some("/srv/a"))
        );
    }
}
