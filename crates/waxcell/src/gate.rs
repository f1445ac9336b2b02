//! The gate: what is asked of a script before anything of it runs, and what comes of it.
//!
//! Analysis says what it found (`waxcell_analysis`), the policy what follows from it (`levels`), and what of it does not
//! count (`suppressed`, `baseline`, an [`approval`](crate::approval)); `outside` compares what the script needs with what
//! the policy gives; `judge` makes one decision of it all. Only `judge` makes an [`Approved`].

mod baseline;
mod dependencies;
mod judge;
mod levels;
mod outside;
mod suppressed;

use serde::Serialize;
use waxcell_analysis::Finding;

use crate::dependencies::Data;
use crate::policy::Level;

pub use baseline::{Baseline, BaselineError};
pub use judge::{Approved, Refusal};
pub(crate) use judge::{Asked, Said, judge, seen};
pub use outside::{Outside, Seen, outside};
pub(crate) use outside::{is_loopback, plain};
pub use suppressed::{By, Suppressed};

/// What the gate was told about a script, and what it made of it.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// Whether the script may run.
    pub approved: bool,
    /// The set of rules that were asked: [`waxcell_analysis::rules_sha256`].
    pub rules_sha256: String,
    /// How many findings and needs were a reason not to run it, suppressed ones left out.
    pub reasons: usize,
    /// How many would have been, had nobody approved the script.
    pub approved_reasons: usize,
    /// The approval that let it through.
    pub approval: Option<Approver>,
    /// SHA-256 of the policy's baseline, where it has one that could be read.
    pub baseline_sha256: Option<String>,
    /// The database of vulnerabilities that was asked, where the policy names one.
    pub vulnerabilities: Option<Data>,
}

/// An approval that let a script through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approver {
    /// The record of it.
    pub index: u64,
    /// That record's leaf hash (RFC 6962).
    pub leaf_hash: String,
    /// Who approved: a name, or `uid 1000`.
    pub by: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// A finding, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// What tells it from others though the script has changed: [`waxcell_analysis::fingerprints`].
    pub fingerprint: String,
    /// What follows from it, unless it is suppressed.
    pub level: Level,
    /// Why it does not count.
    pub suppressed: Option<Suppressed>,
}

/// Something that a script needs and the policy does not give, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// What it needs.
    #[serde(flatten)]
    pub outside: Outside,
    /// What follows from it, unless it is suppressed.
    pub level: Level,
    /// Why it does not count.
    pub suppressed: Option<Suppressed>,
}

impl Judged {
    /// Whether it keeps the script from being run.
    pub fn refuses(&self) -> bool {
        self.level == Level::Refuse && self.suppressed.is_none()
    }
}

impl Needed {
    /// Whether it keeps the script from being run.
    pub fn refuses(&self) -> bool {
        self.level == Level::Refuse && self.suppressed.is_none()
    }
}
