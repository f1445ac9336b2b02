//! What is seen of a script when all of it has been read: what it uses under which names, what it reaches inside of
//! objects, what it runs as code. The rules that Bandit does not have are asked about that.

mod danger;
mod payload;

use std::cell::OnceCell;
use std::rc::Rc;

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::checks::Report;
use crate::context::Context;
use crate::found::Found;
use crate::names::{Made, Map, Meaning, Names, ScopeId, Source, UseKind, Values, path_of};
use crate::profile::Profile;
use crate::rules::{Check, RULES, Rule};

pub(crate) use danger::{Danger, danger, is_inner, is_sensitive, is_telling, is_telling_word};
pub(crate) use payload::{Nest, Payload, executed, only_runs, payloads};

/// A use of something with a dotted name, and how the script comes by that name.
#[derive(Clone, Debug)]
pub(crate) struct Used<'a> {
    pub(crate) name: Rc<str>,
    pub(crate) made: Made,
    pub(crate) kind: UseKind<'a>,
    pub(crate) range: TextRange,
    pub(crate) scope: ScopeId,
}

impl<'a> Used<'a> {
    pub(crate) fn call(&self) -> Option<&'a ExprCall> {
        match self.kind {
            UseKind::Call(call) => Some(call),
            _ => None,
        }
    }

    /// Whether it starts programs.
    pub(crate) fn starts_program(&self) -> bool {
        danger(&self.name) == Some(Danger::Program)
    }
}

/// An attribute by which one gets inside of an object: `__globals__`, `gi_frame`.
#[derive(Clone, Debug)]
pub(crate) struct Inner<'a> {
    pub(crate) name: Rc<str>,
    pub(crate) range: TextRange,
    /// What it is an attribute of, if that is written out.
    pub(crate) of: Option<&'a Expr>,
    pub(crate) scope: ScopeId,
    pub(crate) is_store: bool,
}

pub(crate) struct Sight<'a, 'n> {
    pub(crate) names: &'n Names<'a>,
    pub(crate) context: &'n Context<'a>,
    pub(crate) uses: Vec<Used<'a>>,
    pub(crate) inner: Vec<Inner<'a>>,
    /// Where lines end.
    lines: OnceCell<Vec<usize>>,
}

impl<'a, 'n> Sight<'a, 'n> {
    pub(crate) fn new(names: &'n Names<'a>, context: &'n Context<'a>) -> Sight<'a, 'n> {
        let mut sight = Sight { names, context, uses: Vec::new(), inner: Vec::new(), lines: OnceCell::new() };
        sight.look();
        sight
    }

    fn look(&mut self) {
        for &(name, range, scope) in self.names.imported() {
            let used = Used { name: name.into(), made: Made::Written, kind: UseKind::Import, range, scope };
            self.uses.push(used);
        }
        // Children come behind their parents: from the back, what is within is known before what is around it.
        for &(call, scope) in self.names.calls().iter().rev() {
            for value in self.names.eval(&call.func, scope) {
                self.called(value, call, scope);
            }
        }
        for &(expression, scope) in self.names.references() {
            for value in self.names.eval(expression, scope) {
                if let Meaning::Name(name, made) = value {
                    let range = expression.range();
                    self.uses.push(Used { name, made, kind: UseKind::Reference, range, scope });
                }
            }
        }
        for &(attribute, scope) in self.names.inner() {
            self.inner.push(Inner {
                name: attribute.attr.as_str().into(),
                range: attribute.range,
                of: Some(&attribute.value),
                scope,
                is_store: attribute.ctx.is_store(),
            });
        }
    }

    fn called(&mut self, value: Meaning<'a>, call: &'a ExprCall, scope: ScopeId) {
        let range = call.range();
        match value {
            Meaning::Name(name, made) => {
                self.imported(&name, call, scope);
                self.reached_by_call(&name, call, scope);
                self.inner_by_text(&name, call, scope);
                self.uses.push(Used { name, made, kind: UseKind::Call(call), range, scope });
            }
            Meaning::Class(class) => {
                for base in self.names.bases(class) {
                    if let Meaning::Name(name, made) = base {
                        self.uses.push(Used { name, made, kind: UseKind::Call(call), range, scope });
                    }
                }
            }
            Meaning::Caller(name, made) => {
                for of in self.argument(call, scope, 0, "") {
                    for value in self.names.member_by_text(&of, &name, made) {
                        if let Meaning::Name(name, made) = value {
                            self.uses.push(Used { name, made, kind: UseKind::Call(call), range, scope });
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// A module that is imported by a call.
    fn imported(&mut self, name: &str, call: &'a ExprCall, scope: ScopeId) {
        if !matches!(name, "__import__" | "importlib.__import__" | "importlib.import_module") {
            return;
        }
        for module in self.argument(call, scope, 0, "name") {
            if let Meaning::Text(module, made) = module {
                let made = made.max(Made::Indirect);
                self.uses.push(Used {
                    name: module,
                    made,
                    kind: UseKind::Import,
                    range: call.range(),
                    scope,
                });
            }
        }
    }

    /// What is looked up by a call, though nobody may call it there.
    fn reached_by_call(&mut self, name: &str, call: &'a ExprCall, scope: ScopeId) {
        let looks_up = matches!(
            name,
            "getattr"
                | "__import__"
                | "importlib.import_module"
                | "importlib.__import__"
                | "pydoc.locate"
                | "pkgutil.resolve_name"
                | "object.__getattribute__"
                | "sys.modules.get"
                | "functools.reduce"
        );
        if !looks_up {
            return;
        }
        for value in self.names.call(call, scope) {
            if let Meaning::Name(name, made) = value
                && made >= Made::Indirect
            {
                let (kind, range) = (UseKind::Reference, call.range());
                self.uses.push(Used { name, made, kind, range, scope });
            }
        }
    }

    fn inner_by_text(&mut self, name: &str, call: &'a ExprCall, scope: ScopeId) {
        let (of, at) = match name {
            "getattr"
            | "setattr"
            | "object.__getattribute__"
            | "type.__getattribute__"
            | "object.__setattr__"
            | "type.__setattr__" => (call.arguments.args.first(), 1),
            "operator.attrgetter" | "operator.methodcaller" => (None, 0),
            _ => return,
        };
        for value in self.argument(call, scope, at, "") {
            if let Meaning::Text(text, _) = value {
                for part in text.split('.').filter(|part| danger::is_inner(part)) {
                    let is_store = name.contains("set");
                    self.inner.push(Inner { name: part.into(), range: call.range(), of, scope, is_store });
                }
            }
        }
    }

    /// The values that an argument may have: the one at a position, or of a name.
    pub(crate) fn argument(&self, call: &'a ExprCall, scope: ScopeId, at: usize, name: &str) -> Values<'a> {
        self.names.argument(call, scope, at, name)
    }

    /// The same of a use that is a call.
    pub(crate) fn given(&self, used: &Used<'a>, at: usize, name: &str) -> Values<'a> {
        used.call().map(|call| self.argument(call, used.scope, at, name)).unwrap_or_default()
    }

    pub(crate) fn values(&self, expression: &'a Expr, scope: ScopeId) -> Values<'a> {
        self.names.eval(expression, scope)
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, at: TextSize) -> usize {
        let ends = self.lines.get_or_init(|| {
            self.context
                .text
                .bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at)
                .collect()
        });
        ends.partition_point(|&end| end < at.to_usize()) + 1
    }

    /// `an argument of the script (line 3)`.
    pub(crate) fn source(&self, source: Source) -> String {
        match source.at.to_u32() {
            u32::MAX => source.kind.words().to_owned(),
            _ => format!("{} (line {})", source.kind.words(), self.line(source.at)),
        }
    }

    /// Every argument of a call, in order.
    pub(crate) fn arguments(&self, call: &'a ExprCall, scope: ScopeId) -> Vec<Values<'a>> {
        let positional = call.arguments.args.iter().map(|one| self.values(one, scope));
        positional.chain(call.arguments.keywords.iter().map(|one| self.values(&one.value, scope))).collect()
    }

    /// What the method is called of.
    pub(crate) fn receiver(&self, used: &Used<'a>) -> Values<'a> {
        match used.call().map(|call| &*call.func) {
            Some(Expr::Attribute(attribute)) => self.values(&attribute.value, used.scope),
            _ => Values::new(),
        }
    }

    /// The texts and paths that a call is given, also within lists; not the very long ones.
    pub(crate) fn words(&self, call: &'a ExprCall, scope: ScopeId) -> Vec<String> {
        let mut words = Vec::new();
        for value in self.arguments(call, scope).into_iter().take(16).flatten() {
            match &value {
                Meaning::List(list) => words.extend(list.iter().take(64).flatten().filter_map(path_of)),
                value => words.extend(path_of(value)),
            }
        }
        words.retain(|word| word.len() < MAX_WORD);
        words
    }
}

/// A text longer than this is no command and no path.
const MAX_WORD: usize = 1 << 14;

/// How many parts the names have that rules ask for.
const MAX_PARTS: usize = 4;

type Whole = for<'a, 'n> fn(&Sight<'a, 'n>, &mut dyn FnMut(Found));

type Asked = for<'a, 'n> fn(&Used<'a>, &Sight<'a, 'n>) -> Option<Found>;

/// The rules that are asked about what is seen, by the names that they ask for.
#[derive(Default)]
pub(crate) struct Sights {
    exact: Map<&'static str, Vec<(&'static Rule, Asked)>>,
    /// Everything below a name.
    below: Map<&'static str, Vec<(&'static Rule, Asked)>>,
    whole: Vec<(&'static Rule, Whole)>,
}

impl Sights {
    pub(crate) fn new(profile: &Profile) -> Sights {
        let mut sights = Sights::default();
        for &rule in RULES.iter().filter(|rule| profile.selects(rule)) {
            match rule.check {
                Check::Use(names, check) => {
                    for name in names {
                        let (list, name) = match name.strip_suffix(".*") {
                            Some(name) => (&mut sights.below, name),
                            None => (&mut sights.exact, *name),
                        };
                        list.entry(name).or_default().push((rule, check));
                    }
                }
                Check::Sight(check) => sights.whole.push((rule, check)),
                _ => {}
            }
        }
        sights
    }

    pub(crate) fn ask<'a>(&self, sight: &Sight<'a, '_>, report: &mut Report<'_>) {
        let mut told: Vec<(&'static Rule, Found)> = Vec::new();
        for used in &sight.uses {
            let exact = self.exact.get(&*used.name).into_iter().flatten();
            let dots = used.name.match_indices('.').take(MAX_PARTS).map(|(at, _)| &used.name[..at]);
            let below = dots.chain([&*used.name]).filter_map(|name| self.below.get(name)).flatten();
            for (rule, check) in exact.chain(below) {
                if let Some(found) = check(used, sight) {
                    told.push((rule, found));
                }
            }
        }
        for (rule, check) in &self.whole {
            check(sight, &mut |found| told.push((rule, found)));
        }
        let by_message = |rule: &Rule, found: &Found| {
            if tells_each_once(rule) { found.message.clone() } else { None }
        };
        told.sort_by_cached_key(|(rule, found)| {
            (rule.id, by_message(rule, found), found.range.start(), found.range.end())
        });
        told.dedup_by_key(|(rule, found)| (rule.id, found.range));
        // The same function by the same way is one thing to know.
        let is_alike = |one: &(&'static Rule, Found), other: &(&'static Rule, Found)| {
            one.0.id == other.0.id && (!tells_each_once(one.0) || one.1.message == other.1.message)
        };
        for alike in told.chunk_by_mut(is_alike) {
            let others = alike.len() - 1;
            let keep = if tells_once(alike[0].0) { 1 } else { alike.len() };
            for (rule, found) in &mut alike[..keep] {
                let mut found = found.clone();
                if keep == 1 && others > 0 {
                    let message = found.message.take().unwrap_or(rule.summary.into());
                    let places = if others == 1 { "place" } else { "places" };
                    found.message = Some(format!("{message}; so it is at {others} other {places}").into());
                }
                let about = found.range;
                report.once(rule, found, about);
            }
        }
    }
}

/// Whether the same may be said of several things, each of which is told once.
fn tells_each_once(rule: &Rule) -> bool {
    matches!(rule.id, "indirect-call" | "starts-program" | "credential-read")
}

/// Whether the first place says all: the script can do so, and does not more by doing it again.
fn tells_once(rule: &Rule) -> bool {
    let is_one_thing = matches!(
        rule.id,
        "code-object"
            | "dynamic-import"
            | "frame-access"
            | "import-hook"
            | "inner-member"
            | "native-code"
            | "tracing"
    );
    is_one_thing || tells_each_once(rule)
}
