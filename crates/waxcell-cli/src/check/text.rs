//! For people: as a compiler would show it.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use waxcell::policy::showable;
use waxcell_analysis::{Finding, Severity};

use super::Checked;
use crate::args::{Color, Common};
use crate::edge;

/// Longer pieces of a script are not shown, only their place.
const MOST_SHOWN: usize = 400;

pub(super) fn render(checked: &[Checked], common: &Common, unused_nosec: bool) -> String {
    let color = match common.color {
        Color::Auto => edge::color(common) && std::io::stdout().is_terminal(),
        _ => edge::color(common),
    };
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for file in checked {
        if let Some(why) = &file.unread {
            let _ = writeln!(
                text,
                "error: `{}` was not checked: {why}\n",
                edge::printable(&file.path.to_string_lossy())
            );
        }
        for told in file.new_findings() {
            let _ = writeln!(text, "{}\n", one(file, &told.finding, &renderer));
        }
    }
    for file in checked.iter().filter(|_| unused_nosec) {
        let path = edge::printable(&file.path.to_string_lossy());
        for line in &file.silenced.unused {
            let _ = writeln!(text, "note: the comment `nosec` in {path}:{line} silences nothing\n");
        }
    }
    if common.quiet { text } else { text + &summary(checked) }
}

fn one(file: &Checked, finding: &Finding, renderer: &Renderer) -> String {
    let path = edge::printable(&file.path.to_string_lossy());
    let level = match finding.severity {
        Severity::High => Level::ERROR,
        Severity::Medium => Level::WARNING,
        Severity::Low => Level::NOTE,
    };
    let message = edge::printable(&finding.message);
    let title = level.primary_title(&message).id(finding.rule);
    let help = Level::HELP.message(&finding.help);
    match excerpt(&file.source, finding) {
        Some((lines, place)) => {
            let lines = showable(lines);
            let snippet = Snippet::source(lines)
                .line_start(finding.span.line)
                .path(path)
                .annotation(AnnotationKind::Primary.span(place));
            renderer.render(&[title.element(snippet).element(help)])
        }
        None => {
            let origin = Origin::path(path).line(finding.span.line).char_column(finding.span.column);
            renderer.render(&[title.element(origin).element(help)])
        }
    }
}

/// The lines that a finding is about and its place in them; of several lines only the first.
fn excerpt<'a>(source: &'a [u8], finding: &Finding) -> Option<(&'a str, Range<usize>)> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let (start, end) = (finding.span.start.min(source.len()), finding.span.end.min(source.len()));
    let from = source[..start].iter().rposition(is_end).map_or(0, |at| at + 1);
    let to = source[start..].iter().position(is_end).map_or(source.len(), |at| start + at);
    // In another encoding, or beside a byte-order mark, bytes and characters do not stand where they seem to.
    let line = std::str::from_utf8(&source[from..to]).ok()?;
    let is_fit = line.len() <= MOST_SHOWN && !line.starts_with('\u{feff}');
    is_fit.then_some((line, start - from..end.clamp(start, to) - from))
}

/// How much was found, in one line.
pub(super) fn summary(checked: &[Checked]) -> String {
    let count = |severity| {
        checked
            .iter()
            .flat_map(Checked::new_findings)
            .filter(|told| told.finding.severity == severity)
            .count()
    };
    let [high, medium, low] = [Severity::High, Severity::Medium, Severity::Low].map(count);
    let known = checked.iter().flat_map(|file| &file.findings).filter(|told| told.known).count();
    let unchecked = checked.iter().filter(|file| !file.is_analysed()).count();
    let mut text = match checked.len() {
        1 => "1 file, ".to_owned(),
        files => format!("{files} files, "),
    };
    text += &match high + medium + low {
        0 => "nothing found".to_owned(),
        1 => "1 finding".to_owned(),
        all => format!("{all} findings: {high} high, {medium} medium, {low} low"),
    };
    if known > 0 {
        let _ = write!(text, "; {known} more are in the baseline");
    }
    let silenced: usize = checked.iter().map(|file| file.silenced.all + file.silenced.named).sum();
    if silenced > 0 {
        let _ = write!(text, "; {silenced} silenced by comments");
    }
    let unused: usize = checked.iter().map(|file| file.silenced.unused.len()).sum();
    if unused > 0 {
        let comments = if unused == 1 { "comment silences" } else { "comments silence" };
        let _ = write!(text, "; {unused} {comments} nothing");
    }
    if unchecked > 0 {
        let _ = write!(text, "; {unchecked} NOT ANALYSED");
    }
    text + "\n"
}
