//! What an expression may be: names, attributes, parts of values. Calls are in `calls.rs`, texts in `texts.rs`.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprSubscript, Number, StmtClassDef, UnaryOp};

use super::bindings::{ATTRIBUTES, Names, Owner};
use super::dotted;
use super::meaning::{MAX_DEPTH, MAX_VALUES, Made, Meaning, NOWHERE, Piece, Source, SourceKind, Values};
use super::scope::{Binding, ScopeId};

/// The longest list that is written out whose elements are looked at.
const MAX_LIST: usize = 1 << 16;

impl<'a> Names<'a> {
    /// Everything that the expression may be, as far as it is known.
    pub(crate) fn eval(&self, expression: &'a Expr, scope: ScopeId) -> Values<'a> {
        match expression {
            Expr::StringLiteral(string) => vec![Meaning::Text(string.value.to_str().into(), Made::Written)],
            Expr::BytesLiteral(bytes) => {
                vec![Meaning::Bytes(bytes.value.bytes().collect::<Vec<u8>>().into(), Made::Written)]
            }
            Expr::NumberLiteral(number) => match &number.value {
                Number::Int(int) => int.as_i64().map(Meaning::Int).into_iter().collect(),
                _ => Values::new(),
            },
            Expr::BooleanLiteral(literal) => vec![Meaning::Bool(literal.value)],
            Expr::NoneLiteral(_) => vec![Meaning::None],
            Expr::Name(name) => self.name(name.id.as_str(), scope),
            Expr::Compare(_) | Expr::EllipsisLiteral(_) | Expr::TString(_) => Values::new(),
            _ => {
                let key = (std::ptr::from_ref(expression).addr(), scope);
                self.once(key, || self.work_out(expression, scope))
            }
        }
    }

    /// Works something out once; while it is being worked out, and too deep in it, nothing is known.
    pub(super) fn once(&self, key: (usize, ScopeId), work: impl FnOnce() -> Values<'a>) -> Values<'a> {
        if let Some(known) = self.memory.borrow().get(&key) {
            return known.clone().unwrap_or_default();
        }
        if self.depth.get() >= MAX_DEPTH || !self.spend(1) {
            return Values::new();
        }
        self.memory.borrow_mut().insert(key, None);
        self.depth.set(self.depth.get() + 1);
        let values = work();
        self.depth.set(self.depth.get() - 1);
        self.memory.borrow_mut().insert(key, Some(values.clone()));
        values
    }

    /// Takes steps off the budget; false when there is none left.
    pub(super) fn spend(&self, steps: usize) -> bool {
        let left = self.budget.get().checked_sub(steps);
        self.budget.set(left.unwrap_or(0));
        left.is_some()
    }

    pub(super) fn name(&self, name: &str, scope: ScopeId) -> Values<'a> {
        match self.scope_of(scope, name) {
            Some(scope) => self.bound_in(name, scope),
            None => self.free(name),
        }
    }

    /// A name that nothing in the script binds.
    fn free(&self, name: &str) -> Values<'a> {
        if self.stars.is_empty() || dotted::is_builtin(name) {
            return vec![dotted::builtin(name)];
        }
        self.stars.iter().take(MAX_VALUES).map(|module| dotted::member(module, name, Made::Written)).collect()
    }

    fn bound_in(&self, name: &str, scope: ScopeId) -> Values<'a> {
        let Some(first) = self.first_binding(scope, name) else { return Values::new() };
        // Bindings lie in a list of their own: an odd key cannot be the place of an expression.
        self.once((first as usize * 2 + 1, ScopeId::MAX), || {
            let mut values = Values::new();
            for binding in self.bound(scope, name) {
                match binding {
                    Binding::Added(added, scope) => {
                        let more = self.eval(&added.value, scope);
                        let sum = self.binary(added.op, &values, &more);
                        // Once, or never, or often.
                        join(&mut values, sum);
                        values.push(Meaning::Unknown(source_in(&more)));
                    }
                    Binding::Item(value, scope) => {
                        let item = self.eval(value, scope);
                        join(&mut values, vec![Meaning::List(Rc::new([item]))]);
                    }
                    _ => join(&mut values, self.binding(binding)),
                }
                if values.len() >= MAX_VALUES {
                    break;
                }
            }
            values
        })
    }

    pub(super) fn binding(&self, binding: Binding<'a>) -> Values<'a> {
        match binding {
            Binding::Module(module) => vec![dotted::name(module, Made::Written)],
            Binding::Member(module, name) => vec![dotted::member(module, name, Made::Written)],
            Binding::Value(value, scope) => self.eval(value, scope),
            Binding::Element(value, scope) => self.elements(&self.eval(value, scope)),
            Binding::Part(value, scope, at) => {
                let mut values = Values::new();
                for whole in self.eval(value, scope) {
                    match (&whole, at) {
                        (Meaning::List(list), Some(at)) if at < list.len() => {
                            join(&mut values, list[at].clone());
                        }
                        _ => {
                            let within = self.elements(&[whole]);
                            join(&mut values, self.elements(&within));
                            join(&mut values, within);
                        }
                    }
                }
                values
            }
            Binding::Function(function) => vec![Meaning::Function(function)],
            Binding::Class(class) => vec![Meaning::Class(class)],
            Binding::Parameter(scope, at) => self.parameter(scope, at),
            Binding::Item(value, scope) => self.eval(value, scope),
            Binding::Added(..) | Binding::Opaque => vec![Meaning::Unknown(None)],
        }
    }

    fn work_out(&self, expression: &'a Expr, scope: ScopeId) -> Values<'a> {
        match expression {
            Expr::Attribute(attribute) => {
                let of = self.eval(&attribute.value, scope);
                self.attribute(&of, attribute.attr.as_str(), Made::Written)
            }
            Expr::Call(call) => self.call(call, scope),
            Expr::Subscript(subscript) => self.subscript(subscript, scope),
            Expr::Named(named) => self.eval(&named.value, scope),
            Expr::Await(awaited) => self.eval(&awaited.value, scope),
            Expr::If(choice) => {
                let mut values = self.eval(&choice.body, scope);
                join(&mut values, self.eval(&choice.orelse, scope));
                values
            }
            Expr::BoolOp(operation) => {
                let mut values = Values::new();
                for value in operation.values.iter().take(MAX_VALUES) {
                    join(&mut values, self.eval(value, scope));
                }
                values
            }
            Expr::BinOp(operation) => self.operation(operation, scope),
            Expr::UnaryOp(operation) => match (operation.op, self.eval(&operation.operand, scope).as_slice())
            {
                (UnaryOp::USub, [Meaning::Int(int)]) => {
                    int.checked_neg().map(Meaning::Int).into_iter().collect()
                }
                (UnaryOp::Invert, [Meaning::Int(int)]) => vec![Meaning::Int(!int)],
                (UnaryOp::UAdd, [Meaning::Int(int)]) => vec![Meaning::Int(*int)],
                _ => Values::new(),
            },
            Expr::FString(string) => self.f_string(string, scope),
            Expr::Lambda(lambda) => vec![Meaning::Lambda(lambda)],
            Expr::List(list) => self.list(&list.elts, scope),
            Expr::Tuple(tuple) => self.list(&tuple.elts, scope),
            Expr::Set(set) => self.list(&set.elts, scope),
            Expr::Dict(dict) if dict.items.len() <= MAX_LIST => {
                let item = |key: &'a Expr, value| (self.eval(key, scope), self.eval(value, scope));
                let items =
                    dict.items.iter().filter_map(|one| one.key.as_ref().map(|key| item(key, &one.value)));
                vec![Meaning::Dict(items.collect())]
            }
            Expr::DictComp(comp) => {
                let own =
                    self.own_scopes.get(&std::ptr::from_ref(expression).addr()).copied().unwrap_or(scope);
                let over = comp.generators.iter().take(MAX_VALUES).map(|one| self.eval(&one.iter, own));
                let source = over.into_iter().find_map(|values| self.source(&values));
                source.map(|source| Meaning::Unknown(Some(source))).into_iter().collect()
            }
            Expr::ListComp(comp) => self.comprehension(expression, &comp.elt, &comp.generators),
            Expr::SetComp(comp) => self.comprehension(expression, &comp.elt, &comp.generators),
            Expr::Generator(comp) => self.comprehension(expression, &comp.elt, &comp.generators),
            _ => Values::new(),
        }
    }

    fn list(&self, elements: &'a [Expr], scope: ScopeId) -> Values<'a> {
        if elements.len() > MAX_LIST {
            return Values::new();
        }
        let mut all: Vec<Values<'a>> = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                Expr::Starred(starred) => match self.eval(&starred.value, scope).as_slice() {
                    [Meaning::List(list)] if all.len() + list.len() <= MAX_LIST && self.spend(list.len()) => {
                        all.extend(list.iter().cloned());
                    }
                    _ => return Values::new(),
                },
                _ => all.push(self.eval(element, scope)),
            }
        }
        vec![Meaning::List(all.into())]
    }

    /// What an attribute of one of these values may be.
    pub(super) fn attribute(&self, of: &[Meaning<'a>], name: &str, made: Made) -> Values<'a> {
        let mut found = Values::new();
        for one in of {
            join(&mut found, self.attribute_of(one, name, made));
        }
        // Of anything else, it may be what the script gives an attribute of this name.
        if found.is_empty() && !name.starts_with("__") && self.first_binding(ATTRIBUTES, name).is_some() {
            found = self.bound_in(name, ATTRIBUTES);
        }
        found
    }

    fn attribute_of(&self, of: &Meaning<'a>, name: &str, made: Made) -> Values<'a> {
        match (of, name) {
            (_, "__dict__") => vec![Meaning::Members(Rc::new(of.clone()))],
            (Meaning::Name(..) | Meaning::Function(_) | Meaning::Lambda(_), "__call__") => vec![of.clone()],
            (Meaning::Function(_) | Meaning::Lambda(_), "__globals__") => vec![Meaning::Namespace(0)],
            // The module of a function that is built in.
            (Meaning::Name(of, _), "__self__") => match of.rsplit_once('.') {
                Some((module, _)) => vec![dotted::name(module, Made::Indirect)],
                None => vec![dotted::name("builtins", Made::Indirect)],
            },
            (Meaning::Name(of, before), _) => vec![dotted::member(of, name, made.max(*before))],
            (Meaning::Result(of, _, _), _) => vec![dotted::member(of, name, made)],
            (Meaning::Path(_), _) => vec![dotted::member("pathlib.Path", name, made)],
            (Meaning::Class(class) | Meaning::Instance(class), _) => self.member_of_class(class, name, made),
            (Meaning::Unknown(Some(source)), _) => vec![Meaning::Unknown(Some(*source))],
            (Meaning::Function(_) | Meaning::Lambda(_) | Meaning::Unknown(None), _) => Values::new(),
            _ => vec![Meaning::Method(Rc::new(of.clone()), name.into())],
        }
    }

    fn member_of_class(&self, class: &'a StmtClassDef, name: &str, made: Made) -> Values<'a> {
        let Some(&scope) = self.own_scopes.get(&std::ptr::from_ref(class).addr()) else {
            return Values::new();
        };
        if self.first_binding(scope, name).is_some() {
            return self.bound_in(name, scope);
        }
        let mut found = Values::new();
        for base in self.bases(class) {
            if let Meaning::Name(..) = base {
                join(&mut found, self.attribute_of(&base, name, made));
            }
        }
        found
    }

    /// What a class inherits from directly.
    pub(crate) fn bases(&self, class: &'a StmtClassDef) -> Values<'a> {
        let outer = self.own_scopes.get(&std::ptr::from_ref(class).addr());
        let scope = outer.map_or(0, |&scope| self.scopes[scope as usize].parent);
        let mut bases = Values::new();
        for base in class.arguments.iter().flat_map(|arguments| &arguments.args).take(MAX_VALUES) {
            join(&mut bases, self.eval(base, scope));
        }
        bases
    }

    /// What a parameter may be: what calls by the function's name give, and its default.
    fn parameter(&self, scope: ScopeId, at: usize) -> Values<'a> {
        let Some(owner) = self.owners.get(&scope) else { return Values::new() };
        let outer = self.scopes[scope as usize].parent;
        let class = self.classes.get(&outer).copied();
        let (parameters, name, mut values) = match owner {
            Owner::Function(function) => {
                let is_method = class.is_some() && !is_static(function);
                if is_method && at == 0 {
                    return class.map(Meaning::Instance).into_iter().collect();
                }
                let name = match class {
                    Some(class) if function.name.as_str() == "__init__" => class.name.as_str(),
                    _ => function.name.as_str(),
                };
                (&*function.parameters, Some((name, usize::from(is_method))), Values::new())
            }
            Owner::Lambda(lambda, name) => {
                let Some(parameters) = &lambda.parameters else { return Values::new() };
                let mut values = Values::new();
                if let Some((call, scope)) = self.called_at_once.get(&std::ptr::from_ref(*lambda).addr()) {
                    join(&mut values, self.argument(call, *scope, at, ""));
                }
                (&**parameters, name.map(|name| (name, 0)), values)
            }
        };
        let Some(parameter) = parameters.iter().nth(at) else { return Values::new() };
        if let Some(default) = parameter.default() {
            join(&mut values, self.eval(default, outer));
        }
        if parameter.is_variadic() {
            return Values::new();
        }
        if let Some((name, shift)) = name
            && let Some(calls) = self.calls_of(name)
        {
            for &(call, scope) in calls {
                let given = self.argument(call, scope, at.saturating_sub(shift), parameter.name().as_str());
                match given.is_empty() {
                    true => join(&mut values, vec![Meaning::Unknown(None)]),
                    false => join(&mut values, given),
                }
            }
        }
        values
    }

    fn subscript(&self, subscript: &'a ExprSubscript, scope: ScopeId) -> Values<'a> {
        let of = self.eval(&subscript.value, scope);
        if let Expr::Slice(slice) = &*subscript.slice {
            let bound = |bound: &'a Option<Box<Expr>>| match bound {
                None => Some(None),
                Some(bound) => match self.eval(bound, scope).as_slice() {
                    [Meaning::Int(int)] => Some(Some(*int)),
                    [Meaning::None] => Some(None),
                    _ => None,
                },
            };
            let known = (bound(&slice.lower), bound(&slice.upper), bound(&slice.step));
            let (Some(lower), Some(upper), Some(step)) = known else { return from_source(&of) };
            return of.iter().flat_map(|of| self.slice(of, lower, upper, step)).collect();
        }
        let index = self.eval(&subscript.slice, scope);
        let mut values = self.items(&of, &index);
        for value in &mut values {
            if let Meaning::Unknown(Some(source)) = value
                && source.at == NOWHERE
            {
                source.at = subscript.range.start();
            }
        }
        values
    }

    /// What `of[index]` may be.
    pub(super) fn items(&self, of: &[Meaning<'a>], index: &[Meaning<'a>]) -> Values<'a> {
        let mut found = Values::new();
        for one in of {
            match index {
                [] => join(&mut found, self.any_item(one)),
                _ => index.iter().for_each(|index| join(&mut found, self.item(one, index))),
            }
        }
        found
    }

    fn item(&self, of: &Meaning<'a>, index: &Meaning<'a>) -> Values<'a> {
        match (of, index) {
            (Meaning::Text(text, made), Meaning::Int(at)) => {
                let length = text.chars().count();
                let at = position(*at, length).and_then(|at| text.chars().nth(at));
                if !self.spend(1 + length / 64) {
                    return Values::new();
                }
                at.map(|c| Meaning::Text(c.to_string().into(), Made::Built.max(*made))).into_iter().collect()
            }
            (Meaning::Bytes(bytes, _), Meaning::Int(at)) => {
                let at = position(*at, bytes.len());
                at.map(|at| Meaning::Int(bytes[at].into())).into_iter().collect()
            }
            (Meaning::List(list), Meaning::Int(at)) => {
                position(*at, list.len()).map_or_else(|| self.any_item(of), |at| list[at].clone())
            }
            (Meaning::Dict(items), _) => {
                let hit = items.iter().find(|(key, _)| matches!(key.as_slice(), [key] if same(key, index)));
                if !self.spend(1 + items.len() / 8) {
                    return Values::new();
                }
                hit.map_or_else(|| self.any_item(of), |(_, value)| value.clone())
            }
            (Meaning::Namespace(scope), Meaning::Text(name, made)) => self.in_namespace(*scope, name, *made),
            (Meaning::Members(of), Meaning::Text(name, made)) => self.member_by_text(of, name, *made),
            // In modules other than the main one, `__builtins__` is a dictionary.
            (Meaning::Name(module, _), Meaning::Text(name, made)) if &**module == "builtins" => {
                self.member_by_text(of, name, *made)
            }
            (Meaning::Name(of, _), Meaning::Text(name, made)) if &**of == "sys.modules" => {
                vec![dotted::name(name, Made::Indirect.max(*made))]
            }
            (Meaning::Name(of, _), Meaning::Text(name, _)) if &**of == "os.environ" && &**name == "HOME" => {
                vec![Meaning::Path(Rc::new([Piece::Text("~".into())]))]
            }
            _ => self.any_item(of),
        }
    }

    /// What is reached by a text from `globals()` and the like.
    fn in_namespace(&self, scope: ScopeId, name: &str, made: Made) -> Values<'a> {
        let found = match name {
            "__builtins__" => vec![dotted::name("builtins", Made::Indirect)],
            _ => self.name(name, scope),
        };
        reached(found, made)
    }

    /// What `getattr(of, name)` is.
    pub(crate) fn member_by_text(&self, of: &Meaning<'a>, name: &Rc<str>, made: Made) -> Values<'a> {
        let made = Made::Indirect.max(made);
        reached(self.attribute(std::slice::from_ref(of), name, made), made)
    }

    fn any_item(&self, of: &Meaning<'a>) -> Values<'a> {
        match of {
            Meaning::List(list) => {
                let mut all = Values::new();
                list.iter().take(MAX_VALUES).for_each(|one| join(&mut all, one.clone()));
                all
            }
            Meaning::Dict(items) => {
                let mut all = Values::new();
                items.iter().take(MAX_VALUES).for_each(|(_, one)| join(&mut all, one.clone()));
                all
            }
            Meaning::Name(of, _) if &**of == "os.environ" => {
                vec![Meaning::Unknown(Some(Source { kind: SourceKind::Variable, at: NOWHERE }))]
            }
            Meaning::Name(of, _) if &**of == "sys.modules" => {
                vec![dotted::name("sys.modules.*", Made::Indirect)]
            }
            Meaning::Members(of) => match &**of {
                Meaning::Name(of, _) => vec![dotted::member(of, "*", Made::Indirect)],
                _ => Values::new(),
            },
            Meaning::Text(_, made) => vec![Meaning::Pattern(Rc::new([Piece::Gap(None)]))]
                .into_iter()
                .filter(|_| *made > Made::Written)
                .collect(),
            _ => self.source_of(of).map(|source| Meaning::Unknown(Some(source))).into_iter().collect(),
        }
    }

    /// What iterating over one of these values gives.
    pub(super) fn elements(&self, values: &[Meaning<'a>]) -> Values<'a> {
        let mut all = Values::new();
        for one in values {
            match one {
                Meaning::Dict(items) => {
                    items.iter().take(MAX_VALUES).for_each(|(key, _)| join(&mut all, key.clone()));
                }
                _ => join(&mut all, self.any_item(one)),
            }
        }
        all
    }

    /// Where one of these values comes from, if it comes from outside.
    pub(crate) fn source(&self, values: &[Meaning<'a>]) -> Option<Source> {
        values.iter().find_map(|value| self.source_of(value))
    }
}

fn is_static(function: &ruff_python_ast::StmtFunctionDef) -> bool {
    let is_static = |expression: &Expr| matches!(expression, Expr::Name(name) if name.id == "staticmethod");
    function.decorator_list.iter().any(|decorator| is_static(&decorator.expression))
}

/// Values that were reached by a text that was made in this way.
fn reached<'a>(mut values: Values<'a>, made: Made) -> Values<'a> {
    for value in &mut values {
        if let Meaning::Name(_, before) = value {
            *before = made.max(*before).max(Made::Indirect);
        }
    }
    values
}

/// The source alone of what has one.
pub(super) fn from_source<'a>(values: &[Meaning<'a>]) -> Values<'a> {
    source_in(values).map(|source| Meaning::Unknown(Some(source))).into_iter().collect()
}

fn source_in(values: &[Meaning<'_>]) -> Option<Source> {
    values.iter().find_map(|value| match value {
        Meaning::Unknown(source) => *source,
        Meaning::Pattern(pieces) | Meaning::Path(pieces) => pieces.iter().find_map(|piece| match piece {
            Piece::Gap(source) => *source,
            Piece::Text(_) => None,
        }),
        _ => None,
    })
}

/// Where Python finds the item of this number among so many.
pub(super) fn position(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(i64::try_from(length).ok()?)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

pub(super) fn same(one: &Meaning<'_>, other: &Meaning<'_>) -> bool {
    match (one, other) {
        (Meaning::Text(one, _), Meaning::Text(other, _)) => one == other,
        (Meaning::Bytes(one, _), Meaning::Bytes(other, _)) => one == other,
        (Meaning::Int(one), Meaning::Int(other)) => one == other,
        (Meaning::Bool(one), Meaning::Bool(other)) => one == other,
        (Meaning::None, Meaning::None) => true,
        _ => false,
    }
}

/// Adds values to those that are possible, up to as many as are kept.
pub(super) fn join<'a>(values: &mut Values<'a>, more: Values<'a>) {
    for one in more {
        if values.len() >= MAX_VALUES {
            return;
        }
        let is_there = match &one {
            Meaning::Name(name, _) => {
                values.iter().any(|value| matches!(value, Meaning::Name(before, _) if before == name))
            }
            Meaning::Unknown(None) => values.iter().any(|value| matches!(value, Meaning::Unknown(None))),
            Meaning::Text(..) | Meaning::Int(_) => values.iter().any(|value| same(value, &one)),
            _ => false,
        };
        if !is_there {
            values.push(one);
        }
    }
}
