//! Scopes, and what binds a name in one.

use ruff_python_ast::{Expr, StmtAugAssign, StmtClassDef, StmtFunctionDef};
use ruff_text_size::TextRange;

/// A scope of the script; 0 is the module.
pub(crate) type ScopeId = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Module,
    Function,
    /// Names of a class are not seen by the functions in it.
    Class,
    /// A lambda or a comprehension.
    Expression,
}

#[derive(Debug)]
pub(super) struct Scope {
    pub(super) kind: Kind,
    pub(super) parent: ScopeId,
    /// What is evaluated in it.
    pub(super) range: TextRange,
    /// Whether it says `global` or `nonlocal` of any name.
    pub(super) redirects: bool,
}

/// What gives a name its meaning. Expressions come with the scope in which they are evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) enum Binding<'a> {
    /// `import a.b` binds `a` to the module `a`.
    Module(&'a str),
    /// `from module import member`.
    Member(&'a str, &'a str),
    Value(&'a Expr, ScopeId),
    /// What iterating over a value gives.
    Element(&'a Expr, ScopeId),
    /// One part of a value that is taken apart: which, and of how many. Behind a starred target, which is not known.
    Part(&'a Expr, ScopeId, Option<usize>),
    /// `name += value`, at this depth of the tree.
    Added(&'a StmtAugAssign, ScopeId),
    Function(&'a StmtFunctionDef),
    Class(&'a StmtClassDef),
    /// The parameter of this number, from 0, and of this name of the function or lambda whose scope this is.
    Parameter(ScopeId, usize),
    /// `name[...] = value`, `name.append(value)`: a part of what it is.
    Item(&'a Expr, ScopeId),
    /// Something of which nothing is known.
    Opaque,
}
