//! What follows from a finding by the policy alone, whatever may be suppressed.

use waxcell_analysis::{Analysis, Base, Capabilities, Capability, Class, Family, Finding, Target};
use waxcell_operations::Operation;

use crate::policy::{Gate, Level};

/// The level of a finding of `analysis`.
pub(super) fn of(finding: &Finding, analysis: &Analysis, gate: &Gate) -> Level {
    // Nobody could say what such a script does; and what is in no registry of rules is nothing that a policy knows.
    if finding.blocks() || finding.class == Class::Reading {
        return Level::Refuse;
    }
    if let Some(level) = gate.rules.get(finding.rule) {
        return *level;
    }
    match finding.class {
        Class::Reading => Level::Refuse,
        Class::Threat if can_do_harm(analysis) => gate.threats,
        // It is in the report by itself; what the policy does not give is compared apart.
        Class::Threat | Class::Capability => Level::Report,
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

/// Whether the script can do anything that would hurt somebody: reach a network, start programs, run what is no Python or
/// what nobody can know before, write what lasts, or read what is not known to lie beside it.
fn can_do_harm(analysis: &Analysis) -> bool {
    let Capabilities { entries, complete } = &analysis.capabilities;
    !complete || entries.iter().any(is_harmful)
}

fn is_harmful(capability: &Capability) -> bool {
    match capability.family {
        Family::Modules | Family::Environment | Family::Threads => false,
        Family::Network | Family::Programs | Family::Processes | Family::Native | Family::Code => true,
        Family::System => true,
        Family::Files => {
            let is_beside = match &capability.target {
                Target::Path { path: Some(path), base: Base::Cwd | Base::Script } => {
                    !path.starts_with('/') && !path.split('/').any(|part| part == ".." || part.contains('*'))
                }
                _ => false,
            };
            capability.operation != Some(Operation::FsRead) || !is_beside
        }
    }
}
