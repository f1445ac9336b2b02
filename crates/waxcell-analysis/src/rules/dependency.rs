//! What is known of a script's dependencies. Whoever knows what is installed finds it; here is what it means.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};

pub(crate) static VULNERABLE: Rule = Rule {
    id: "vulnerable-dependency",
    class: Class::Hygiene,
    name: "vulnerable-dependency",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 1395,
    summary: "a distribution that the script uses is known to be vulnerable",
    why: "What is known to be wrong with a version is known to attackers too.",
    help: "use a version in which it is repaired, or do without it",
    fires: "",
    silent: "import json\n",
    differs: None,
    check: Check::Elsewhere,
};

pub(crate) static UNAUDITED: Rule = Rule {
    id: "unaudited-dependency",
    class: Class::Hygiene,
    name: "unaudited-dependency",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 1395,
    summary: "nobody knows whether something that the script uses is vulnerable",
    why: "What was not compared with a whole and recent database is not known to be clean. The gate of `run` asks this rule; `waxcell check` says it beside its findings.",
    help: "name a version that a recent and whole database can say something about",
    fires: "",
    silent: "import json\n",
    differs: None,
    check: Check::Elsewhere,
};
