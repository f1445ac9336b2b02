//! The least that scripts need, as a policy: from what they can use, each line with the place in the script that asks for it.

mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use waxcell_analysis::{Capabilities, Capability, Certainty, Evidence, Family, Target};
use waxcell_operations::Operation;

use super::KEYS;
use super::keys::Key;
use super::network::{address, domain};
use super::written::{path_entry, text};
use crate::gate::is_loopback;
use crate::planning;

/// A script, and what it can use.
#[derive(Clone, Debug)]
pub struct Used {
    /// As it is named in comments.
    pub name: String,
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// What it can use.
    pub capabilities: Capabilities,
}

/// Processes and threads of a script that has pools of them.
const POOL: u32 = 64;
/// The most places that are told of one line.
const MOST_PLACES: usize = 3;

/// A policy that gives scripts what they can use and nothing else, as far as that is known before they run. They are
/// started in `cwd`; the policy lies in `root`.
pub fn least(scripts: &[Used], cwd: &Path, root: &Path) -> String {
    let least = Least { scripts, cwd, root };
    let mut out = format!(
        "# Waxcell policy: what these scripts can use, and nothing else, as far as it is known before they run. Keys that are\n\
         # not here have their default (`waxcell policy init`). Relative paths are relative to {}.\n\
         # Check with `waxcell policy lint`; what is missing, `waxcell why` tells after a run.\n",
        line(&root.to_string_lossy()),
    );
    for script in scripts {
        out.push_str(&format!("#   {}\n", line(&script.name)));
    }
    least.execution(&mut out);
    least.filesystem(&mut out);
    least.network(&mut out);
    least.environment(&mut out);
    least.unknown(&mut out);
    out
}

struct Least<'a> {
    scripts: &'a [Used],
    cwd: &'a Path,
    root: &'a Path,
}

impl<'a> Least<'a> {
    fn entries(&self) -> impl Iterator<Item = (&'a Used, &'a Capability)> {
        self.scripts
            .iter()
            .flat_map(|script| script.capabilities.entries.iter().map(move |entry| (script, entry)))
    }

    /// `line 12: open('data/x.json', 'w')`, with the script's name where there are several.
    fn evidence(&self, script: &Used, places: &[Evidence]) -> Vec<String> {
        let named = if self.scripts.len() > 1 { format!("{}, ", script.name) } else { String::new() };
        places.iter().map(|place| line(&format!("{named}line {}: {}", place.line, place.text))).collect()
    }

    fn execution(&self, out: &mut String) {
        let of = |family| self.entries().filter(move |(_, entry)| entry.family == family).collect::<Vec<_>>();
        let (processes, threads) = (of(Family::Processes), of(Family::Threads));
        let is_pool = |entries: &[(&Used, &Capability)]| {
            entries.iter().flat_map(|(_, entry)| &entry.places).any(|place| {
                ["Pool", "Manager", "Parallel", "Process(", "fork"]
                    .iter()
                    .any(|word| place.text.contains(word))
            })
        };
        out.push_str("\nexecution:\n");
        match is_pool(&processes) {
            _ if processes.is_empty() => out.push_str("  # starts no process\n  max_processes: 0\n"),
            true => self.counted(out, "max_processes", POOL, &processes),
            false => self.counted(out, "max_processes", default_of("execution.max_processes"), &processes),
        }
        // What is not the script's own starts threads as well: of packages, of the event loop.
        let is_plain = self.entries().all(|(_, entry)| match &entry.target {
            Target::Module { name, .. } => name.as_deref().is_some_and(is_without_threads),
            _ => entry.family != Family::Code && entry.family != Family::Native,
        });
        match threads.is_empty() {
            true if is_plain => out.push_str("  # starts no thread\n  max_threads: 0\n"),
            true => {}
            false => {
                self.counted(out, "max_threads", default_of("execution.max_threads").max(POOL), &threads)
            }
        }
    }

    fn counted(&self, out: &mut String, key: &str, value: u32, entries: &[(&Used, &Capability)]) {
        let evidence = entries.iter().flat_map(|(script, entry)| self.evidence(script, &entry.places));
        comments(out, "  ", evidence.collect());
        out.push_str(&format!("  {key}: {value}\n"));
    }

    fn filesystem(&self, out: &mut String) {
        let grants = paths::grants(self);
        out.push_str("\nfilesystem:\n");
        if grants.paths.is_empty() {
            out.push_str("  allowed_paths: []\n");
        } else {
            out.push_str("  allowed_paths:\n");
            for (path, grant) in grants.paths {
                comments(out, "    ", grant.evidence);
                out.push_str(&format!("    - {}\n", path_entry(&path, grant.access)));
            }
        }
        let mut kept = Vec::new();
        for (operation, short) in
            [(Operation::FsDelete, "delete"), (Operation::FsChmod, "chmod"), (Operation::FsChown, "chown")]
        {
            match grants.operations.get(&operation) {
                None => kept.push(short),
                Some(evidence) => {
                    comments(out, "  ", with_head(format!("`{short}` is allowed"), evidence.clone()))
                }
            }
        }
        if !grants.operations.contains_key(&Operation::FsXattr) {
            kept.push("fs.xattr");
        }
        out.push_str(&format!("  blocked_operations: [{}]\n", kept.join(", ")));
        for (what, evidence) in grants.notes {
            comments(out, "  ", with_head(what, evidence));
        }
    }

    fn network(&self, out: &mut String) {
        let mut names: BTreeMap<String, (BTreeSet<u16>, bool, Vec<String>)> = BTreeMap::new();
        let mut addresses = names.clone();
        let mut ports = BTreeSet::new();
        let mut notes = Vec::new();
        for (script, entry) in self.entries() {
            let Target::Host { host, port } = &entry.target else { continue };
            let evidence = self.evidence(script, &entry.places);
            let Some(host) = host else {
                notes.push(("reaches a host that is only known when it runs".to_owned(), evidence));
                continue;
            };
            if is_loopback(host) || entry.operation == Some(Operation::NetListen) {
                continue;
            }
            let all = match host.parse::<IpAddr>() {
                Ok(_) if address(host).is_ok() => &mut addresses,
                Err(_) if domain(host).is_ok() => &mut names,
                _ => {
                    notes.push((format!("reaches `{}`, which no policy can name so", line(host)), evidence));
                    continue;
                }
            };
            let (known, all_ports, why) = all.entry(host.clone()).or_default();
            match port {
                Some(port) => drop(known.insert(*port)),
                // What a name is looked for with says nothing about ports.
                None => *all_ports |= entry.operation != Some(Operation::NetDns),
            }
            ports.extend(*port);
            why.extend(evidence);
        }
        out.push_str("\nnetwork:\n");
        for (key, inner, all) in
            [("allowed_domains", "name", names), ("allow_addresses", "address", addresses)]
        {
            if all.is_empty() {
                out.push_str(&format!("  {key}: []\n"));
                continue;
            }
            out.push_str(&format!("  {key}:\n"));
            for (host, (ports, all_ports, why)) in all {
                comments(out, "    ", why);
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                match all_ports || ports.is_empty() {
                    true => out.push_str(&format!("    - {}\n", text(&host))),
                    false => out.push_str(&format!(
                        "    - {{{inner}: {}, ports: [{}]}}\n",
                        text(&host),
                        ports.join(", ")
                    )),
                }
            }
        }
        let blocked = [22, 23, 3389].iter().filter(|port| !ports.contains(port)).map(u16::to_string);
        out.push_str(&format!("  blocked_ports: [{}]\n", blocked.collect::<Vec<_>>().join(", ")));
        for (what, evidence) in notes {
            comments(out, "  ", with_head(what, evidence));
        }
    }

    fn environment(&self, out: &mut String) {
        let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (script, entry) in self.entries() {
            let Target::Variable { name } = &entry.target else { continue };
            let evidence = self.evidence(script, &entry.places);
            match name.as_deref() {
                Some(name) if planning::has_variable(name) => {}
                Some(name) if is_variable(name) => names.entry(name).or_default().extend(evidence),
                _ => unknown.extend(evidence),
            }
        }
        if names.is_empty() && unknown.is_empty() {
            return;
        }
        out.push_str("\nenvironment:\n");
        if !unknown.is_empty() {
            comments(
                out,
                "  ",
                with_head("reads variables that are only known when it runs".to_owned(), unknown),
            );
        }
        if names.is_empty() {
            out.push_str("  pass: []\n");
            return;
        }
        out.push_str("  pass:\n");
        for (name, evidence) in names {
            comments(out, "    ", evidence);
            out.push_str(&format!("    - {}\n", text(name)));
        }
    }

    /// What no line of a policy is about, or what nobody knows.
    fn unknown(&self, out: &mut String) {
        let mut told = String::new();
        for (script, entry) in self.entries() {
            let what = match (&entry.target, entry.operation, entry.certainty) {
                (Target::Program { name: None }, ..) => "executes a program that is only known when it runs",
                (Target::Module { name: None, .. }, ..) => "imports a module that is only known when it runs",
                (_, None, _) if entry.family == Family::Code => "runs code that is made from text",
                (_, None, _) if entry.family == Family::Native => {
                    "calls a shared library, of which nothing is known here"
                }
                (Target::None, Some(operation), Certainty::Exact) if operation != Operation::ProcFork => {
                    comments(
                        &mut told,
                        "",
                        with_head(
                            format!("would {}, and no run may do that", operation.summary()),
                            self.evidence(script, &entry.places),
                        ),
                    );
                    continue;
                }
                _ => continue,
            };
            comments(&mut told, "", with_head(what.to_owned(), self.evidence(script, &entry.places)));
        }
        for script in self.scripts.iter().filter(|script| !script.capabilities.complete) {
            told.push_str(&format!("# {} is too large to be followed to its end\n", line(&script.name)));
        }
        if !told.is_empty() {
            out.push_str("\n# What no line above is about:\n");
            out.push_str(&told);
        }
    }
}

/// The default of a key that is a number.
fn default_of(path: &str) -> u32 {
    KEYS.iter()
        .find(|key: &&Key| key.path == path)
        .and_then(|key| key.default.parse().ok())
        .unwrap_or_default()
}

/// Modules that start no thread by themselves.
fn is_without_threads(name: &str) -> bool {
    const PLAIN: [&str; 60] = [
        "abc",
        "argparse",
        "array",
        "ast",
        "base64",
        "binascii",
        "bisect",
        "calendar",
        "collections",
        "configparser",
        "contextlib",
        "copy",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
        "errno",
        "fnmatch",
        "fractions",
        "functools",
        "getopt",
        "glob",
        "gzip",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "io",
        "itertools",
        "json",
        "locale",
        "logging",
        "math",
        "operator",
        "os",
        "pathlib",
        "pickle",
        "platform",
        "pprint",
        "random",
        "re",
        "secrets",
        "shlex",
        "shutil",
        "sqlite3",
        "statistics",
        "string",
        "struct",
        "sys",
        "tempfile",
        "textwrap",
        "time",
        "types",
        "typing",
        "unicodedata",
        "uuid",
        "zipfile",
        "zlib",
    ];
    let root = name.split('.').next().unwrap_or_default();
    PLAIN.contains(&root)
        || matches!(
            root,
            "__future__"
                | "tarfile"
                | "traceback"
                | "urllib"
                | "warnings"
                | "xml"
                | "zoneinfo"
                | "tomllib"
                | "email"
        )
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|letter: char| letter.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Without what would end a comment.
fn line(text: &str) -> String {
    text.chars().map(|letter| if super::text::is_unprintable(letter) { '?' } else { letter }).collect()
}

fn with_head(head: String, evidence: Vec<String>) -> Vec<String> {
    std::iter::once(head).chain(evidence).collect()
}

/// Comments above a line, each once.
fn comments(out: &mut String, indent: &str, evidence: Vec<String>) {
    let mut told: Vec<&String> = Vec::new();
    for one in &evidence {
        if !told.contains(&one) {
            told.push(one);
        }
    }
    for one in told.iter().take(MOST_PLACES + 1) {
        out.push_str(&format!("{indent}# {one}\n"));
    }
    if told.len() > MOST_PLACES + 1 {
        out.push_str(&format!("{indent}# and {} more\n", told.len() - MOST_PLACES - 1));
    }
}

#[cfg(test)]
mod tests;
