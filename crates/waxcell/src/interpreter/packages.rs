//! The packages beside the standard library: the user's own, and what `.pth` files add.
//!
//! A `.pth` file is how an editable install names a source directory elsewhere. Its directories become visible, read-only,
//! with three exceptions. One that holds the project or the home directory would show more than packages. One with a
//! hidden component (`~/.ssh`) or in a directory of the system's state (`/etc`, `/var`, ...) holds no packages; a script
//! that could once write a `.pth` file must not gain a view of the host by it. And `import` lines are code: never
//! followed.

use std::path::{Component, Path, PathBuf};

use super::links;
use super::prefix::{Prefix, is_wide};
use super::{Search, is_shown, path};

/// Directories beyond any sensible number are not shown.
const MAX_DIRECTORIES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Packages {
    pub(super) roots: Vec<PathBuf>,
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// What `.pth` files name and is not shown.
    pub(super) unseen: Vec<PathBuf>,
    pub(super) user_base: Option<PathBuf>,
    /// Where packages are looked for, in this order.
    pub(super) sites: Vec<PathBuf>,
}

pub(super) fn find(prefix: &Prefix, search: &Search<'_>) -> Packages {
    let mut packages = Packages::default();
    let name = prefix.directory_name();
    let below = |prefix: &Path| prefix.join("lib").join(&name).join("site-packages");

    let mut sites = Vec::new();
    sites.extend(prefix.venv.as_ref().map(|venv| below(&venv.real)));
    if prefix.venv.as_ref().is_none_or(|venv| venv.system_site) {
        sites.push(below(&prefix.base));
        if prefix.base == Path::new("/usr") {
            sites.push(PathBuf::from(format!("/usr/local/lib/{name}/dist-packages")));
            sites.push("/usr/lib/python3/dist-packages".into());
        }
        let user_base = search.home.filter(|_| !search.no_user_site).map(|home| home.join(".local"));
        if let Some(user_base) = user_base
            && let Ok(site) = links::resolve(&below(&user_base))
            && site.real.is_dir()
        {
            packages.links.extend(site.links);
            packages.roots.push(site.real.clone());
            packages.user_base = Some(user_base);
            // Before those of the installation.
            sites.insert(usize::from(prefix.venv.is_some()), site.real);
        }
    }

    let mut directories: Vec<PathBuf> = sites.iter().flat_map(|site| named_by_pth(site)).collect();
    packages.sites = sites.iter().chain(&directories).filter(|site| site.is_dir()).cloned().collect();
    directories.sort();
    directories.dedup();
    for directory in directories {
        let Ok(resolved) = links::resolve(&directory) else { continue };
        if !resolved.real.is_dir() {
            continue;
        }
        if packages.roots.len() < MAX_DIRECTORIES && is_admitted(&resolved.real, search) {
            packages.links.extend(resolved.links);
            packages.roots.push(resolved.real);
        } else if !is_shown(&resolved.real, &packages.roots) {
            packages.unseen.push(resolved.real);
        }
    }
    packages
}

/// The paths in the `.pth` files of a directory.
fn named_by_pth(site: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(site) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name());
    let files = names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "pth"));
    let texts = files.filter_map(|name| path::small_text(&site.join(name)));
    texts
        .flat_map(|text| text.lines().filter_map(|line| named_by_line(site, line)).collect::<Vec<_>>())
        .collect()
}

fn named_by_line(site: &Path, line: &str) -> Option<PathBuf> {
    let line = line.trim_end();
    let is_code = line.starts_with("import ") || line.starts_with("import\t");
    (!line.is_empty() && !line.starts_with('#') && !is_code).then(|| site.join(line))
}

/// Whether a directory may be shown because a `.pth` file says so.
fn is_admitted(directory: &Path, search: &Search<'_>) -> bool {
    const STATE: [&str; 9] = ["/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/var"];
    let home = search.home.and_then(|home| home.canonicalize().ok());
    let below_home = home.and_then(|home| directory.strip_prefix(home).ok());
    let in_state = below_home.is_none() && STATE.iter().any(|state| directory.starts_with(state));
    let hidden = |component: Component<'_>| matches!(component, Component::Normal(name) if name.as_encoded_bytes().starts_with(b"."));
    let relative = below_home.unwrap_or(directory);
    !in_state && !relative.components().any(hidden) && !is_wide(directory, search)
}
