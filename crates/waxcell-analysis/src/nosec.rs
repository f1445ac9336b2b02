//! `# nosec`: comments by which an author says that a finding is none.
//!
//! `# nosec` silences every rule, `# nosec B602, B607` or `# nosec: assert_used` those that it names. It counts on the
//! line of the finding and on every line of what the finding is about, of which the first comment is taken.

use std::collections::BTreeSet;

use ruff_text_size::{TextRange, TextSize};

use crate::rules::{RULES, Rule};

/// The comments of a script, with their lines.
#[derive(Debug, Default)]
pub(crate) struct Nosec {
    comments: Vec<Comment>,
    /// Where lines begin, if there is any comment.
    starts: Vec<TextSize>,
}

/// What silences a finding.
#[derive(Debug)]
pub(crate) struct By {
    /// Whether it names no rule.
    pub(crate) is_all: bool,
    /// The comments that count, by their number.
    pub(crate) comments: [Option<usize>; 2],
}

#[derive(Debug)]
struct Comment {
    line: usize,
    /// None at all means every rule.
    rules: Vec<&'static str>,
}

impl Nosec {
    /// Looks through the comments of a text, which come in its order.
    pub(crate) fn new(text: &str, comments: impl Iterator<Item = TextRange>) -> Nosec {
        let mut nosec = Nosec::default();
        for range in comments {
            let Some(rules) = parse(&text[range.start().to_usize()..range.end().to_usize()]) else {
                continue;
            };
            if nosec.starts.is_empty() {
                nosec.starts = starts(text);
            }
            let line = nosec.line(range.start());
            nosec.comments.push(Comment { line, rules });
        }
        nosec
    }

    /// What silences a finding that stands at `place` and is about `about`, if anything does.
    pub(crate) fn silences(&self, rule: &Rule, place: TextSize, about: TextRange) -> Option<By> {
        if self.comments.is_empty() {
            return None;
        }
        let line = self.line(place);
        let comments = [self.first(line, line), self.first(self.line(about.start()), self.line(about.end()))];
        let mut both = comments.into_iter().flatten().peekable();
        both.peek()?;
        let mut named = both.flat_map(|at| &self.comments[at].rules).peekable();
        let is_all = named.peek().is_none();
        (is_all || named.any(|id| *id == rule.id)).then_some(By { is_all, comments })
    }

    /// The lines of the comments that are not among these, from 1.
    pub(crate) fn unused(&self, used: &BTreeSet<usize>) -> Vec<usize> {
        let comments = self.comments.iter().enumerate().filter(|(at, _)| !used.contains(at));
        comments.map(|(_, comment)| comment.line + 1).collect()
    }

    fn first(&self, from: usize, to: usize) -> Option<usize> {
        let at = self.comments.partition_point(|comment| comment.line < from);
        self.comments.get(at).filter(|comment| comment.line <= to).map(|_| at)
    }

    /// Counted from 0.
    fn line(&self, offset: TextSize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }
}

/// Where lines begin.
pub(crate) fn starts(text: &str) -> Vec<TextSize> {
    let mut starts = vec![TextSize::new(0)];
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
            starts.push(TextSize::try_from(at + 1).unwrap_or_default());
        }
    }
    starts
}

/// The rules that a comment names, if it is one of those; names that no rule has count for nothing.
fn parse(comment: &str) -> Option<Vec<&'static str>> {
    let after = comment.match_indices("nosec").find_map(|(at, word)| {
        let before = comment[..at].trim_end();
        before.ends_with('#').then(|| &comment[at + word.len()..])
    })?;
    let after = after.strip_prefix(':').unwrap_or(after);
    let list = after.split('#').next().unwrap_or_default();
    let words = list.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let find = |word: &str| RULES.iter().find(|rule| rule.id == word || rule.name == word);
    Some(words.filter_map(find).map(|rule| rule.id).collect())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_comment_names_all_rules_or_some() {
        let all: Option<&[&str]> = Some(&[]);
        for (comment, rules) in [
            ("#nosec", all),
            ("# nosec", all),
            ("#: nosec", None),
            ("# no sec", None),
            ("# noqa # nosec # more", all),
            ("# nosec because I say so", all),
            ("# nosec B101", Some(&["B101"])),
            ("# nosec: B101,B102", Some(&["B101", "B102"])),
            ("# nosec B101 assert_used # B102", Some(&["B101", "B101"])),
            ("# nosec b101", all),
            ("# a nosec, # nosec:B102", Some(&["B102"])),
        ] {
            assert_eq!(parse(comment).as_deref(), rules, "{comment}");
        }
    }
}
