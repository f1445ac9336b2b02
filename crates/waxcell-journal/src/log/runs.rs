//! Whether every run that began has ended, once.

use std::collections::{BTreeMap, HashSet};

use super::record::Effect;
use crate::frame::SpanId;

/// So many runs that are over are remembered in one pass; with more, there are more passes.
pub(crate) const PER_PASS: u64 = if cfg!(test) { 4096 } else { 1 << 21 };

/// The runs of one pass: those whose names fall into its part.
pub(crate) struct Runs {
    part: u64,
    parts: u64,
    pub(crate) open: BTreeMap<SpanId, u64>,
    over: HashSet<SpanId>,
    /// Whether the records before are known, so that an end needs a beginning.
    whole: bool,
    /// How many ended, of all parts.
    pub(crate) ended: u64,
}

impl Runs {
    pub(crate) fn part(part: u64, parts: u64, whole: bool) -> Runs {
        Runs { part, parts, whole, open: BTreeMap::new(), over: HashSet::new(), ended: 0 }
    }

    /// Records are not known here, all of whose runs have ended: then an end needs no beginning any more.
    pub(crate) fn skip(&mut self) {
        self.whole = false;
        self.open.clear();
    }

    /// Takes in what the next record does; says what is wrong with it.
    pub(crate) fn take(&mut self, run: &str, index: u64, effect: Effect) -> Option<&'static str> {
        if effect == Effect::None {
            return None;
        }
        let Some(name) = SpanId::from_hex(run) else {
            return (self.part == 0).then_some("has no name of 32 hexadecimal digits");
        };
        self.ended += u64::from(effect != Effect::Begins);
        // The last bytes are drawn at random.
        let tail = u128::from_be_bytes(*name.as_bytes()) as u64 & (u64::MAX >> 8);
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
        assert_eq!(
            runs.open.iter().map(|(name, at)| (name.to_string(), *at)).collect::<Vec<_>>(),
            [(run("f"), 7)]
        );
    }
}
