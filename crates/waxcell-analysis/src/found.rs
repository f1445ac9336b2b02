//! What a rule says about a place, before it is known on which line that is.

use std::borrow::Cow;

use ruff_text_size::{Ranged, TextRange};

use crate::finding::{Confidence, Severity};

/// Where a rule is broken. What it does not say is as the rule has it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) range: TextRange,
    pub(crate) severity: Option<Severity>,
    pub(crate) confidence: Option<Confidence>,
    pub(crate) message: Option<Cow<'static, str>>,
}

impl Found {
    pub(crate) fn at(place: &impl Ranged) -> Found {
        Found { range: place.range(), severity: None, confidence: None, message: None }
    }

    pub(crate) fn severity(self, severity: Severity) -> Found {
        Found { severity: Some(severity), ..self }
    }

    pub(crate) fn confidence(self, confidence: Confidence) -> Found {
        Found { confidence: Some(confidence), ..self }
    }

    pub(crate) fn message(self, message: impl Into<Cow<'static, str>>) -> Found {
        Found { message: Some(message.into()), ..self }
    }
}
