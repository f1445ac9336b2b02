//! The table of features for people.

use super::Probe;
use super::feature::{Feature, FeatureState, Importance};

/// No line is longer.
const WIDTH: usize = 100;
/// Mark and spaces before a name.
const INDENT: usize = 4;

struct Style {
    on: bool,
}

impl Style {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

pub(super) fn render(probe: &Probe, color: bool) -> String {
    let style = Style { on: color };
    let names = probe.features.iter().map(|feature| width(feature.name)).max().unwrap_or(0);
    let mut text = String::new();
    let mut group = None;
    for feature in &probe.features {
        if group != Some(feature.group) {
            if group.is_some() {
                text.push('\n');
            }
            text.push_str(&style.paint("1", feature.group.title()));
            text.push('\n');
            group = Some(feature.group);
        }
        one(&mut text, feature, names, &style);
    }
    text.push('\n');
    for line in wrap(&summary(probe), WIDTH) {
        text.push_str(&style.paint("1", &line));
        text.push('\n');
    }
    text
}

fn one(text: &mut String, feature: &Feature, names: usize, style: &Style) {
    let (mark, code) = match feature.state {
        FeatureState::Present => ("✓", "32"),
        FeatureState::Partly => ("~", "33"),
        FeatureState::Absent => ("✗", "31"),
    };
    let column = INDENT + names + 2;
    let pad = |used: usize| " ".repeat(column.saturating_sub(used));
    for (number, line) in wrap(&printable(&feature.found), WIDTH - column).iter().enumerate() {
        match number {
            0 => {
                let gap = pad(INDENT + width(feature.name));
                text.push_str(&format!("  {} {}{gap}{line}\n", style.paint(code, mark), feature.name));
            }
            _ => text.push_str(&format!("{}{line}\n", pad(0))),
        }
    }
    if feature.state == FeatureState::Present {
        return;
    }
    let lost = match (feature.state, feature.importance) {
        (FeatureState::Absent, Importance::Required) => "no run: ",
        (FeatureState::Absent, Importance::Layer) => "a layer: ",
        _ => "",
    };
    for (label, said) in [("without", format!("{lost}{}", feature.without)), ("get it", feature.how.clone())]
    {
        let label = format!("{label:<9}");
        for (number, line) in wrap(&printable(&said), WIDTH - column - label.len()).iter().enumerate() {
            let label = if number == 0 { &*label } else { "         " };
            text.push_str(&format!("{}{}\n", pad(0), style.paint("2", &format!("{label}{line}"))));
        }
    }
}

/// One sentence: whether a run is possible, and what it would lack.
fn summary(probe: &Probe) -> String {
    let names =
        |features: &[&Feature]| features.iter().map(|feature| feature.name).collect::<Vec<_>>().join(", ");
    let fatal = probe.fatal();
    if !fatal.is_empty() {
        let why = match probe.holds_files() {
            true => "",
            false => {
                " A policy can give up namespaces or Landlock, not both: nothing would hold a script's files."
            }
        };
        return format!("No run is possible on this host: it lacks {}.{why}", names(&fatal));
    }
    let layers = probe.layers_missing();
    let rest = probe
        .features
        .iter()
        .filter(|feature| feature.state != FeatureState::Present && !layers.contains(feature))
        .count();
    let rest = match rest {
        0 => String::new(),
        1 => " One point is worth a look (~, ✗).".to_owned(),
        count => format!(" {count} points are worth a look (~, ✗)."),
    };
    match layers.is_empty() {
        true => format!("This host can hold every layer.{rest}"),
        false => format!(
            "A run is refused on this host unless its policy accepts the loss of: {}.{}{rest}",
            names(&layers),
            accepting(probe)
        ),
    }
}

/// How a policy accepts what is missing.
fn accepting(probe: &Probe) -> &'static str {
    match (probe.facts.user_namespaces, probe.facts.landlock_abi) {
        (true, Some(_)) => "",
        (true, None) => " It does with `degrade: [landlock]`.",
        (false, _) => " It does with `degrade: [namespaces]`: Landlock, filter and limits hold alone then.",
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// What came from the host must not move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Breaks at spaces; only a word that is longer than a line is cut.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && self::width(&line) + 1 + self::width(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        while self::width(&line) > width {
            let cut = line.char_indices().nth(width).map_or(line.len(), |(at, _)| at);
            let rest = line.split_off(cut);
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::super::{FeatureGroup, HostFeatures};
    use super::*;
    use crate::cgroup::Rung;

    fn feature(name: &'static str, importance: Importance, state: FeatureState) -> Feature {
        Feature {
            name,
            group: FeatureGroup::Landlock,
            importance,
            state,
            found: "found \x1b[2J it".to_owned(),
            without: "a loss that takes some words to tell, so many that one line is surely not enough for it",
            how: "a way".to_owned(),
        }
    }

    fn probe(features: Vec<Feature>) -> Probe {
        let facts = HostFeatures {
            root: false,
            user_namespaces: true,
            landlock_abi: Some(7),
            seccomp_notify: true,
            layers: true,
            rung: Rung::RlimitWatch,
        };
        Probe { facts, features }
    }

    #[test]
    fn lines_are_wrapped_and_nothing_moves_the_cursor() {
        let text = render(
            &probe(vec![
                feature("one", Importance::Layer, FeatureState::Present),
                feature("a longer name", Importance::Layer, FeatureState::Absent),
                feature("three", Importance::Better, FeatureState::Partly),
            ]),
            false,
        );
        assert_eq!(
            text,
            "Landlock\n\
            \u{20} ✓ one            found \u{fffd}[2J it\n\
            \u{20} ✗ a longer name  found \u{fffd}[2J it\n\
            \u{20}                  without  a layer: a loss that takes some words to tell, so many that one line is\n\
            \u{20}                           surely not enough for it\n\
            \u{20}                  get it   a way\n\
            \u{20} ~ three          found \u{fffd}[2J it\n\
            \u{20}                  without  a loss that takes some words to tell, so many that one line is surely\n\
            \u{20}                           not enough for it\n\
            \u{20}                  get it   a way\n\
            \n\
            A run is refused on this host unless its policy accepts the loss of: a longer name. One point is\n\
            worth a look (~, ✗).\n"
        );
    }

    #[test]
    fn the_summary_tells_the_worst() {
        use FeatureState::{Absent, Partly, Present};
        use Importance::{Better, Layer, Required};
        let says = |features| summary(&probe(features));
        assert_eq!(says(vec![feature("a", Layer, Present)]), "This host can hold every layer.");
        assert_eq!(
            says(vec![feature("a", Better, Partly), feature("b", Better, Absent)]),
            "This host can hold every layer. 2 points are worth a look (~, ✗)."
        );
        assert_eq!(
            says(vec![feature("a", Required, Absent), feature("b", Layer, Absent)]),
            "No run is possible on this host: it lacks a."
        );
        let lacks = |user_namespaces, landlock_abi| {
            let mut probe = probe(vec![feature("a", Layer, Absent)]);
            probe.facts = HostFeatures { user_namespaces, landlock_abi, ..probe.facts };
            summary(&probe)
        };
        assert!(lacks(false, Some(4)).contains("It does with `degrade: [namespaces]`"));
        assert!(lacks(true, None).contains("It does with `degrade: [landlock]`"));
        assert!(lacks(false, None).starts_with("No run is possible on this host: it lacks a. A policy can"));
        let listener = Feature { group: FeatureGroup::SystemCalls, ..feature("c", Layer, Absent) };
        let mut undecided = probe(vec![feature("b", Layer, Absent), listener]);
        undecided.facts.seccomp_notify = false;
        assert_eq!(summary(&undecided), "No run is possible on this host: it lacks c.");
    }

    #[test]
    fn a_long_word_is_cut_and_a_line_is_never_too_long() {
        assert_eq!(wrap("ab cd", 5), ["ab cd"]);
        assert_eq!(wrap("ab cde", 5), ["ab", "cde"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("äöü äöü", 3), ["äöü", "äöü"]);
    }

    #[test]
    fn color_only_adds_escapes() {
        let probe = probe(vec![feature("a", Importance::Better, FeatureState::Partly)]);
        let colored = render(&probe, true);
        assert!(colored.contains("\x1b[33m~\x1b[0m"));
        let codes = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m"];
        let plain = codes.iter().fold(colored, |text, code| text.replace(code, ""));
        assert_eq!(plain, render(&probe, false));
    }
}
