//! The page of the invariants names all nine, each with what holds it.

use super::Faults;

/// A word of each invariant that no other one has.
const INVARIANTS: [&str; 9] = [
    "waxcell-journal",
    "sys.rs",
    "Receipt",
    "echo of the request",
    "pure and total",
    "prints",
    "in-memory type",
    "Fail closed",
    "pathname",
];

pub(crate) fn check(page: Option<&str>) -> Faults {
    let Some(page) = page else { return vec!["ARCHITECTURE.md is not there".to_owned()] };
    let mut faults = Vec::new();
    for (at, word) in INVARIANTS.into_iter().enumerate() {
        let number = at + 1;
        // An item of a list or a row of a table, up to the next one.
        let begins = |line: &str, number: usize| {
            let line = line.trim_start_matches(['|', ' ', '#', '*']);
            line.starts_with(&format!("{number}.")) || line.starts_with(&format!("{number} |"))
        };
        let item: String = page
            .lines()
            .skip_while(|line| !begins(line, number))
            .enumerate()
            .take_while(|(at, line)| *at == 0 || !(begins(line, number + 1) || line.starts_with('#')))
            .map(|(_, line)| format!("{line} "))
            .collect();
        if !item.contains(word) {
            faults.push(format!("invariant {number} (about `{word}`) is not there as item {number}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::{INVARIANTS, check};

    #[test]
    fn a_missing_invariant_is_found() {
        let page = |words: &[&str]| {
            let items =
                words.iter().enumerate().map(|(at, word)| format!("{}. About {word}\n   and more\n", at + 1));
            items.collect::<String>()
        };
        assert_eq!(check(Some(&page(&INVARIANTS))), [""; 0]);
        assert_eq!(check(Some(&page(&INVARIANTS[..8]))).len(), 1);
        let mut swapped = INVARIANTS;
        swapped.swap(0, 3);
        assert_eq!(check(Some(&page(&swapped))).len(), 2);
        assert_eq!(check(None), ["ARCHITECTURE.md is not there"]);
    }
}
