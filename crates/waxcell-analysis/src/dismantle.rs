//! Frees a syntax tree. Dropping one recurses, and a tree that came out of a recovery from errors can be of any depth.

use std::cell::RefCell;

use ruff_python_ast::visitor::transformer::{self, Transformer};
use ruff_python_ast::{self as ast, Expr, InterpolatedStringElement, Mod, Pattern, Stmt};

/// Frees a syntax tree without recursion, however deep it is: every child is moved out of its parent before the parent
/// is dropped.
pub(crate) fn dismantle(tree: Mod) {
    let parts = Parts::default();
    match tree {
        Mod::Expression(mut expression) => parts.visit_expr(&mut expression.body),
        // One statement after the other: the list never holds more than the siblings along one path.
        Mod::Module(module) => {
            for statement in module.body {
                parts.put(Part::Stmt(statement));
                parts.drop_all();
            }
        }
    }
    parts.drop_all();
}

/// The parts of a tree that are still to be freed.
#[derive(Default)]
struct Parts(RefCell<Vec<Part>>);

enum Part {
    Stmt(Stmt),
    Expr(Expr),
    Pattern(Pattern),
    Element(InterpolatedStringElement),
}

impl Parts {
    fn put(&self, part: Part) {
        self.0.borrow_mut().push(part);
    }

    fn take(&self) -> Option<Part> {
        self.0.borrow_mut().pop()
    }

    fn drop_all(&self) {
        while let Some(part) = self.take() {
            match part {
                Part::Stmt(mut stmt) => transformer::walk_stmt(self, &mut stmt),
                Part::Expr(mut expr) => transformer::walk_expr(self, &mut expr),
                Part::Pattern(mut pattern) => transformer::walk_pattern(self, &mut pattern),
                Part::Element(mut element) => {
                    transformer::walk_interpolated_string_element(self, &mut element);
                }
            }
        }
    }
}

/// Instead of visiting a child, takes it and leaves a leaf in its place.
impl Transformer for Parts {
    fn visit_stmt(&self, stmt: &mut Stmt) {
        let leaf = ast::StmtPass { node_index: Default::default(), range: Default::default() };
        self.put(Part::Stmt(std::mem::replace(stmt, Stmt::Pass(leaf))));
    }

    fn visit_expr(&self, expr: &mut Expr) {
        let leaf = ast::ExprEllipsisLiteral::default();
        self.put(Part::Expr(std::mem::replace(expr, Expr::EllipsisLiteral(leaf))));
    }

    fn visit_pattern(&self, pattern: &mut Pattern) {
        let leaf =
            ast::PatternMatchStar { node_index: Default::default(), range: Default::default(), name: None };
        self.put(Part::Pattern(std::mem::replace(pattern, Pattern::MatchStar(leaf))));
    }

    fn visit_interpolated_string_element(&self, element: &mut InterpolatedStringElement) {
        let leaf = ast::InterpolatedStringLiteralElement {
            node_index: Default::default(),
            range: Default::default(),
            value: Box::default(),
        };
        self.put(Part::Element(std::mem::replace(element, InterpolatedStringElement::Literal(leaf))));
    }
}
