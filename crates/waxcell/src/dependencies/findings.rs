//! What an audit says about a file, as findings.

use std::fmt::Write as _;

use waxcell_analysis::{
    About, Capabilities, Certainty, Class, Confidence, Evidence, Family, Finding, Severity, Span, Target,
    fingerprint_of,
};
use waxcell_dependencies::{Audit, Entry, Level, Place, Source, Status, Vulnerability};

use super::Import;

/// The rule of what is known to be vulnerable.
pub const VULNERABLE: &str = "vulnerable-dependency";

/// The rule of what nobody knows.
pub const UNAUDITED: &str = "unaudited-dependency";

/// Of so many vulnerabilities the names are told in one message.
const MOST_NAMED: usize = 5;

/// The modules among what a script can use.
pub fn imports(capabilities: &Capabilities) -> Vec<Import> {
    let modules = capabilities.entries.iter().filter(|entry| entry.family == Family::Modules);
    let import = |module: Option<&String>, place: &Evidence| Import {
        module: module.cloned(),
        line: place.line,
        column: place.column,
        is_optional: place.optional,
    };
    let of = modules.flat_map(|entry| {
        let module = match &entry.target {
            Target::Module { name, .. } if entry.certainty == Certainty::Exact => name.as_ref(),
            _ => None,
        };
        entry.places.iter().map(move |place| import(module, place))
    });
    of.collect()
}

/// What a file asks for that is vulnerable: a finding for each dependency, where it is asked for first, and what tells it
/// from others. Another vulnerability is another finding, even of the same dependency.
pub fn vulnerable(audit: &Audit, file: &str, text: &[u8]) -> Vec<(Finding, String)> {
    let mut found = Vec::new();
    for (entry, vulnerabilities) in audit.vulnerable() {
        let Some(source) = first(entry, file) else { continue };
        let ids: Vec<&str> = vulnerabilities.iter().map(|one| one.id.as_str()).collect();
        let finding = Finding {
            rule: VULNERABLE,
            class: Class::Hygiene,
            severity: severity(vulnerabilities),
            confidence: Confidence::High,
            message: said(entry, source, vulnerabilities),
            span: span(text, &source.place),
            help: help(vulnerabilities),
            about: About::default(),
        };
        found.push((finding, fingerprint_of(VULNERABLE, &format!("{} {}", entry.name, ids.join(" ")))));
    }
    found
}

/// What nobody knows about what a file asks for; what is missing as a whole stands on its first line.
pub fn unaudited(audit: &Audit, file: &str, text: &[u8]) -> Vec<(Finding, String)> {
    let finding = |message: String, span: Span| {
        let fingerprint = fingerprint_of(UNAUDITED, &message);
        let finding = Finding {
            rule: UNAUDITED,
            class: Class::Hygiene,
            severity: Severity::Medium,
            confidence: Confidence::High,
            message,
            span,
            help: "name a version that a recent and whole database can say something about".to_owned(),
            about: About::default(),
        };
        (finding, fingerprint)
    };
    let beginning = Span { start: 0, end: 0, line: 1, column: 1 };
    let whole = audit
        .gaps
        .iter()
        .map(|gap| finding(format!("the audit of dependencies is incomplete: {gap}"), beginning));
    let entries = doubts(audit)
        .into_iter()
        .filter_map(|(entry, doubt)| Some(finding(doubt, span(text, &first(entry, file)?.place))));
    whole.chain(entries).collect()
}

/// What is not known of single dependencies.
pub fn doubts(audit: &Audit) -> Vec<(&Entry, String)> {
    let mut doubts = Vec::new();
    for entry in &audit.entries {
        let version = entry.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        match &entry.status {
            Status::Ok => {}
            Status::NotAudited { reason } => {
                doubts.push((entry, format!("`{}`{version} was not audited: {reason}", entry.name)));
            }
            Status::Vulnerable { undecided, .. } => doubts.extend(undecided.iter().map(|why| {
                (entry, format!("`{}`{version} was not compared with all advisories: {why}", entry.name))
            })),
        }
    }
    doubts
}

fn first<'a>(entry: &'a Entry, file: &str) -> Option<&'a Source> {
    entry.sources.iter().find(|source| source.place.file == file)
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

#[cfg(test)]
mod tests {
    use waxcell_dependencies::Place;

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
