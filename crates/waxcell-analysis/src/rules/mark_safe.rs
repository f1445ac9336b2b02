//! B703: markup that is declared safe, unless all of it is written out in the script.
//!
//! Text is written out if it is a string, a variable that nothing but such text is assigned to before, or
//! `'...'.format(...)` and `'...' % ...` of such text. A parameter never is.

use ruff_python_ast::{Expr, Operator, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextSize};

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::lines::start_of_line;
use crate::value::{is_constant, string};
use crate::walk::Node;

pub(super) static RULE: Rule = Rule {
    id: "B703",
    class: Class::Hygiene,
    name: "django_mark_safe",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 80,
    summary: "text that is not written out here is declared to be safe markup",
    why: "What is marked as safe is not escaped: text of a user becomes part of the page.",
    help: "build the markup with `format_html`, which escapes its arguments",
    fires: "from django.utils.safestring import mark_safe\ndef page(name): return mark_safe(name)\n",
    silent: "from django.utils.safestring import mark_safe\ndef page(name): return mark_safe('<b>')\n",
    differs: Some(
        "Where Bandit crashes, on variables that are assigned in a circle for one, text counts as not written out.",
    ),
    check: Check::Call(check),
};

const FUNCTIONS: [&str; 5] = ["mark_safe", "SafeText", "SafeUnicode", "SafeString", "SafeBytes"];

/// How many steps from variable to variable are followed.
const MAX_STEPS: usize = 40;

fn check<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    if !FUNCTIONS.contains(&call.name()) || !context.imports.mention("django.utils.safestring") {
        return None;
    }
    let text = call.args().first()?;
    let is_safe = match text {
        Expr::Name(name) => Scope::of(context).variable(&name.id, call.start(), MAX_STEPS),
        _ => string(text).is_some() || Scope::of(context).formatted(text, MAX_STEPS),
    };
    (!is_safe).then(|| call.found())
}

/// The function that a call stands in, or the module.
struct Scope<'a, 'c> {
    function: Option<&'a StmtFunctionDef>,
    body: &'a [Stmt],
    context: &'c Context<'a>,
}

impl<'a, 'c> Scope<'a, 'c> {
    fn of(context: &'c Context<'a>) -> Scope<'a, 'c> {
        for node in context.path.iter().rev() {
            match *node {
                Node::Stmt(Stmt::FunctionDef(function)) if !function.is_async => {
                    return Scope { function: Some(function), body: &function.body, context };
                }
                Node::Module(body) => return Scope { function: None, body, context },
                _ => {}
            }
        }
        Scope { function: None, body: &[], context }
    }

    /// Whether a variable holds text that is written out, by what is assigned to it on lines before.
    fn variable(&self, name: &str, before: TextSize, steps: usize) -> bool {
        let Some(steps) = steps.checked_sub(1).filter(|_| self.context.spend(1)) else { return false };
        let parameters = self.function.map(|function| &function.parameters.args);
        if parameters.is_some_and(|args| args.iter().any(|parameter| *parameter.name() == *name)) {
            return false;
        }
        let mut safe = false;
        let end = self.start_of_line(before);
        for statement in self.body.iter().take_while(|statement| Node::Stmt(statement).start() < end) {
            let mut assigned = Vec::new();
            if !self.assigned(statement, name, &mut assigned) {
                return false;
            }
            let simple = matches!(statement, Stmt::Assign(_) | Stmt::AugAssign(_));
            for value in &assigned {
                let value_is_safe = match value {
                    Expr::Name(other) if simple => self.variable(&other.id, other.start(), steps),
                    Expr::Name(other) => self.variable(&other.id, statement.start(), steps),
                    Expr::Call(_) if simple => self.formatted(value, steps),
                    value => string(value).is_some(),
                };
                safe = value_is_safe;
                // What is assigned later makes good for a variable or a call, for nothing else.
                let goes_on = value_is_safe || (simple && matches!(value, Expr::Name(_) | Expr::Call(_)));
                if !goes_on {
                    return false;
                }
            }
        }
        safe
    }

    fn start_of_line(&self, at: TextSize) -> TextSize {
        let before = &self.context.text.as_bytes()[..at.to_usize()];
        let start = start_of_line(before);
        self.context.spend((before.len() - start) / 16);
        TextSize::try_from(start).unwrap_or_default()
    }

    /// Notes what a statement, or one within it, assigns to a variable. False if that cannot be told.
    fn assigned(&self, statement: &'a Stmt, name: &str, values: &mut Vec<&'a Expr>) -> bool {
        let is_it = |target: &Expr| matches!(target, Expr::Name(target) if target.id == name);
        let mut all = |body: &'a [Stmt]| body.iter().all(|statement| self.assigned(statement, name, values));
        if !self.context.spend(1) {
            return false;
        }
        match statement {
            Stmt::FunctionDef(function) if !function.is_async => all(&function.body),
            Stmt::With(with) if !with.is_async => {
                let taken = with.items.iter().filter_map(|item| item.optional_vars.as_deref()).any(is_it);
                !taken && all(&with.body)
            }
            Stmt::Try(attempt) if !attempt.is_star => {
                let handlers = attempt.handlers.iter().filter_map(|handler| handler.as_except_handler());
                all(&attempt.body)
                    && handlers.into_iter().all(|handler| all(&handler.body))
                    && all(&attempt.orelse)
                    && all(&attempt.finalbody)
            }
            Stmt::If(branch) => {
                all(&branch.body) && branch.elif_else_clauses.iter().all(|clause| all(&clause.body))
            }
            Stmt::For(repeat) if !repeat.is_async => all(&repeat.body) && all(&repeat.orelse),
            Stmt::While(repeat) => all(&repeat.body) && all(&repeat.orelse),
            Stmt::AugAssign(assign) if is_it(&assign.target) => {
                values.push(&assign.value);
                true
            }
            Stmt::Assign(assign) => {
                match (assign.targets.first(), &*assign.value) {
                    (Some(target), value) if is_it(target) => values.push(value),
                    (Some(Expr::Tuple(targets)), Expr::Tuple(tuple)) => {
                        let at = targets.elts.iter().position(is_it);
                        values.extend(at.and_then(|at| tuple.elts.get(at)));
                    }
                    _ => {}
                }
                true
            }
            _ => true,
        }
    }

    /// Whether it is a string that is written out with such text put into it.
    fn formatted(&self, text: &'a Expr, steps: usize) -> bool {
        let Some(steps) = steps.checked_sub(1) else { return false };
        let arguments: &[Expr] = match text {
            Expr::BinOp(operation) if operation.op == Operator::Mod && string(&operation.left).is_some() => {
                match &*operation.right {
                    Expr::Tuple(tuple) => &tuple.elts,
                    one => std::slice::from_ref(one),
                }
            }
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method)
                    if method.attr == *"format"
                        && is_constant(&method.value)
                        && call.arguments.keywords.is_empty() =>
                {
                    &call.arguments.args
                }
                _ => return false,
            },
            _ => return false,
        };
        let mut todo: Vec<&Expr> = arguments.iter().collect();
        while let Some(argument) = todo.pop() {
            let is_safe = self.context.spend(1)
                && match argument {
                    Expr::Name(name) => self.variable(&name.id, text.start(), steps),
                    Expr::Call(_) => self.formatted(argument, steps),
                    Expr::Starred(starred) => match &*starred.value {
                        Expr::List(list) => {
                            todo.extend(&list.elts);
                            true
                        }
                        Expr::Tuple(tuple) => {
                            todo.extend(&tuple.elts);
                            true
                        }
                        _ => false,
                    },
                    argument => string(argument).is_some(),
                };
            if !is_safe {
                return false;
            }
        }
        true
    }
}
