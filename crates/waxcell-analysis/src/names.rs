//! What the names and values of a script mean, as far as that can be known without running it.
//!
//! During the one pass over the tree ([`Names::see`]) it is noted what binds which name in which scope. Afterwards any
//! expression can be asked for: what it may be is worked out on demand, through scopes, imports, aliases and simple
//! functions, and remembered. The order of statements does not count: a name may be whatever is bound to it anywhere in
//! its scope. So more is seen than happens, which is the right side to err on.
//!
//! Nothing here recurses deeper than [`MAX_DEPTH`](meaning), and every step is paid for from one budget.

mod bindings;
mod eval;
mod hash;
mod meaning;
mod scope;
#[cfg(test)]
mod tests;

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::{Ranged, TextRange};

pub(crate) use bindings::Names;
pub(crate) use meaning::{Folded, Piece};
pub(crate) use scope::ScopeId;

/// A place where a script uses something that has a dotted name.
#[derive(Clone, Debug)]
pub(crate) struct Use<'a> {
    /// The whole name, wherever the script has it from: `os.system`, `socket.socket.connect`; of a builtin, `open`.
    pub(crate) name: String,
    pub(crate) kind: UseKind<'a>,
    pub(crate) range: TextRange,
    /// In which scope, for [`Names::fold`] and [`Names::resolve`].
    pub(crate) scope: ScopeId,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum UseKind<'a> {
    /// The module, or what of it, is imported, in whatever way.
    Import,
    Call(&'a ExprCall),
    /// It is mentioned without being called: given away, kept, read.
    Reference,
}

impl<'a> Names<'a> {
    /// Every use, in no certain order. One place may have several, where a name may mean several things.
    pub(crate) fn uses(&self, take: &mut dyn FnMut(Use<'a>)) {
        for &(name, range, scope) in self.imported() {
            take(Use { name: name.to_owned(), kind: UseKind::Import, range, scope });
        }
        // Children come behind their parents: from the back, what is within is known before what is around it.
        for &(call, scope) in self.calls().iter().rev() {
            for name in self.resolve(&call.func, scope) {
                take(Use { name, kind: UseKind::Call(call), range: call.range(), scope });
            }
        }
        for &(expression, scope) in self.references() {
            for name in self.resolve(expression, scope) {
                take(Use { name, kind: UseKind::Reference, range: expression.range(), scope });
            }
        }
    }

    /// The dotted names that an expression may stand for; none if it stands for nothing that has one.
    pub(crate) fn resolve(&self, expression: &'a Expr, scope: ScopeId) -> Vec<String> {
        self.names_of(expression, scope)
    }

    /// What is known about the value of an expression.
    pub(crate) fn fold(&self, expression: &'a Expr, scope: ScopeId) -> Folded<'a> {
        Folded::of(&self.eval(expression, scope))
    }
}
