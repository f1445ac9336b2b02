//! What is noted during the pass over the tree: scopes, what binds names in them, calls and mentions.

use std::cell::{Cell, OnceCell, RefCell};

use ruff_python_ast::{
    Comprehension, Expr, ExprAttribute, ExprCall, ExprLambda, Parameters, Pattern, Stmt, StmtAugAssign,
    StmtClassDef, StmtFunctionDef, StmtImport, StmtImportFrom,
};
use ruff_text_size::{Ranged, TextRange};

use super::hash::Map;
use super::meaning::{MAX_VALUES, Values};
use super::methods::makes_text;
use super::scope::{Binding, Kind, Scope, ScopeId};
use crate::imports::MAX_NAME;
use crate::sight::{danger, is_inner};
use crate::walk::Node;

/// In whose place attributes are noted: an attribute of anything is taken to be any value that the script gives an
/// attribute of that name.
pub(super) const ATTRIBUTES: ScopeId = ScopeId::MAX;

/// Under this name, which no name can be, stands what a function returns.
pub(super) const RETURNED: &str = "return";

#[derive(Clone, Copy, Debug)]
struct Chain {
    first: u32,
    last: u32,
    length: u32,
}

/// Whose parameters a scope holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner<'a> {
    Function(&'a StmtFunctionDef),
    /// With the name that it is bound to, if that is known.
    Lambda(&'a ExprLambda, Option<&'a str>),
}

#[derive(Debug)]
pub(crate) struct Names<'a> {
    pub(super) scopes: Vec<Scope>,
    /// The scopes around the node at hand.
    open: Vec<ScopeId>,
    chains: Map<(ScopeId, &'a str), Chain>,
    bindings: Vec<(Binding<'a>, u32)>,
    /// Names that are said to be `global` or `nonlocal`.
    redirects: Map<(ScopeId, &'a str), ScopeId>,
    /// `from module import *`.
    pub(super) stars: Vec<&'a str>,
    /// The scopes of functions, lambdas and comprehensions, by where they are in memory.
    pub(super) own_scopes: Map<usize, ScopeId>,
    /// Whose scope it is.
    pub(super) owners: Map<ScopeId, Owner<'a>>,
    /// The classes, by their scopes.
    pub(super) classes: Map<ScopeId, &'a StmtClassDef>,
    /// The calls of lambdas that are called where they stand, by where the lambdas are in memory.
    pub(super) called_at_once: Map<usize, (&'a ExprCall, ScopeId)>,
    lambda_names: Map<usize, &'a str>,
    /// Calls by the last part of what is called.
    by_name: OnceCell<Map<&'a str, Vec<(&'a ExprCall, ScopeId)>>>,
    calls: Vec<(&'a ExprCall, ScopeId)>,
    references: Vec<(&'a Expr, ScopeId)>,
    imported: Vec<(&'a str, TextRange, ScopeId)>,
    inner: Vec<(&'a ExprAttribute, ScopeId)>,
    /// What is put where: `target = value`, where the target is no name.
    stores: Vec<(&'a Expr, &'a Expr, ScopeId)>,
    /// Strings that are put together or decoded, for those who look for hidden words.
    made: Vec<(&'a Expr, ScopeId)>,
    /// Names whose mention matters, since they are those of dangerous functions.
    pub(crate) watched: Vec<&'a str>,
    /// What was worked out already; nothing while it is being worked out.
    pub(super) memory: RefCell<Map<(usize, ScopeId), Option<Values<'a>>>>,
    pub(super) depth: Cell<usize>,
    pub(super) budget: Cell<usize>,
}

/// How many steps may be taken to work out what is asked of one script.
const BUDGET: usize = 4 << 20;

impl<'a> Names<'a> {
    pub(crate) fn new() -> Names<'a> {
        let module = Scope {
            kind: Kind::Module,
            parent: 0,
            range: TextRange::up_to(u32::MAX.into()),
            redirects: false,
        };
        Names {
            scopes: vec![module],
            open: vec![0],
            chains: Map::default(),
            bindings: Vec::new(),
            redirects: Map::default(),
            stars: Vec::new(),
            own_scopes: Map::default(),
            owners: Map::default(),
            classes: Map::default(),
            called_at_once: Map::default(),
            lambda_names: Map::default(),
            by_name: OnceCell::new(),
            calls: Vec::new(),
            references: Vec::new(),
            imported: Vec::new(),
            inner: Vec::new(),
            stores: Vec::new(),
            made: Vec::new(),
            watched: Vec::new(),
            memory: RefCell::default(),
            depth: Cell::new(0),
            budget: Cell::new(BUDGET),
        }
    }

    pub(crate) fn calls(&self) -> &[(&'a ExprCall, ScopeId)] {
        &self.calls
    }

    pub(crate) fn references(&self) -> &[(&'a Expr, ScopeId)] {
        &self.references
    }

    pub(crate) fn imported(&self) -> &[(&'a str, TextRange, ScopeId)] {
        &self.imported
    }

    pub(crate) fn inner(&self) -> &[(&'a ExprAttribute, ScopeId)] {
        &self.inner
    }

    pub(crate) fn stores(&self) -> &[(&'a Expr, &'a Expr, ScopeId)] {
        &self.stores
    }

    pub(crate) fn made(&self) -> &[(&'a Expr, ScopeId)] {
        &self.made
    }

    /// The functions of the script, each with the scope of its body.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&'a StmtFunctionDef, ScopeId)> {
        self.owners.iter().filter_map(|(scope, owner)| match owner {
            Owner::Function(function) => Some((*function, *scope)),
            Owner::Lambda(..) => None,
        })
    }

    /// Whether working things out took more steps than there are.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.budget.get() == 0
    }

    /// Some of the calls of something of this name.
    pub(super) fn calls_of(&self, name: &str) -> Option<&[(&'a ExprCall, ScopeId)]> {
        let by_name = self.by_name.get_or_init(|| {
            let mut functions: Map<&'a str, Vec<(&'a ExprCall, ScopeId)>> = Map::default();
            for owner in self.owners.values() {
                match owner {
                    Owner::Function(function) => functions.insert(function.name.as_str(), Vec::new()),
                    Owner::Lambda(_, name) => name.and_then(|name| functions.insert(name, Vec::new())),
                };
            }
            for class in self.classes.values() {
                functions.insert(class.name.as_str(), Vec::new());
            }
            for &(call, scope) in &self.calls {
                let name = match &*call.func {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(attribute) => attribute.attr.as_str(),
                    _ => continue,
                };
                if let Some(calls) = functions.get_mut(name)
                    && calls.len() <= MAX_VALUES
                {
                    calls.push((call, scope));
                }
            }
            functions
        });
        by_name.get(name).map(Vec::as_slice)
    }

    /// Notes the last node of `path`; nodes come in the order of the walk.
    pub(crate) fn see(&mut self, path: &[Node<'a>]) {
        let [above @ .., node] = path else { return };
        match *node {
            Node::Stmt(stmt) => {
                self.leave(stmt.start());
                self.statement(stmt);
            }
            Node::Expr(expr) => match expr {
                Expr::Call(call) => {
                    self.leave(call.start());
                    let scope = self.here();
                    self.calls.push((call, scope));
                    if makes_text(call) {
                        self.made.push((expr, scope));
                    }
                    if let Expr::Lambda(lambda) = &*call.func {
                        self.called_at_once.insert(std::ptr::from_ref(lambda).addr(), (call, scope));
                    }
                }
                Expr::Name(_) => {
                    let is_callee = matches!(above.last(), Some(Node::Expr(Expr::Call(call))) if std::ptr::eq(&*call.func, expr));
                    if !is_callee {
                        self.leave(expr.start());
                        let scope = self.here();
                        self.references.push((expr, scope));
                    }
                }
                Expr::BinOp(operation) => {
                    let is_part = matches!(above.last(), Some(Node::Expr(Expr::BinOp(_))));
                    let is_text = |side: &Expr| match side {
                        Expr::StringLiteral(_) | Expr::BytesLiteral(_) => true,
                        Expr::Call(call) => matches!(&*call.func, Expr::Name(name) if name.id == "chr"),
                        _ => false,
                    };
                    if !is_part && (is_text(&operation.right) || is_text(&operation.left)) {
                        self.leave(expr.start());
                        let scope = self.here();
                        self.made.push((expr, scope));
                    }
                }
                Expr::Subscript(subscript)
                    if subscript.value.is_string_literal_expr() && subscript.slice.is_slice_expr() =>
                {
                    self.leave(expr.start());
                    let scope = self.here();
                    self.made.push((expr, scope));
                }
                Expr::Attribute(attribute) => {
                    if is_inner(attribute.attr.as_str()) {
                        self.leave(attribute.start());
                        let scope = self.here();
                        self.inner.push((attribute, scope));
                    }
                    let is_part = match above.last() {
                        Some(Node::Expr(Expr::Attribute(_))) => true,
                        Some(Node::Expr(Expr::Call(call))) => std::ptr::eq(&*call.func, expr),
                        _ => false,
                    };
                    if !is_part && attribute.ctx.is_load() && !is_own(attribute) {
                        self.leave(attribute.start());
                        let scope = self.here();
                        self.references.push((expr, scope));
                    }
                }
                Expr::Named(named) => {
                    self.leave(named.start());
                    let scope = self.here();
                    self.bind_target(&named.target, Binding::Value(&named.value, scope), 0);
                }
                Expr::Lambda(lambda) => {
                    self.leave(lambda.start());
                    let scope = self.enter(Kind::Expression, lambda.body.range());
                    self.own_scopes.insert(std::ptr::from_ref(lambda).addr(), scope);
                    let name = self.lambda_names.get(&std::ptr::from_ref(lambda).addr()).copied();
                    self.owners.insert(scope, Owner::Lambda(lambda, name));
                    if let Some(parameters) = &lambda.parameters {
                        self.parameters(parameters, scope);
                    }
                }
                Expr::ListComp(comp) => self.see_comprehension(expr, &comp.generators),
                Expr::SetComp(comp) => self.see_comprehension(expr, &comp.generators),
                Expr::DictComp(comp) => self.see_comprehension(expr, &comp.generators),
                Expr::Generator(comp) => self.see_comprehension(expr, &comp.generators),
                _ => {}
            },
            Node::Handler(handler) => {
                if let Some(name) = &handler.name {
                    self.leave(handler.range.start());
                    self.bind(self.here(), name.as_str(), Binding::Opaque);
                }
            }
            _ => {}
        }
    }

    fn statement(&mut self, stmt: &'a Stmt) {
        let here = self.here();
        match stmt {
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Assign(assign) => {
                if let (Expr::Lambda(lambda), [Expr::Name(name)]) = (&*assign.value, &assign.targets[..]) {
                    self.lambda_names.insert(std::ptr::from_ref(lambda).addr(), name.id.as_str());
                }
                for target in &assign.targets {
                    if matches!(target, Expr::Attribute(_) | Expr::Subscript(_)) {
                        self.stores.push((target, &assign.value, here));
                    }
                    self.bind_target(target, Binding::Value(&assign.value, here), 0);
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.bind_target(&assign.target, Binding::Value(value, here), 0);
                }
            }
            Stmt::AugAssign(assign) => self.augmented(assign),
            Stmt::For(each) => self.bind_target(&each.target, Binding::Element(&each.iter, here), 0),
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.bind_target(target, Binding::Value(&item.context_expr, here), 0);
                    }
                }
            }
            Stmt::Match(choice) => {
                for case in &choice.cases {
                    if let Pattern::MatchAs(capture) = &case.pattern
                        && let Some(name) = &capture.name
                    {
                        self.bind(here, name.as_str(), Binding::Value(&choice.subject, here));
                    }
                }
            }
            Stmt::Global(global) => {
                for name in &global.names {
                    self.redirect(here, name.as_str(), 0);
                }
            }
            Stmt::Nonlocal(nonlocal) => {
                let outer = self.outer_function(here);
                for name in &nonlocal.names {
                    self.redirect(here, name.as_str(), outer);
                }
            }
            Stmt::FunctionDef(function) => {
                self.define(function.name.as_str(), Binding::Function(function));
                let body =
                    TextRange::new(function.body.first().map_or(stmt.end(), Ranged::start), stmt.end());
                let scope = self.enter(Kind::Function, body);
                self.own_scopes.insert(std::ptr::from_ref(function).addr(), scope);
                self.owners.insert(scope, Owner::Function(function));
                self.parameters(&function.parameters, scope);
            }
            Stmt::ClassDef(class) => {
                self.define(class.name.as_str(), Binding::Class(class));
                let body = TextRange::new(class.body.first().map_or(stmt.end(), Ranged::start), stmt.end());
                let scope = self.enter(Kind::Class, body);
                self.own_scopes.insert(std::ptr::from_ref(class).addr(), scope);
                self.classes.insert(scope, class);
            }
            Stmt::Return(returned) => {
                if let Some(value) = &returned.value {
                    self.bind(here, RETURNED, Binding::Value(value, here));
                }
            }
            _ => {}
        }
    }

    fn define(&mut self, name: &'a str, binding: Binding<'a>) {
        self.bind_name(self.here(), name, binding);
    }

    fn import(&mut self, import: &'a StmtImport) {
        let here = self.here();
        for alias in &import.names {
            let module = alias.name.as_str();
            self.imported.push((module, alias.range, here));
            match &alias.asname {
                Some(name) => self.bind_name(here, name.as_str(), Binding::Module(module)),
                None => {
                    let root = module.split('.').next().unwrap_or(module);
                    self.bind_name(here, root, Binding::Module(root));
                }
            }
        }
    }

    fn import_from(&mut self, import: &'a StmtImportFrom) {
        let here = self.here();
        // What is imported from beside the script is the script's own.
        let Some(module) = import.module.as_ref().filter(|_| import.level == 0) else {
            for alias in &import.names {
                let name = alias.asname.as_ref().unwrap_or(&alias.name);
                self.bind_name(here, name.as_str(), Binding::Opaque);
            }
            return;
        };
        let module = module.as_str();
        self.imported.push((module, import.range, here));
        for alias in &import.names {
            let member = alias.name.as_str();
            if member == "*" {
                self.stars.push(module);
            } else {
                let name = alias.asname.as_ref().unwrap_or(&alias.name);
                if self.watched.len() < MAX_WATCHED && danger(&format!("{module}.{member}")).is_some() {
                    self.watched.push(name.as_str());
                }
                self.bind_name(here, name.as_str(), Binding::Member(module, member));
            }
        }
    }

    fn augmented(&mut self, assign: &'a StmtAugAssign) {
        let here = self.here();
        match &*assign.target {
            Expr::Name(name) => self.bind_name(here, name.id.as_str(), Binding::Added(assign, here)),
            Expr::Attribute(attribute) => {
                self.bind(ATTRIBUTES, attribute.attr.as_str(), Binding::Opaque);
            }
            _ => {}
        }
    }

    fn parameters(&mut self, parameters: &'a Parameters, scope: ScopeId) {
        for (at, parameter) in parameters.iter().enumerate() {
            self.bind(scope, parameter.name().as_str(), Binding::Parameter(scope, at));
        }
    }

    fn see_comprehension(&mut self, expr: &'a Expr, generators: &'a [Comprehension]) {
        self.leave(expr.start());
        let scope = self.enter(Kind::Expression, expr.range());
        self.own_scopes.insert(std::ptr::from_ref(expr).addr(), scope);
        for generator in generators {
            self.bind_target(&generator.target, Binding::Element(&generator.iter, scope), 0);
        }
    }

    /// Binds whatever names a target has. Targets nest as deep as brackets do.
    fn bind_target(&mut self, target: &'a Expr, binding: Binding<'a>, depth: usize) {
        let here = self.here();
        match target {
            Expr::Name(name) => self.bind_name(here, name.id.as_str(), binding),
            Expr::Attribute(attribute) => self.bind(ATTRIBUTES, attribute.attr.as_str(), binding),
            Expr::Starred(starred) if depth < MAX_TARGETS => {
                self.bind_target(&starred.value, unknown_part(binding), depth + 1);
            }
            Expr::Tuple(ast) if depth < MAX_TARGETS => self.bind_parts(&ast.elts, binding, depth),
            Expr::List(ast) if depth < MAX_TARGETS => self.bind_parts(&ast.elts, binding, depth),
            Expr::Subscript(subscript) => {
                if let (Expr::Name(name), Binding::Value(value, scope)) = (&*subscript.value, binding) {
                    self.bind_name(here, name.id.as_str(), Binding::Item(value, scope));
                }
            }
            _ => {}
        }
    }

    fn bind_parts(&mut self, targets: &'a [Expr], binding: Binding<'a>, depth: usize) {
        let mut starred = false;
        for (at, target) in targets.iter().enumerate() {
            starred |= target.is_starred_expr();
            let part = match binding {
                Binding::Value(value, scope) if !starred && depth == 0 => {
                    Binding::Part(value, scope, Some(at))
                }
                _ => unknown_part(binding),
            };
            self.bind_target(target, part, depth + 1);
        }
    }

    /// Binds a name where the script says that it belongs.
    fn bind_name(&mut self, scope: ScopeId, name: &'a str, binding: Binding<'a>) {
        let mut at = scope;
        if self.scopes[at as usize].redirects {
            at = self.redirects.get(&(at, name)).copied().unwrap_or(at);
        }
        // `:=` in a comprehension binds in the function around it; a lambda cannot bind.
        self.bind(at, name, binding);
        if self.scopes[at as usize].kind == Kind::Class {
            self.bind(ATTRIBUTES, name, binding);
        }
    }

    fn bind(&mut self, scope: ScopeId, name: &'a str, binding: Binding<'a>) {
        if name.len() > MAX_NAME {
            return;
        }
        let at = self.bindings.len() as u32;
        let chain = self.chains.entry((scope, name)).or_insert(Chain { first: at, last: at, length: 0 });
        // One more than the values that are kept, so that it is seen that there are more.
        if chain.length as usize > MAX_CHAIN {
            return;
        }
        chain.length += 1;
        if let Some(last) = self.bindings.get_mut(chain.last as usize) {
            last.1 = at;
        }
        chain.last = at;
        self.bindings.push((binding, u32::MAX));
    }

    /// What binds a name in this very scope, in the order of the script.
    pub(super) fn bound(&self, scope: ScopeId, name: &str) -> impl Iterator<Item = Binding<'a>> {
        let mut next = self.chains.get(&(scope, name)).map_or(u32::MAX, |chain| chain.first);
        std::iter::from_fn(move || {
            let (binding, behind) = *self.bindings.get(next as usize)?;
            next = behind;
            Some(binding)
        })
    }

    /// The number of the first binding of a name in this very scope.
    pub(super) fn first_binding(&self, scope: ScopeId, name: &str) -> Option<u32> {
        self.chains.get(&(scope, name)).map(|chain| chain.first)
    }

    /// The scope whose binding of the name is seen from `scope`.
    pub(super) fn scope_of(&self, scope: ScopeId, name: &str) -> Option<ScopeId> {
        let mut at = scope;
        loop {
            let here = &self.scopes[at as usize];
            if here.redirects
                && let Some(&outer) = self.redirects.get(&(at, name))
            {
                at = outer;
            } else if (at == scope || here.kind != Kind::Class) && self.chains.contains_key(&(at, name)) {
                return Some(at);
            } else if at == 0 {
                return None;
            } else {
                at = here.parent;
            }
        }
    }

    fn redirect(&mut self, scope: ScopeId, name: &'a str, outer: ScopeId) {
        if outer != scope {
            self.scopes[scope as usize].redirects = true;
            self.redirects.insert((scope, name), outer);
        }
    }

    fn outer_function(&self, scope: ScopeId) -> ScopeId {
        let mut at = self.scopes[scope as usize].parent;
        while at != 0 && self.scopes[at as usize].kind == Kind::Class {
            at = self.scopes[at as usize].parent;
        }
        at
    }

    fn here(&self) -> ScopeId {
        self.open.last().copied().unwrap_or(0)
    }

    /// Leaves the scopes that have ended before this place.
    fn leave(&mut self, place: ruff_text_size::TextSize) {
        while let [_, .., last] = self.open[..]
            && !self.scopes[last as usize].range.contains(place)
        {
            self.open.pop();
        }
    }

    fn enter(&mut self, kind: Kind, range: TextRange) -> ScopeId {
        let scope = self.scopes.len() as ScopeId;
        self.scopes.push(Scope { kind, parent: self.here(), range, redirects: false });
        self.open.push(scope);
        scope
    }
}

/// `self.a.b`: what it may be is told where it is put there.
fn is_own(attribute: &ExprAttribute) -> bool {
    let mut at = &*attribute.value;
    while let Expr::Attribute(inner) = at {
        at = &inner.value;
    }
    matches!(at, Expr::Name(name) if name.id == "self")
}

/// How many names are watched.
const MAX_WATCHED: usize = 16;

/// How many bindings of one name are noted.
const MAX_CHAIN: usize = 8 * MAX_VALUES;

/// How deep targets are taken apart.
const MAX_TARGETS: usize = 8;

fn unknown_part(binding: Binding<'_>) -> Binding<'_> {
    match binding {
        Binding::Value(value, scope) | Binding::Element(value, scope) | Binding::Part(value, scope, _) => {
            Binding::Part(value, scope, None)
        }
        _ => Binding::Opaque,
    }
}
