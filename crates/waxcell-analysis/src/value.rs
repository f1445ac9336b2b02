//! What is known about the value of an expression without running it.

use ruff_python_ast::{Expr, Number};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A string; or the name of a variable, an attribute or a constant of the language, which Bandit does not tell from
    /// strings.
    Text(&'a str),
    Int(u64),
    Float(f64),
    List(&'a [Expr]),
    /// Something else that is written out, such as bytes or a dictionary.
    Other,
}

impl<'a> Value<'a> {
    /// The value of an argument; nothing if it has to be computed.
    pub(crate) fn of(expression: &'a Expr) -> Option<Value<'a>> {
        match expression {
            Expr::Attribute(attribute) => Some(Value::Text(attribute.attr.as_str())),
            _ => Value::literal(expression),
        }
    }

    /// The same, but of attributes nothing is known.
    pub(crate) fn literal(expression: &'a Expr) -> Option<Value<'a>> {
        Some(match expression {
            Expr::StringLiteral(string) => Value::Text(string.value.to_str()),
            Expr::Name(name) => Value::Text(name.id.as_str()),
            Expr::BooleanLiteral(literal) => Value::Text(if literal.value { "True" } else { "False" }),
            Expr::NoneLiteral(_) => Value::Text("None"),
            Expr::NumberLiteral(literal) => match &literal.value {
                Number::Int(int) => Value::Int(int.as_u64().unwrap_or(u64::MAX)),
                Number::Float(float) => Value::Float(*float),
                Number::Complex { .. } => Value::Other,
            },
            Expr::List(list) => Value::List(&list.elts),
            Expr::BytesLiteral(_)
            | Expr::EllipsisLiteral(_)
            | Expr::Tuple(_)
            | Expr::Set(_)
            | Expr::Dict(_) => Value::Other,
            _ => return None,
        })
    }

    pub(crate) fn is(&self, text: &str) -> bool {
        self.text() == Some(text)
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether Python takes it for true.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Value::Text(text) => !text.is_empty(),
            Value::Int(int) => *int != 0,
            Value::Float(float) => *float != 0.0,
            Value::List(list) => !list.is_empty(),
            Value::Other => true,
        }
    }
}

/// The characters of a string that is written out.
pub(crate) fn string(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(string) => Some(string.value.to_str()),
        _ => None,
    }
}

/// Whether it is a constant of the language: a string, bytes, a number, `None`, `True`, `False` or `...`.
pub(crate) fn is_constant(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_)
    )
}
