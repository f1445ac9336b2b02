//! The second pass: every place that uses something, with what it is used on.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::{CmpOp, Expr, ExprCall, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::evaluate::Evaluation;
use super::path::GAP;
use super::places::{Noted, excerpt};
use super::scopes::{Bound, Kind, MODULE, Scopes, Stand, Standing};
use super::table;
use super::worth::Thing;
use super::{Certainty, Family, MOST_ENTRIES, Target};
use crate::imports::MAX_NAME;
use crate::names::Names;
use crate::walk::{Node, Walk};

/// The most uses that are noted.
const MOST: usize = MOST_ENTRIES * 4;

pub(super) struct Gather<'a> {
    pub(super) evaluation: Evaluation<'a>,
    pub(super) text: &'a str,
    pub(super) noted: Vec<Noted>,
    /// Dotted names that are mentioned of modules that were imported.
    mentions: HashSet<String>,
    /// What modules that were imported are called, by their names.
    aliases: HashMap<String, Vec<&'a str>>,
    /// Calls of which it is not known what they call.
    unresolved: HashMap<*const ExprCall, Place>,
    /// Whether the script goes on where a function fails, as far as that is worked out.
    optional: HashMap<usize, bool>,
}

/// Where something is used.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) scope: usize,
    pub(super) range: TextRange,
    pub(super) optional: bool,
}

pub(super) fn gather<'a>(body: &'a [Stmt], text: &'a str, names: &Names<'a>) -> (Vec<Noted>, bool) {
    let evaluation = Evaluation::new(Scopes::of(body), text.len());
    let mut gather = Gather {
        evaluation,
        text,
        noted: Vec::new(),
        mentions: HashSet::new(),
        aliases: HashMap::new(),
        unresolved: HashMap::new(),
        optional: HashMap::new(),
    };
    let (mut walk, mut path, mut standing) = (Walk::new(body), Vec::new(), Standing::default());
    while let Some(node) = walk.next(&mut path) {
        let Stand { scope, optional, .. } = standing.step(&path);
        if gather.noted.len() >= MOST {
            return (gather.noted, false);
        }
        let place = Place { scope, range: node.range(), optional };
        match node {
            Node::Stmt(stmt) => gather.stmt(stmt, place),
            Node::Expr(expr) => gather.expr(expr, &path, place),
            _ => {}
        }
    }
    gather.hidden(names);
    gather.judge_modules();
    let complete = gather.evaluation.is_complete();
    (gather.noted, complete)
}

impl<'a> Gather<'a> {
    fn stmt(&mut self, stmt: &'a Stmt, place: Place) {
        match stmt {
            Stmt::Import(import) => {
                for alias in import.names.iter().filter(|alias| alias.name.len() <= MAX_NAME) {
                    let module = alias.name.as_str();
                    let name = alias.asname.as_ref().map_or(module, |name| name.as_str());
                    self.aliases.entry(module.to_owned()).or_default().push(name);
                    self.module(module, place);
                }
            }
            Stmt::ImportFrom(import) if import.level == 0 => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                if module.len() > MAX_NAME {
                    return;
                }
                for alias in import.names.iter().filter(|alias| alias.name.len() <= MAX_NAME) {
                    let full = format!("{module}.{}", alias.name);
                    if table::is_module(&full) {
                        self.module(&full, place);
                    }
                    self.mentions.insert(table::canonical(&full).into_owned());
                }
                self.module(module, place);
            }
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.given(&decorator.expression, Place { range: decorator.range, ..place });
                }
            }
            Stmt::ClassDef(class) => {
                for decorator in &class.decorator_list {
                    self.given(&decorator.expression, Place { range: decorator.range, ..place });
                }
                for base in class.arguments.iter().flat_map(|arguments| &arguments.args) {
                    self.given(base, Place { range: base.range(), ..place });
                }
            }
            _ => {}
        }
    }

    fn expr(&mut self, expr: &'a Expr, path: &[Node<'a>], place: Place) {
        match expr {
            Expr::Call(call) => {
                self.call(call, place);
                for argument in &call.arguments.args {
                    self.given(argument, place);
                }
                for keyword in &call.arguments.keywords {
                    self.given(&keyword.value, place);
                }
            }
            Expr::Attribute(attribute) => {
                let outer = path.len().checked_sub(2).map(|at| path[at]);
                if !matches!(outer, Some(Node::Expr(Expr::Attribute(_)))) {
                    self.mention(expr, place.scope);
                }
                let is_read_below = match outer {
                    Some(Node::Expr(Expr::Attribute(_))) => true,
                    Some(Node::Expr(Expr::Subscript(subscript))) => subscript.value.range() == expr.range(),
                    Some(Node::Expr(Expr::Compare(compare))) => {
                        matches!(&*compare.ops, [CmpOp::In | CmpOp::NotIn])
                    }
                    _ => false,
                };
                if attribute.attr.as_str() == "environ"
                    && !is_read_below
                    && self.is_environment(expr, place.scope)
                {
                    self.variable(None, Certainty::Unknown, place);
                }
            }
            Expr::Subscript(subscript)
                if subscript.ctx == ExprContext::Load
                    && self.is_environment(&subscript.value, place.scope) =>
            {
                let key = self.evaluation.worth_in(&subscript.slice, place.scope).one_text();
                self.variable_named(&key, place);
            }
            Expr::Compare(compare) if matches!(&*compare.ops, [CmpOp::In | CmpOp::NotIn]) => {
                if let [environment] = &*compare.comparators
                    && self.is_environment(environment, place.scope)
                {
                    let key = self.evaluation.worth_in(&compare.left, place.scope).one_text();
                    self.variable_named(&key, place);
                }
            }
            _ => {}
        }
    }

    fn is_environment(&self, expr: &'a Expr, scope: usize) -> bool {
        if !matches!(expr, Expr::Attribute(_) | Expr::Name(_)) {
            return false;
        }
        let worth = self.evaluation.worth_in(expr, scope);
        worth
            .0
            .iter()
            .any(|thing| matches!(thing, Thing::Named(name) if name == "os.environ" || name == "os.environb"))
    }

    pub(super) fn variable_named(&mut self, key: &str, place: Place) {
        match key.contains(GAP) {
            true => self.variable(None, Certainty::Unknown, place),
            false => self.variable(Some(key.to_owned()), Certainty::Exact, place),
        }
    }

    pub(super) fn variable(&mut self, name: Option<String>, certainty: Certainty, place: Place) {
        self.note(Family::Environment, None, Target::Variable { name }, certainty, place);
    }

    pub(super) fn module(&mut self, name: &str, place: Place) {
        let network = table::network_module(name).is_some();
        let target = Target::Module { name: Some(name.to_owned()), network };
        self.note(Family::Modules, None, target, Certainty::Exact, place);
    }

    /// What is handed to somebody who may call it.
    fn given(&mut self, expr: &'a Expr, place: Place) {
        if !matches!(expr, Expr::Name(_) | Expr::Attribute(_)) {
            return;
        }
        for thing in self.evaluation.worth_in(expr, place.scope).0 {
            if let Thing::Named(name) = thing
                && let Some(effects) = table::effects(&name)
            {
                for effect in effects {
                    self.effect(effect, None, None, place);
                }
            }
        }
    }

    /// The name that something has of a module that was imported.
    fn mention(&mut self, expr: &'a Expr, scope: usize) {
        let (mut at, mut names) = (expr, Vec::new());
        while let Expr::Attribute(attribute) = at {
            names.push(attribute.attr.as_str());
            at = &attribute.value;
            if names.len() > 8 || attribute.attr.len() > MAX_NAME {
                return;
            }
        }
        let Expr::Name(root) = at else { return };
        let Some((_, bound)) = self.evaluation.scopes.look_up(scope, root.id.as_str()) else { return };
        for bound in bound {
            let module = match bound {
                Bound::Import { module, name: None } => (*module).to_owned(),
                Bound::Import { module, name: Some(name) } => format!("{module}.{name}"),
                _ => continue,
            };
            let full = names.iter().rev().fold(module, |full, name| full + "." + name);
            self.mentions.insert(table::canonical(&full).into_owned());
        }
    }

    /// Modules that are of no use without a network are of some where only their constants are used.
    fn judge_modules(&mut self) {
        // Of each module that is mentioned, whether anything is that needs a network.
        let mut used: HashMap<&str, bool> = HashMap::new();
        for mention in &self.mentions {
            if let Some(module) = table::network_module(mention).filter(|module| mention.len() > module.len())
            {
                *used.entry(module).or_default() |= !table::is_offline(mention);
            }
        }
        for (module, names) in &self.aliases {
            if names.iter().any(|name| self.evaluation.scopes.given.contains(name))
                && let Some(module) = table::network_module(module)
            {
                used.insert(module, true);
            }
        }
        for noted in &mut self.noted {
            if let Target::Module { name: Some(name), network: network @ true } = &mut noted.target {
                let used = table::network_module(name).and_then(|module| used.get(module));
                *network = used.copied().unwrap_or(true);
            }
        }
    }

    fn call(&mut self, call: &'a ExprCall, place: Place) {
        let called = self.evaluation.worth_in(&call.func, place.scope);
        let several = called.0.len() > 1;
        let is_hidden =
            |thing: &Thing<'_>| matches!(thing, Thing::Unknown | Thing::Method(..) | Thing::Text(_));
        if called.0.iter().any(is_hidden) {
            self.unresolved.insert(std::ptr::from_ref(call), place);
        }
        for thing in called.0 {
            let place = Place { optional: place.optional || several, ..place };
            let (name, own) = match thing {
                Thing::Named(name) => (name, None),
                Thing::Method(of, name) => match *of {
                    Thing::Path(path) => (format!("pathlib.Path.{name}"), Some(path)),
                    Thing::Instance(kind) if kind.starts_with("pandas.") => {
                        (format!("pandas.DataFrame.{name}"), None)
                    }
                    Thing::Instance(kind) => (table::canonical(&format!("{kind}.{name}")).into_owned(), None),
                    Thing::Unknown | Thing::Object(_) => match table::method_of_paths(name) {
                        Some(known) => (known.to_owned(), Some(GAP.to_string())),
                        None => continue,
                    },
                    _ => continue,
                },
                _ => continue,
            };
            for effect in table::effects(&name).unwrap_or_default() {
                self.effect(effect, Some(call), own.as_deref(), place);
            }
        }
    }

    /// What is called behind a name that is put together, and the like: what the resolver of names knows about it.
    fn hidden(&mut self, names: &Names<'a>) {
        let mut found = Vec::new();
        // Children come behind their parents: from the back, what is within is known before what is around it.
        for &(call, scope) in names.calls().iter().rev() {
            let Some(place) = self.unresolved.get(&std::ptr::from_ref(call)) else { continue };
            for name in names.names_of(&call.func, scope) {
                if let Some(effects) = table::effects(&table::canonical(&name)) {
                    found.push((call, *place, effects));
                }
            }
        }
        let noted: HashSet<usize> = self.noted.iter().map(|noted| noted.start).collect();
        for (call, place, effects) in found {
            if self.noted.len() < MOST && !noted.contains(&place.range.start().to_usize()) {
                effects.iter().for_each(|effect| self.effect(effect, Some(call), None, place));
            }
        }
    }

    /// Whether the script goes on where this function fails: everybody who calls it catches that, or nobody calls it.
    fn is_optional(&mut self, scope: usize, depth: u8) -> bool {
        if scope == MODULE || depth > 8 {
            return false;
        }
        if let Some(known) = self.optional.get(&scope) {
            return *known;
        }
        // What calls itself is judged by its other calls.
        self.optional.insert(scope, true);
        let scopes = &self.evaluation.scopes;
        let parent = scopes.all[scope].parent;
        let optional = match &scopes.all[scope].kind {
            Kind::Module => false,
            Kind::Class(_) => self.is_optional(parent, depth + 1),
            Kind::Function(function) => {
                let name = function.name.as_str();
                let inherits = matches!(&scopes.all[parent].kind, Kind::Class(class) if class.arguments.as_ref().is_some_and(|arguments| !arguments.args.is_empty()));
                let is_called_by_others = scopes.given.contains(name)
                    || !function.decorator_list.is_empty()
                    || inherits
                    || (name.starts_with("__") && name != "__init__");
                let sites: Vec<(usize, bool)> = scopes
                    .sites(scope)
                    .unwrap_or_default()
                    .iter()
                    .take(64)
                    .map(|site| (site.scope, site.optional))
                    .collect();
                !is_called_by_others
                    && sites
                        .into_iter()
                        .all(|(scope, optional)| optional || self.is_optional(scope, depth + 1))
            }
        };
        self.optional.insert(scope, optional);
        optional
    }

    pub(super) fn note(
        &mut self,
        family: Family,
        operation: Option<waxcell_operations::Operation>,
        target: Target,
        certainty: Certainty,
        place: Place,
    ) {
        let optional = place.optional || self.is_optional(place.scope, 0);
        self.noted.push(Noted {
            family,
            operation,
            target,
            certainty,
            start: place.range.start().to_usize(),
            text: excerpt(self.text, place.range),
            optional,
        });
    }
}
