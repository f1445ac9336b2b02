//! What analysis says, in the form that every reader of it gets.

use std::fmt;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::capabilities::Capabilities;
use crate::lines::Lines;
use crate::rules::{self, Rule};

/// Everything that is known about one script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// The findings, in the order of their place in the script.
    pub findings: Vec<Finding>,
    /// How many lines the script has; a last one without a line end counts.
    pub lines: usize,
    /// What the script can use, if that was asked for and the script could be read.
    pub capabilities: Capabilities,
    /// What comments of the script keep from being told.
    pub silenced: Silenced,
}

impl Analysis {
    /// What there is to say if an analysis has ended before it was done: nothing is known, and so nothing may be run.
    pub fn ended(why: impl Into<String>) -> Analysis {
        let problem = Problem { message: why.into(), ..Problem::of(&rules::ANALYSIS_ENDED) };
        Analysis { findings: vec![problem.located(&mut Lines::new(b""))], lines: 0, ..Analysis::default() }
    }

    /// Whether it is one that has [ended](Analysis::ended).
    pub fn has_ended(&self) -> bool {
        self.findings.iter().any(|finding| finding.rule == rules::ANALYSIS_ENDED.id)
    }

    /// Whether the script must not be run: the interpreter could not read it either, or we could not analyse it.
    pub fn blocks(&self) -> bool {
        self.findings.iter().any(Finding::blocks)
    }
}

/// What `# nosec` comments do, where they are honoured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silenced {
    /// How many findings are silenced by comments that name no rule.
    pub all: usize,
    /// How many by those that name theirs.
    pub named: usize,
    /// The lines of comments that silence nothing, from 1.
    pub unused: Vec<usize>,
}

/// The statement or expression that a finding is about, as Python's own tree has it. All 0 for a script as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its first line, from 1. Of a text it is that of the statement or expression around it.
    pub first_line: u32,
    /// Its last one.
    pub last_line: u32,
    /// The bytes before it on its line, in UTF-8 whatever the script's encoding.
    pub column: u32,
    /// The bytes before its end on the line of its end.
    pub end_column: u32,
}

/// The id of a [`Rule`].
pub type RuleId = &'static str;

fn known_rule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RuleId, D::Error> {
    let id = String::deserialize(deserializer)?;
    rules::find(&id).map(|rule| rule.id).ok_or_else(|| D::Error::custom(format!("there is no rule `{id}`")))
}

/// What a rule says about a place in a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's id, for example `syntax-error`. Read back, it is one of the registry, or no finding.
    #[serde(deserialize_with = "known_rule")]
    pub rule: RuleId,
    /// What kind of thing the rule says.
    pub class: Class,
    /// How bad it is if it is true.
    pub severity: Severity,
    /// How likely it is to be true.
    pub confidence: Confidence,
    /// What is wrong, in one line: lower case, no full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do about it, in one line: lower case, no full stop.
    pub help: String,
    /// What it is about.
    pub about: About,
}

impl Finding {
    /// Whether this finding alone means that the script must not be run. A rule that is not in the registry blocks.
    pub fn blocks(&self) -> bool {
        rules::find(self.rule).is_none_or(Rule::blocks)
    }
}

/// What kind of thing a rule says, and so who decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The script cannot be read or analysed. It is never run.
    Reading,
    /// The code would be better done otherwise; honest programs do it all the time.
    Hygiene,
    /// The script can reach something that is worth knowing before it runs; some honest programs do.
    Capability,
    /// What attacks do and honest programs practically never.
    Threat,
    /// Code is run whose content cannot be known before.
    Dynamic,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a change.
    Medium,
    /// Dangerous, or in the way of running at all.
    High,
}

/// How sure the rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A hint.
    Low,
    /// Right more often than not.
    Medium,
    /// A fact.
    High,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Reading => "reading",
            Class::Hygiene => "hygiene",
            Class::Capability => "capability",
            Class::Threat => "threat",
            Class::Dynamic => "dynamic",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        })
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        })
    }
}

/// A place in a script, in the bytes as they were given (before decoding).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte; equal to `start` where something is missing.
    pub end: usize,
    /// The line of `start`, from 1. CRLF, LF and a lone CR end a line, as for the interpreter.
    pub line: usize,
    /// The column of `start`, in characters, from 1. A byte-order mark is not a character.
    pub column: usize,
}

/// A finding before it is known on which line it is.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) rule: &'static Rule,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// How many characters of its line come before it, where bytes do not tell.
    pub(crate) column: Option<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) about: About,
}

impl Problem {
    /// A finding at the beginning of the script, as the rule has it.
    pub(crate) fn of(rule: &'static Rule) -> Problem {
        Problem {
            rule,
            severity: rule.severity,
            confidence: rule.confidence,
            start: 0,
            end: 0,
            column: None,
            message: rule.summary.into(),
            help: rule.help.into(),
            about: About::default(),
        }
    }

    /// The finding at its place; `lines` has been asked for no place behind it.
    pub(crate) fn located(self, lines: &mut Lines<'_>) -> Finding {
        let (line, column) = lines.position(self.start);
        let column = self.column.unwrap_or(column);
        Finding {
            rule: self.rule.id,
            class: self.rule.class,
            severity: self.severity,
            confidence: self.confidence,
            message: self.message,
            span: Span { start: self.start, end: self.end, line, column },
            help: self.help,
            about: self.about,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Analysis;
    use crate::{Profile, PythonVersion, scan};

    #[test]
    fn what_is_written_is_read_back_and_rules_are_those_that_there_are() {
        let analysis =
            scan("a.py", b"f(x, shell=True)\nassert x\n", PythonVersion::NEWEST, &Profile::default());
        assert_eq!(analysis.findings.len(), 2);
        let text = serde_json::to_string(&analysis).unwrap();
        assert_eq!(serde_json::from_str::<Analysis>(&text).unwrap(), analysis);
        let other = text.replace("B101", "B999");
        let error = serde_json::from_str::<Analysis>(&other).unwrap_err().to_string();
        assert!(error.starts_with("there is no rule `B999`"), "{error}");
    }
}
