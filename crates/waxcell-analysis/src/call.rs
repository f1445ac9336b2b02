//! A call as rules see it: what is called, and with what.

use ruff_python_ast::{Expr, ExprCall, Keyword};
use ruff_text_size::{Ranged, TextRange};

use crate::found::Found;
use crate::imports::Imports;
use crate::value::Value;

#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) node: &'a ExprCall,
    /// The qualified name of what is called, as [`Imports::qualified`] has it.
    pub(crate) qualified: String,
    /// Where its last part begins: nearly every rule asks for it.
    last: usize,
}

impl<'a> Call<'a> {
    pub(crate) fn new(node: &'a ExprCall, imports: &Imports<'a>) -> Call<'a> {
        let qualified = imports.qualified(&node.func);
        let last = qualified.rfind('.').map_or(0, |dot| dot + 1);
        Call { node, qualified, last }
    }

    /// The last part of the name.
    pub(crate) fn name(&self) -> &str {
        &self.qualified[self.last..]
    }

    /// The first part of the name.
    pub(crate) fn root(&self) -> &str {
        self.qualified.split('.').next().unwrap_or_default()
    }

    /// Whether this is one of the parts of the name.
    pub(crate) fn has_part(&self, part: &str) -> bool {
        self.qualified.split('.').any(|one| one == part)
    }

    /// The positional arguments.
    pub(crate) fn args(&self) -> &'a [Expr] {
        &self.node.arguments.args
    }

    /// What is known about a positional argument.
    pub(crate) fn arg(&self, position: usize) -> Option<Value<'a>> {
        self.args().get(position).and_then(Value::of)
    }

    /// The keyword argument of this name.
    pub(crate) fn keyword(&self, name: &str) -> Option<&'a Keyword> {
        let named = |keyword: &&Keyword| keyword.arg.as_ref().is_some_and(|arg| arg == name);
        self.node.arguments.keywords.iter().find(named)
    }

    /// What is known about the keyword argument of this name.
    pub(crate) fn value(&self, name: &str) -> Option<Value<'a>> {
        self.keyword(name).and_then(|keyword| Value::of(&keyword.value))
    }

    /// Whether the keyword argument of this name is this constant, or this name.
    pub(crate) fn value_is(&self, name: &str, text: &str) -> bool {
        self.value(name).is_some_and(|value| value.is(text))
    }

    /// A finding that stands at the call.
    pub(crate) fn found(&self) -> Found {
        Found::at(self)
    }

    /// A finding that stands at the keyword argument of this name, if there is one.
    pub(crate) fn found_at(&self, name: &str) -> Found {
        self.keyword(name).map_or_else(|| self.found(), |keyword| Found::at(&keyword.value))
    }
}

impl Ranged for Call<'_> {
    fn range(&self) -> TextRange {
        self.node.range()
    }
}
