//! The section `analysis`: what the gate makes of what analysis says about a script.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use waxcell_analysis::{Confidence, RULES, Rule, Severity};

use super::date::Date;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::{Node, Value};
use super::paths;
use super::text::{is_unprintable, nearest, quoted};
use super::values::{Reader, key};

const RULES_KEY: &str = "analysis.rules";
const SUPPRESSIONS: &str = "analysis.suppressions";
const BASELINE: &str = "analysis.baseline";
const DATABASE: &str = "analysis.vulnerabilities.database";

/// What the gate makes of what analysis says about a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// What a script can do outside of the policy: [`Level::Refuse`] or [`Level::Report`].
    pub capabilities: Level,
    /// What attacks do and honest programs practically never: [`Level::Refuse`] or [`Level::Report`].
    pub threats: Level,
    /// Code of unknown content that is executed: not [`Level::Ignore`].
    pub dynamic_code: Level,
    /// All other findings: not [`Level::Allow`].
    pub hygiene: Level,
    /// Hygiene findings from this severity and confidence on refuse.
    pub refuse_at: Option<(Severity, Confidence)>,
    /// What holds for single rules in place of the four above.
    pub rules: BTreeMap<&'static str, Level>,
    /// Findings that do not count, each with the reason why.
    pub suppressions: Vec<Suppression>,
    /// A report of `waxcell check` whose hygiene findings do not count.
    pub baseline: Option<PathBuf>,
    /// By what dependencies are audited.
    pub vulnerabilities: Vulnerabilities,
    /// Whether `# nosec` in a script that is run keeps its hygiene findings from counting.
    pub honour_comments: bool,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The script is not run.
    Refuse,
    /// It is in the report and on record.
    Report,
    /// It is granted: in the report and on record, marked as that.
    Allow,
    /// Nothing: it is not told.
    Ignore,
}

/// How dependencies are audited, and what follows from that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vulnerabilities {
    /// The database, a folder or an archive; `None`: nothing is audited.
    pub database: Option<PathBuf>,
    /// How many days ago its last entry may have been changed.
    pub max_age_days: u64,
    /// What is vulnerable: [`Level::Refuse`] or [`Level::Report`].
    pub on_finding: Level,
    /// What nobody knows: [`Level::Refuse`] or [`Level::Report`].
    pub on_unaudited: Level,
}

/// Findings that do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Of this rule; `None`: of any.
    pub rule: Option<&'static str>,
    /// In scripts whose path in the project matches this pattern; `None`: in all.
    pub path: Option<String>,
    /// With this fingerprint; `None`: with any.
    pub fingerprint: Option<String>,
    /// Why they do not count.
    pub reason: String,
    /// The last day on which they do not.
    pub until: Option<Date>,
    /// Line in the file.
    pub line: usize,
    /// Place of that day in the file, in bytes.
    pub until_at: Range<usize>,
}

impl Level {
    /// All levels.
    pub const ALL: [Level; 4] = [Level::Refuse, Level::Report, Level::Allow, Level::Ignore];

    /// Those that a single rule can have.
    pub const OF_RULES: [&'static str; 3] = ["refuse", "report", "ignore"];

    /// The word for it in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Refuse => "refuse",
            Level::Report => "report",
            Level::Allow => "allow",
            Level::Ignore => "ignore",
        }
    }

    fn named(word: &str) -> Level {
        Level::ALL.into_iter().find(|level| level.name() == word).unwrap_or(Level::Refuse)
    }
}

impl Suppression {
    /// Takes away where it stands: what is left is what it says.
    pub fn forget_place(&mut self) {
        (self.line, self.until_at) = (0, 0..0);
    }

    /// Whether it is over.
    pub fn is_past(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until.is_past(today))
    }

    /// Whether it is about scripts at this path, if `inside` is where the script lies in the project.
    pub fn is_about(&self, inside: Option<&Path>) -> bool {
        let Some(pattern) = &self.path else { return true };
        let name = inside.and_then(Path::to_str);
        name.is_some_and(|name| waxcell_analysis::path_matches(pattern, name))
    }
}

/// What to say of suppressions that are over.
pub(super) fn past(gate: &Gate, text: &str, today: Date) -> Vec<Diagnostic> {
    let mut diagnostics = Diagnostics::new(text);
    for one in gate.suppressions.iter().filter(|one| one.is_past(today)) {
        diagnostics
            .warning(&one.until_at, "this suppression is over: what it is about counts again")
            .help("remove it, or look at the finding again and name another day");
    }
    diagnostics.finish()
}

impl Reader<'_, '_, '_> {
    pub(super) fn gate(&mut self) -> Gate {
        let severity = match self.word("analysis.refuse_at.severity") {
            "low" => Some(Severity::Low),
            "medium" => Some(Severity::Medium),
            "high" => Some(Severity::High),
            _ => None,
        };
        let confidence = match self.word("analysis.refuse_at.confidence") {
            "medium" => Confidence::Medium,
            "high" => Confidence::High,
            _ => Confidence::Low,
        };
        let gate = Gate {
            capabilities: Level::named(self.word("analysis.capabilities")),
            threats: Level::named(self.word("analysis.threats")),
            dynamic_code: Level::named(self.word("analysis.dynamic_code")),
            hygiene: Level::named(self.word("analysis.hygiene")),
            refuse_at: severity.map(|severity| (severity, confidence)),
            rules: self.rule_levels(),
            suppressions: self.suppressions(),
            baseline: self.file(BASELINE),
            vulnerabilities: self.vulnerabilities(),
            honour_comments: self.flag("analysis.honour_comments"),
        };
        self.refuse_contradictions(&gate);
        gate
    }

    fn rule_levels(&mut self) -> BTreeMap<&'static str, Level> {
        let mut levels = BTreeMap::new();
        for (name, node) in self.entries(RULES_KEY) {
            let rule = self.rule(&name.text, &name.span);
            let level = self.word_in(node, RULES_KEY, &Level::OF_RULES).map(Level::named);
            if let (Some(rule), Some(level)) = (rule, level) {
                levels.insert(rule, level);
            }
        }
        levels
    }

    /// A rule that a policy can say something about.
    fn rule(&mut self, id: &str, span: &Range<usize>) -> Option<&'static str> {
        let Some(rule) = RULES.iter().find(|rule| rule.id == id) else {
            let by_name = RULES.iter().find(|rule| rule.name == id).map(|rule| rule.id);
            // Of two numbers none is meant by the other.
            let is_number = id.trim_start_matches(['B', 'b']).bytes().all(|byte| byte.is_ascii_digit());
            let other_case = RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(id)).map(|rule| rule.id);
            let near = || nearest(id, RULES.iter().map(|rule| rule.id)).filter(|_| !is_number);
            let help = match by_name.or(other_case).or_else(near) {
                Some(id) => format!("did you mean `{id}`?"),
                None => {
                    "`waxcell check` names the rule with each finding; docs/rules.md has them all".to_owned()
                }
            };
            self.diagnostics.error(span, format!("there is no rule {}", quoted(id))).help(help);
            return None;
        };
        if Rule::blocks(rule) {
            self.diagnostics
                .error(span, format!("what {} finds is refused whatever a policy says", quoted(id)))
                .help("leave it out: nobody could say what such a script does");
            return None;
        }
        Some(rule.id)
    }

    fn suppressions(&mut self) -> Vec<Suppression> {
        let items = self.list(SUPPRESSIONS);
        items.iter().filter_map(|node| self.suppression(node)).collect()
    }

    fn suppression(&mut self, node: &Node) -> Option<Suppression> {
        const FORM: &str =
            "write for example `{rule: B307, path: scripts/tally.py, reason: \"only our own numbers\"}`";
        let Value::Map(entries) = &node.value else {
            let message = format!("an entry of `{SUPPRESSIONS}` has keys, this is {}", node.value.describe());
            self.diagnostics.error(&node.span, message).help(FORM);
            return None;
        };
        let [rule, path, fingerprint, reason, until] =
            self.fields(entries, SUPPRESSIONS, ["rule", "path", "fingerprint", "reason", "until"]);
        if rule.is_none() && fingerprint.is_none() {
            self.diagnostics
                .error(&node.span, "a suppression names neither a rule nor a fingerprint")
                .help(FORM);
        }
        let Some(reason) = reason.filter(|node| node.value != Value::Null) else {
            self.diagnostics
                .error(&node.span, "a suppression without a reason")
                .help("add `reason: \"...\"`: why this finding does not count here");
            return None;
        };
        let text = self.text_in(reason, "reason")?.trim().to_owned();
        if text.is_empty() {
            self.diagnostics
                .error(&reason.span, "a suppression without a reason")
                .help("say why this finding does not count here");
        }
        let named = |reader: &mut Self, node: &Node| {
            let id = reader.text_in(node, "rule")?.to_owned();
            reader.rule(&id, &node.span)
        };
        // What is wrong has been told; what is left out is something else than what is wrong.
        let rule = rule.map(|node| named(self, node).ok_or(())).transpose().ok()?;
        let path = path.map(|node| self.pattern(node).ok_or(())).transpose().ok()?;
        let fingerprint = fingerprint.map(|node| self.fingerprint(node).ok_or(())).transpose().ok()?;
        let until_at = until.map_or(0..0, |node| node.span.clone());
        let until = until.map(|node| self.day(node).ok_or(())).transpose().ok()?;
        let line = self.diagnostics.line(node.span.start);
        Some(Suppression { rule, path, fingerprint, reason: text, until, line, until_at })
    }

    fn pattern(&mut self, node: &Node) -> Option<String> {
        let written = self.text_in(node, "path")?;
        let inside = written.strip_prefix("./").unwrap_or(written);
        let is_outside = inside.starts_with(['/', '~']) || inside.split('/').any(|part| part == "..");
        let problem = match () {
            () if inside.trim().is_empty() => "is empty",
            () if inside.chars().any(is_unprintable) => "has characters that cannot be printed",
            () if is_outside => "leads out of the project",
            () => return Some(inside.to_owned()),
        };
        self.diagnostics
            .error(&node.span, format!("the path {} of a suppression {problem}", quoted(written)))
            .help("write it relative to the project root, such as `scripts/tally.py` or `scripts/*.py`");
        None
    }

    fn fingerprint(&mut self, node: &Node) -> Option<String> {
        let Value::Scalar { text, .. } = &node.value else {
            self.refuse_shape(node, "fingerprint", "text", &node.value);
            return None;
        };
        let is_one =
            text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_one {
            self.diagnostics
                .error(&node.span, format!("{} is no fingerprint of a finding", quoted(text)))
                .help("it has 32 digits of `0` to `9` and `a` to `f`; `waxcell check --json` names it with each finding");
        }
        is_one.then(|| text.clone())
    }

    fn day(&mut self, node: &Node) -> Option<Date> {
        let Value::Scalar { text, .. } = &node.value else {
            self.refuse_shape(node, "until", "a day", &node.value);
            return None;
        };
        let day = text.parse();
        if day.is_err() {
            self.diagnostics
                .error(&node.span, format!("{} is no day of the calendar", quoted(text)))
                .help("write year, month and day, such as `2027-01-31`");
        }
        day.ok()
    }

    fn vulnerabilities(&mut self) -> Vulnerabilities {
        Vulnerabilities {
            database: self.file(DATABASE),
            max_age_days: self.optional_count("analysis.vulnerabilities.max_age_days").unwrap_or_default(),
            on_finding: Level::named(self.word("analysis.vulnerabilities.on_finding")),
            on_unaudited: Level::named(self.word("analysis.vulnerabilities.on_unaudited")),
        }
    }

    /// Read anew for each run: a script must not be able to write it.
    fn file(&mut self, key: &str) -> Option<PathBuf> {
        let (node, written) = self.optional_text(key)?;
        match paths::resolve(written, self.root) {
            Ok(path) => Some(path),
            Err(problem) => {
                self.diagnostics.error(&node.span, problem.about(written)).help(problem.help());
                None
            }
        }
    }

    fn refuse_contradictions(&mut self, gate: &Gate) {
        if gate.hygiene == Level::Refuse
            && gate.refuse_at.is_some()
            && let Some(written) = self.settings.get("analysis.refuse_at.severity")
        {
            let message =
                "`analysis.refuse_at` says nothing beside `hygiene: refuse`, which refuses every finding";
            let help = "remove `refuse_at:`, or write `hygiene: report`";
            self.diagnostics.error(&written.node.span, message).help(help);
        }
        for one in gate.suppressions.iter().filter(|one| one.path.is_none() && one.fingerprint.is_none()) {
            let level = one.rule.and_then(|rule| Some((rule, *gate.rules.get(rule)?)));
            if let Some((rule, Level::Refuse)) = level
                && let Some(node) = self.nth_suppression(one.line)
            {
                let message =
                    format!("`{rule}` is refused by `analysis.rules` and suppressed in every script");
                self.diagnostics
                    .error(&node, message)
                    .help("name the script with `path:`, or leave one of the two out");
            }
        }
    }

    /// Where the suppression of this line stands.
    fn nth_suppression(&self, line: usize) -> Option<Range<usize>> {
        let written = self.settings.get(key(SUPPRESSIONS).path)?;
        let Value::Seq(items) = &written.node.value else { return None };
        items.iter().map(|node| node.span.clone()).find(|span| self.diagnostics.line(span.start) == line)
    }
}
