//! Why a finding does not count.

use std::path::Path;

use serde::Serialize;
use waxcell_analysis::Class;

use super::{Approver, Judged};
use crate::policy::{Date, Gate, Level};

/// Why a finding does not count, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suppressed {
    /// Who.
    pub by: By,
    /// Why.
    pub reason: String,
    /// The line of the policy that says so.
    pub line: Option<usize>,
    /// The record of the approval.
    pub record: Option<u64>,
}

/// Who says that a finding does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// `analysis.suppressions`, or what the policy allows.
    Policy,
    /// `analysis.baseline`.
    Baseline,
    /// A comment in the script, where the policy honours those.
    Comment,
    /// A person who approved the script as it is.
    Approval,
}

impl Suppressed {
    fn by(by: By, reason: &str) -> Suppressed {
        Suppressed { by, reason: reason.to_owned(), line: None, record: None }
    }

    /// By a person who approved the script.
    pub(super) fn approved(approver: &Approver) -> Suppressed {
        Suppressed { record: Some(approver.index), ..Suppressed::by(By::Approval, &approver.reason) }
    }

    /// By the policy's baseline.
    pub(super) fn known() -> Suppressed {
        Suppressed::by(By::Baseline, "it is in the baseline")
    }

    /// By a comment of the script.
    pub(super) fn commented() -> Suppressed {
        Suppressed::by(By::Comment, "a comment of the script says so")
    }

    /// By the policy, on this day, of a script that lies there in the project.
    pub(super) fn by_policy(
        judged: &Judged,
        gate: &Gate,
        inside: Option<&Path>,
        today: Date,
    ) -> Option<Suppressed> {
        if judged.level == Level::Allow {
            return Some(Suppressed::by(By::Policy, "`analysis.dynamic_code: allow`"));
        }
        let of_it = |of: Option<&str>, is: &str| of.is_none_or(|of| of == is);
        let one = gate.suppressions.iter().find(|one| {
            of_it(one.rule, judged.finding.rule)
                && of_it(one.fingerprint.as_deref(), &judged.fingerprint)
                && one.is_about(inside)
                && !one.is_past(today)
        })?;
        Some(Suppressed { line: Some(one.line), ..Suppressed::by(By::Policy, &one.reason) })
    }
}

impl Judged {
    /// Whether a baseline or a comment can keep it from counting: they say nothing about who wrote them, or about which
    /// script they are.
    pub(super) fn is_hygiene(&self) -> bool {
        self.finding.class == Class::Hygiene
    }
}
