//! A token bucket: how many bytes may pass now, for all connections of a run together.

use std::time::{Duration, Instant};

/// Tokens are bytes; they come at a steady rate and are kept up to a tenth of a second's worth.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Bytes a second.
    rate: u64,
    /// Bytes that may pass at once after idleness.
    depth: u64,
    /// Bytes that may pass, times a thousand million: so that no fraction of a byte is lost between two calls.
    level: u128,
    filled: Instant,
}

const NANOS: u128 = 1_000_000_000;

/// What is asked for in vain below this many bytes would be a system call for each packet's worth.
const LEAST: u64 = 4096;

impl Bucket {
    pub(crate) fn new(rate: u64, now: Instant) -> Bucket {
        let rate = rate.max(1);
        let depth = (rate / 10).max(LEAST);
        Bucket { rate, depth, level: u128::from(depth) * NANOS, filled: now }
    }

    /// Takes up to `wanted` bytes, or says how long to wait before some are there.
    pub(crate) fn take(&mut self, wanted: u64, now: Instant) -> Result<u64, Duration> {
        let elapsed = now.saturating_duration_since(self.filled).as_nanos();
        self.filled = self.filled.max(now);
        let full = u128::from(self.depth) * NANOS;
        self.level = full.min(self.level.saturating_add(elapsed.saturating_mul(self.rate.into())));
        let there = u64::try_from(self.level / NANOS).unwrap_or(u64::MAX);
        let least = wanted.min(LEAST);
        if there < least {
            let missing = u128::from(least) * NANOS - self.level;
            let nanos = missing.div_ceil(self.rate.into());
            return Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        }
        let taken = there.min(wanted);
        self.level -= u128::from(taken) * NANOS;
        Ok(taken)
    }

    /// Puts back what was taken and did not pass.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        let full = u128::from(self.depth) * NANOS;
        self.level = full.min(self.level + u128::from(bytes) * NANOS);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::{prop_assert, proptest};

    use super::Bucket;

    #[test]
    fn whoever_waits_as_told_gets_the_rate() {
        for rate in [1_000, 50_000, 1_000_000, 123_456_789] {
            let start = Instant::now();
            let (mut now, mut bucket, mut passed) = (start, Bucket::new(rate, start), 0);
            while now < start + Duration::from_secs(10) {
                match bucket.take(100_000, now) {
                    Ok(taken) => passed += taken,
                    Err(wait) => now += wait,
                }
            }
            let (fair, passed) = (rate * 10, passed.saturating_sub((rate / 10).max(4096)));
            assert!(passed.abs_diff(fair) <= fair / 20 + 4096, "{rate}: {passed}");
        }
    }

    #[test]
    fn idleness_saves_up_no_more_than_the_depth() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1_000_000, start);
        let later = start + Duration::from_secs(3600);
        assert_eq!(bucket.take(u64::MAX, later), Ok(100_000));
        assert!(bucket.take(1, later).is_err());
        bucket.give_back(5);
        assert_eq!(bucket.take(15, later + Duration::from_micros(10)), Ok(15));
        // A clock that goes back gives nothing.
        assert!(bucket.take(1, start).is_err());
    }

    proptest! {
        #[test]
        fn no_order_of_calls_gets_more_than_rate_and_depth(
            rate in 1u64..10_000_000,
            steps in proptest::collection::vec((0u64..200_000, 0u64..50_000_000), 1..200),
        ) {
            let start = Instant::now();
            let (mut now, mut bucket, mut passed) = (start, Bucket::new(rate, start), 0u128);
            for (wanted, nanos) in steps {
                now += Duration::from_nanos(nanos);
                if let Ok(taken) = bucket.take(wanted, now) {
                    prop_assert!(taken <= wanted);
                    passed += u128::from(taken);
                }
                let most = u128::from(rate) * (now - start).as_nanos() / 1_000_000_000 + u128::from((rate / 10).max(4096));
                prop_assert!(passed <= most + 1);
            }
        }
    }
}
