//! YAML text as a tree in which every node knows its place. A small, strict YAML: one document, no tags, no anchors,
//! no directives, no duplicate keys.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::diagnostic::Diagnostics;
use super::text::{is_deceptive, quoted};

/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most nodes.
const MAX_NODES: usize = 10_000;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// In bytes of the text.
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Keys with their values, in the order of the file, without duplicates.
    Map(Vec<(Key, Node)>),
    Seq(Vec<Node>),
    Scalar {
        text: String,
        /// Whether it stood in quotes or in a block, and is therefore text whatever it looks like.
        quoted: bool,
    },
    /// Nothing, `~` or `null`.
    Null,
}

/// A key of a mapping and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

impl Value {
    /// What it is, for messages.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Value::Map(_) => "keys with values",
            Value::Seq(_) => "a list",
            Value::Scalar { .. } => "a single value",
            Value::Null => "nothing",
        }
    }
}

/// Parses a text. Problems are added to `diagnostics`; `None` means that there is no tree worth reading.
pub(super) fn parse(text: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Node> {
    if refuse_hidden_characters(text, diagnostics) | refuse_directives(text, diagnostics) {
        return None;
    }
    Builder { text, offsets: Offsets::new(text), diagnostics, open: Vec::new(), root: None, nodes: 0 }.run()
}

/// Refuses what a reader does not see, and what the scanner takes for the end of the text (NUL).
fn refuse_hidden_characters(text: &str, diagnostics: &mut Diagnostics<'_>) -> bool {
    let hidden = text.char_indices().find(|(at, c)| match c {
        '\n' | '\t' => false,
        '\r' => text.as_bytes().get(at + 1) != Some(&b'\n'),
        _ => c.is_control() || is_deceptive(*c),
    });
    let Some((at, c)) = hidden else { return false };
    let (what, help) = match c {
        '\r' => ("a carriage return without a line feed", "end lines with LF or CR LF"),
        _ if is_deceptive(c) => {
            ("a character that shows another text than it is", "remove it; a policy must read as it acts")
        }
        '\0' => (
            "a control character",
            "remove it; a file with many of them is UTF-16, and has to be saved as UTF-8",
        ),
        _ => ("a control character", "remove it"),
    };
    diagnostics
        .error(&(at..at + c.len_utf8()), format!("the policy contains {what}, U+{:04X}", u32::from(c)))
        .help(help);
    true
}

fn refuse_directives(text: &str, diagnostics: &mut Diagnostics<'_>) -> bool {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if bare.starts_with('%') && line.starts_with('%') {
            diagnostics
                .error(&(at..at + bare.len()), "YAML directives are not supported")
                .help("remove the line; a policy is read as YAML 1.2");
            return true;
        }
        if !bare.is_empty() && !bare.starts_with('#') {
            return false;
        }
        at += line.len();
    }
    false
}

/// From characters, in which the scanner counts, to bytes.
struct Offsets {
    /// Of each character and of the end; `None` where each character is one byte.
    bytes: Option<Vec<usize>>,
    len: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let end = std::iter::once(text.len());
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).chain(end).collect());
        Offsets { bytes, len: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.len),
            None => character.min(self.len),
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}

/// A collection whose end has not come yet.
enum Open {
    Map {
        start: usize,
        entries: Vec<(Key, Node)>,
        seen: HashMap<String, Range<usize>>,
        key: Option<PendingKey>,
    },
    Seq {
        start: usize,
        items: Vec<Node>,
    },
}

impl Open {
    fn start(&self) -> usize {
        match self {
            Open::Map { start, .. } | Open::Seq { start, .. } => *start,
        }
    }
}

/// A key whose value has not come yet. Of one that was refused the value is still read, and dropped.
enum PendingKey {
    Good(Key),
    Refused,
}

struct Builder<'t, 'd, 'x> {
    text: &'t str,
    offsets: Offsets,
    diagnostics: &'d mut Diagnostics<'x>,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

/// There is no use in reading on; what is wrong has been said.
struct Stop;

impl<'t> Builder<'t, '_, '_> {
    fn run(mut self) -> Option<Node> {
        let mut parser: Parser<'t, StrInput<'t>> = Parser::new_from_str(self.text);
        let mut documents = 0;
        loop {
            let (event, span) = match parser.next_event()? {
                Ok(next) => next,
                Err(error) => {
                    self.refuse_syntax(&error);
                    return None;
                }
            };
            if matches!(event, Event::StreamEnd) {
                return self.root;
            }
            if matches!(event, Event::DocumentStart(_)) {
                documents += 1;
                if documents > 1 {
                    self.diagnostics
                        .error(
                            &self.offsets.range(span),
                            "a policy is one YAML document, this begins another",
                        )
                        .help("keep one document a file, without `---` between");
                    return None;
                }
            }
            if self.take(event, span).is_err() {
                return None;
            }
        }
    }

    fn take(&mut self, event: Event<'t>, span: Span) -> Result<(), Stop> {
        let range = self.offsets.range(span);
        match event {
            Event::Alias(_) => {
                self.diagnostics
                    .error(&range, "YAML aliases are not supported")
                    .help("write the value out; a policy must say in each place what holds there");
                Err(Stop)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_decoration(&range, anchor > 0, tag.is_some());
                let quoted = style != ScalarStyle::Plain;
                let is_null = !quoted && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value =
                    if is_null { Value::Null } else { Value::Scalar { text: text.into_owned(), quoted } };
                self.count(&range)?;
                self.attach(Node { span: self.trim(range), value })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_decoration(&range, anchor > 0, tag.is_some());
                self.begin(&range, Open::Seq { start: range.start, items: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_decoration(&range, anchor > 0, tag.is_some());
                let (entries, seen) = (Vec::new(), HashMap::new());
                self.begin(&range, Open::Map { start: range.start, entries, seen, key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(range.end),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, range: &Range<usize>, open: Open) -> Result<(), Stop> {
        self.count(range)?;
        if self.open.len() == MAX_DEPTH {
            self.refuse_depth(range);
            return Err(Stop);
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, end: usize) -> Result<(), Stop> {
        let (start, value) = match self.open.pop() {
            Some(Open::Map { start, entries, .. }) => (start, Value::Map(entries)),
            Some(Open::Seq { start, items }) => (start, Value::Seq(items)),
            None => return Ok(()),
        };
        let span = self.trim(start..end.max(start));
        self.attach(Node { span, value })
    }

    fn count(&mut self, range: &Range<usize>) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        self.diagnostics
            .error(range, format!("more than {MAX_NODES} values"))
            .help("name folders instead of single files, and `*.name` instead of single names");
        Err(Stop)
    }

    /// Puts a finished node where it belongs: the root, a list, the key or the value of a mapping.
    fn attach(&mut self, node: Node) -> Result<(), Stop> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::Seq { items, .. }) => items.push(node),
            Some(Open::Map { entries, seen, key, .. }) => match key.take() {
                Some(PendingKey::Good(key)) => entries.push((key, node)),
                Some(PendingKey::Refused) => {}
                None => *key = Some(pending_key(node, seen, self.diagnostics)),
            },
        }
        Ok(())
    }

    fn refuse_decoration(&mut self, range: &Range<usize>, anchor: bool, tag: bool) {
        if anchor {
            let span = self.decoration_before(range, '&');
            self.diagnostics
                .error(&span, "YAML anchors are not supported")
                .help("write the value out where it is needed");
        }
        if tag {
            let span = self.decoration_before(range, '!');
            self.diagnostics
                .error(&span, "YAML tags are not supported")
                .help("remove the tag; each key knows the type of its value");
        }
    }

    /// The scanner gives the place of a value without its `&anchor` and `!tag`, which stand before it.
    fn decoration_before(&self, range: &Range<usize>, sign: char) -> Range<usize> {
        let before = &self.text[..range.start];
        let Some(start) = (match self.text[range.start..].starts_with(sign) {
            true => Some(range.start),
            false => before.rfind(sign),
        }) else {
            return range.clone();
        };
        let length = self.text[start..]
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'))
            .unwrap_or(self.text.len() - start);
        // A tag begins with its first exclamation mark: `!!str`.
        let first = self.text[..start].trim_end_matches(sign).len();
        first..start + length
    }

    fn refuse_depth(&mut self, range: &Range<usize>) {
        self.diagnostics
            .error(range, format!("nested more than {MAX_DEPTH} levels deep"))
            .help("no key of a policy needs that");
    }

    fn refuse_syntax(&mut self, error: &ScanError) {
        let at = self.offsets.byte(error.marker().index());
        // The end of the text cannot be underlined; the last character that is not space can.
        let at = if at >= self.text.len() { self.text.trim_end().len() } else { at };
        let width = self.text[at..].chars().next().map_or(0, |c| if c == '\n' { 0 } else { c.len_utf8() });
        // The scanner has a limit of its own, beyond ours.
        if error.info().contains("recursion limit") {
            self.refuse_depth(&(at..at + width));
            return;
        }
        let info = error.info();
        let tab = info.contains("tab") || self.line_at(at).starts_with('\t');
        let help = match self.text[at..].chars().next() {
            _ if tab => "indent with spaces; YAML does not allow tabs there",
            _ if info.contains("must be followed by a valid YAML whitespace") => {
                "write a space after the `:`"
            }
            Some('*' | '&' | '!' | '@' | '%' | '`' | '{' | '|' | '>') => {
                "put the value in quotes; without them this character has a meaning of its own"
            }
            _ => "check indentation, colons and quotes on this line and the one before",
        };
        let needs_quotes = help.starts_with("put the value in quotes");
        let unclosed = self
            .open
            .last()
            .filter(|_| !needs_quotes)
            .map(Open::start)
            .filter(|start| self.text[*start..].starts_with(['[', '{']));
        let diagnostic =
            self.diagnostics.error(&(at..at + width), format!("not valid YAML: {}", error.info()));
        match unclosed {
            Some(start) => diagnostic.help("close the bracket").context(start..start + 1, "opened here"),
            None => diagnostic.help(help),
        };
    }

    fn line_at(&self, at: usize) -> &str {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        self.text[start..].lines().next().unwrap_or_default()
    }

    /// Without the white space that the scanner counts to the end of a plain value.
    fn trim(&self, range: Range<usize>) -> Range<usize> {
        let slice = self.text.get(range.clone()).unwrap_or_default();
        range.start..range.start + slice.trim_end().len()
    }
}

fn pending_key(
    node: Node,
    seen: &mut HashMap<String, Range<usize>>,
    diagnostics: &mut Diagnostics<'_>,
) -> PendingKey {
    let Value::Scalar { text, .. } = node.value else {
        diagnostics
            .error(&node.span, format!("a key must be a name, not {}", node.value.describe()))
            .help("write `name: value`");
        return PendingKey::Refused;
    };
    if let Some(first) = seen.get(&text) {
        diagnostics
            .error(&node.span, format!("key {} is written twice", quoted(&text)))
            .label("again here")
            .context(first.clone(), "first here")
            .help("keep one of them");
        return PendingKey::Refused;
    }
    seen.insert(text.clone(), node.span.clone());
    PendingKey::Good(Key { text, span: node.span })
}
