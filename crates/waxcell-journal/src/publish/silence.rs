//! Which witnesses did not answer in time lately: those are left alone for a while, so that not every run waits for them.
//!
//! What is lost of it, or was made up, only makes somebody wait, or a signature come later.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::PublishError;
use crate::directory::Directory;
use crate::tlog::VerifierKey;
use crate::whole;

const NAME: &str = "witnesses.silent";
/// Longer is no such file, in bytes.
const MOST: u64 = 1 << 16;
/// How long one is left alone after the first time; twice as long after each further one.
const FIRST: Duration = Duration::from_secs(30);
/// And so many times at most: eight minutes.
const DOUBLINGS: u32 = 4;

/// The silent ones: how often they did not answer, and when the last time was, in microseconds since the machine was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Silence(BTreeMap<String, (u32, u64)>);

impl Silence {
    pub(super) fn read(directory: &Directory) -> Result<Silence, PublishError> {
        let bytes = whole::read(directory, NAME, MOST)?.unwrap_or_default();
        let one = |line: &str| {
            let [key, times, at] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
            Some((key.to_owned(), (times.parse().ok()?, at.parse().ok()?)))
        };
        Ok(Silence(String::from_utf8_lossy(&bytes).lines().filter_map(one).collect()))
    }

    pub(super) fn keep(&self, directory: &Directory) -> Result<(), PublishError> {
        let lines: String = self.0.iter().map(|(key, (times, at))| format!("{key} {times} {at}\n")).collect();
        // Not waited for: it is worth less than that.
        Ok(whole::replace(directory, &format!("{NAME}.tmp"), NAME, lines.as_bytes(), false)?)
    }

    /// Whether a witness is left alone now.
    pub(super) fn is_left_alone(&self, witness: &VerifierKey, now: u64) -> bool {
        self.0.get(&witness.to_string()).is_some_and(|(times, at)| {
            let long = FIRST * (1 << (times.saturating_sub(1)).min(DOUBLINGS));
            // A time that is still to come is one of before the machine was started anew.
            now.checked_sub(*at).is_some_and(|since| u128::from(since) < long.as_micros())
        })
    }

    /// It did not answer in time.
    pub(super) fn add(&mut self, witness: &VerifierKey, now: u64) {
        let (times, at) = self.0.entry(witness.to_string()).or_default();
        (*times, *at) = (times.saturating_add(1), now);
    }

    /// It has said something.
    pub(super) fn remove(&mut self, witness: &VerifierKey) {
        self.0.remove(&witness.to_string());
    }
}

/// Microseconds since the machine was started: nobody sets this clock.
pub(super) fn now() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_left_alone_for_longer_each_time() {
        let home = tempfile::tempdir().unwrap();
        let directory = Directory::private(home.path()).unwrap();
        let key: VerifierKey =
            "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2".parse().unwrap();
        let second = 1_000_000;
        let mut now = 1000 * second;
        assert_eq!(Silence::read(&directory).unwrap(), Silence::default());
        for long in [30, 60, 120, 240, 480, 480, 480] {
            let mut silence = Silence::read(&directory).unwrap();
            assert!(!silence.is_left_alone(&key, now));
            silence.add(&key, now);
            silence.keep(&directory).unwrap();
            let silence = Silence::read(&directory).unwrap();
            assert!(silence.is_left_alone(&key, now + long * second - 1));
            assert!(!silence.is_left_alone(&key, now + long * second));
            assert!(!silence.is_left_alone(&key, now - 1), "the machine was started anew");
            now += long * second;
        }
        let mut silence = Silence::read(&directory).unwrap();
        silence.remove(&key);
        silence.keep(&directory).unwrap();
        assert_eq!(Silence::read(&directory).unwrap(), Silence::default());
        std::fs::write(home.path().join(NAME), "nonsense\n\0 1 2 3\nx y z\n").unwrap();
        assert_eq!(Silence::read(&directory).unwrap(), Silence::default());
    }
}
