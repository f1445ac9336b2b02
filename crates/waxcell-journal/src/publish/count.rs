//! How many witnesses signed a checkpoint, and whether they are a quorum.

use std::fmt;

use crate::tlog::{Policy, SignedCheckpoint};

/// How many witnesses signed a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// As many.
    pub by: usize,
    /// Of so many.
    pub of: usize,
    /// Whether they are a quorum.
    pub quorum: bool,
    /// Since when they are one: what the last one needed says, in seconds since 1970. Nothing without a quorum or where
    /// none is asked for.
    pub time: Option<u64>,
}

impl Cosigned {
    /// How many witnesses of a policy signed a checkpoint, which was opened with their keys.
    #[must_use]
    pub fn of(policy: &Policy, signed: &SignedCheckpoint) -> Cosigned {
        let mut part = signed.clone();
        part.cosignatures.clear();
        let mut all = signed.cosignatures.clone();
        all.sort_by_key(|one| std::cmp::Reverse(one.time));
        let by = all.len();
        let (mut quorum, mut time) = (policy.check(&part).is_ok(), None);
        // The latest first: a single witness with a wrong clock makes nothing look younger than a quorum says.
        for one in all {
            if !quorum {
                time = one.time;
                part.cosignatures.push(one);
                quorum = policy.check(&part).is_ok();
            }
        }
        Cosigned { by, of: policy.witnesses().count(), quorum, time: time.filter(|_| quorum) }
    }
}

impl fmt::Display for Cosigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cosigned { by, of, quorum, .. } = self;
        match (by, quorum) {
            (0, true) => write!(f, "signed, and cosigned by none of {of} witnesses"),
            (0, false) => write!(f, "signed, and cosigned by none of {of} witnesses: that is no quorum"),
            (_, true) => write!(f, "cosigned {by} of {of}"),
            (_, false) => write!(f, "cosigned {by} of {of}: that is no quorum"),
        }
    }
}
