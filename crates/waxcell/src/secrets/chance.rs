//! Secrets that are known by nothing but that somebody drew them by lot.

/// A shorter word may be anything.
const SHORTEST: usize = 20;
/// Without capitals there are more words that look drawn.
const SHORTEST_SMALL: usize = 27;
/// With slashes in it, it may be a path.
const SHORTEST_SLASHED: usize = 36;

/// The lengths of hashes and names that everybody may know, in hexadecimal and in base 32.
const HASHES: [usize; 9] = [26, 32, 38, 40, 52, 56, 64, 96, 128];

pub(super) fn is_in(text: &str) -> bool {
    let text = &without_named_hashes(text);
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+_-=".contains(c)));
    let slashed = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
    words.into_iter().any(is_drawn) || slashed.into_iter().any(is_drawn_with_slashes)
}

/// Hashes can say what they are: `sha256-47DEQ...`.
fn without_named_hashes(text: &str) -> String {
    let mut out = text.to_owned();
    for name in ["sha256-", "sha384-", "sha512-"] {
        while let Some(at) = out.find(name) {
            let hash =
                out[at + name.len()..].find(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
            let end = hash.map_or(out.len(), |length| at + name.len() + length);
            out.replace_range(at..end, " ");
        }
    }
    out
}

fn is_drawn(word: &str) -> bool {
    if word.len() < SHORTEST {
        return false;
    }
    let bare: Vec<u8> = word.bytes().filter(u8::is_ascii_alphanumeric).collect();
    // What is written with hyphens is of short words more often.
    let most = if bare.len() < word.len() { 9 } else { 11 };
    if bare.len() + 2 >= SHORTEST && has_all_sorts(&bare) && 20 * in_words(&bare, 5) <= most * bare.len() {
        return true;
    }
    word.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| is_drawn_small(part.as_bytes()))
}

/// With digits and letters of one case: keys in hexadecimal, in base 32 and 36.
fn is_drawn_small(word: &[u8]) -> bool {
    let one_case = !word.iter().any(u8::is_ascii_uppercase) || !word.iter().any(u8::is_ascii_lowercase);
    if word.len() < SHORTEST_SMALL || !one_case || HASHES.contains(&word.len()) {
        return false;
    }
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let turns = word.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    digits < word.len() && turns * 7 >= word.len()
}

fn is_drawn_with_slashes(word: &str) -> bool {
    let parts = word.split('/').filter(|part| !HASHES.contains(&part.len()));
    let bare: Vec<u8> = parts.flat_map(str::bytes).filter(u8::is_ascii_alphanumeric).collect();
    let is_long = bare.len() >= SHORTEST_SLASHED && !word.starts_with('/');
    is_long && has_all_sorts(&bare) && 3 * in_words(&bare, 4) <= bare.len()
}

/// Capitals, small letters, and digits where one would expect some.
fn has_all_sorts(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_uppercase)
        && word.iter().any(u8::is_ascii_lowercase)
        && (word.len() < 2 * SHORTEST || word.iter().any(u8::is_ascii_digit))
}

/// How many characters belong to something like a word: so many letters of one case, or more; the first may be a capital.
fn in_words(word: &[u8], least: usize) -> usize {
    let (mut sum, mut at) = (0, 0);
    while at < word.len() {
        let same = |sort: fn(&u8) -> bool, from: usize| word[from..].iter().take_while(|b| sort(b)).count();
        let run = match word[at] {
            b'A'..=b'Z' => {
                let capitals = same(u8::is_ascii_uppercase, at);
                if capitals == 1 { 1 + same(u8::is_ascii_lowercase, at + 1) } else { capitals }
            }
            b'a'..=b'z' => same(u8::is_ascii_lowercase, at),
            _ => same(u8::is_ascii_digit, at),
        };
        if run >= least {
            sum += run;
        }
        at += run;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look drawn, the same each time.
    fn drawn(seed: u64, length: usize, alphabet: &[u8]) -> String {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        (0..length).map(|_| char::from(alphabet[(next() >> 33) as usize % alphabet.len()])).collect()
    }

    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const STANDARD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const HEX: &[u8] = b"0123456789abcdef";

    #[test]
    fn what_was_drawn_is_known() {
        for (length, alphabet, most_missed) in [
            (24, BASE64, 30),
            (32, BASE64, 20),
            (43, BASE64, 15),
            (40, STANDARD, 25),
            (88, STANDARD, 5),
            (48, HEX, 5),
            (36, HEX, 10),
        ] {
            let missed =
                (1..=1000).filter(|seed| !is_in(&format!("data/{}", drawn(*seed, length, alphabet)))).count();
            assert!(missed <= most_missed, "{missed} of 1000 with {length} characters");
        }
    }

    #[test]
    fn what_people_read_every_day_is_no_secret() {
        for text in [
            "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0",
            "/project/tests/TestAllocationReportForHTTP2ServerV3.py",
            "/home/alice/.cache/pip/http-v2/7/b/4/f/e/7b4fe8d5bb4e4a0c7b1a6d2e3f405162738495a6b7c8d9eaf0b1c2d3.body",
            "/project/.git/objects/4b/825dc642cb6eb9a060e54bf8d69288fbee4904",
            "0193a4f0c1d27e5f8a9b0c1d2e3f4a5b",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "550e8400-e29b-41d4-a716-446655440000",
            "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-python3-3.11.9",
            "requirements-2024-11-28T13-40-58Z.backup.tar.gz",
            "__pycache__/test_session_storage.cpython-311-pytest-8.3.4.pyc",
            "manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "filesystem.blocked_operations: delete (security_policy.yml:12)",
            "/tmp/pytest-of-root/pytest-12/test_that_a_run_is_refused_0/data/x",
            "/srv/Projects/CMMV-Hive/scripts/governance/VoteTallyV2/Main.py",
            "/tmp/.tmpZ93oSE/project/data/0e38e38e38e38e38e38e38e38e38e38e",
            "/project/data/BIP-10-ProposalForTheCouncilV2.json",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "2026-11-28T13:40:58.123456Z",
        ] {
            assert!(!is_in(text), "{text}");
        }
    }
}
