//! The rules of a profile, sorted by what they look at, and asked about one node after the other.

use std::collections::{BTreeSet, HashMap, HashSet};

use ruff_python_ast::{ExceptHandlerExceptHandler, Expr, ExprCall, Stmt, StmtAssert, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use crate::call::Call;
use crate::context::Context;
use crate::finding::Silenced;
use crate::found::Found;
use crate::nosec::Nosec;
use crate::profile::Profile;
use crate::rules::{Check, RULES, Rule};
use crate::text::Text;
use crate::value::string;
use crate::walk::Node;

/// The most findings of one rule that are told of one script.
const MAX_PER_RULE: usize = 10_000;

/// Rules, each with what it asks.
type Asked<F> = Vec<(&'static Rule, F)>;

/// One list for every kind of [`Check`].
#[derive(Default)]
pub(crate) struct Checks {
    asserts: Asked<fn(&StmtAssert, &Context<'_>) -> Option<Found>>,
    calls: Asked<for<'a> fn(&Call<'a>, &Context<'a>) -> Option<Found>>,
    files: Asked<fn(&Context<'_>) -> Option<Found>>,
    functions: Asked<fn(&StmtFunctionDef, &Context<'_>) -> Option<Found>>,
    handlers: Asked<fn(&ExceptHandlerExceptHandler, &Context<'_>) -> Option<Found>>,
    texts: Asked<for<'a> fn(&Text<'a>, &Context<'a>) -> Option<Found>>,
    /// The rule of a name that is called. Names that must not be imported count where they are called as well: that is
    /// how `__import__("pickle")` is found.
    called: HashMap<&'static str, &'static Rule>,
    imported: Asked<&'static str>,
}

impl Checks {
    pub(crate) fn new(profile: &Profile) -> Checks {
        let mut checks = Checks::default();
        for &rule in RULES.iter().filter(|rule| profile.selects(rule)) {
            match rule.check {
                // Asked when all of the script has been seen.
                Check::Reading | Check::Elsewhere | Check::Sight(_) | Check::Use(..) => {}
                Check::Assert(check) => checks.asserts.push((rule, check)),
                Check::Call(check) => checks.calls.push((rule, check)),
                Check::File(check) => checks.files.push((rule, check)),
                Check::Function(check) => checks.functions.push((rule, check)),
                Check::Handler(check) => checks.handlers.push((rule, check)),
                Check::Text(check) => checks.texts.push((rule, check)),
                Check::Called(names) => checks.called.extend(names.iter().map(|name| (*name, rule))),
                Check::Imported(names) => {
                    checks.called.extend(names.iter().map(|name| (*name, rule)));
                    checks.imported.extend(names.iter().map(|name| (rule, *name)));
                }
            }
        }
        checks
    }

    /// Asks about the last node of the context's path.
    pub(crate) fn node<'a>(&self, node: Node<'a>, context: &mut Context<'a>, report: &mut Report<'_>) {
        match node {
            Node::Stmt(Stmt::Import(import)) => {
                context.imports.import(import);
                let names = import.names.iter().map(|alias| alias.name.to_string());
                self.imports(names, node.range(), report);
            }
            Node::Stmt(Stmt::ImportFrom(import)) => {
                context.imports.import_from(import);
                let name = |name: &str| match &import.module {
                    Some(module) => format!("{module}.{name}"),
                    None => name.to_owned(),
                };
                self.imports(import.names.iter().map(|alias| name(&alias.name)), node.range(), report);
            }
            Node::Stmt(Stmt::Assert(assert)) => {
                for (rule, check) in &self.asserts {
                    if let Some(found) = check(assert, context) {
                        report.take(rule, found, node.range());
                    }
                }
            }
            Node::Stmt(Stmt::FunctionDef(function)) if !function.is_async => {
                for (rule, check) in &self.functions {
                    if let Some(found) = check(function, context) {
                        report.take(rule, found, node.range());
                    }
                }
            }
            Node::Handler(handler) => {
                for (rule, check) in &self.handlers {
                    if let Some(found) = check(handler, context) {
                        report.take(rule, found, node.range());
                    }
                }
            }
            Node::Expr(Expr::Call(call)) => self.call(call, context, report),
            Node::Expr(expression @ (Expr::StringLiteral(_) | Expr::FString(_) | Expr::TString(_))) => {
                for text in Text::of(expression, &context.path, context.target) {
                    let about = match (text.parent, text.grandparent) {
                        // In Python's own tree, keys and values stand in the dictionary itself.
                        (Node::Item(_), Some(dictionary)) => dictionary.range(),
                        (parent, _) => parent.range(),
                    };
                    for (rule, check) in &self.texts {
                        if let Some(found) = check(&text, context) {
                            report.take(rule, found, about);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// Asks about the script as a whole. Comments on its first line are about it.
    pub(crate) fn file(&self, context: &Context<'_>, report: &mut Report<'_>) {
        for (rule, check) in &self.files {
            if let Some(found) = check(context) {
                report.take(rule, found, TextRange::default());
            }
        }
    }

    fn call<'a>(&self, node: &'a ExprCall, context: &Context<'a>, report: &mut Report<'_>) {
        let call = Call::new(node, &context.imports);
        if let Some(name) = called(&call)
            && let Some(rule) = self.called.get(name)
        {
            let found = call.found().message(format!("{}: `{name}`", rule.summary));
            report.take(rule, found, node.range());
        }
        for (rule, check) in &self.calls {
            if let Some(found) = check(&call, context) {
                report.take(rule, found, node.range());
            }
        }
    }

    /// At most one finding of each rule for a statement.
    fn imports(&self, names: impl Iterator<Item = String>, range: TextRange, report: &mut Report<'_>) {
        let mut told: Vec<&str> = Vec::new();
        for name in names {
            for (rule, beginning) in &self.imported {
                if name.starts_with(beginning) && !told.contains(&rule.id) {
                    let found = Found::at(&range).message(format!("{}: `{beginning}`", rule.summary));
                    report.take(rule, found, range);
                    told.push(rule.id);
                }
            }
        }
    }
}

/// The name that lists are asked for: of what is called, or of what the call imports.
fn called<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    if matches!(&*call.node.func, Expr::Name(name) if name.id == "__import__") {
        return call.args().first().and_then(string);
    }
    match call.qualified.as_str() {
        "" => None,
        "importlib.import_module" | "importlib.__import__" => {
            let name = if call.args().is_empty() { call.value("name") } else { call.arg(0) };
            name.and_then(|name| name.text())
        }
        name => Some(name),
    }
}

/// What the rules have found, without what comments silence.
pub(crate) struct Report<'n> {
    nosec: &'n Nosec,
    counts: HashMap<&'static str, usize>,
    /// What was told only once of a place.
    told: HashSet<(&'static str, TextRange)>,
    /// What the rules have found, and what each finding is about.
    pub(crate) found: Vec<(&'static Rule, Found, TextRange)>,
    /// What comments silence, and which of them do.
    silenced: Silenced,
    used: BTreeSet<usize>,
}

impl<'n> Report<'n> {
    pub(crate) fn new(nosec: &'n Nosec) -> Report<'n> {
        Report {
            nosec,
            counts: HashMap::new(),
            found: Vec::new(),
            silenced: Silenced::default(),
            used: BTreeSet::new(),
            told: HashSet::new(),
        }
    }

    /// The same as [`Report::take`], but nothing that the rule has said of this very place already.
    pub(crate) fn once(&mut self, rule: &'static Rule, found: Found, about: TextRange) {
        if self.told.insert((rule.id, found.range)) {
            self.take(rule, found, about);
        }
    }

    /// Takes what a rule says about something.
    fn take(&mut self, rule: &'static Rule, found: Found, about: TextRange) {
        if let Some(by) = self.nosec.silences(rule, found.range.start(), about) {
            let count = if by.is_all { &mut self.silenced.all } else { &mut self.silenced.named };
            *count += 1;
            return self.used.extend(by.comments.into_iter().flatten());
        }
        let count = self.counts.entry(rule.id).or_default();
        if *count < MAX_PER_RULE {
            *count += 1;
            self.found.push((rule, found, about));
        }
    }

    /// What comments silenced, when everything was looked at.
    pub(crate) fn silenced(&self) -> Silenced {
        Silenced { unused: self.nosec.unused(&self.used), ..self.silenced.clone() }
    }
}
