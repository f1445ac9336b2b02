//! What the names and values of a script mean, as far as that can be known without running it.
//!
//! During the one pass over the tree ([`Names::see`]) it is noted what binds which name in which scope. Afterwards any
//! expression can be asked for: what it may be is worked out on demand, through scopes, imports, aliases and simple
//! functions, and remembered. The order of statements does not count: a name may be whatever is bound to it anywhere in
//! its scope. So more is seen than happens, which is the right side to err on.
//!
//! Nothing here recurses deeper than [`MAX_DEPTH`](meaning), and every step is paid for from one budget.

mod bindings;
mod calls;
mod comprehension;
mod decoders;
mod dotted;
mod eval;
mod formats;
mod hash;
mod meaning;
mod methods;
mod scope;
mod sources;
#[cfg(test)]
mod tests;
mod texts;

use ruff_python_ast::{Expr, ExprCall};

pub(crate) use bindings::Names;
pub(crate) use calls::code_of;
pub(crate) use dotted::is_builtin;
pub(crate) use hash::Map;
pub(crate) use meaning::{Made, Meaning, Piece, Source, SourceKind, Values};
pub(crate) use scope::ScopeId;
pub(crate) use sources::{is_secret, path_of};

/// How much stack what follows expressions may take. It goes down no deeper than its own bound.
pub(crate) const STACK: usize = 8 << 20;

/// How a script uses something that has a dotted name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UseKind<'a> {
    /// The module, or what of it, is imported, in whatever way.
    Import,
    Call(&'a ExprCall),
    /// It is mentioned without being called: given away, kept, read.
    Reference,
}

impl<'a> Names<'a> {
    /// The dotted names that an expression may mean, wherever the script has them from: `os.system`,
    /// `socket.socket.connect`; of a builtin, `open`.
    pub(crate) fn names_of(&self, expression: &'a Expr, scope: ScopeId) -> Vec<String> {
        let name = |value| match value {
            Meaning::Name(name, _) => Some(name.to_string()),
            _ => None,
        };
        stacker::maybe_grow(STACK, STACK, || self.eval(expression, scope))
            .into_iter()
            .filter_map(name)
            .collect()
    }
}
