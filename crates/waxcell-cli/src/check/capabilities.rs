//! What scripts can use, for people: a group for each family, a line for each target.

use std::fmt::Write as _;

use waxcell_analysis::{Capability, Certainty, Evidence, Family, Target};

use super::{Checked, text};
use crate::args::Common;
use crate::edge;

/// The most lines of a script that are named for one target.
const MOST_LINES: usize = 8;

pub(super) fn render(checked: &[Checked], common: &Common) -> String {
    let mut out = String::new();
    for file in checked {
        let path = edge::printable(&file.path.to_string_lossy());
        match &file.unread {
            Some(why) => {
                let _ = writeln!(out, "error: `{path}` was not checked: {why}\n");
            }
            None if !file.is_analysed() => {
                let _ = writeln!(out, "error: `{path}` could not be analysed: `waxcell check` says why\n");
            }
            None => one(&mut out, &path, file),
        }
    }
    if common.quiet { out } else { out + &text::summary(checked) }
}

fn one(out: &mut String, path: &str, file: &Checked) {
    let _ = writeln!(out, "{path}");
    for family in Family::ALL {
        let of_family: Vec<&Capability> =
            file.capabilities.entries.iter().filter(|entry| entry.family == family).collect();
        if !of_family.is_empty() {
            let _ = writeln!(out, "  {}", family.name());
        }
        let mut told: Vec<&Target> = Vec::new();
        for entry in &of_family {
            if told.contains(&&entry.target) && entry.target != Target::None {
                continue;
            }
            told.push(&entry.target);
            let same: Vec<&&Capability> = of_family
                .iter()
                .filter(|other| {
                    other.target == entry.target
                        && (entry.target != Target::None || other.operation == entry.operation)
                })
                .collect();
            line(out, &same);
        }
    }
    if !file.capabilities.complete {
        let _ = writeln!(out, "  not followed to its end: there is more than this");
    }
    out.push('\n');
}

/// One target, with everything that is done to it.
fn line(out: &mut String, entries: &[&&Capability]) {
    let Some(first) = entries.first() else { return };
    let operations: Vec<&str> =
        entries.iter().filter_map(|entry| entry.operation.map(|operation| operation.name())).collect();
    let mut lines: Vec<&Evidence> = entries.iter().flat_map(|entry| &entry.places).collect();
    lines.sort_by_key(|place| (place.line, place.optional));
    lines.dedup_by_key(|place| place.line);
    let numbers: Vec<String> = lines
        .iter()
        .take(MOST_LINES)
        .map(|place| format!("{}{}", place.line, if place.optional { "?" } else { "" }))
        .collect();
    let more = if lines.len() > MOST_LINES { ", ..." } else { "" };
    let target = first.target.to_string();
    let words = [edge::printable(&target), operations.join(", ")];
    let what: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    let certainty = match first.certainty {
        Certainty::Exact => "",
        Certainty::Pattern => "  pattern",
        Certainty::Unknown => "  unknown",
    };
    let plural = if lines.len() == 1 { "line" } else { "lines" };
    let what = if what.is_empty() { String::new() } else { format!("{}  ", what.join("  ")) };
    let _ = writeln!(out, "    {what}{plural} {}{more}{certainty}", numbers.join(", "));
}
