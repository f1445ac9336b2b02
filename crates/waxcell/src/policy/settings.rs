//! From the tree to the known keys: which key of the table stands where. Everything unknown is refused here.

use std::collections::BTreeMap;
use std::ops::Range;

use super::diagnostic::Diagnostics;
use super::document::{Key as NodeKey, Node, Value};
use super::keys::{self, Key, Kind};
use super::text::{alternatives, nearest, quoted};

/// The section under which the proposals put everything.
pub(super) const WRAPPER: &str = "security";

/// A key as it stands in the file.
#[derive(Clone, Debug)]
pub(super) struct Written<'n> {
    pub(super) key: Range<usize>,
    pub(super) node: &'n Node,
}

/// Every key of the table that the file names.
pub(super) type Settings<'n> = BTreeMap<&'static str, Written<'n>>;

/// Reads the tree, nested under `security:` or flat.
pub(super) fn collect<'n>(root: &'n Node, diagnostics: &mut Diagnostics<'_>) -> Settings<'n> {
    let mut settings = Settings::new();
    let entries = match &root.value {
        Value::Map(entries) => entries.as_slice(),
        Value::Null => {
            diagnostics.error(&root.span, "empty policy").help("start with `waxcell policy init`");
            return settings;
        }
        other => {
            diagnostics
                .error(
                    &root.span,
                    format!("a policy is made of keys with values, this is {}", other.describe()),
                )
                .help("begin with `execution:`, `filesystem:`, `network:` or `monitoring:`");
            return settings;
        }
    };
    let Some((wrapper, inner)) = entries.iter().find(|(key, _)| key.text == WRAPPER) else {
        walk_entries(entries, "", &mut settings, diagnostics);
        return settings;
    };
    for (key, _) in entries.iter().filter(|(key, _)| key.text != WRAPPER) {
        if keys::get(&key.text).is_some() {
            diagnostics
                .error(&key.span, format!("{} stands beside `{WRAPPER}:`", quoted(&key.text)))
                .context(wrapper.span.clone(), "the policy is nested here")
                .help(format!(
                    "put it under `{WRAPPER}:`, or remove `{WRAPPER}:` and put everything at the top"
                ));
        } else {
            refuse_unknown(key, "", diagnostics);
        }
    }
    match &inner.value {
        Value::Map(entries) => walk_entries(entries, "", &mut settings, diagnostics),
        Value::Null => {}
        other => refuse_shape(WRAPPER, inner, other, diagnostics),
    }
    settings
}

fn walk_entries<'n>(
    entries: &'n [(NodeKey, Node)],
    section: &str,
    settings: &mut Settings<'n>,
    diagnostics: &mut Diagnostics<'_>,
) {
    for (name, node) in entries {
        let Some(key) = keys::below(section).find(|key| key.name() == name.text) else {
            refuse_unknown(name, section, diagnostics);
            // What is below a section whose name is mistyped is told as well.
            if let Value::Map(entries) = &node.value
                && let Some(meant) = meant_section(&name.text, section)
            {
                walk_entries(entries, meant, settings, diagnostics);
            }
            continue;
        };
        match (key.kind, &node.value) {
            (Kind::Later, _) => refuse_later(key, name, diagnostics),
            (Kind::Section, Value::Map(entries)) => walk_entries(entries, key.path, settings, diagnostics),
            // All keys of a section may be commented out.
            (Kind::Section, Value::Null) => {}
            (Kind::Section, Value::Scalar { text, quoted: false })
                if is_key_without_space(text, key.path) =>
            {
                diagnostics
                    .error(&node.span, format!("{} is no key: there is no space after its `:`", quoted(text)))
                    .help("write `key: value`, with a space between");
            }
            (Kind::Section, other) => refuse_shape(key.path, node, other, diagnostics),
            _ => {
                settings.insert(key.path, Written { key: name.span.clone(), node });
            }
        }
    }
}

fn refuse_shape(path: &str, node: &Node, value: &Value, diagnostics: &mut Diagnostics<'_>) {
    let first = keys::below(if path == WRAPPER { "" } else { path }).next().map_or("key", Key::name);
    diagnostics
        .error(
            &node.span,
            format!("`{path}` is a section with keys of its own, this is {}", value.describe()),
        )
        .help(format!("write for example `{first}: ...` on a line of its own below it, indented"));
}

/// `timeout_seconds:3`, which YAML takes for one text.
fn is_key_without_space(text: &str, section: &str) -> bool {
    text.split_once(':').is_some_and(|(name, _)| keys::below(section).any(|key| key.name() == name))
}

/// The section that a mistyped name stands for; the wrapper is the top.
fn meant_section(typed: &str, section: &str) -> Option<&'static str> {
    let sections = keys::below(section).filter(|key| key.kind == Kind::Section);
    let wrapper = section.is_empty().then_some(WRAPPER);
    match nearest(typed, sections.map(Key::name).chain(wrapper))? {
        WRAPPER => Some(""),
        name => keys::below(section).find(|key| key.name() == name).map(|key| key.path),
    }
}

fn refuse_later(key: &Key, name: &NodeKey, diagnostics: &mut Diagnostics<'_>) {
    diagnostics
        .error(&name.span, format!("`{}` is known, but this version does not enforce it yet", key.path))
        .help("remove it; a rule that nobody holds must not look like one that holds");
}

fn refuse_unknown(name: &NodeKey, section: &str, diagnostics: &mut Diagnostics<'_>) {
    let place = if section.is_empty() { String::new() } else { format!(" in `{section}`") };
    let help = suggestion(&name.text, section);
    diagnostics.error(&name.span, format!("unknown key {}{place}", quoted(&name.text))).help(help);
}

fn suggestion(typed: &str, section: &str) -> String {
    // The exact name in another section comes before a similar one here.
    if let Some(key) = keys::KEYS.iter().find(|key| key.name() == typed) {
        return place_of(key);
    }
    let here = keys::below(section).filter(|key| key.is_enforced()).map(Key::name);
    let wrapper = section.is_empty().then_some(WRAPPER);
    if let Some(name) = nearest(typed, here.chain(wrapper)) {
        return format!("did you mean `{name}`?");
    }
    let anywhere = keys::KEYS.iter().filter(|key| key.is_enforced() && key.kind != Kind::Section);
    if let Some(name) = nearest(typed, anywhere.map(Key::name))
        && let Some(key) = keys::KEYS.iter().find(|key| key.name() == name)
    {
        return format!("did you mean `{name}`? {}", place_of(key));
    }
    let known = keys::below(section).filter(|key| key.is_enforced()).map(Key::name);
    format!("a key here is {}", alternatives(known))
}

fn place_of(key: &Key) -> String {
    match key.parent() {
        "" => format!("`{}` stands at the top of the policy", key.name()),
        parent => format!("`{}` stands under `{}:`", key.name(), parent.replace('.', ": ")),
    }
}
