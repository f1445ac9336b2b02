//! Lines and columns of a byte offset.

/// A script's bytes, asked for positions from front to back. Nothing is stored but where the last answer was: few
/// findings ask, and most scripts have none.
pub(crate) struct Lines<'a> {
    source: &'a [u8],
    /// How far it has counted: an offset, with its line and column from 0.
    offset: usize,
    line: usize,
    column: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(source: &'a [u8]) -> Lines<'a> {
        let offset = if source.starts_with(BOM) { BOM.len() } else { 0 };
        Lines { source, offset, line: 0, column: 0 }
    }

    /// How many lines there are; a last one without a line end counts.
    pub(crate) fn count(&self) -> usize {
        let open_end = self.source.last().is_some_and(|byte| !matches!(byte, b'\n' | b'\r'));
        ends(self.source) + usize::from(open_end)
    }

    /// Line and column of `offset`, both from 1. The column counts UTF-8 characters (stray bytes count for
    /// themselves). What lies before the last answer is where that was.
    pub(crate) fn position(&mut self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.source.len());
        // Between CR and LF is still the line that they end together.
        if offset > 0 && self.source[offset - 1] == b'\r' && self.source.get(offset) == Some(&b'\n') {
            offset -= 1;
        }
        if offset > self.offset {
            let passed = &self.source[self.offset..offset];
            let line_start = start_of_line(passed);
            if line_start > 0 {
                self.line += ends(passed);
                self.column = 0;
            }
            self.column += characters(&passed[line_start..]);
            self.offset = offset;
        }
        (self.line + 1, self.column + 1)
    }
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Where the last line of `bytes` begins.
pub(crate) fn start_of_line(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |end| end + 1)
}

/// How many line ends: LF, CRLF (one) and lone CR, as the interpreter's universal newlines have it.
fn ends(bytes: &[u8]) -> usize {
    let count = |end: u8| bytes.iter().filter(|&&byte| byte == end).count();
    let (feeds, returns) = (count(b'\n'), count(b'\r'));
    let both = if returns > 0 { bytes.windows(2).filter(|pair| pair == b"\r\n").count() } else { 0 };
    feeds + returns - both
}

/// How many characters: each maximal piece of valid UTF-8 by its characters, every other byte by itself.
fn characters(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn every_kind_of_line_end_ends_one_line() {
        for (source, count) in
            [(&b""[..], 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"a\r\nb\rc\nd", 4), (b"\n\n\r\n\r", 4)]
        {
            assert_eq!(Lines::new(source).count(), count, "{source:?}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let source = "\u{feff}né = 1\r\nx = 'ü' + €\ry".as_bytes();
        let at = |needle: &str| {
            let text = std::str::from_utf8(source).unwrap();
            Lines::new(source).position(text.find(needle).unwrap())
        };
        assert_eq!(at("n"), (1, 1));
        assert_eq!(at("= 1"), (1, 4));
        assert_eq!(at("\r\n"), (1, 7));
        assert_eq!(at("\nx"), (1, 7), "between CR and LF");
        assert_eq!(at("x"), (2, 1));
        assert_eq!(at("€"), (2, 11));
        assert_eq!(at("y"), (3, 1));
        assert_eq!(Lines::new(source).position(usize::MAX), (3, 2));
        assert_eq!(Lines::new(b"\xff\xfe = 1").position(3), (1, 4));
    }

    #[test]
    fn from_answer_to_answer_is_as_from_the_beginning() {
        let source = "\u{feff}né = 1\r\nx = 'ü' + €\ry\n\n\r\r\nz".as_bytes();
        let mut lines = Lines::new(source);
        for offset in (0..=source.len()).filter(|at| std::str::from_utf8(&source[*at..]).is_ok()) {
            assert_eq!(lines.position(offset), Lines::new(source).position(offset), "{offset}");
        }
    }
}
