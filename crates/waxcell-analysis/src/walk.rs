//! The one pass over the syntax tree: every node once, parents before children, in the order in which Bandit visits
//! them. Without recursion, since scripts decide how deep a tree is.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, Comprehension, Decorator, DictItem, ElifElseClause, ExceptHandler, ExceptHandlerExceptHandler,
    Expr, InterpolatedElement, InterpolatedStringElement, Keyword, MatchCase, Parameter, Parameters, Stmt,
    WithItem,
};
use ruff_text_size::{Ranged, TextRange};

use crate::sight::is_telling;

/// A level of the tree. Levels that Python's own `ast` has are here, even those that no rule asks for: a rule that looks
/// for a parent must not find its grandparent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    Module(&'a [Stmt]),
    Stmt(&'a Stmt),
    Expr(&'a Expr),
    Handler(&'a ExceptHandlerExceptHandler),
    Keyword(&'a Keyword),
    /// Key and value of a dictionary.
    Item(&'a DictItem),
    /// What stands in braces in an f-string.
    Interpolation(&'a InterpolatedElement),
    Other(TextRange),
}

impl Ranged for Node<'_> {
    /// As in Python's `ast`, definitions begin where their decorators end.
    fn range(&self) -> TextRange {
        match self {
            Node::Module(body) => match (body.first(), body.last()) {
                (Some(first), Some(last)) => TextRange::new(first.start(), last.end()),
                _ => TextRange::default(),
            },
            Node::Stmt(Stmt::FunctionDef(function)) => TextRange::new(function.name.start(), function.end()),
            Node::Stmt(Stmt::ClassDef(class)) => TextRange::new(class.name.start(), class.end()),
            Node::Stmt(stmt) => stmt.range(),
            Node::Expr(expr) => expr.range(),
            Node::Handler(handler) => handler.range,
            Node::Keyword(keyword) => keyword.range,
            Node::Item(item) => item.range(),
            Node::Interpolation(element) => element.range,
            Node::Other(range) => *range,
        }
    }
}

/// What is still to be visited, each with its depth; the next one last.
pub(crate) struct Walk<'a> {
    todo: Vec<(usize, Node<'a>)>,
    /// Names that are visited wherever they are mentioned.
    watched: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(body: &'a [Stmt]) -> Walk<'a> {
        Walk { todo: vec![(0, Node::Module(body))], watched: Vec::new() }
    }

    /// Has these names visited from here on; of other names, only those that tell something by themselves.
    pub(crate) fn watch(&mut self, names: &[&'a str]) {
        if names.len() != self.watched.len() {
            self.watched = names.to_vec();
        }
    }

    /// The next node. `path` becomes its ancestors and itself, outermost first.
    pub(crate) fn next(&mut self, path: &mut Vec<Node<'a>>) -> Option<Node<'a>> {
        let (depth, node) = self.todo.pop()?;
        path.truncate(depth);
        path.push(node);
        let already = self.todo.len();
        Children { todo: &mut self.todo, watched: &self.watched, depth: depth + 1 }.of(node);
        self.todo[already..].reverse();
        Some(node)
    }
}

/// A visitor that notes children instead of visiting them.
struct Children<'a, 'w> {
    todo: &'w mut Vec<(usize, Node<'a>)>,
    watched: &'w [&'a str],
    depth: usize,
}

impl<'a> Children<'a, '_> {
    fn of(&mut self, node: Node<'a>) {
        match node {
            Node::Module(body) => self.visit_body(body),
            Node::Stmt(Stmt::FunctionDef(function)) => {
                self.visit_parameters(&function.parameters);
                self.visit_body(&function.body);
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                function.returns.iter().for_each(|returns| self.visit_expr(returns));
                function.type_params.iter().for_each(|params| self.visit_type_params(params));
            }
            Node::Stmt(Stmt::ClassDef(class)) => {
                class.arguments.iter().for_each(|arguments| self.visit_arguments(arguments));
                self.visit_body(&class.body);
                class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                class.type_params.iter().for_each(|params| self.visit_type_params(params));
            }
            Node::Stmt(stmt) => visitor::walk_stmt(self, stmt),
            Node::Expr(Expr::Dict(dict)) => dict.items.iter().for_each(|item| self.put(Node::Item(item))),
            Node::Expr(expr) => visitor::walk_expr(self, expr),
            Node::Handler(handler) => {
                handler.type_.iter().for_each(|kind| self.visit_expr(kind));
                self.visit_body(&handler.body);
            }
            Node::Keyword(keyword) => self.visit_expr(&keyword.value),
            Node::Item(item) => {
                item.key.iter().for_each(|key| self.visit_expr(key));
                self.visit_expr(&item.value);
            }
            Node::Interpolation(element) => {
                self.visit_expr(&element.expression);
                for element in element.format_spec.iter().flat_map(|format| &format.elements) {
                    self.visit_interpolated_string_element(element);
                }
            }
            Node::Other(_) => {}
        }
    }

    fn put(&mut self, node: Node<'a>) {
        self.todo.push((self.depth, node));
    }

    /// Notes a level, and what `below` visits as children of it.
    fn level(&mut self, range: TextRange, below: impl FnOnce(&mut Self)) {
        self.put(Node::Other(range));
        self.depth += 1;
        below(self);
        self.depth -= 1;
    }
}

impl<'a> Visitor<'a> for Children<'a, '_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        self.put(Node::Stmt(stmt));
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        // Half of all nodes: they have no children, and no rule asks for them.
        if let Expr::Name(name) = expr {
            let name_id = name.id.as_str();
            if name.ctx.is_load() && (is_telling(name_id) || self.watched.contains(&name_id)) {
                self.put(Node::Expr(expr));
            }
            return;
        }
        let is_plain = matches!(
            expr,
            Expr::NumberLiteral(_)
                | Expr::BooleanLiteral(_)
                | Expr::NoneLiteral(_)
                | Expr::EllipsisLiteral(_)
                | Expr::BytesLiteral(_)
        );
        if !is_plain {
            self.put(Node::Expr(expr));
        }
    }

    fn visit_decorator(&mut self, decorator: &'a Decorator) {
        self.visit_expr(&decorator.expression);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler) = handler;
        self.put(Node::Handler(handler));
    }

    fn visit_keyword(&mut self, keyword: &'a Keyword) {
        self.put(Node::Keyword(keyword));
    }

    fn visit_interpolated_string_element(&mut self, element: &'a InterpolatedStringElement) {
        if let InterpolatedStringElement::Interpolation(element) = element {
            self.put(Node::Interpolation(element));
        }
    }

    fn visit_elif_else_clause(&mut self, clause: &'a ElifElseClause) {
        self.level(clause.range, |children| visitor::walk_elif_else_clause(children, clause));
    }

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        self.level(comprehension.range, |children| visitor::walk_comprehension(children, comprehension));
    }

    fn visit_with_item(&mut self, item: &'a WithItem) {
        self.level(item.range, |children| visitor::walk_with_item(children, item));
    }

    fn visit_match_case(&mut self, case: &'a MatchCase) {
        self.level(case.range, |children| visitor::walk_match_case(children, case));
    }

    fn visit_parameters(&mut self, parameters: &'a Parameters) {
        if !parameters.is_empty() {
            self.level(parameters.range, |children| visitor::walk_parameters(children, parameters));
        }
    }

    fn visit_parameter(&mut self, parameter: &'a Parameter) {
        if parameter.annotation.is_some() {
            self.level(parameter.range, |children| visitor::walk_parameter(children, parameter));
        }
    }

    fn visit_alias(&mut self, _: &'a Alias) {}
}
