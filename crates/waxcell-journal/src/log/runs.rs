//! Whether every run that began has ended, once.

use std::collections::{BTreeMap, HashSet};

use super::record::Effect;

/// Names of runs as they are remembered.
type Name = [u8; 16];

/// So many runs that are over are remembered in one pass; with more, there are more passes.
pub(crate) const PER_PASS: u64 = if cfg!(test) { 4096 } else { 1 << 21 };

/// The runs of one pass: those whose names fall into its part.
pub(crate) struct Runs {
    part: u64,
    parts: u64,
    pub(crate) open: BTreeMap<Name, u64>,
    over: HashSet<Name>,
    /// Whether the records before are known, so that an end needs a beginning.
    whole: bool,
    /// How many ended, of all parts.
    pub(crate) ended: u64,
}

impl Runs {
    pub(crate) fn part(part: u64, parts: u64, whole: bool) -> Runs {
        Runs { part, parts, whole, open: BTreeMap::new(), over: HashSet::new(), ended: 0 }
    }

    /// Takes in what the next record does; says what is wrong with it.
    pub(crate) fn take(&mut self, run: &str, index: u64, effect: Effect) -> Option<&'static str> {
        if effect == Effect::None {
            return None;
        }
        let Some(name) = name(run) else {
            return (self.part == 0).then_some("has no name of 32 hexadecimal digits");
        };
        self.ended += u64::from(effect != Effect::Begins);
        // The last bytes are drawn at random.
        let tail =
            u64::from_be_bytes([0, name[9], name[10], name[11], name[12], name[13], name[14], name[15]]);
        if tail % self.parts != self.part {
            return None;
        }
        match effect {
            Effect::Begins if self.over.contains(&name) => Some("begins again after its end"),
            Effect::Begins => self.open.insert(name, index).map(|_| "begins twice"),
            Effect::Ends { may_stand_alone } => {
                let began = self.open.remove(&name).is_some();
                let first = self.over.insert(name);
                match (began, first) {
                    (true, _) => None,
                    (false, true) if may_stand_alone || !self.whole => None,
                    (false, true) => Some("ends without having begun"),
                    (false, false) => Some("ends twice"),
                }
            }
            Effect::None => None,
        }
    }
}

fn name(run: &str) -> Option<Name> {
    let digits = run.as_bytes();
    let mut name = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in name.iter_mut().zip(digits.chunks(2)) {
        let digit = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(name)
}

pub(crate) fn hex(name: &Name) -> String {
    name.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_once_and_ends_once() {
        let run = |letter: &str| letter.repeat(32);
        let mut runs = Runs::part(0, 1, true);
        let ends = Effect::Ends { may_stand_alone: false };
        let refused = Effect::Ends { may_stand_alone: true };
        let mut take = |letter, effect| runs.take(&run(letter), 7, effect);
        assert_eq!(take("a", Effect::Begins), None);
        assert_eq!(take("a", Effect::Begins), Some("begins twice"));
        assert_eq!(take("a", ends), None);
        assert_eq!(take("a", ends), Some("ends twice"));
        assert_eq!(take("a", refused), Some("ends twice"));
        assert_eq!(take("a", Effect::Begins), Some("begins again after its end"));
        assert_eq!(take("b", ends), Some("ends without having begun"));
        assert_eq!(take("c", refused), None);
        assert_eq!(take("d", Effect::Begins), None);
        assert_eq!(take("d", refused), None);
        assert_eq!(take("e", Effect::None), None);
        assert_eq!(take("x", ends), Some("has no name of 32 hexadecimal digits"));
        assert_eq!(take("f", Effect::Begins), None);
        assert_eq!(runs.open.iter().map(|(name, at)| (hex(name), *at)).collect::<Vec<_>>(), [(run("f"), 7)]);
    }
}
