//! Strings as rules see them: a string that is written out, or the constant pieces of an f-string.

use std::borrow::Cow;

use ruff_python_ast::{Expr, ExprFString, ExprTString, FStringPart, InterpolatedStringElement};
use ruff_text_size::{Ranged, TextRange};

use crate::found::Found;
use crate::version::PythonVersion;
use crate::walk::Node;

#[derive(Debug)]
pub(crate) struct Text<'a> {
    pub(crate) value: Cow<'a, str>,
    pub(crate) range: TextRange,
    /// What it stands in; of a piece, the f-string.
    pub(crate) parent: Node<'a>,
    /// What that stands in.
    pub(crate) grandparent: Option<Node<'a>>,
    /// Whether it is the first piece of an f-string.
    pub(crate) leads: bool,
}

impl<'a> Text<'a> {
    /// The strings that the last node of `path` is or has. A string that is a statement is documentation, and none.
    pub(crate) fn of(expression: &'a Expr, path: &[Node<'a>], target: PythonVersion) -> Vec<Text<'a>> {
        let parents = &path[..path.len().saturating_sub(1)];
        match (expression, parents) {
            (Expr::StringLiteral(string), [before @ .., parent]) if !is_statement(*parent) => vec![Text {
                value: Cow::Borrowed(string.value.to_str()),
                range: string.range,
                parent: *parent,
                grandparent: before.last().copied(),
                leads: false,
            }],
            (Expr::FString(_) | Expr::TString(_), _) => {
                let pieces = match expression {
                    Expr::FString(string) => pieces(string, target),
                    Expr::TString(string) => template_pieces(string),
                    _ => Vec::new(),
                };
                let parent = Node::Expr(expression);
                let grandparent = parents.last().copied();
                let text = |(at, (value, range))| Text { value, range, parent, grandparent, leads: at == 0 };
                pieces.into_iter().enumerate().map(text).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn found(&self) -> Found {
        Found::at(self)
    }
}

impl Ranged for Text<'_> {
    fn range(&self) -> TextRange {
        self.range
    }
}

fn is_statement(node: Node<'_>) -> bool {
    matches!(node, Node::Stmt(ruff_python_ast::Stmt::Expr(_)))
}

type Piece<'a> = (Cow<'a, str>, TextRange);

/// What stands between the braces: neighbours are one piece, wherever a quote ends between them.
pub(crate) fn pieces(string: &ExprFString, target: PythonVersion) -> Vec<Piece<'_>> {
    let mut pieces = Pieces::default();
    for part in &string.value {
        match part {
            FStringPart::Literal(literal) => pieces.add(&literal.value, literal.range),
            FStringPart::FString(string) => pieces.elements(&string.elements),
        }
    }
    if target < PythonVersion::new(3, 12) {
        // Until then, Python itself knew of a piece only where the whole string is.
        pieces.all.iter_mut().for_each(|(_, range)| *range = string.range);
    }
    pieces.all
}

fn template_pieces(string: &ExprTString) -> Vec<Piece<'_>> {
    let mut pieces = Pieces::default();
    for part in &string.value {
        pieces.elements(&part.elements);
    }
    pieces.all
}

#[derive(Default)]
struct Pieces<'a> {
    all: Vec<Piece<'a>>,
    /// Whether the last piece is one that goes on.
    open: bool,
}

impl<'a> Pieces<'a> {
    fn add(&mut self, value: &'a str, range: TextRange) {
        if value.is_empty() {
            return;
        }
        match self.all.last_mut() {
            Some((text, whole)) if self.open => {
                text.to_mut().push_str(value);
                *whole = whole.cover(range);
            }
            _ => self.all.push((Cow::Borrowed(value), range)),
        }
        self.open = true;
    }

    fn elements(&mut self, elements: &'a [InterpolatedStringElement]) {
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(literal) => self.add(&literal.value, literal.range),
                InterpolatedStringElement::Interpolation(_) => self.open = false,
            }
        }
    }
}
