//! B701, B702 and B704: pages with text of others in them.

use ruff_python_ast::Expr;

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::is_constant;

const PAGE: Rule = Rule {
    id: "",
    class: Class::Hygiene,
    name: "",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 94,
    summary: "",
    why: "Text that is not escaped is part of the page: a user can put a script into it.",
    help: "",
    fires: "",
    silent: "",
    differs: None,
    check: Check::Call(jinja2),
};

pub(super) static JINJA2: Rule = Rule {
    id: "B701",
    class: Class::Hygiene,
    name: "jinja2_autoescape_false",
    summary: "templates of Jinja2 put text into pages without escaping it",
    help: "pass `autoescape=jinja2.select_autoescape()`",
    fires: "import jinja2\njinja2.Environment()\n",
    silent: "import jinja2\njinja2.Environment(autoescape=True)\n",
    differs: Some("Bandit also takes an `autoescape` that belongs to a call among the arguments."),
    ..PAGE
};

pub(super) static MAKO: Rule = Rule {
    id: "B702",
    class: Class::Hygiene,
    name: "use_of_mako_templates",
    severity: Severity::Medium,
    cwe: 80,
    summary: "templates of Mako put text into pages without escaping it",
    help: "pass `default_filters=['h']`",
    fires: "from mako.template import Template\nTemplate('hello')\n",
    silent: "from string import Template\nTemplate('hello')\n",
    check: Check::Call(mako),
    ..PAGE
};

pub(super) static MARKUP: Rule = Rule {
    id: "B704",
    class: Class::Hygiene,
    name: "markupsafe_markup_xss",
    severity: Severity::Medium,
    cwe: 79,
    summary: "text is declared to be safe markup",
    help: "write the markup out and put text into it with `.format`, which escapes",
    fires: "from markupsafe import Markup\nMarkup(f'<b>{name}</b>')\n",
    silent: "from markupsafe import Markup\nMarkup('<b>{}</b>').format(name)\n",
    check: Check::Call(markup),
    ..PAGE
};

fn jinja2<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    if call.name() != "Environment" || !call.has_part("jinja2") {
        return None;
    }
    match call.keyword("autoescape").map(|keyword| &keyword.value) {
        None => Some(call.found()),
        Some(Expr::BooleanLiteral(literal)) if !literal.value => Some(call.found()),
        Some(Expr::BooleanLiteral(_)) => None,
        Some(Expr::Call(made)) if is_select_autoescape(&made.func) => None,
        Some(_) => Some(call.found().confidence(Confidence::Medium)),
    }
}

fn is_select_autoescape(function: &Expr) -> bool {
    match function {
        Expr::Attribute(attribute) => attribute.attr == *"select_autoescape",
        Expr::Name(name) => name.id == "select_autoescape",
        _ => false,
    }
}

fn mako<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    (call.name() == "Template" && call.has_part("mako")).then(|| call.found())
}

fn markup<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let options = &context.options.markupsafe_xss;
    let is_listed = |list: &[String], name: &str| list.iter().any(|one| one == name);
    let makes_markup = matches!(call.qualified.as_str(), "markupsafe.Markup" | "flask.Markup")
        || is_listed(&options.extend_markup_names, &call.qualified);
    if !makes_markup {
        return None;
    }
    let text = call.args().first()?;
    let is_safe = match text {
        Expr::Call(made) => is_listed(&options.allowed_calls, &context.imports.qualified(&made.func)),
        text => is_constant(text),
    };
    (!is_safe).then(|| call.found())
}
