//! Rust source as the checks see it: code without comments and texts, so that a word in a sentence is no violation.

/// One file of source.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// From the workspace, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// The same, line by line, with comments, texts and characters blanked.
    pub(crate) code: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Source {
        let text = text.into();
        let code = blank(&text).lines().map(str::to_owned).collect();
        Source { path: path.into(), text, code }
    }

    /// The crate's folder: `crates/waxcell`, `xtask`.
    pub(crate) fn home(&self) -> &str {
        let parts = if self.path.starts_with("crates/") { 2 } else { 1 };
        let end = self.path.match_indices('/').nth(parts - 1).map_or(self.path.len(), |(at, _)| at);
        &self.path[..end]
    }

    /// Whether all of it is test code by its place.
    pub(crate) fn is_test_file(&self) -> bool {
        let inside = &self.path[self.home().len()..];
        inside.starts_with("/tests/") || inside.contains("/src/tests") || inside.ends_with("/tests.rs")
    }

    /// The lines of code, numbered from 1, up to the module of tests at the end of the file.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if self.is_test_file() { Some(0) } else { self.tests_begin() };
        self.numbered().take(end.unwrap_or(usize::MAX))
    }

    /// All lines of code, numbered from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().map(|(at, line)| (at + 1, line.as_str()))
    }

    /// Where the inline module of tests begins, which is the last thing in a file.
    fn tests_begin(&self) -> Option<usize> {
        let marks = self.code.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].trim().starts_with("mod ") && pair[1].contains('{')
        });
        marks.filter(|_| self.code.last().is_some_and(|line| line.starts_with('}')))
    }
}

/// Whether a line has this word, with nothing that belongs to a name around it. `word` may end in `(` or `!`.
pub(crate) fn has(line: &str, word: &str) -> bool {
    let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_a_name)
            && (!word.ends_with(part_of_a_name) || !after.is_some_and(part_of_a_name))
    })
}

/// The source with comments, texts and characters replaced by spaces; lines stay lines.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = comment(rest).or_else(|| quoted(rest, out.chars().next_back())).unwrap_or(0);
        if hidden == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..hidden].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[hidden..];
        }
    }
    out
}

/// How long the comment is that begins here.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(rest.len())
}

/// How long the text or character is that begins here.
fn quoted(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with('"') {
        return Some(end_of_text(rest, 1));
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    // The letters of r"", b"", br"", c"" are no part of a name.
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let letters = ["br", "cr", "r", "b", "c"].into_iter().find(|letters| {
        rest.strip_prefix(letters).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = rest[letters.len()..].len() - rest[letters.len()..].trim_start_matches('#').len();
    let begin = letters.len() + hashes + 1;
    if !letters.contains('r') {
        return (hashes == 0).then(|| end_of_text(rest, begin));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len()))
}

fn end_of_text(rest: &str, begin: usize) -> usize {
    let mut escaped = false;
    for (at, c) in rest[begin..].char_indices() {
        match c {
            '"' if !escaped => return begin + at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// `'x'` and `'\n'`, but not the lifetime `'a`.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next()?;
        return chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::{Source, blank, has};

    #[test]
    fn comments_texts_and_characters_are_blanked() {
        let check = |source: &str, expected: &str| {
            let left = blank(source);
            assert_eq!(left.chars().count(), source.chars().count(), "{source}");
            assert_eq!(
                left.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
                expected
            );
        };
        check("a // unsafe\nb", "a \nb");
        check("a /* x /* y */ z */ b", "a b");
        check(r#"f("un\"safe") g"#, "f( ) g");
        check(r##"f(r#"a"b"#, br"c\", b'x')"##, "f( , , b )");
        check(r"a '\'' 'a' '\u{1}' 'é' b", "a b");
        check("fn f<'a>(x: &'a str) -> &'static str", "fn f<'a>(x: &'a str) -> &'static str");
        check("bar\"x\" for\"y\"", "bar for");
    }

    #[test]
    fn a_word_is_a_whole_word() {
        assert!(
            has("    unsafe { x }", "unsafe")
                && has("println!(1)", "println!")
                && has("a::spawn(b)", "spawn(")
        );
        assert!(
            !has("unsafe_code", "unsafe") && !has("eprintln!(1)", "println!") && !has("respawn(b)", "spawn(")
        );
    }

    #[test]
    fn tests_are_not_shipped() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        let source = Source::new("crates/waxcell/src/x.rs", text);
        assert_eq!(source.shipped().collect::<Vec<_>>(), [(1, "fn a() {}")]);
        assert_eq!(Source::new("crates/waxcell/tests/x.rs", text).shipped().count(), 0);
        assert_eq!(Source::new("crates/waxcell/src/tests/x.rs", text).shipped().count(), 0);
        assert_eq!((source.home(), Source::new("xtask/src/main.rs", "").home()), ("crates/waxcell", "xtask"));
    }
}
