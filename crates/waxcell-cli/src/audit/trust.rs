//! What `audit verify` relies on: keys of logs, and witnesses that have to have signed.

use std::path::Path;

use waxcell_journal::tlog::{Policy, SignedCheckpoint};
use waxcell_journal::{Cosigned, Witnesses};

use crate::edge;

/// Who has to have signed what is checked.
pub(super) struct Trust {
    pub(super) policy: Policy,
    /// Whether whoever asks named the policy, so that its quorum is demanded.
    pub(super) demanded: bool,
}

impl Trust {
    /// The policy that was named; else that of the journal, for which nothing is demanded but what it says is told.
    ///
    /// # Errors
    ///
    /// Why the policy cannot be used.
    pub(super) fn of(named: Option<&Path>, journal: Option<&Path>) -> Result<Option<Trust>, String> {
        if let Some(path) = named {
            let told =
                |error: &dyn std::error::Error| format!("`{}`: {}", path.display(), edge::with_causes(error));
            let text = super::read(path).map_err(|error| told(&error))?;
            let policy = Policy::parse(&text).map_err(|error| told(&error))?;
            return Ok(Some(Trust { policy, demanded: true }));
        }
        let own =
            journal.map(Witnesses::of).transpose().map_err(|error| edge::with_causes(&error))?.flatten();
        Ok(own.map(|witnesses| Trust { policy: witnesses.policy, demanded: false }))
    }

    /// How many witnesses signed a checkpoint, and why that is not enough.
    pub(super) fn count(&self, signed: &SignedCheckpoint) -> Result<(Cosigned, Option<String>), String> {
        let logs: Vec<_> = signed.signatures.iter().map(|signature| signature.key.clone()).collect();
        let note = signed.note.to_string();
        let opened = SignedCheckpoint::open(note.as_bytes(), &logs, &self.policy.witness_keys())
            .map_err(|error| edge::with_causes(&error))?;
        let lacking = self.policy.check(&opened).err().filter(|_| self.demanded);
        Ok((Cosigned::of(&self.policy, &opened), lacking.map(|error| error.to_string())))
    }
}
