//! Comprehensions over values that are known: `''.join(chr(c ^ 7) for c in data)`.

use std::rc::Rc;

use ruff_python_ast::{Comprehension, Expr, ExprLambda};

use super::bindings::Names;
use super::hash::Map;
use super::meaning::{Made, Meaning, Values};
use super::scope::ScopeId;

/// How many items a comprehension is worked out for.
const MAX_ITEMS: usize = 1 << 16;

/// How many nodes the expression of one item may have.
const MAX_NODES: usize = 32;

/// What the names of a comprehension or of a lambda are for one item.
struct Bound<'a, 'n> {
    names: Map<&'n str, Meaning<'a>>,
    /// Where all other names belong.
    scope: ScopeId,
}

impl<'a> Names<'a> {
    pub(super) fn comprehension(
        &self,
        expression: &'a Expr,
        element: &'a Expr,
        generators: &'a [Comprehension],
    ) -> Values<'a> {
        let Some(&scope) = self.own_scopes.get(&std::ptr::from_ref(expression).addr()) else {
            return Values::new();
        };
        let whole = |this: &Self| -> Option<Values<'a>> {
            let [generator] = generators else { return None };
            if !generator.ifs.is_empty() {
                return None;
            }
            let over = this.eval(&generator.iter, scope);
            let [over] = over.as_slice() else { return None };
            let items = this.spread(over)?;
            this.each(items, element, |item| bind(&generator.target, item, scope))
        };
        if let Some(values) = whole(self) {
            return values;
        }
        // Not item by item; but what each of them may be.
        let each = self.eval(element, scope);
        let source = generators.iter().find_map(|one| self.source(&self.eval(&one.iter, scope)));
        match (each.is_empty(), source) {
            (false, _) => vec![Meaning::List(Rc::new([each]))],
            (true, Some(source)) => vec![Meaning::Unknown(Some(source))],
            (true, None) => Values::new(),
        }
    }

    /// `map(lambda ..., list)`.
    pub(super) fn mapped_lambda(&self, lambda: &'a ExprLambda, over: &[Meaning<'a>]) -> Values<'a> {
        let whole = || -> Option<Values<'a>> {
            let scope = *self.own_scopes.get(&std::ptr::from_ref(lambda).addr())?;
            let [over] = over else { return None };
            let name = lambda.parameters.as_ref()?.iter().next()?.name().as_str();
            self.each(self.spread(over)?, &lambda.body, |item| {
                let [item] = item.as_slice() else { return None };
                Some(Bound { names: [(name, item.clone())].into_iter().collect(), scope })
            })
        };
        whole().unwrap_or_default()
    }

    /// `map(chr, list)` and its like.
    pub(super) fn mapped(&self, name: &str, over: &[Meaning<'a>]) -> Option<Values<'a>> {
        let [over] = over else { return None };
        let items = self.spread(over)?;
        if items.len() > MAX_ITEMS || !self.spend(items.len()) {
            return None;
        }
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            let [item] = item.as_slice() else { return None };
            all.push(vec![self.simple(name, std::slice::from_ref(item))?]);
        }
        Some(vec![Meaning::List(all.into())])
    }

    fn each<'n>(
        &self,
        items: Vec<Values<'a>>,
        element: &'n Expr,
        bind: impl Fn(&Values<'a>) -> Option<Bound<'a, 'n>>,
    ) -> Option<Values<'a>> {
        if items.len() > MAX_ITEMS || !self.spend(items.len()) {
            return None;
        }
        let mut all = Vec::with_capacity(items.len());
        for item in &items {
            let bound = bind(item)?;
            let mut nodes = MAX_NODES;
            all.push(vec![self.with(element, &bound, &mut nodes)?]);
        }
        Some(vec![Meaning::List(all.into())])
    }

    /// The value of a simple expression in which some names are known.
    fn with(&self, expression: &Expr, bound: &Bound<'a, '_>, nodes: &mut usize) -> Option<Meaning<'a>> {
        *nodes = nodes.checked_sub(1)?;
        if !self.spend(1) {
            return None;
        }
        Some(match expression {
            Expr::Name(name) => match bound.names.get(name.id.as_str()) {
                Some(value) => value.clone(),
                None => match self.name(name.id.as_str(), bound.scope).as_slice() {
                    [one] => one.clone(),
                    _ => return None,
                },
            },
            Expr::NumberLiteral(number) => match &number.value {
                ruff_python_ast::Number::Int(int) => Meaning::Int(int.as_i64()?),
                _ => return None,
            },
            Expr::StringLiteral(string) => Meaning::Text(string.value.to_str().into(), Made::Written),
            Expr::BinOp(operation) => {
                let left = self.with(&operation.left, bound, nodes)?;
                let right = self.with(&operation.right, bound, nodes)?;
                self.binary(operation.op, &[left], &[right]).pop()?
            }
            Expr::Subscript(subscript) => {
                let of = self.with(&subscript.value, bound, nodes)?;
                let index = self.with(&subscript.slice, bound, nodes)?;
                let mut items = self.items(&[of], &[index]);
                if items.len() != 1 {
                    return None;
                }
                items.pop()?
            }
            Expr::Call(call) => {
                let mut given = Vec::new();
                for argument in &call.arguments.args {
                    given.push(self.with(argument, bound, nodes)?);
                }
                match &*call.func {
                    Expr::Name(name) => self.simple(name.id.as_str(), &given)?,
                    Expr::Attribute(attribute) => {
                        let of = self.with(&attribute.value, bound, nodes)?;
                        self.simple_method(&of, attribute.attr.as_str(), &given)?
                    }
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}

/// The names of a target, for one item.
fn bind<'a, 'n>(target: &'n Expr, item: &Values<'a>, scope: ScopeId) -> Option<Bound<'a, 'n>> {
    let [item] = item.as_slice() else { return None };
    let mut names = Map::default();
    match (target, item) {
        (Expr::Name(name), _) => {
            names.insert(name.id.as_str(), item.clone());
        }
        (Expr::Tuple(tuple), Meaning::List(list)) if tuple.elts.len() == list.len() => {
            for (target, item) in tuple.elts.iter().zip(list.iter()) {
                let (Expr::Name(name), [item]) = (target, item.as_slice()) else { return None };
                names.insert(name.id.as_str(), item.clone());
            }
        }
        _ => return None,
    }
    Some(Bound { names, scope })
}
