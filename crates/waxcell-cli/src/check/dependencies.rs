//! What is known of dependencies: asked for with `--osv-db`, told beside what is found in scripts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use waxcell::dependencies::{
    self, Audit, Entry, Import, Importing, Level, Place, Question, Source, Status, Vulnerability,
};
use waxcell::interpreter::{self, Search};
use waxcell_analysis::{
    About, Capabilities, Certainty, Class, Confidence, Evidence, Family, Finding, Profile, RULES, Severity,
    Span, Target, fingerprint_of,
};

use super::github::{message, property};
use super::{Checked, Told, files};
use crate::args::Check;
use crate::edge;

const RULE: &str = "vulnerable-dependency";

/// Of so many vulnerabilities the names are told in one message.
const MOST_NAMED: usize = 5;

/// The lists and lock files that are read again to show their lines are not larger.
const MAX_SHOWN: u64 = 64 << 20;

/// What a script imports, and its bytes if a block in them may ask for more.
pub(super) fn importing(path: &Path, source: &[u8], capabilities: &Capabilities) -> Importing {
    let modules = capabilities.entries.iter().filter(|entry| entry.family == Family::Modules);
    let imports = modules.flat_map(|entry| {
        let module = match &entry.target {
            Target::Module { name, .. } if entry.certainty == Certainty::Exact => name.clone(),
            _ => None,
        };
        let import = move |place: &Evidence| Import {
            module: module.clone(),
            line: place.line,
            column: place.column,
            is_optional: place.optional,
        };
        entry.places.iter().map(import)
    });
    let has_block = source.windows(12).any(|bytes| bytes == b"# /// script");
    Importing {
        path: path.to_owned(),
        source: if has_block { source.to_vec() } else { Vec::new() },
        imports: imports.collect(),
        is_complete: capabilities.complete,
    }
}

/// Audits what was checked, if there is a database, and puts what is found beside the other findings.
#[expect(clippy::disallowed_methods, reason = "this is the edge, which reads the clock")]
pub(super) fn audit(command: &Check, profile: &Profile, checked: &mut Vec<Checked>) -> Option<Audit> {
    let database = command.osv_db.as_deref()?;
    let scripts: Vec<Importing> = checked.iter_mut().filter_map(|file| file.importing.take()).collect();
    let found = edge::caller().ok().and_then(|caller| {
        let search = Search::of(&caller, &caller.cwd);
        interpreter::find(None, &search).ok()
    });
    let audit = dependencies::audit(&Question {
        scripts: &scripts,
        files: &command.requirements,
        database,
        max_age_days: command.osv_max_age,
        interpreter: found.as_ref(),
        now: SystemTime::now(),
    });
    let is_asked = RULES.iter().any(|rule| rule.id == RULE && profile.selects(rule))
        && profile.confidence <= Confidence::High;
    if is_asked {
        for (entry, vulnerabilities) in audit.vulnerable() {
            let severity = severity(vulnerabilities);
            if severity >= profile.severity {
                put(entry, vulnerabilities, severity, checked);
            }
        }
        checked.iter_mut().for_each(|file| file.findings.sort_by_key(|told| told.finding.span.line));
    }
    Some(audit)
}

/// One that nobody has rated may be of the worst.
fn severity(vulnerabilities: &[Vulnerability]) -> Severity {
    let of = |one: &Vulnerability| match one.level {
        Some(Level::Low) => Severity::Low,
        Some(Level::Medium) => Severity::Medium,
        Some(Level::High | Level::Critical) | None => Severity::High,
    };
    vulnerabilities.iter().map(of).max().unwrap_or(Severity::High)
}

/// Puts a finding into each file that asks for it, at the first place.
fn put(entry: &Entry, vulnerabilities: &[Vulnerability], severity: Severity, checked: &mut Vec<Checked>) {
    let mut first: BTreeMap<&str, &Source> = BTreeMap::new();
    for source in &entry.sources {
        first.entry(source.place.file.as_str()).or_insert(source);
    }
    let ids: Vec<&str> = vulnerabilities.iter().map(|one| one.id.as_str()).collect();
    for (name, source) in first {
        let at = checked.iter().position(|file| file.path.to_string_lossy() == name).unwrap_or_else(|| {
            let path = PathBuf::from(name);
            let file = Checked { path, ..Checked::default() };
            checked.push(file);
            checked.len() - 1
        });
        let file = &mut checked[at];
        if file.source.is_empty() {
            file.source = files::read(&file.path, MAX_SHOWN).unwrap_or_default();
        }
        let finding = Finding {
            rule: RULE,
            class: Class::Hygiene,
            severity,
            confidence: Confidence::High,
            message: said(entry, source, vulnerabilities),
            span: span(&file.source, &source.place),
            help: help(vulnerabilities),
            about: About::default(),
        };
        // Another vulnerability is another finding, even if an earlier report has this dependency.
        let fingerprint = fingerprint_of(RULE, &format!("{} {}", entry.name, ids.join(" ")));
        file.findings.push(Told { finding, fingerprint, known: false });
    }
}

fn said(entry: &Entry, source: &Source, vulnerabilities: &[Vulnerability]) -> String {
    let mut text = format!("`{}` {}", entry.name, entry.version.as_deref().unwrap_or_default());
    if !source.through.is_empty() {
        let through: Vec<String> = source.through.iter().map(|name| format!("`{name}`")).collect();
        let _ = write!(text, ", used through {},", through.join(" and "));
    }
    if let [one] = vulnerabilities {
        let _ = write!(text, " is vulnerable: {}", name(one));
        if !one.summary.is_empty() {
            let _ = write!(text, ": {}", one.summary.trim_end_matches('.'));
        }
        return text;
    }
    let names: Vec<String> = vulnerabilities.iter().take(MOST_NAMED).map(name).collect();
    let _ = write!(text, " has {} known vulnerabilities: {}", vulnerabilities.len(), names.join("; "));
    if vulnerabilities.len() > MOST_NAMED {
        let _ = write!(text, "; and {} more", vulnerabilities.len() - MOST_NAMED);
    }
    text
}

/// `GHSA-1 (CVE-1, PYSEC-1, high 7.5)`.
fn name(one: &Vulnerability) -> String {
    let score = one.score.map(|score| format!(" {score:.1}")).unwrap_or_default();
    let level = one.level.map(|level| format!("{level}{score}"));
    let inside: Vec<String> = one.aliases.iter().cloned().chain(level).collect();
    if inside.is_empty() { one.id.clone() } else { format!("{} ({})", one.id, inside.join(", ")) }
}

fn help(vulnerabilities: &[Vulnerability]) -> String {
    let fixed: Option<Vec<&str>> = vulnerabilities.iter().map(|one| one.fixed.as_deref()).collect();
    match fixed.as_deref() {
        Some([one]) => format!("use {one} or a later version"),
        Some(several) => {
            let mut several = several.to_vec();
            several.sort_unstable();
            several.dedup();
            format!("use a version in which all is repaired: {}", several.join(" and "))
        }
        None => "do without it: not for all of it is there a version in which it is repaired".to_owned(),
    }
}

/// The rest of a line, from a place on.
fn span(source: &[u8], place: &Place) -> Span {
    let nothing = Span { start: 0, end: 0, line: place.line, column: place.column };
    let line_ends = source.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let Some(from) = std::iter::once(0).chain(line_ends).nth(place.line - 1) else { return nothing };
    let rest = &source[from..];
    let rest = &rest[..rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())];
    let Ok(text) = std::str::from_utf8(rest) else { return nothing };
    let start = text.char_indices().nth(place.column - 1).map_or(0, |(at, _)| at);
    let start = start + text[start..].len() - text[start..].trim_start().len();
    let column = text[..start].chars().count() + 1;
    Span { start: from + start, end: from + text.trim_end().len().max(start), line: place.line, column }
}

/// What is not known, and where it is asked for.
pub(super) fn gaps(audit: Option<&Audit>) -> Vec<(Option<&Place>, String)> {
    let Some(audit) = audit else { return Vec::new() };
    let whole = audit.gaps.iter().map(|gap| (None, gap.clone()));
    let entries = audit.not_audited().map(|(entry, reason)| {
        let version = entry.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let place = entry.sources.first().map(|source| &source.place);
        (place, format!("`{}`{version} was not audited: {reason}", entry.name))
    });
    let doubts = audit.entries.iter().flat_map(|entry| {
        let undecided = match &entry.status {
            Status::Vulnerable { undecided, .. } => undecided.as_slice(),
            _ => &[],
        };
        let place = entry.sources.first().map(|source| &source.place);
        undecided
            .iter()
            .map(move |why| (place, format!("`{}` was not compared with all advisories: {why}", entry.name)))
    });
    whole.chain(entries).chain(doubts).collect()
}

/// For people, behind what was found.
pub(super) fn text(audit: Option<&Audit>) -> String {
    let Some(audit) = audit else { return String::new() };
    let mut text = String::new();
    for fault in &audit.database.faults {
        let (file, why) = (edge::printable(&fault.file), edge::printable(&fault.why));
        let _ = writeln!(text, "warning: `{file}` of the database was not read: {why}");
    }
    for (place, what) in gaps(Some(audit)) {
        let place = place
            .map(|place| format!("{}:{}: ", edge::printable(&place.file), place.line))
            .unwrap_or_default();
        let _ = writeln!(text, "warning: {place}{}", edge::printable(&what));
    }
    text + &summary(audit)
}

fn summary(audit: &Audit) -> String {
    let (all, vulnerable, open) =
        (audit.entries.len(), audit.vulnerable().count(), audit.not_audited().count());
    let count = |count: usize, one: &str, more: &str| {
        if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
    };
    let mut text = format!("{}: {vulnerable} vulnerable", count(all, "dependency", "dependencies"));
    if open > 0 {
        let _ = write!(text, ", {open} NOT AUDITED");
    }
    if !audit.is_complete() {
        text += "; the audit is INCOMPLETE";
    }
    let age = match (audit.database.newest, audit.database.age_days) {
        (Some(newest), Some(days)) => {
            let day = humantime::format_rfc3339_seconds(newest).to_string();
            format!(
                ", last changed on {} ({} ago)",
                day.get(..10).unwrap_or(&day),
                count(days as usize, "day", "days")
            )
        }
        _ => String::new(),
    };
    let (path, about) = (edge::printable(&audit.database.path), audit.database.about_python);
    text + &format!(
        "\ndatabase `{path}`: {} about packages of Python{age}\n",
        count(about, "entry", "entries")
    )
}

/// Annotations of GitHub Actions.
pub(super) fn annotations(audit: Option<&Audit>) -> String {
    let annotation = |(place, what): (Option<&Place>, String)| match place {
        Some(place) => {
            let (file, line) = (property(&place.file), place.line);
            format!("::warning file={file},line={line},title=not audited::{}\n", message(&what))
        }
        None => format!("::warning title=audit incomplete::{}\n", message(&what)),
    };
    let text: String = gaps(audit).into_iter().map(annotation).collect();
    text + &audit.map(summary).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use waxcell::dependencies::Place;

    use super::span;

    #[test]
    fn a_place_is_the_rest_of_its_line() {
        let text = "import a, b  \r\n  \u{fc}: c\nlast".as_bytes();
        let of = |line, column| {
            let span = span(text, &Place { file: String::new(), line, column });
            (std::str::from_utf8(&text[span.start..span.end]).unwrap(), span.column)
        };
        assert_eq!(of(1, 1), ("import a, b", 1));
        assert_eq!(of(1, 11), ("b", 11));
        assert_eq!(of(2, 1), ("\u{fc}: c", 3));
        assert_eq!([of(3, 1), of(4, 1), of(3, 99)], [("last", 1), ("", 1), ("last", 1)]);
    }
}
