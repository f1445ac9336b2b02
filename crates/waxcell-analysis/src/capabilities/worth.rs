//! What the value of an expression may be.

use ruff_python_ast::ExprDict;

use super::path::{self, GAP};

/// The most values of one expression that are told apart.
pub(super) const MOST: usize = 8;

/// One value that an expression may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Thing<'a> {
    /// It is not known which.
    Unknown,
    /// `None`, a truth value, a number that is no integer: nothing that names anything.
    Plain,
    Int(i64),
    /// A string or bytes, with gaps.
    Text(String),
    /// A `pathlib.Path`, with gaps.
    Path(String),
    /// A module, or what it holds, by its dotted name.
    Named(String),
    /// An object that calling this name gave.
    Instance(String),
    /// A function or class of the script.
    Scope(usize),
    /// An object of a class of the script.
    Object(usize),
    /// A list or tuple with these items.
    Items(Vec<Worth<'a>>),
    /// Any number of items of this kind.
    Each(Box<Worth<'a>>),
    /// A dictionary, and the scope that it stands in.
    Dict(DictOf<'a>),
    /// What is called so of an object.
    Method(Box<Thing<'a>>, &'a str),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct DictOf<'a>(pub(super) &'a ExprDict, pub(super) usize);

impl PartialEq for DictOf<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

/// The values that an expression may have, at most [`MOST`]; never none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Worth<'a>(pub(super) Vec<Thing<'a>>);

impl<'a> Worth<'a> {
    pub(super) fn unknown() -> Worth<'a> {
        Worth(vec![Thing::Unknown])
    }

    pub(super) fn text(text: impl Into<String>) -> Worth<'a> {
        Thing::Text(text.into()).into()
    }

    pub(super) fn named(name: impl Into<String>) -> Worth<'a> {
        Thing::Named(name.into()).into()
    }

    /// A text of which nothing is known.
    pub(super) fn some_text() -> Worth<'a> {
        Worth::text(GAP)
    }

    pub(super) fn each(of: Worth<'a>) -> Worth<'a> {
        Thing::Each(Box::new(of)).into()
    }

    /// How much it is, for whoever copies it: one for each value and each few letters.
    pub(super) fn weight(&self) -> usize {
        let of = |thing: &Thing<'a>| match thing {
            Thing::Text(text) | Thing::Path(text) => 1 + text.len() / 64,
            Thing::Items(items) => 1 + items.iter().map(Worth::weight).sum::<usize>(),
            Thing::Each(item) => 1 + item.weight(),
            _ => 1,
        };
        self.0.iter().map(of).sum()
    }

    /// One of several.
    pub(super) fn any(all: impl IntoIterator<Item = Worth<'a>>) -> Worth<'a> {
        let mut things: Vec<Thing<'a>> = Vec::new();
        for thing in all.into_iter().flat_map(|worth| worth.0) {
            if things.len() == MOST {
                things[MOST - 1] = Thing::Unknown;
                break;
            }
            if !things.contains(&thing) {
                things.push(thing);
            }
        }
        if things.is_empty() { Worth::unknown() } else { Worth(things) }
    }

    pub(super) fn or(self, other: Worth<'a>) -> Worth<'a> {
        Worth::any([self, other])
    }

    /// What becomes of each value.
    pub(super) fn map(self, each: impl FnMut(Thing<'a>) -> Worth<'a>) -> Worth<'a> {
        Worth::any(self.0.into_iter().map(each))
    }

    /// As texts; gaps for what is none that is known.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for thing in &self.0 {
            let text = thing.as_text().unwrap_or(GAP.to_string());
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    /// As one text, which has a gap where there are several.
    pub(super) fn one_text(&self) -> String {
        let texts = self.texts();
        match texts.as_slice() {
            [text] => text.clone(),
            _ => GAP.to_string(),
        }
    }

    /// The texts of both in every combination that there is room for.
    pub(super) fn with(&self, other: &Worth<'a>, put: impl Fn(&str, &str) -> String) -> Vec<String> {
        let (mut first, mut second) = (self.texts(), other.texts());
        if first.len() * second.len() > MOST {
            second = vec![other.one_text()];
            first.truncate(MOST);
        }
        first
            .iter()
            .flat_map(|first| second.iter().map(|second| put(first, second)).collect::<Vec<_>>())
            .collect()
    }

    /// The integer that it is.
    pub(super) fn int(&self) -> Option<i64> {
        match self.0.as_slice() {
            [Thing::Int(int)] => Some(*int),
            [Thing::Text(text)] => text.parse().ok(),
            // One that is given, and a default beside it: the default is better than nothing.
            [Thing::Int(int), Thing::Unknown] | [Thing::Unknown, Thing::Int(int)] => Some(*int),
            _ => None,
        }
    }

    /// What its items are.
    pub(super) fn item(self) -> Worth<'a> {
        self.map(|thing| match thing {
            Thing::Items(items) => Worth::any(items),
            Thing::Each(item) => *item,
            Thing::Dict(DictOf(..)) | Thing::Text(_) => Worth::some_text(),
            Thing::Instance(name) if name == "argparse.Namespace" => Worth::unknown(),
            _ => Worth::unknown(),
        })
    }

    /// What stands at a position.
    pub(super) fn at(self, position: usize) -> Worth<'a> {
        self.map(|thing| match thing {
            Thing::Items(mut items) if position < items.len() => items.swap_remove(position),
            Thing::Each(item) => *item,
            _ => Worth::unknown(),
        })
    }
}

impl<'a> From<Thing<'a>> for Worth<'a> {
    fn from(thing: Thing<'a>) -> Worth<'a> {
        Worth(vec![thing])
    }
}

impl Thing<'_> {
    /// The text that it is or is told as.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Thing::Text(text) | Thing::Path(text) => Some(text.clone()),
            Thing::Int(int) => Some(int.to_string()),
            Thing::Instance(name) if name.starts_with("tempfile.") => Some(format!("/tmp/{GAP}")),
            _ => None,
        }
    }
}

/// The text of several, one for each.
pub(super) fn texts<'a>(all: Vec<String>, of: impl Fn(String) -> Thing<'a>) -> Worth<'a> {
    Worth::any(all.into_iter().map(|text| of(text).into()))
}

/// `first + second`.
pub(super) fn concat<'a>(first: &Worth<'a>, second: &Worth<'a>) -> Worth<'a> {
    texts(first.with(second, path::concat), Thing::Text)
}
