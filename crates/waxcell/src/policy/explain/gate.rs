//! What the section `analysis` becomes.

use super::Explainer;
use crate::policy::gate::{Level, Suppression};

const GATE: &str = "asked by the gate before anything of a script runs";

impl Explainer<'_> {
    pub(super) fn gate(&mut self) {
        let gate = &self.policy.analysis;
        let word = |level: Level| match level {
            Level::Refuse => "refuses the run",
            Level::Report => "in the report and on record",
            Level::Allow => "granted; in the report and on record",
            Level::Ignore => "not told",
        };
        for (key, level, about) in [
            (
                "analysis.capabilities",
                gate.capabilities,
                "what the script certainly needs and the policy does not give: ",
            ),
            ("analysis.threats", gate.threats, "what attacks do and honest programs practically never: "),
            ("analysis.dynamic_code", gate.dynamic_code, "code that nobody can know before: "),
            ("analysis.hygiene", gate.hygiene, "all other findings: "),
        ] {
            self.add(key, level.name(), format!("{about}{}", word(level)), GATE);
        }
        let (severity, confidence, becomes) = match gate.refuse_at {
            Some((severity, confidence)) => (
                severity.to_string(),
                confidence.to_string(),
                "from here on, findings of hygiene refuse the run",
            ),
            None => {
                ("none".to_owned(), "low".to_owned(), "no finding of hygiene refuses the run for its level")
            }
        };
        self.add("analysis.refuse_at.severity", severity, becomes, GATE);
        self.add("analysis.refuse_at.confidence", confidence, "and from this confidence on", GATE);
        let rules = gate.rules.iter().map(|(rule, level)| format!("{rule}: {}", level.name()));
        self.add("analysis.rules", super::join(rules), "hold whatever the class of the rule does", GATE);
        let key = "analysis.suppressions";
        if gate.suppressions.is_empty() {
            self.add(key, "none", "every finding counts", GATE);
        }
        for one in &gate.suppressions {
            let from = super::Provenance::Line(one.line);
            self.add_from(from, key, about(one), becomes_of(one), GATE);
        }
        let baseline = gate.baseline.as_ref().map(|path| path.to_string_lossy().into_owned());
        let becomes = match &gate.baseline {
            Some(path) if !path.exists() => "absent on this host: nothing can be run",
            Some(_) => "findings of hygiene that it has do not count",
            None => "no finding is known already",
        };
        self.add("analysis.baseline", baseline.unwrap_or("none".to_owned()), becomes, "read for each run");
        self.vulnerabilities();
        let becomes = match gate.honour_comments {
            true => "`# nosec` in a script keeps its findings of hygiene from counting",
            false => "no comment of a script keeps a finding from counting",
        };
        self.add("analysis.honour_comments", gate.honour_comments.to_string(), becomes, GATE);
    }

    fn vulnerabilities(&mut self) {
        let one = &self.policy.analysis.vulnerabilities;
        let database = one.database.as_ref().map(|path| path.to_string_lossy().into_owned());
        let becomes = match &one.database {
            Some(path) if !path.exists() => "absent on this host: nothing can be audited",
            Some(_) => "what the script imports is compared with it",
            None => "dependencies are not audited",
        };
        let key = "analysis.vulnerabilities.database";
        self.add(key, database.unwrap_or("none".to_owned()), becomes, "read for each run");
        let days = one.max_age_days.to_string();
        let key = "analysis.vulnerabilities.max_age_days";
        self.add(key, days, "with an older database nothing is audited to the end", GATE);
        for (key, level, about) in [
            ("analysis.vulnerabilities.on_finding", one.on_finding, "what is known to be vulnerable: "),
            ("analysis.vulnerabilities.on_unaudited", one.on_unaudited, "what nobody knows: "),
        ] {
            let word = if level == Level::Refuse { "refuses the run" } else { "in the report and on record" };
            self.add(key, level.name(), format!("{about}{word}"), GATE);
        }
    }
}

fn about(one: &Suppression) -> String {
    let parts = [one.rule.map(str::to_owned), one.fingerprint.clone(), one.path.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" in ")
}

fn becomes_of(one: &Suppression) -> String {
    let until = one.until.map_or(String::new(), |until| format!(" until {until}"));
    format!("does not count{until}: {}", one.reason)
}
