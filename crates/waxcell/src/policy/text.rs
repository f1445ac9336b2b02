//! Text that others wrote, made fit to be shown: a policy is hostile input, and a terminal obeys what it prints.

/// Longest piece of a value that a message quotes, in characters.
const LONGEST: usize = 60;

/// `text` in backticks, with everything escaped that a terminal would not simply print, and cut if it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        push_escaped(&mut out, c);
    }
    out.push('`');
    out
}

/// `text` whole, with everything escaped that a terminal would not simply print.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_escaped(&mut out, c));
    out
}

fn push_escaped(out: &mut String, c: char) {
    match is_unprintable(c) {
        true => out.extend(c.escape_default()),
        false => out.push(c),
    }
}

/// Control characters, and those that reorder or hide what a reader sees.
pub(super) fn is_unprintable(c: char) -> bool {
    c.is_control() || is_deceptive(c)
}

/// Characters that show a reader another text than the parser reads: bidirectional overrides and isolates, and
/// separators that some programs take for line breaks.
pub(super) fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// "a", "a or b", "a, b or c", each in backticks.
pub(super) fn alternatives<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The candidate that `typed` was probably meant to be.
pub(super) fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let typed = fold(typed);
    let allowed = typed.chars().count() / 3 + 1;
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let folded = fold(candidate);
            let distance = strsim::damerau_levenshtein(&typed, &folded);
            // `timeout` for `timeout_seconds`, `paths` for `allowed_paths`, `max_procs` for `max_processes`.
            let part = typed.len() >= 3 && folded.starts_with(&typed)
                || typed.len() >= 4 && folded.ends_with(&typed)
                || typed.len() >= 5 && is_within(&typed, &folded);
            (distance <= allowed || part).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether all characters of `short` are in `long`, in their order, the first one first.
fn is_within(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    short.chars().next() == long.chars().next() && short.chars().all(|c| rest.any(|other| other == c))
}
