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
    /// It was reached by a text that stands there: `getattr(os, "system")`.
    Indirect,
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

/// The place of a source of which the place is not known.
pub(crate) const NOWHERE: TextSize = TextSize::new(u32::MAX);

impl SourceKind {
    /// In a sentence: `the text of ... reaches a shell`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            SourceKind::Arguments => "an argument of the script",
            SourceKind::Input => "what is typed",
            SourceKind::Variable => "a variable of the environment",
            SourceKind::Environment => "the environment",
            SourceKind::File => "a file",
            SourceKind::Secret => "a file with credentials",
            SourceKind::Network => "the network",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    Arguments,
    Input,
    /// One variable of the environment.
    Variable,
    /// All of it.
    Environment,
    File,
    /// A file in which keys or passwords are kept.
    Secret,
    Network,
}

/// A value, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) enum Meaning<'a> {
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
    Function(&'a StmtFunctionDef),
    Lambda(&'a ExprLambda),
    Class(&'a StmtClassDef),
    Instance(&'a StmtClassDef),
    /// What a scope binds, as `globals()` and `locals()` have it.
    Namespace(ScopeId),
    /// The attributes of a value, as `vars(x)` and `x.__dict__` have them.
    Members(Rc<Meaning<'a>>),
    /// A method of a value that is known.
    Method(Rc<Meaning<'a>>, Rc<str>),
    /// What `operator.attrgetter` returns for these names.
    Getter(Rc<[Rc<str>]>, Made),
    /// What `operator.methodcaller` returns for this name.
    Caller(Rc<str>, Made),
    /// What `operator.itemgetter` returns for this key.
    Picker(Rc<Meaning<'a>>),
    /// Compiled text.
    Code(Rc<str>, Made),
    /// A path of `pathlib`.
    Path(Rc<[Piece]>),
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

/// The text, if it has no gaps.
pub(super) fn whole(pieces: &[Piece]) -> Option<Rc<str>> {
    if let [Piece::Text(text)] = pieces {
        return Some(text.clone());
    }
    let mut all = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => all.push_str(text),
            Piece::Gap(_) => return None,
        }
    }
    Some(all.into())
}

/// What an expression may be. Nothing in it: nothing is known.
pub(crate) type Values<'a> = Vec<Meaning<'a>>;
