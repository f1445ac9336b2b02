//! What follows from a finding by the policy alone, whatever may be suppressed.

use waxcell_analysis::{Class, Finding};

use crate::policy::{Gate, Level};

/// The level of a finding.
pub(super) fn of(finding: &Finding, gate: &Gate) -> Level {
    // Nobody could say what such a script does; and what is in no registry of rules is nothing that a policy knows.
    if finding.blocks() || finding.class == Class::Reading {
        return Level::Refuse;
    }
    if let Some(level) = gate.rules.get(finding.rule) {
        return *level;
    }
    match finding.class {
        Class::Reading => Level::Refuse,
        // Most of these are ways to hide what the script can do: that nothing is seen of it says nothing.
        Class::Threat => gate.threats,
        // It is in the report by itself; what the policy does not give is compared apart.
        Class::Capability => Level::Report,
        Class::Dynamic => gate.dynamic_code,
        Class::Hygiene => match gate.refuse_at {
            Some((severity, confidence))
                if finding.severity >= severity && finding.confidence >= confidence =>
            {
                Level::Refuse
            }
            _ => gate.hygiene,
        },
    }
}
