//! Single values: what stands in the file, or else the default of the key table.

use std::path::Path;
use std::time::Duration;

use super::diagnostic::Diagnostics;
use super::document::{self, Node, Value};
use super::keys::{self, Key, Kind, Unit};
use super::numbers::{self, Decimal, NotANumber};
use super::settings::Settings;
use super::text::{alternatives, nearest, quoted};

const MEBIBYTE: u64 = 1 << 20;

/// Reads the values of one file.
pub(super) struct Reader<'n, 'd, 't> {
    pub(super) settings: &'d Settings<'n>,
    pub(super) diagnostics: &'d mut Diagnostics<'t>,
    pub(super) root: &'d Path,
    /// The file itself, if it is one.
    pub(super) file: Option<&'d Path>,
}

/// The key of the table at `path`. Paths are written out in this crate; a test reads the whole policy from defaults.
pub(super) fn key(path: &str) -> &'static Key {
    keys::get(path).unwrap_or_else(|| unreachable!("`{path}` is not in the table of keys"))
}

impl<'n> Reader<'n, '_, '_> {
    /// The node of a key, if the file has it and it has a value.
    fn written(&mut self, key: &Key) -> Option<&'n Node> {
        let written = self.settings.get(key.path)?;
        if written.node.value != Value::Null {
            return Some(written.node);
        }
        let instead = match key.default {
            "" => "remove the key to do without it".to_owned(),
            default => format!("remove the key for the default, `{default}`"),
        };
        self.diagnostics.error(&written.key, format!("`{}` has no value", key.path)).help(format!(
            "write for example `{}: {}`, or {instead}",
            key.name(),
            key.example
        ));
        None
    }

    fn number(&mut self, key: &'static Key) -> Option<Decimal> {
        let default = numbers::parse(key.default).ok();
        let Some(node) = self.written(key) else { return default };
        let Kind::Number { unit, min, max } = key.kind else { return default };
        self.number_in(node, key.path, unit, min, max).or(default)
    }

    /// A number within a range, both ends included.
    pub(super) fn number_in(
        &mut self,
        node: &Node,
        name: &str,
        unit: Unit,
        min: f64,
        max: f64,
    ) -> Option<Decimal> {
        let (text, in_quotes) = match &node.value {
            Value::Scalar { text, quoted } => (text.as_str(), *quoted),
            other => {
                self.refuse_shape(node, name, "a number", other);
                return None;
            }
        };
        let number = match numbers::parse(text) {
            Ok(_) if in_quotes => {
                self.diagnostics
                    .error(&node.span, format!("`{name}` takes a number, this is text in quotes"))
                    .help(format!("write {text} without quotes"));
                return None;
            }
            Ok(number) => number,
            Err(problem @ (NotANumber::Negative | NotANumber::NotFinite)) => {
                self.diagnostics
                    .error(&node.span, format!("`{name}` takes a number, {} is {problem}", quoted(text)))
                    .help(format!("write a number from {min} to {max}"));
                return None;
            }
            Err(problem) => {
                let help = number_help(text, &problem, unit);
                self.diagnostics
                    .error(&node.span, format!("`{name}` takes a number, {} is {problem}", quoted(text)))
                    .help(help);
                return None;
            }
        };
        if number.nanos != 0 && !unit.has_fractions() {
            let help = match number.whole as f64 {
                whole if (min..=max).contains(&whole) => format!("write {whole}"),
                _ => format!("write a whole number from {min} to {max}"),
            };
            self.diagnostics.error(&node.span, format!("`{name}` takes a whole number")).help(help);
            return None;
        }
        let unit = if unit.name().is_empty() { String::new() } else { format!(" {}", unit.name()) };
        let (bound, word) = match number.approximate() {
            value if value < min => (min, "at least"),
            value if value > max => (max, "at most"),
            _ => return Some(number),
        };
        self.diagnostics
            .error(&node.span, format!("`{name}` is {word} {bound}{unit}, this is {}", quoted(text)))
            .help(format!("write a number from {min} to {max}"));
        None
    }

    pub(super) fn seconds(&mut self, path: &str) -> Duration {
        self.optional_seconds(path).unwrap_or_default()
    }

    pub(super) fn optional_seconds(&mut self, path: &str) -> Option<Duration> {
        self.number(key(path)).map(|number| Duration::new(number.whole, number.nanos))
    }

    pub(super) fn bytes(&mut self, path: &str) -> u64 {
        self.optional_bytes(path).unwrap_or_default()
    }

    pub(super) fn optional_bytes(&mut self, path: &str) -> Option<u64> {
        self.number(key(path)).map(|number| number.times(MEBIBYTE))
    }

    pub(super) fn count(&mut self, path: &str) -> u32 {
        self.optional_count(path).map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX))
    }

    pub(super) fn optional_count(&mut self, path: &str) -> Option<u64> {
        self.number(key(path)).map(|number| number.whole)
    }

    pub(super) fn flag(&mut self, path: &str) -> bool {
        let key = key(path);
        let default = key.default == "true";
        match self.written(key) {
            Some(node) => self.flag_in(node, path).unwrap_or(default),
            None => default,
        }
    }

    pub(super) fn flag_in(&mut self, node: &Node, name: &str) -> Option<bool> {
        let Value::Scalar { text, quoted: in_quotes } = &node.value else {
            self.refuse_shape(node, name, "`true` or `false`", &node.value);
            return None;
        };
        let meant = match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        };
        if !in_quotes && matches!(text.as_str(), "true" | "True" | "TRUE" | "false" | "False" | "FALSE") {
            return meant;
        }
        let help = match (meant, in_quotes) {
            (Some(meant), true) => format!("write `{meant}` without quotes"),
            (Some(meant), false) => format!("write `{meant}`"),
            (None, _) => "write `true` or `false`".to_owned(),
        };
        let found =
            if *in_quotes { "this is text in quotes".to_owned() } else { format!("not {}", quoted(text)) };
        self.diagnostics.error(&node.span, format!("`{name}` takes `true` or `false`, {found}")).help(help);
        None
    }

    /// One of the words of a choice, or the default.
    pub(super) fn word(&mut self, path: &str) -> &'static str {
        let key = key(path);
        let Kind::Choice(words) = key.kind else { return key.default };
        match self.written(key) {
            Some(node) => self.word_in(node, path, words).unwrap_or(key.default),
            None => key.default,
        }
    }

    pub(super) fn word_in(
        &mut self,
        node: &Node,
        name: &str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let Value::Scalar { text, .. } = &node.value else {
            self.refuse_shape(node, name, &alternatives(words.iter().copied()), &node.value);
            return None;
        };
        if let Some(word) = words.iter().find(|word| *word == text) {
            return Some(word);
        }
        let message = match (name, text.as_str()) {
            ("degrade", "seccomp_notify") => {
                format!("`degrade: [{text}]` is known, but this version does not run without it yet")
            }
            _ => format!("`{name}` does not know {}", quoted(text)),
        };
        let help = match nearest(text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write {}", alternatives(words.iter().copied())),
        };
        self.diagnostics.error(&node.span, message).help(help);
        None
    }

    /// The items of a list. Of a default they have places outside of the file, and nothing is wrong with them.
    pub(super) fn list(&mut self, path: &str) -> Vec<Node> {
        let key = key(path);
        let items = |value: &Value| match value {
            Value::Seq(items) => Some(items.clone()),
            _ => None,
        };
        if let Some(node) = self.written(key) {
            if items(&node.value).is_none() {
                let help = match &node.value {
                    Value::Scalar { .. } => {
                        "put it in brackets, or each item on a line of its own after `- `".to_owned()
                    }
                    _ => format!("write for example `{}: {}`", key.name(), key.example),
                };
                self.diagnostics
                    .error(&node.span, format!("`{path}` takes a list, this is {}", node.value.describe()))
                    .help(help);
            }
            return items(&node.value).unwrap_or_default();
        }
        let default = document::parse(key.default, &mut Diagnostics::new(key.default));
        default.and_then(|node| items(&node.value)).unwrap_or_default()
    }

    /// The entries of a mapping with free keys.
    pub(super) fn entries(&mut self, path: &str) -> &'n [(document::Key, Node)] {
        let Some(node) = self.written(key(path)) else { return &[] };
        if let Value::Map(entries) = &node.value {
            return entries;
        }
        self.refuse_shape(node, path, "names with values", &node.value);
        &[]
    }

    /// A path, name or word. Unquoted text that some reader of YAML takes for something else is refused.
    pub(super) fn text_in<'v>(&mut self, node: &'v Node, name: &str) -> Option<&'v str> {
        let Value::Scalar { text, quoted: in_quotes } = &node.value else {
            self.refuse_shape(node, name, "text", &node.value);
            return None;
        };
        if !in_quotes && numbers::is_ambiguous(text) {
            self.diagnostics
                .error(
                    &node.span,
                    format!("`{name}` takes text, {} is a number or a truth value", quoted(text)),
                )
                .help(format!("write \"{text}\" in quotes if it is meant as text"));
            return None;
        }
        Some(text)
    }

    pub(super) fn optional_text(&mut self, path: &str) -> Option<(&'n Node, &'n str)> {
        let node = self.written(key(path))?;
        self.text_in(node, path).map(|text| (node, text))
    }

    pub(super) fn refuse_shape(&mut self, node: &Node, name: &str, takes: &str, value: &Value) {
        let help = match keys::get(name) {
            Some(key) => format!("write for example `{}: {}`", key.name(), key.example),
            None => format!("write {takes}"),
        };
        self.diagnostics
            .error(&node.span, format!("`{name}` takes {takes}, this is {}", value.describe()))
            .help(help);
    }

    /// The fields of a long form such as `{path: ..., access: ...}`.
    pub(super) fn fields<'v, const N: usize>(
        &mut self,
        entries: &'v [(document::Key, Node)],
        form: &str,
        names: [&'static str; N],
    ) -> [Option<&'v Node>; N] {
        let mut found = [None; N];
        for (key, node) in entries {
            match names.iter().position(|name| *name == key.text) {
                Some(at) => found[at] = Some(node),
                None => {
                    let help = match nearest(&key.text, names) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => format!("a key here is {}", alternatives(names)),
                    };
                    self.diagnostics
                        .error(
                            &key.span,
                            format!("unknown key {} in an entry of `{form}`", quoted(&key.text)),
                        )
                        .help(help);
                }
            }
        }
        found
    }
}

fn number_help(text: &str, problem: &NotANumber, unit: Unit) -> String {
    let of_unit = match unit {
        Unit::Seconds => " of seconds",
        Unit::Mebibytes => " of mebibytes",
        Unit::Count => "",
        Unit::Percent => " of percent",
        Unit::Characters => " of characters",
        Unit::Bytes => " of bytes",
        Unit::KibibytesPerSecond => " of kibibytes a second",
    };
    match problem {
        NotANumber::LeadingZero => match text.trim_start_matches('0') {
            rest if rest.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("write {rest}, if decimal is meant")
            }
            rest => format!("write 0{rest}"),
        },
        NotANumber::OtherBase => {
            let digits = text.get(2..).unwrap_or_default();
            let base = match text.as_bytes().get(1) {
                Some(b'x' | b'X') => 16,
                Some(b'o' | b'O') => 8,
                _ => 2,
            };
            match u64::from_str_radix(digits, base) {
                Ok(number) => format!("write {number}"),
                Err(_) => "write it in decimal".to_owned(),
            }
        }
        NotANumber::WithUnit(number) => {
            format!("write the number{of_unit} alone: `{number}`, if that is what is meant")
        }
        NotANumber::Plus => format!("write {}", text.trim_start_matches('+')),
        _ => format!("write a plain decimal number{of_unit}"),
    }
}
