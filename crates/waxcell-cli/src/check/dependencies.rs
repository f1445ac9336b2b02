//! What is known of dependencies: asked for with `--osv-db`, told beside what is found in scripts.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use waxcell::dependencies::{self, Audit, Importing, Place, Question};
use waxcell::interpreter::{self, Search};
use waxcell_analysis::{Capabilities, Profile, RULES};

use super::github::{message, property};
use super::{Checked, Told, files};
use crate::args::Check;
use crate::edge;

/// The lists and lock files that are read again to show their lines are not larger.
const MAX_SHOWN: u64 = 64 << 20;

/// What a script imports, and its bytes if a block in them may ask for more.
pub(super) fn importing(path: &Path, source: &[u8], capabilities: &Capabilities) -> Importing {
    let has_block = source.windows(12).any(|bytes| bytes == b"# /// script");
    Importing {
        path: path.to_owned(),
        source: if has_block { source.to_vec() } else { Vec::new() },
        imports: dependencies::imports(capabilities),
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
    let is_asked = RULES.iter().any(|rule| rule.id == dependencies::VULNERABLE && profile.selects(rule));
    if is_asked {
        put(&audit, profile, checked);
    }
    Some(audit)
}

/// Puts findings into the files that they are about.
fn put(audit: &Audit, profile: &Profile, checked: &mut Vec<Checked>) {
    let sources = audit.vulnerable().flat_map(|(entry, _)| &entry.sources);
    let files: BTreeSet<&str> = sources.map(|source| source.place.file.as_str()).collect();
    for name in files {
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
        let found = dependencies::vulnerable(audit, name, &file.source).into_iter();
        let told = found.filter(|(finding, _)| finding.severity >= profile.severity);
        file.findings.extend(told.map(|(finding, fingerprint)| Told { finding, fingerprint, known: false }));
        file.findings.sort_by_key(|told| told.finding.span.line);
    }
}

/// What is not known, and where it is asked for.
pub(super) fn gaps(audit: Option<&Audit>) -> Vec<(Option<&Place>, String)> {
    let Some(audit) = audit else { return Vec::new() };
    let whole = audit.gaps.iter().map(|gap| (None, gap.clone()));
    let entries = dependencies::doubts(audit)
        .into_iter()
        .map(|(entry, doubt)| (entry.sources.first().map(|source| &source.place), doubt));
    whole.chain(entries).collect()
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
