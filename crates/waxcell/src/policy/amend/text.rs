//! The text itself: where a key is, and how it is changed in the style in which it is written.

use std::ops::Range;
use std::path::Path;

use waxcell_operations::Operation;

use crate::edit::Edit;
use crate::policy::diagnostic::Diagnostics;
use crate::policy::document::{self, Key, Node, Value};
use crate::policy::settings::WRAPPER;
use crate::policy::{keys, paths, written};

const PATHS: &str = "filesystem.allowed_paths";

/// Where a key is, or where it would be.
pub(super) enum Found<'n> {
    There(&'n Key, &'n Node),
    /// In the mapping that stands behind a key (or is the whole policy), under so much of its path.
    Missing(Option<&'n Key>, &'n Node, &'static str),
}

pub(super) fn look_up<'n>(tree: &'n Node, path: &'static str) -> Found<'n> {
    let child = |node: &'n Node, name: &str| match &node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.text == name),
        _ => None,
    };
    let (mut header, mut node) = match child(tree, WRAPPER) {
        Some((key, node)) => (Some(key), node),
        None => (None, tree),
    };
    let mut rest = path;
    loop {
        let (name, below) = rest.split_once('.').unwrap_or((rest, ""));
        match child(node, name) {
            Some((key, node)) if below.is_empty() => return Found::There(key, node),
            Some((key, inner)) => (header, node, rest) = (Some(key), inner, below),
            None => return Found::Missing(header, node, rest),
        }
    }
}

/// A text in which one edit is made.
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) root: &'t Path,
}

impl Text<'_> {
    /// `None`: it is written in a way that is not known here.
    pub(super) fn with(&self, edit: &Edit) -> Option<String> {
        let tree = document::parse(self.text, &mut Diagnostics::new(self.text));
        let key = match edit {
            Edit::Remove { key, .. } | Edit::Add { key, .. } | Edit::Set { key, .. } => *key,
            Edit::AddPath { .. } => PATHS,
        };
        let (header, node) = match tree.as_ref().map(|tree| look_up(tree, key)) {
            Some(Found::There(header, node)) => (header, node),
            Some(Found::Missing(header, map, rest)) => {
                return self.insert(header, map, rest, &fresh(key, edit)?);
            }
            None => return Some(self.text.to_owned() + &block(key, &fresh(key, edit)?, "", self.line_end())),
        };
        match (edit, &node.value) {
            (Edit::Set { value, .. }, Value::Scalar { .. }) => Some(self.replace(node.span.clone(), value)),
            (Edit::Remove { value, .. }, Value::Seq(items)) => {
                let at = items.iter().position(|item| is_same(item, value))?;
                let text = self.without(header, node, items, at)?;
                // It may be there under both of its names.
                match items.iter().filter(|item| is_same(item, value)).count() {
                    1 => Some(text),
                    _ => Text { text: &text, root: self.root }.with(edit),
                }
            }
            (Edit::Add { value, .. }, Value::Seq(items)) => self.append(node, items, &written::text(value)),
            (Edit::AddPath { path, access }, Value::Seq(items)) => {
                let wanted = paths::resolve(path, self.root).ok()?;
                let entry = items.iter().find_map(|item| self.entry(item, &wanted));
                match entry {
                    Some(Some(current)) => Some(self.replace(current.span.clone(), access.name())),
                    Some(None) => None,
                    None => self.append(node, items, &written::path_entry(path, *access)),
                }
            }
            _ => None,
        }
    }

    /// If an entry of `allowed_paths` names this path: where its access is written, if it is.
    fn entry<'n>(&self, item: &'n Node, path: &Path) -> Option<Option<&'n Node>> {
        let field = |entries: &'n [(Key, Node)], name: &str| {
            entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node)
        };
        let (named, access) = match &item.value {
            Value::Map(entries) => (field(entries, "path")?, field(entries, "access")),
            _ => (item, None),
        };
        let Value::Scalar { text, .. } = &named.value else { return None };
        (paths::resolve(text, self.root).as_deref() == Ok(path)).then_some(access)
    }

    fn line_end(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    fn replace(&self, range: Range<usize>, with: &str) -> String {
        [&self.text[..range.start], with, &self.text[range.end..]].concat()
    }

    fn start_of_line(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Behind the line break.
    fn end_of_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// Puts lines behind the line in which `at` is.
    fn insert_below(&self, at: usize, lines: &str) -> String {
        let end = self.end_of_line(at);
        let is_broken = self.text[..end].is_empty() || self.text[..end].ends_with('\n');
        self.replace(end..end, &[if is_broken { "" } else { self.line_end() }, lines].concat())
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text[node.span.clone()].starts_with(['{', '['])
    }

    /// Where the last thing of a node ends. The parser's own end of a collection may be wherever the next thing begins.
    fn end_of(&self, node: &Node) -> usize {
        let last = match &node.value {
            Value::Map(entries) => entries.last().map(|(key, value)| match value.value {
                Value::Null => key.span.end,
                _ => self.end_of(value),
            }),
            Value::Seq(items) => items.last().map(|item| self.end_of(item)),
            Value::Scalar { .. } | Value::Null => return node.span.end,
        };
        match last {
            Some(last) if !self.is_flow(node) => last,
            last => self.closed(last.unwrap_or(node.span.start + 1)).unwrap_or(node.span.end),
        }
    }

    /// Behind the bracket that closes what has nothing more in it from `at` on.
    fn closed(&self, mut at: usize) -> Option<usize> {
        loop {
            at += self.text[at..].find(|c: char| !c.is_whitespace() && !matches!(c, ',' | ':'))?;
            match self.text.as_bytes()[at] {
                b'#' => at = self.end_of_line(at),
                b'}' | b']' => return Some(at + 1),
                _ => return None,
            }
        }
    }

    /// The white space before what stands first in a line; `None` if something else does.
    fn indent(&self, at: usize) -> Option<&str> {
        Some(&self.text[self.start_of_line(at)..at]).filter(|before| before.chars().all(|c| c == ' '))
    }

    /// A new key in a mapping, directly behind what it belongs to.
    fn insert(&self, header: Option<&Key>, map: &Node, path: &'static str, value: &str) -> Option<String> {
        if self.is_flow(map) {
            let Value::Map(entries) = &map.value else { return None };
            let rest = if entries.is_empty() { "" } else { ", " };
            let start = map.span.start + 1;
            return Some(self.replace(start..start, &[&flow(path, value), rest].concat()));
        }
        let lines = |indent: &str| block(path, value, indent, self.line_end());
        match (&map.value, header) {
            (Value::Map(entries), header) => {
                let (first, _) = entries.first()?;
                let indent = self.indent(first.span.start)?;
                let at = header.map_or(self.text.len(), |header| header.span.end);
                (header.is_none() || self.end_of_line(at) <= first.span.start)
                    .then(|| self.insert_below(at, &lines(indent)))
            }
            // All that is in the section is commented out.
            (Value::Null, Some(header)) if map.span.is_empty() => {
                let indent = self.indent(header.span.start)?;
                Some(self.insert_below(header.span.end, &lines(&[indent, "  "].concat())))
            }
            (Value::Null, Some(_)) => {
                Some(self.replace(map.span.clone(), &["{", &flow(path, value), "}"].concat()))
            }
            _ => None,
        }
    }

    /// A new item at the end of a list.
    fn append(&self, list: &Node, items: &[Node], item: &str) -> Option<String> {
        let Some(last) = items.last() else {
            return self
                .is_flow(list)
                .then(|| self.replace(list.span.start..self.end_of(list), &format!("[{item}]")));
        };
        let end = self.end_of(last);
        if self.is_flow(list) {
            // Each on a line of its own, if that is the style.
            let separator = match self.indent(last.span.start) {
                Some(indent) => [",", self.line_end(), indent].concat(),
                None => ", ".to_owned(),
            };
            return Some(self.replace(end..end, &[&separator, item].concat()));
        }
        let dash = self.dash(last)?;
        let line = [self.indent(dash)?, "- ", item, self.line_end()].concat();
        Some(self.insert_below(end, &line))
    }

    /// Where the dash of an item is.
    fn dash(&self, item: &Node) -> Option<usize> {
        let before = self.text[..item.span.start].trim_end_matches(' ');
        before.ends_with('-').then(|| before.len() - 1)
    }

    /// A list without one of its items.
    fn without(&self, header: &Key, list: &Node, items: &[Node], at: usize) -> Option<String> {
        let item = &items[at];
        if self.is_flow(list) {
            let range = match (items.get(at + 1), at.checked_sub(1).map(|before| &items[before])) {
                (Some(next), _) => item.span.start..next.span.start,
                (None, Some(before)) if !self.text[before.span.end..item.span.start].contains('#') => {
                    before.span.end..item.span.end
                }
                (None, _) => item.span.clone(),
            };
            return Some(self.replace(range, ""));
        }
        let start = self.start_of_line(self.dash(item)?);
        let end = self.end_of_line(self.end_of(item));
        let without = self.replace(start..end, "");
        if items.len() > 1 {
            return Some(without);
        }
        // A list of nothing has to say so.
        let colon = header.span.end + self.text[header.span.end..].find(':')? + 1;
        (colon <= start).then(|| [&without[..colon], " []", &without[colon..]].concat())
    }
}

/// The value of a key that the file does not have yet: its default, with the edit made.
fn fresh(key: &'static str, edit: &Edit) -> Option<String> {
    let default = keys::get(key)?.default;
    let tree = document::parse(default, &mut Diagnostics::new(default))?;
    let list = Text { text: default, root: Path::new("/") };
    match (edit, &tree.value) {
        (Edit::Set { value, .. }, _) => Some(value.clone()),
        (Edit::Remove { value, .. }, Value::Seq(items)) => {
            let at = items.iter().position(|item| is_same(item, value))?;
            list.without(&Key { text: String::new(), span: 0..0 }, &tree, items, at)
        }
        (Edit::Add { value, .. }, Value::Seq(items)) => list.append(&tree, items, &written::text(value)),
        (Edit::AddPath { path, access }, Value::Seq(items)) => {
            list.append(&tree, items, &written::path_entry(path, *access))
        }
        _ => None,
    }
}

/// Whether an item of a list is this value: an operation by any of its names, a port however it is written.
fn is_same(item: &Node, value: &str) -> bool {
    let Value::Scalar { text, .. } = &item.value else { return false };
    match (Operation::parse(value), value.parse::<u16>()) {
        (Some(operation), _) => Operation::parse(text) == Some(operation),
        (None, Ok(port)) => text.parse() == Ok(port),
        (None, Err(_)) => text == value,
    }
}

/// `a.b` with its value as a block: `a:`, and `b: value` indented below it.
fn block(path: &str, value: &str, indent: &str, line_end: &str) -> String {
    match path.split_once('.') {
        Some((section, rest)) => {
            let inner = block(rest, value, &[indent, "  "].concat(), line_end);
            format!("{indent}{section}:{line_end}{inner}")
        }
        None => format!("{indent}{path}: {value}{line_end}"),
    }
}

/// The same in a line.
fn flow(path: &str, value: &str) -> String {
    match path.split_once('.') {
        Some((section, rest)) => format!("{section}: {{{}}}", flow(rest, value)),
        None => format!("{path}: {value}"),
    }
}
