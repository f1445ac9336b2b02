//! What of a text is another, line by line, as `diff -u` shows it.

/// A line of the difference, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Where the next lines are: first line and number of lines, before and after.
    Place([usize; 4]),
    /// In both.
    Same(String),
    /// Only before.
    Gone(String),
    /// Only after.
    New(String),
}

/// Larger texts are not compared.
pub(super) const LARGEST: u64 = 1 << 20;
/// Lines around a change that are shown as well.
const AROUND: usize = 3;
/// Cells of the table that finds the longest common part. Beyond, all of the middle counts as replaced.
const MOST_CELLS: usize = 4_000_000;

/// The difference of two texts; `None` if one of them is none.
pub(super) fn diff(before: &[u8], after: &[u8]) -> Option<Vec<Line>> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().filter(|text| !text.contains('\0'));
    let (before, after) = (text(before)?, text(after)?);
    let (before, after): (Vec<&str>, Vec<&str>) = (lines(&before), lines(&after));
    Some(around(&edits(&before, &after)))
}

/// A last line without its end is another than one with it.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

#[derive(Clone, Copy)]
enum Edit<'t> {
    Same(&'t str),
    Gone(&'t str),
    New(&'t str),
}

fn edits<'t>(before: &[&'t str], after: &[&'t str]) -> Vec<Edit<'t>> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[head..], &after[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let mut edits: Vec<Edit<'t>> = before[..head].iter().map(|line| Edit::Same(line)).collect();
    if old.len().saturating_mul(new.len()) <= MOST_CELLS {
        common(old, new, &mut edits);
    } else {
        edits.extend(old.iter().map(|line| Edit::Gone(line)));
        edits.extend(new.iter().map(|line| Edit::New(line)));
    }
    edits.extend(before[before.len() - tail..].iter().map(|line| Edit::Same(line)));
    edits
}

/// By the length of the longest common part of each pair of ends.
fn common<'t>(old: &[&'t str], new: &[&'t str], edits: &mut Vec<Edit<'t>>) {
    let width = new.len() + 1;
    let mut longest = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = match old[i] == new[j] {
                true => longest[(i + 1) * width + j + 1] + 1,
                false => longest[(i + 1) * width + j].max(longest[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            edits.push(Edit::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]
        {
            edits.push(Edit::Gone(old[i]));
            i += 1;
        } else {
            edits.push(Edit::New(new[j]));
            j += 1;
        }
    }
}

/// The changes with what is around them.
fn around(edits: &[Edit<'_>]) -> Vec<Line> {
    let mut shown = vec![false; edits.len()];
    for (at, edit) in edits.iter().enumerate() {
        if !matches!(edit, Edit::Same(_)) {
            shown[at.saturating_sub(AROUND)..(at + AROUND + 1).min(edits.len())].fill(true);
        }
    }
    let mut lines = Vec::new();
    let (mut old, mut new) = (1, 1);
    let mut place = None;
    for (edit, is_shown) in edits.iter().zip(shown) {
        let (line, step) = match edit {
            Edit::Same(text) => (Line::Same(without_end(text)), (1, 1)),
            Edit::Gone(text) => (Line::Gone(without_end(text)), (1, 0)),
            Edit::New(text) => (Line::New(without_end(text)), (0, 1)),
        };
        if is_shown {
            let at = *place.get_or_insert_with(|| {
                lines.push(Line::Place([old, 0, new, 0]));
                lines.len() - 1
            });
            if let Line::Place([_, gone, _, added]) = &mut lines[at] {
                (*gone, *added) = (*gone + step.0, *added + step.1);
            }
            lines.push(line);
        } else {
            place = None;
        }
        (old, new) = (old + step.0, new + step.1);
    }
    for line in &mut lines {
        if let Line::Place([old, gone, new, added]) = line {
            // Of no lines, the one before them is told.
            (*old, *new) = (*old - usize::from(*gone == 0), *new - usize::from(*added == 0));
        }
    }
    lines
}

fn without_end(line: &str) -> String {
    line.strip_suffix('\n').map_or_else(|| format!("{line} (no line end)"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> Vec<String> {
        let lines = diff(before.as_bytes(), after.as_bytes()).unwrap();
        let line = |line| match line {
            Line::Place([a, b, c, d]) => format!("@{a},{b} {c},{d}"),
            Line::Same(text) => format!(" {text}"),
            Line::Gone(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
        };
        lines.into_iter().map(line).collect()
    }

    #[test]
    fn lines_that_changed_are_shown_with_those_around_them() {
        assert_eq!(shown("a\nb\n", "a\nb\n"), [""; 0]);
        assert_eq!(shown("", "a\n"), ["@0,0 1,1", "+a"]);
        assert_eq!(shown("a\n", ""), ["@1,1 0,0", "-a"]);
        assert_eq!(shown("a", "a\n"), ["@1,1 1,1", "-a (no line end)", "+a"]);
        let before = (1..=20).map(|n| format!("{n}\n")).collect::<String>();
        let after = before.replace("\n2\n", "\n2\nnew\n").replace("\n18\n", "\n");
        assert_eq!(
            shown(&before, &after),
            [
                "@1,5 1,6",
                " 1",
                " 2",
                "+new",
                " 3",
                " 4",
                " 5",
                "@15,6 16,5",
                " 15",
                " 16",
                " 17",
                "-18",
                " 19",
                " 20"
            ]
        );
    }

    #[test]
    fn what_is_no_text_has_no_lines_and_what_is_large_no_table() {
        assert_eq!(diff(b"\xff", b""), None);
        assert_eq!(diff(b"", b"a\0b"), None);
        let many = |word: &str| (0..5000).map(|n| format!("{word}{n}\n")).collect::<String>();
        assert_eq!(shown(&many("a"), &many("b")).len(), 1 + 2 * 5000);
    }

    /// Whatever the texts are, the lines of the difference make one of the other.
    #[test]
    fn a_difference_leads_from_one_to_the_other() {
        let mut state = 7u64;
        let mut next = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..300 {
            let mut text = || (0..next(12)).map(|_| format!("{}\n", next(4))).collect::<String>();
            let (before, after) = (text(), text());
            let (of_before, of_after) = (lines(&before), lines(&after));
            let edits = edits(&of_before, &of_after);
            let side = |keep: fn(&Edit<'_>) -> bool| {
                let kept = edits.iter().filter(|edit| keep(edit));
                kept.map(|(Edit::Same(line) | Edit::Gone(line) | Edit::New(line))| *line).collect::<String>()
            };
            assert_eq!(side(|edit| !matches!(edit, Edit::New(_))), before);
            assert_eq!(side(|edit| !matches!(edit, Edit::Gone(_))), after);
        }
    }
}
