//! Links of our pages: every relative one leads to a file, every anchor to a heading.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::Faults;

pub(crate) fn check(pages: &[(String, String)], root: &Path) -> Faults {
    let anchors: HashMap<&str, Vec<String>> =
        pages.iter().map(|(path, text)| (path.as_str(), headings(text))).collect();
    let mut faults = Vec::new();
    for (path, text) in pages {
        for (number, link) in links(text) {
            if let Some(fault) = follow(path, &link, &anchors, root) {
                faults.push(format!("{path}:{number}: {fault}"));
            }
        }
    }
    faults
}

fn follow(page: &str, link: &str, anchors: &HashMap<&str, Vec<String>>, root: &Path) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_owned() } else { beside(page, file) };
    if !file.is_empty() && !root.join(&target).exists() {
        return Some(format!("`{link}` leads to `{target}`, which is not there"));
    }
    let known = anchors.get(target.as_str())?;
    (!anchor.is_empty() && !known.iter().any(|known| known == anchor))
        .then(|| format!("`{link}`: no heading of `{target}` is called so"))
}

/// A path as a page means it.
fn beside(page: &str, file: &str) -> String {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut path = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            code = !code;
            return None;
        }
        (!code).then_some((at + 1, line))
    })
}

/// The targets of `[text](target)`.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        // Inside backticks nothing is a link.
        let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("x");
        for (at, _) in outside.match_indices("](") {
            if let Some(end) = outside[at..].find(')') {
                links.push((number, outside[at + 2..at + end].to_owned()));
            }
        }
    }
    links
}

/// The anchors of a page, as GitHub makes them from its headings.
fn headings(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let same = anchors.iter().filter(|other| **other == anchor).count();
        anchors.push(if same == 0 { anchor } else { format!("{anchor}-{same}") });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::check;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let page = "# The page\n[a](other.md) [b](other.md#a-heading) [c](#the-page) [d](https://example.org/x)\n\
                    `[no](link.md)`\n```\n[no](link.md)\n```\n[e](gone.md) [f](other.md#gone) [g](../Cargo.toml)\n";
        let pages = [
            ("docs/page.md".to_owned(), page.to_owned()),
            ("docs/other.md".to_owned(), "# A `heading`!\n".to_owned()),
        ];
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        // `other.md` is on no disk, so its file is missed as well.
        let faults = check(&pages, &root);
        let missed: Vec<&str> =
            faults.iter().map(String::as_str).filter(|fault| !fault.contains("other.md`, which")).collect();
        assert_eq!(missed, ["docs/page.md:7: `gone.md` leads to `docs/gone.md`, which is not there"]);
        let there =
            [("README.md".to_owned(), "[f](README.md#gone) [g](README.md#here)\n## Here\n".to_owned())];
        assert_eq!(
            check(&there, &root.join("examples/hive")),
            ["README.md:1: `README.md#gone`: no heading of `README.md` is called so"]
        );
    }
}
