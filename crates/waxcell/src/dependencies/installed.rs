//! What is installed where an interpreter looks for packages, read from what installers have left.

use std::path::{Path, PathBuf};

use waxcell_dependencies::{Distribution, Installed, Metadata};

use super::bounded_text;

/// Metadata with a long description are a hundred kilobytes, the list of files of the largest distributions some
/// megabytes.
const MAX_FILE: u64 = 64 << 20;

/// Folders with more than that hold no packages.
const MAX_NAMES: usize = 100_000;

pub(super) fn read(sites: &[PathBuf], gaps: &mut Vec<String>) -> Installed {
    let mut installed = Installed::default();
    for site in sites {
        let names = match std::fs::read_dir(site) {
            Ok(entries) => entries.flatten().take(MAX_NAMES).map(|entry| entry.file_name()),
            Err(error) => {
                gaps.push(format!("`{}` cannot be read: {error}", site.display()));
                continue;
            }
        };
        let mut names: Vec<_> = names.collect();
        names.sort();
        for name in names {
            let end = Path::new(&name).extension().unwrap_or_default();
            let path = site.join(&name);
            let found = match () {
                () if end == "dist-info" => dist_info(&path),
                () if end == "egg-info" => egg_info(&path),
                () => None,
            };
            installed_in_place(found, &mut installed);
        }
    }
    installed
}

fn installed_in_place(found: Option<Distribution>, installed: &mut Installed) {
    let Some(mut distribution) = found else { return };
    if let Some(folder) = distribution.folder.clone() {
        // Its list of files names only what leads there.
        for folder in [Path::new(&folder).to_owned(), Path::new(&folder).join("src")] {
            tops(&folder).iter().for_each(|top| distribution.add_module(top));
        }
    }
    installed.add(distribution);
}

fn dist_info(folder: &Path) -> Option<Distribution> {
    let text = |name: &str| bounded_text(&folder.join(name), MAX_FILE).ok();
    let (metadata, record, top_level, direct_url) =
        (text("METADATA")?, text("RECORD"), text("top_level.txt"), text("direct_url.json"));
    Distribution::new(&Metadata {
        metadata: &metadata,
        record: record.as_deref(),
        top_level: top_level.as_deref(),
        direct_url: direct_url.as_deref(),
        requires: None,
    })
}

/// What older installers leave: a folder, or only the metadata in a file.
fn egg_info(path: &Path) -> Option<Distribution> {
    let text = |name: &str| bounded_text(&path.join(name), MAX_FILE).ok();
    if path.is_file() {
        let metadata = bounded_text(path, MAX_FILE).ok()?;
        let mut found = Distribution::new(&Metadata { metadata: &metadata, ..Metadata::default() })?;
        // Modules are mostly named as their distribution.
        let site = path.parent().unwrap_or(path);
        let named = found.name.as_str().replace('-', "_");
        tops(site)
            .iter()
            .filter(|top| top.eq_ignore_ascii_case(&named))
            .for_each(|top| found.add_module(top));
        return Some(found);
    }
    let (metadata, top_level, requires) = (text("PKG-INFO")?, text("top_level.txt"), text("requires.txt"));
    let files = text("installed-files.txt").map(|files| files.replace("../", ""));
    Distribution::new(&Metadata {
        metadata: &metadata,
        record: files.as_deref(),
        top_level: top_level.as_deref(),
        direct_url: None,
        requires: requires.as_deref(),
    })
}

/// The modules in a folder.
fn tops(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let top = |name: String| {
        if folder.join(&name).join("__init__.py").exists() {
            return Some(name);
        }
        let (stem, end) = name.split_once('.')?;
        (end == "py" || end.ends_with("so")).then(|| stem.to_owned())
    };
    entries
        .flatten()
        .take(MAX_NAMES)
        .filter_map(|entry| top(entry.file_name().to_string_lossy().into_owned()))
        .collect()
}
