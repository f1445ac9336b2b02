//! Patterns of paths, as Python's `fnmatch` has them: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`; slashes are like any other
//! character.

/// Whether `name` fits `pattern`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last star turns out not to match: one character later.
    let mut retry = None;
    loop {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            None if n == name.len() => return true,
            None => None,
            Some(_) => name.get(n).and_then(|&c| one(&pattern[p..], c)),
        };
        match (step, retry) {
            (Some(length), _) => (p, n) = (p + length, n + 1),
            (None, Some((star, from))) if from < name.len() => {
                (p, n) = (star, from + 1);
                retry = Some((star, from + 1));
            }
            (None, _) => return false,
        }
    }
}

/// How much of the pattern stands for this character, if it does.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', rest @ ..] => {
            let negated = rest.first() == Some(&'!');
            let set = &rest[usize::from(negated)..];
            // A bracket right at the beginning is one of the characters.
            let Some(end) = set.iter().skip(1).position(|&end| end == ']').map(|at| at + 1) else {
                return (c == '[').then_some(1);
            };
            (in_set(&set[..end], c) != negated).then_some(end + 2 + usize::from(negated))
        }
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

fn in_set(mut set: &[char], c: char) -> bool {
    loop {
        set = match set {
            [first, '-', last, rest @ ..] => {
                if (*first..=*last).contains(&c) {
                    return true;
                }
                rest
            }
            [one, rest @ ..] => {
                if *one == c {
                    return true;
                }
                rest
            }
            [] => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_are_those_of_fnmatch() {
        for (pattern, name, matched) in [
            ("*_test.py", "a/b_test.py", true),
            ("*_test.py", "a/b_tests.py", false),
            ("*/test_*.py", "a/b/test_c.py", true),
            ("test_*", "a/test_b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("[]]x", "]x", true),
            ("[x", "[x", true),
            ("[x", "x", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbx", false),
            ("", "", true),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), matched, "{pattern} {name}");
        }
    }
}
