//! What tells a finding from others though its script has changed.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::finding::{Analysis, Finding};
use crate::lines::start_of_line;

/// A name for each finding, in their order: 32 hexadecimal digits made of its rule, of what it is about, and of how many
/// before it are alike.
///
/// It stays when lines move, are indented otherwise or the file has another name, and is another one when the code that
/// the finding is about is another.
pub fn fingerprints(source: &[u8], analysis: &Analysis) -> Vec<String> {
    let mut alike = HashMap::new();
    let mark = |finding: &Finding| {
        let about = about(source, finding);
        let nth = alike.entry((finding.rule, about.clone())).or_insert(0u32);
        let mark = named(finding.rule, &about, &nth.to_be_bytes());
        *nth += 1;
        mark
    };
    analysis.findings.iter().map(mark).collect()
}

/// The name of a finding that is about something else than the text of its file: made of its rule and of what that is.
pub fn fingerprint_of(rule: &str, about: &str) -> String {
    named(rule, about.as_bytes(), &[])
}

fn named(rule: &str, about: &[u8], nth: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(rule);
    hash.update([0]);
    hash.update(about);
    hash.update(nth);
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What a finding is about, without the white space that may change around it; where it is about a place, that line.
fn about(source: &[u8], finding: &Finding) -> Vec<u8> {
    let (start, end) = (finding.span.start.min(source.len()), finding.span.end.min(source.len()));
    let bytes = if start < end {
        &source[start..end]
    } else {
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let rest = source[start..].iter().position(is_end).map_or(source.len(), |at| start + at);
        &source[start_of_line(&source[..start])..rest]
    };
    let words = bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::fingerprints;
    use crate::{Profile, PythonVersion, scan};

    fn marks(source: &str) -> Vec<String> {
        let analysis = scan("a.py", source.as_bytes(), PythonVersion::new(3, 11), &Profile::default());
        fingerprints(source.as_bytes(), &analysis)
    }

    #[test]
    fn what_moves_stays_the_same_and_what_is_replaced_does_not() {
        let before = marks("assert a\nassert a\nassert b\n");
        assert_eq!(before.len(), 3);
        assert!(before[0] != before[1] && before[1] != before[2]);
        assert_eq!(
            marks("\n\nif x:\n    assert a\n    assert a\n\tassert b\n".replace('\t', "    ").as_str()),
            before
        );
        assert_eq!(marks("assert a\nassert a\nassert c\n")[..2], before[..2]);
        assert!(!before.contains(&marks("assert c")[0]));
    }
}
