//! What may be known about a value.

use std::rc::Rc;

use ruff_python_ast::{ExprCall, ExprLambda, StmtClassDef, StmtFunctionDef};
use ruff_text_size::TextSize;

use super::scope::ScopeId;

/// How deep an expression is followed, through names and calls. What is deeper is unknown.
pub(super) const MAX_DEPTH: usize = 100;

/// The most values that one expression is said to have; with more, all of them and others are possible.
pub(super) const MAX_VALUES: usize = 8;

/// The longest text that is put together, in bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// How a text or a name came to be what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Made {
    /// It stands there.
    Written,
    /// It was put together from parts.
    Built,
    /// It was decoded from something that cannot be read.
    Decoded,
}

/// Where unknown data comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) kind: SourceKind,
    /// Where it enters the script.
    pub(crate) at: TextSize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    Arguments,
    Input,
    Environment,
    File,
    Network,
}

/// A value, as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Meaning<'a> {
    Text(Rc<str>, Made),
    Bytes(Rc<[u8]>, Made),
    Int(i64),
    Bool(bool),
    None,
    /// A list, a tuple or a set.
    List(Rc<[Values<'a>]>),
    Dict(Rc<[(Values<'a>, Values<'a>)]>),
    /// Something that has a dotted name outside of the script: a module, a function, a class.
    Name(Rc<str>, Made),
    /// What a call of something with a dotted name returns.
    Result(Rc<str>, &'a ExprCall, ScopeId),
    Function(&'a StmtFunctionDef, ScopeId),
    Lambda(&'a ExprLambda, ScopeId),
    Class(&'a StmtClassDef, ScopeId),
    /// A text with gaps.
    Pattern(Rc<[Piece]>),
    /// Anything else; with its source, if it has one.
    Unknown(Option<Source>),
}

/// A part of a text that is known in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(Rc<str>),
    Gap(Option<Source>),
}

/// What an expression may be. Nothing in it: nothing is known.
pub(super) type Values<'a> = Vec<Meaning<'a>>;

/// What is known about the value of an expression, for those who ask.
#[derive(Clone, Debug)]
pub(crate) enum Folded<'a> {
    Text(Rc<str>),
    Bytes(Rc<[u8]>),
    Int(i64),
    Bool(bool),
    None,
    /// A list, a tuple or a set.
    List(Vec<Folded<'a>>),
    /// Something with a dotted name.
    Name(Rc<str>),
    /// What a call of something with this dotted name returns; the call, and its scope.
    Result(Rc<str>, &'a ExprCall, ScopeId),
    /// A text with gaps.
    Pattern(Rc<[Piece]>),
    /// It is one of these.
    OneOf(Vec<Folded<'a>>),
    Unknown,
}

impl<'a> Folded<'a> {
    pub(super) fn of(values: &[Meaning<'a>]) -> Folded<'a> {
        match values {
            [] => Folded::Unknown,
            [one] => Folded::one(one, 0),
            several => Folded::OneOf(several.iter().map(|one| Folded::one(one, 0)).collect()),
        }
    }

    fn one(meaning: &Meaning<'a>, depth: usize) -> Folded<'a> {
        match meaning {
            Meaning::Text(text, _) => Folded::Text(text.clone()),
            Meaning::Bytes(bytes, _) => Folded::Bytes(bytes.clone()),
            Meaning::Int(int) => Folded::Int(*int),
            Meaning::Bool(bool) => Folded::Bool(*bool),
            Meaning::None => Folded::None,
            Meaning::List(list) if depth < 4 => {
                let one = |values: &Values<'a>| match values.as_slice() {
                    [one] => Folded::one(one, depth + 1),
                    _ => Folded::Unknown,
                };
                Folded::List(list.iter().map(one).collect())
            }
            Meaning::Name(name, _) => Folded::Name(name.clone()),
            Meaning::Result(name, call, scope) => Folded::Result(name.clone(), call, *scope),
            Meaning::Pattern(pieces) => Folded::Pattern(pieces.clone()),
            _ => Folded::Unknown,
        }
    }
}
