//! What an expression may be.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprCall, FStringPart, InterpolatedStringElement, Number, Operator};

use super::bindings::{ATTRIBUTES, Names, RETURNED};
use super::meaning::{MAX_DEPTH, MAX_TEXT, MAX_VALUES, Made, Meaning, Piece, Values};
use super::scope::{Binding, ScopeId};
use crate::imports::MAX_NAME;

impl<'a> Names<'a> {
    pub(super) fn names_of(&self, expression: &'a Expr, scope: ScopeId) -> Vec<String> {
        let names = self.eval(expression, scope).into_iter().filter_map(|value| match value {
            Meaning::Name(name, _) => Some(name.to_string()),
            _ => None,
        });
        names.collect()
    }

    /// Everything that the expression may be, as far as it is known.
    pub(super) fn eval(&self, expression: &'a Expr, scope: ScopeId) -> Values<'a> {
        match expression {
            Expr::StringLiteral(string) => vec![Meaning::Text(string.value.to_str().into(), Made::Written)],
            Expr::BytesLiteral(bytes) => {
                vec![Meaning::Bytes(bytes.value.bytes().collect::<Vec<u8>>().into(), Made::Written)]
            }
            Expr::NumberLiteral(number) => match &number.value {
                Number::Int(int) => int.as_i64().map(Meaning::Int).into_iter().collect(),
                _ => Vec::new(),
            },
            Expr::BooleanLiteral(literal) => vec![Meaning::Bool(literal.value)],
            Expr::NoneLiteral(_) => vec![Meaning::None],
            Expr::Name(name) => self.name(name.id.as_str(), scope),
            _ => self.remembered(expression, scope),
        }
    }

    fn remembered(&self, expression: &'a Expr, scope: ScopeId) -> Values<'a> {
        let key = (std::ptr::from_ref(expression).addr(), scope);
        self.once(key, || self.work_out(expression, scope))
    }

    /// Works something out once; while it is being worked out, and too deep in it, nothing is known.
    fn once(&self, key: (usize, ScopeId), work: impl FnOnce() -> Values<'a>) -> Values<'a> {
        if let Some(known) = self.memory.borrow().get(&key) {
            return known.clone().unwrap_or_default();
        }
        if self.depth.get() >= MAX_DEPTH || !self.spend(1) {
            return Vec::new();
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

    fn name(&self, name: &'a str, scope: ScopeId) -> Values<'a> {
        let Some(scope) = self.scope_of(scope, name) else {
            return self.free(name);
        };
        self.once((name.as_ptr().addr(), scope), || self.bindings_of(name, scope))
    }

    /// A name that nothing in the script binds.
    fn free(&self, name: &str) -> Values<'a> {
        let from = self.stars.iter().take(MAX_VALUES);
        let mut values: Values<'a> = from.map(|module| member(module, name, Made::Written)).collect();
        if values.is_empty() {
            values.push(Meaning::Name(name.into(), Made::Written));
        }
        values
    }

    fn bindings_of(&self, name: &'a str, scope: ScopeId) -> Values<'a> {
        let mut values = Values::new();
        for binding in self.bound(scope, name) {
            join(&mut values, self.binding(binding));
        }
        values
    }

    fn binding(&self, binding: Binding<'a>) -> Values<'a> {
        match binding {
            Binding::Module(module) => vec![Meaning::Name(module.into(), Made::Written)],
            Binding::Member(module, name) => vec![member(module, name, Made::Written)],
            Binding::Value(value, scope) => self.eval(value, scope),
            Binding::Part(value, scope, Some(at)) => match value {
                Expr::Tuple(tuple) if at < tuple.elts.len() => self.eval(&tuple.elts[at], scope),
                _ => Vec::new(),
            },
            Binding::Function(function, scope) => vec![Meaning::Function(function, scope)],
            Binding::Class(class, scope) => vec![Meaning::Class(class, scope)],
            _ => Vec::new(),
        }
    }

    fn work_out(&self, expression: &'a Expr, scope: ScopeId) -> Values<'a> {
        match expression {
            Expr::Attribute(attribute) => self.attribute(&attribute.value, attribute.attr.as_str(), scope),
            Expr::Call(call) => self.call(call, scope),
            Expr::Named(named) => self.eval(&named.value, scope),
            Expr::If(choice) => {
                let mut values = self.eval(&choice.body, scope);
                join(&mut values, self.eval(&choice.orelse, scope));
                values
            }
            Expr::BinOp(operation) if operation.op == Operator::Add => {
                let left = self.eval(&operation.left, scope);
                let right = self.eval(&operation.right, scope);
                match (left.as_slice(), right.as_slice()) {
                    ([Meaning::Text(left, _)], [Meaning::Text(right, _)])
                        if left.len() + right.len() <= MAX_TEXT
                            && self.spend(1 + (left.len() + right.len()) / 64) =>
                    {
                        vec![Meaning::Text(format!("{left}{right}").into(), Made::Built)]
                    }
                    _ => Vec::new(),
                }
            }
            Expr::FString(string) => {
                let mut pieces = Vec::new();
                for part in &string.value {
                    match part {
                        FStringPart::Literal(literal) => pieces.push(Piece::Text((&*literal.value).into())),
                        FStringPart::FString(string) => {
                            for element in &string.elements {
                                pieces.push(match element {
                                    InterpolatedStringElement::Literal(text) => {
                                        Piece::Text((&*text.value).into())
                                    }
                                    InterpolatedStringElement::Interpolation(_) => Piece::Gap(None),
                                });
                            }
                        }
                    }
                }
                vec![Meaning::Pattern(pieces.into())]
            }
            Expr::Lambda(lambda) => vec![Meaning::Lambda(lambda, scope)],
            Expr::List(list) => self.list(&list.elts, scope),
            Expr::Tuple(tuple) => self.list(&tuple.elts, scope),
            _ => Vec::new(),
        }
    }

    fn list(&self, elements: &'a [Expr], scope: ScopeId) -> Values<'a> {
        if elements.len() > 4096 {
            return Vec::new();
        }
        let all: Rc<[Values<'a>]> = elements.iter().map(|element| self.eval(element, scope)).collect();
        vec![Meaning::List(all)]
    }

    fn attribute(&self, value: &'a Expr, name: &'a str, scope: ScopeId) -> Values<'a> {
        let mut found = Values::new();
        for of in self.eval(value, scope) {
            match of {
                Meaning::Name(of, made) => found.push(member(&of, name, made)),
                Meaning::Result(of, _, _) => found.push(member(&of, name, Made::Written)),
                _ => {}
            }
        }
        if found.is_empty() {
            for binding in self.bound(ATTRIBUTES, name) {
                join(&mut found, self.binding(binding));
            }
        }
        found
    }

    fn call(&self, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
        let mut values = Values::new();
        for callee in self.eval(&call.func, scope) {
            match callee {
                Meaning::Name(name, _) => values.push(Meaning::Result(name, call, scope)),
                Meaning::Function(function, _) => {
                    if let Some(&scope) = self.own_scopes.get(&std::ptr::from_ref(function).addr()) {
                        for binding in self.bound(scope, RETURNED) {
                            join(&mut values, self.binding(binding));
                        }
                    }
                }
                Meaning::Lambda(lambda, _) => {
                    if let Some(&scope) = self.own_scopes.get(&std::ptr::from_ref(lambda).addr()) {
                        join(&mut values, self.eval(&lambda.body, scope));
                    }
                }
                _ => {}
            }
        }
        values
    }
}

/// Adds values to those that are possible, up to as many as are kept.
pub(super) fn join<'a>(values: &mut Values<'a>, more: Values<'a>) {
    let room = MAX_VALUES.saturating_sub(values.len());
    values.extend(more.into_iter().take(room));
}

/// A member of something with a dotted name, by its usual name.
pub(super) fn member<'a>(of: &str, name: &str, made: Made) -> Meaning<'a> {
    if of.len() + name.len() >= MAX_NAME {
        return Meaning::Unknown(None);
    }
    match of {
        "posix" => Meaning::Name(format!("os.{name}").into(), made),
        "builtins" | "__builtins__" => Meaning::Name(name.into(), made),
        _ => Meaning::Name(format!("{of}.{name}").into(), made),
    }
}
