//! What is wrong in a file, where, and what to do: collected while decoding, shown as a compiler would.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::text::{escaped, is_unprintable};

/// Most problems that are listed of one file.
const MOST: usize = 100;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// The policy can be used; its author should know.
    Warning,
}

/// One problem, with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop, input in backticks.
    pub message: String,
    /// The offending text, in bytes of the source.
    pub span: Range<usize>,
    /// Line of its first character, from 1.
    pub line: usize,
    /// Column of its first character, from 1, in characters.
    pub column: usize,
    /// A short note beside the offending text; may be empty.
    pub label: String,
    /// Another place that matters, with a note beside it.
    pub context: Option<(Range<usize>, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Sets the note beside the offending text.
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = escaped(&label.into());
        self
    }

    /// Says what to do about it.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(escaped(&help.into()));
        self
    }

    /// Points at another place that matters.
    pub(super) fn context(&mut self, span: Range<usize>, label: impl Into<String>) -> &mut Self {
        self.context = Some((span, escaped(&label.into())));
        self
    }
}

/// Collects the problems of one text.
#[derive(Debug)]
pub(super) struct Diagnostics<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    list: Vec<Diagnostic>,
    /// The last one that found no place in the list.
    dropped: Option<Diagnostic>,
}

impl<'a> Diagnostics<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Diagnostics { text, line_starts, list: Vec::new(), dropped: None }
    }

    /// Adds an error at `span`.
    pub(super) fn error(&mut self, span: &Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, span, message.into())
    }

    /// Adds a warning at `span`.
    pub(super) fn warning(&mut self, span: &Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, span, message.into())
    }

    /// Whether nothing was found so far.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The line that `offset` is on, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// Everything collected, in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| (d.span.start, d.severity));
        self.list
    }

    /// Adds a problem. Once the list is full, an error takes the place of a warning and everything else is dropped: an
    /// error is only ever lost among a hundred others.
    fn add(&mut self, severity: Severity, span: &Range<usize>, message: String) -> &mut Diagnostic {
        let place = match severity {
            _ if self.list.len() < MOST => Some(self.list.len()),
            Severity::Error => self.list.iter().rposition(|other| other.severity == Severity::Warning),
            Severity::Warning => None,
        };
        let line = self.line(span.start);
        // Counting through a line of a megabyte takes a while, and a file can have ten thousand problems: the column of
        // one that is dropped is not looked for.
        let start = place.map_or(span.start, |_| self.line_starts[line - 1]);
        let before = self.text.get(start..span.start).unwrap_or_default();
        let diagnostic = Diagnostic {
            severity,
            // Whatever a message was made of: nothing of it reaches a terminal as a command.
            message: escaped(&message),
            span: span.clone(),
            line,
            column: before.chars().count() + 1,
            label: String::new(),
            context: None,
            help: None,
        };
        match place.map(|place| (place, self.list.get_mut(place))) {
            None => self.dropped.insert(diagnostic),
            Some((place, None)) => {
                self.list.push(diagnostic);
                &mut self.list[place]
            }
            Some((place, Some(warning))) => {
                *warning = diagnostic;
                &mut self.list[place]
            }
        }
    }
}

/// All that is to be said about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What messages call the file; `None` is the built-in policy.
    pub path: Option<PathBuf>,
    /// SHA-256 of the file's bytes.
    pub sha256: [u8; 32],
    /// The whole text.
    pub text: String,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// The first error, in the order of the file.
    pub fn first_error(&self) -> Option<&Diagnostic> {
        self.diagnostics.iter().find(|d| d.severity == Severity::Error)
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }

    /// For people, as a compiler would show it; empty if there is nothing to say, else ends with a line break.
    pub fn render(&self, color: bool) -> String {
        let rendered: Vec<String> = self.diagnostics.iter().map(|d| self.render_one(d, color)).collect();
        rendered.join("\n")
    }

    /// For programs: a list of `{file, line, column, severity, message, help}`.
    pub fn to_json(&self) -> serde_json::Value {
        let file = self.path.as_ref().map(|path| path.to_string_lossy());
        let entries = self.diagnostics.iter().map(|d| {
            serde_json::json!({
                "file": file, "line": d.line, "column": d.column,
                "severity": d.severity, "message": d.message, "help": d.help,
            })
        });
        entries.collect()
    }

    fn name(&self) -> String {
        match &self.path {
            Some(path) => escaped(&path.to_string_lossy()),
            None => "the built-in policy".to_owned(),
        }
    }

    fn render_one(&self, diagnostic: &Diagnostic, color: bool) -> String {
        // Only the lines concerned are handed over: a renderer that reads a megabyte for each of a hundred
        // problems is slow.
        let context = diagnostic.context.as_ref().filter(|(span, _)| span.end <= self.text.len());
        let first = context.map_or(diagnostic.span.start, |(span, _)| span.start.min(diagnostic.span.start));
        let last = context.map_or(diagnostic.span.end, |(span, _)| span.end.max(diagnostic.span.end));
        let start = self.text[..first].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[last..].find('\n').map_or(self.text.len(), |at| last + at);
        let shift = |span: &Range<usize>| span.start - start..span.end - start;

        let mut snippet = Snippet::source(showable(&self.text[start..end]))
            .line_start(self.text[..start].matches('\n').count() + 1)
            .path(self.name())
            .annotation(AnnotationKind::Primary.span(shift(&diagnostic.span)).label(&diagnostic.label));
        if let Some((span, label)) = context {
            snippet = snippet.annotation(AnnotationKind::Context.span(shift(span)).label(label));
        }
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = level.primary_title(&diagnostic.message).element(snippet);
        render(&[with_help(group, diagnostic.help.as_deref())], color)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.count(Severity::Error);
        let plural = if errors == 1 { "" } else { "s" };
        match &self.path {
            Some(_) => write!(f, "policy `{}` has {errors} error{plural}", self.name()),
            None => write!(f, "the built-in policy has {errors} error{plural}"),
        }
    }
}

/// Lines of a file, fit for a terminal and of the same length. The renderer replaces control characters of ASCII by
/// itself, and no others.
pub fn showable(lines: &str) -> String {
    let stand_in = |c: char| match c {
        _ if c.is_ascii() || !is_unprintable(c) => c,
        _ if c.len_utf8() == 2 => '·',
        _ => '␦',
    };
    lines.chars().map(stand_in).collect()
}

/// An error without a line to show, in the same dress; with its file, line and column if it has them.
pub(super) fn render_plain(
    message: &str,
    place: Option<(&Path, (usize, usize))>,
    help: &str,
    color: bool,
) -> String {
    let mut group = Group::with_title(Level::ERROR.primary_title(escaped(message)));
    if let Some((path, (line, column))) = place {
        let name = escaped(&path.to_string_lossy());
        group = group.element(Origin::path(name).line(line).char_column(column));
    }
    render(&[with_help(group, Some(help))], color)
}

fn with_help<'a>(group: Group<'a>, help: Option<&'a str>) -> Group<'a> {
    match help {
        Some(help) => group.element(Level::HELP.message(help)),
        None => group,
    }
}

fn render(groups: &[Group<'_>], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = renderer.render(groups);
    out.push('\n');
    out
}
