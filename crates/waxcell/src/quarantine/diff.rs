//! What of a text is another, line by line, as `diff -u` shows it.

use crate::diff::{Step, hunks};

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

/// The difference of two texts; `None` if one of them is none.
pub(super) fn diff(before: &[u8], after: &[u8]) -> Option<Vec<Line>> {
    let text = |bytes| std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let mut lines = Vec::new();
    for hunk in hunks(text(before)?, text(after)?) {
        lines.push(Line::Place(hunk.place));
        lines.extend(hunk.lines.into_iter().map(|step| match step {
            Step::Same(text) => Line::Same(without_end(text)),
            Step::Gone(text) => Line::Gone(without_end(text)),
            Step::New(text) => Line::New(without_end(text)),
        }));
    }
    Some(lines)
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
}
