//! Every binding of a name in a script, by scope; and who calls what with what.
//!
//! In no order: a name means everything that its scope ever makes it.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::{Expr, ExprCall, Parameters, Stmt, StmtClassDef, StmtFunctionDef};

use super::places;
use crate::imports::MAX_NAME;
use crate::walk::{Node, Walk};

/// The most bindings of one name that are looked at, and the most calls of one function.
const MOST: usize = 16;

/// The scope of the module.
pub(super) const MODULE: usize = 0;

/// What a name is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound<'a> {
    /// The value of an expression.
    Value(&'a Expr),
    /// One of the items of its value.
    Item(&'a Expr),
    /// The part of its value at this position; of each item, if `of_item`.
    Part { of: &'a Expr, at: usize, of_item: bool },
    /// What entering it gives.
    Entered(&'a Expr),
    /// The module of this name, or what `from` one is imported.
    Import { module: &'a str, name: Option<&'a str> },
    /// A function or class of the script.
    Scope(usize),
    /// A parameter of the function whose scope this is: its position among the positional ones, and its default.
    Parameter { position: Option<usize>, default: Option<&'a Expr> },
    /// It is not known what.
    Unknown,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Module,
    Function(&'a StmtFunctionDef),
    Class(&'a StmtClassDef),
}

#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) parent: usize,
    pub(super) kind: Kind<'a>,
    pub(super) names: HashMap<&'a str, Vec<Bound<'a>>>,
    /// Of a function: what it returns, and what it yields.
    pub(super) returns: Vec<&'a Expr>,
    /// Names that are the module's.
    globals: HashSet<&'a str>,
}

/// A call of something, and the scope that it stands in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'a> {
    pub(super) call: &'a ExprCall,
    pub(super) scope: usize,
    /// Whether the script goes on if it fails.
    pub(super) optional: bool,
}

#[derive(Debug)]
pub(super) struct Scopes<'a> {
    pub(super) all: Vec<Scope<'a>>,
    /// Calls by the last name of what is called.
    pub(super) calls: HashMap<&'a str, Vec<Site<'a>>>,
    /// What attributes of `self` are bound to, by class and name, each with the scope where.
    pub(super) attributes: HashMap<(usize, &'a str), Vec<(Bound<'a>, usize)>>,
    /// Modules of which everything was imported.
    pub(super) stars: Vec<&'a str>,
    /// Names that stand somewhere without being called: a function of such a name may be called by anybody.
    pub(super) given: HashSet<&'a str>,
}

/// Where a node stands, while they are visited one after the other.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// How deep the definitions around it are, and their scopes.
    open: Vec<(usize, usize)>,
    /// How deep that is below which the script goes on without.
    optional: Vec<usize>,
    count: usize,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    pub(super) scope: usize,
    /// The scope that it is, if it is a definition.
    pub(super) opened: Option<usize>,
    /// Whether the script goes on where it fails.
    pub(super) optional: bool,
}

impl Standing {
    /// Where the last node of `path` stands.
    pub(super) fn step(&mut self, path: &[Node<'_>]) -> Stand {
        let depth = path.len();
        while self.open.last().is_some_and(|(above, _)| *above >= depth) {
            self.open.pop();
        }
        while self.optional.last().is_some_and(|above| *above >= depth) {
            self.optional.pop();
        }
        if let [.., outer, inner] = path
            && places::is_optional(*outer, *inner)
        {
            self.optional.push(depth);
        }
        let scope = self.open.last().map_or(MODULE, |(_, scope)| *scope);
        let opened =
            matches!(path.last(), Some(Node::Stmt(Stmt::FunctionDef(_) | Stmt::ClassDef(_)))).then(|| {
                self.count += 1;
                self.open.push((depth, self.count));
                self.count
            });
        Stand { scope, opened, optional: !self.optional.is_empty() }
    }
}

impl<'a> Scopes<'a> {
    pub(super) fn of(body: &'a [Stmt]) -> Scopes<'a> {
        let module = Scope {
            parent: MODULE,
            kind: Kind::Module,
            names: HashMap::new(),
            returns: Vec::new(),
            globals: HashSet::new(),
        };
        let mut scopes = Scopes {
            all: vec![module],
            calls: HashMap::new(),
            attributes: HashMap::new(),
            stars: Vec::new(),
            given: HashSet::new(),
        };
        let (mut walk, mut path, mut standing) = (Walk::new(body), Vec::new(), Standing::default());
        while let Some(node) = walk.next(&mut path) {
            let Stand { scope, opened, optional } = standing.step(&path);
            match node {
                Node::Stmt(stmt) => scopes.stmt(stmt, scope, opened),
                Node::Expr(expr) => scopes.expr(expr, scope, optional),
                Node::Handler(handler) => {
                    if let Some(name) = &handler.name {
                        scopes.bind(scope, name.as_str(), Bound::Unknown);
                    }
                }
                Node::Keyword(keyword) => scopes.give(&keyword.value),
                _ => {}
            }
        }
        scopes
    }

    fn stmt(&mut self, stmt: &'a Stmt, scope: usize, opened: Option<usize>) {
        match stmt {
            Stmt::FunctionDef(function) => {
                self.open(scope, Kind::Function(function));
                let own = opened.unwrap_or(MODULE);
                self.bind(scope, function.name.as_str(), Bound::Scope(own));
                self.parameters(own, &function.parameters);
            }
            Stmt::ClassDef(class) => {
                self.open(scope, Kind::Class(class));
                self.bind(scope, class.name.as_str(), Bound::Scope(opened.unwrap_or(MODULE)));
            }
            Stmt::Import(import) => {
                for alias in import.names.iter().filter(|alias| alias.name.len() <= MAX_NAME) {
                    let module = alias.name.as_str();
                    let (name, module) = match &alias.asname {
                        Some(name) => (name.as_str(), module),
                        None => (
                            module.split('.').next().unwrap_or(module),
                            module.split('.').next().unwrap_or(module),
                        ),
                    };
                    self.bind(scope, name, Bound::Import { module, name: None });
                }
            }
            Stmt::ImportFrom(import) if import.level == 0 => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                if module.len() > MAX_NAME {
                    return;
                }
                for alias in import.names.iter().filter(|alias| alias.name.len() <= MAX_NAME) {
                    match alias.name.as_str() {
                        "*" => self.stars.push(module),
                        name => {
                            let bound = Bound::Import { module, name: Some(name) };
                            self.bind(
                                scope,
                                alias.asname.as_ref().map_or(name, |asname| asname.as_str()),
                                bound,
                            );
                        }
                    }
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.bind(scope, name.as_str(), Bound::Unknown);
                }
            }
            Stmt::Assign(assign) => {
                self.give(&assign.value);
                for target in &assign.targets {
                    self.assign(scope, target, Bound::Value(&assign.value));
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.give(value);
                    self.assign(scope, &assign.target, Bound::Value(value));
                }
            }
            Stmt::AugAssign(assign) => self.assign(scope, &assign.target, Bound::Unknown),
            Stmt::For(each) => self.assign(scope, &each.target, Bound::Item(&each.iter)),
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.assign(scope, target, Bound::Entered(&item.context_expr));
                    }
                }
            }
            Stmt::Global(global) => {
                let names = global.names.iter().map(|name| name.as_str());
                self.all[scope].globals.extend(names);
            }
            Stmt::Return(returns) => {
                if let Some(value) = &returns.value {
                    self.give(value);
                    self.all[scope].returns.push(value);
                }
            }
            _ => {}
        }
    }

    fn expr(&mut self, expr: &'a Expr, scope: usize, optional: bool) {
        match expr {
            Expr::Call(call) => {
                let name = match &*call.func {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(attribute) => attribute.attr.as_str(),
                    _ => "",
                };
                self.calls.entry(name).or_default().push(Site { call, scope, optional });
                call.arguments.args.iter().for_each(|argument| self.give(argument));
            }
            Expr::Named(named) => self.assign(scope, &named.target, Bound::Value(&named.value)),
            Expr::ListComp(comp) => self.comprehensions(scope, &comp.generators),
            Expr::SetComp(comp) => self.comprehensions(scope, &comp.generators),
            Expr::DictComp(comp) => self.comprehensions(scope, &comp.generators),
            Expr::Generator(comp) => self.comprehensions(scope, &comp.generators),
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.iter().flat_map(|parameters| parameters.iter());
                for parameter in parameters {
                    self.bind(scope, parameter.name().as_str(), Bound::Unknown);
                }
            }
            Expr::List(list) => list.elts.iter().for_each(|item| self.give(item)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.give(item)),
            Expr::Dict(dict) => dict.items.iter().for_each(|item| self.give(&item.value)),
            _ => {}
        }
    }

    fn comprehensions(&mut self, scope: usize, generators: &'a [ruff_python_ast::Comprehension]) {
        for generator in generators {
            self.assign(scope, &generator.target, Bound::Item(&generator.iter));
        }
    }

    fn give(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => drop(self.given.insert(name.id.as_str())),
            Expr::Attribute(attribute) => drop(self.given.insert(attribute.attr.as_str())),
            _ => {}
        }
    }

    fn open(&mut self, parent: usize, kind: Kind<'a>) {
        let (names, returns, globals) = (HashMap::new(), Vec::new(), HashSet::new());
        self.all.push(Scope { parent, kind, names, returns, globals });
    }

    fn parameters(&mut self, scope: usize, parameters: &'a Parameters) {
        let positional = parameters.posonlyargs.iter().chain(&parameters.args).enumerate();
        let positional = positional.map(|(at, parameter)| (Some(at), parameter));
        let named = parameters.kwonlyargs.iter().map(|parameter| (None, parameter));
        for (position, parameter) in positional.chain(named) {
            let bound = Bound::Parameter { position, default: parameter.default.as_deref() };
            self.bind(scope, parameter.parameter.name.as_str(), bound);
        }
        for parameter in parameters.vararg.iter().chain(&parameters.kwarg) {
            self.bind(scope, parameter.name.as_str(), Bound::Unknown);
        }
    }

    /// Binds whatever names a target has.
    fn assign(&mut self, scope: usize, target: &'a Expr, bound: Bound<'a>) {
        match target {
            Expr::Name(name) => self.bind(scope, name.id.as_str(), bound),
            Expr::Attribute(attribute) => {
                if let (Expr::Name(name), Some(class)) = (&*attribute.value, self.class_around(scope))
                    && name.id == "self"
                {
                    let all = self.attributes.entry((class, attribute.attr.as_str())).or_default();
                    all.push((bound, scope));
                }
            }
            Expr::Tuple(_) | Expr::List(_) => {
                let elements = match target {
                    Expr::Tuple(tuple) => &tuple.elts,
                    Expr::List(list) => &list.elts,
                    _ => return,
                };
                for (at, element) in elements.iter().enumerate() {
                    let part = match bound {
                        Bound::Value(of) => Bound::Part { of, at, of_item: false },
                        Bound::Item(of) => Bound::Part { of, at, of_item: true },
                        _ => Bound::Unknown,
                    };
                    // What is taken apart once more is not followed.
                    match element {
                        Expr::Name(name) => self.bind(scope, name.id.as_str(), part),
                        Expr::Tuple(tuple) => {
                            for name in tuple.elts.iter().filter_map(Expr::as_name_expr) {
                                self.bind(scope, name.id.as_str(), Bound::Unknown);
                            }
                        }
                        Expr::Starred(starred) => {
                            if let Expr::Name(name) = &*starred.value {
                                self.bind(scope, name.id.as_str(), Bound::Unknown);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn bind(&mut self, scope: usize, name: &'a str, bound: Bound<'a>) {
        let scope = if self.all[scope].globals.contains(name) { MODULE } else { scope };
        let all = self.all[scope].names.entry(name).or_default();
        match all.len() {
            MOST => all.push(Bound::Unknown),
            len if len < MOST => all.push(bound),
            _ => {}
        }
    }

    /// The class whose method this scope is.
    pub(super) fn class_around(&self, scope: usize) -> Option<usize> {
        let mut at = scope;
        while at != MODULE {
            let parent = self.all[at].parent;
            if matches!(self.all[parent].kind, Kind::Class(_))
                && matches!(self.all[at].kind, Kind::Function(_))
            {
                return Some(parent);
            }
            at = parent;
        }
        None
    }

    /// The bindings of a name where it is read, and the scope that they stand in.
    pub(super) fn look_up(&self, scope: usize, name: &str) -> Option<(usize, &[Bound<'a>])> {
        let mut at = scope;
        loop {
            let is_visible = at == scope || !matches!(self.all[at].kind, Kind::Class(_));
            if let Some(bound) = self.all[at].names.get(name).filter(|_| is_visible) {
                return Some((at, bound));
            }
            if at == MODULE {
                return None;
            }
            at = self.all[at].parent;
        }
    }

    /// The calls by which a function or class may be called, if they are known.
    pub(super) fn sites(&self, scope: usize) -> Option<&[Site<'a>]> {
        let name = match self.all[scope].kind {
            Kind::Function(function) if function.name.as_str() == "__init__" => {
                match self.all[self.all[scope].parent].kind {
                    Kind::Class(class) => class.name.as_str(),
                    _ => "__init__",
                }
            }
            Kind::Function(function) => function.name.as_str(),
            Kind::Class(class) => class.name.as_str(),
            Kind::Module => return None,
        };
        self.calls.get(name).map(Vec::as_slice)
    }
}
