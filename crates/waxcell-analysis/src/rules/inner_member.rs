//! `dunder-walk`, `inner-member`, `frame-access`, `code-object`: ways into objects that lead to everything else.

use ruff_python_ast::Expr;

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::Meaning;
use crate::sight::{Inner, Sight};

pub(super) static WALK: Rule = Rule {
    id: "dunder-walk",
    class: Class::Threat,
    name: "dunder-walk",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 915,
    summary: "objects are walked through to reach what was not given",
    why: "From any object a few attributes lead to every class and every module that there is.",
    help: "import what is needed",
    fires: "().__class__.__bases__[0].__subclasses__()\n",
    silent: "class A: pass\nA.__subclasses__()\n",
    differs: None,
    check: Check::Sight(walk),
};

pub(super) static INNER: Rule = Rule {
    id: "inner-member",
    class: Class::Capability,
    name: "inner-member",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 915,
    summary: "the inside of a function, class or module is reached",
    why: "What is in there was not meant for others: globals, builtins, closures.",
    help: "import what is needed, and pass values as arguments",
    fires: "print(f.__globals__)\n",
    silent: "print(f.__name__)\n",
    differs: None,
    check: Check::Sight(inner),
};

pub(super) static FRAME: Rule = Rule {
    id: "frame-access",
    class: Class::Capability,
    name: "frame-access",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 915,
    summary: "the frames of running functions are reached",
    why: "A frame shows the variables of whoever called, and all modules.",
    help: "pass values as arguments",
    fires: "import sys\nsys._getframe(1).f_globals\n",
    silent: "import traceback\ntraceback.print_exc()\n",
    differs: None,
    check: Check::Sight(frame),
};

pub(super) static CODE_OBJECT: Rule = Rule {
    id: "code-object",
    class: Class::Capability,
    name: "code-object",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 913,
    summary: "the code of a function is made or exchanged",
    why: "It does other things then than its source says.",
    help: "write a function that does it",
    fires: "def f(): pass\nf.__code__ = g.__code__\n",
    silent: "def f(): pass\nprint(f.__code__.co_name)\n",
    differs: None,
    check: Check::Sight(code),
};

/// Attributes that go on from one object to another.
fn goes_on(name: &str) -> bool {
    matches!(
        name,
        "__class__"
            | "__base__"
            | "__bases__"
            | "__mro__"
            | "__init__"
            | "__self__"
            | "__func__"
            | "__wrapped__"
            | "__getattribute__"
            | "__reduce_ex__"
            | "__reduce__"
    )
}

fn walk<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for inner in &sight.inner {
        let (steps, of) = steps(inner);
        let is_walk = match &*inner.name {
            "__subclasses__" => {
                steps.iter().any(|step| goes_on(step)) || of.is_some_and(|of| is_root(sight, inner, of))
            }
            "__globals__" | "__builtins__" => {
                steps.iter().any(|step| goes_on(step))
                    || of.is_some_and(|of| of.is_lambda_expr() || is_literal(of))
            }
            "__base__" | "__bases__" | "__mro__" => of.is_some_and(is_literal),
            _ => false,
        };
        if is_walk {
            let message = format!("`{}` at the end of a walk through objects", inner.name);
            tell(Found::at(&inner.range).message(message));
        }
    }
}

/// The attributes before this one, nearest first, and what they are of.
fn steps<'a>(inner: &Inner<'a>) -> (Vec<&'a str>, Option<&'a Expr>) {
    let mut steps = Vec::new();
    let mut at = inner.of;
    for _ in 0..12 {
        match at {
            Some(Expr::Attribute(attribute)) => {
                steps.push(attribute.attr.as_str());
                at = Some(&attribute.value);
            }
            Some(Expr::Subscript(subscript)) => at = Some(&subscript.value),
            Some(Expr::Call(call)) => at = Some(&call.func),
            _ => break,
        }
    }
    (steps, at)
}

fn is_literal(of: &Expr) -> bool {
    of.is_literal_expr()
        || matches!(
            of,
            Expr::Tuple(_)
                | Expr::List(_)
                | Expr::Dict(_)
                | Expr::Set(_)
                | Expr::FString(_)
                | Expr::Generator(_)
        )
}

/// `object.__subclasses__()`, of which everything is one.
fn is_root<'a>(sight: &Sight<'a, '_>, inner: &Inner<'a>, of: &'a Expr) -> bool {
    is_literal(of)
        || sight.values(of, inner.scope).iter().any(|value| {
            // `type.__subclasses__(x)` is another way to write `x.__subclasses__()`.
            matches!(value, Meaning::Name(name, _) if !name.contains('.') && &**name != "type" && name.starts_with(|c: char| c.is_ascii_lowercase()))
        })
}

fn inner<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for inner in &sight.inner {
        let of = || inner.of.map(|of| sight.values(of, inner.scope)).unwrap_or_default();
        let is_told = match &*inner.name {
            "__globals__" | "__builtins__" | "cell_contents" => true,
            "__closure__" | "__loader__" => inner.is_store,
            "__self__" => {
                of().iter().any(|value| matches!(value, Meaning::Name(name, _) if !name.contains('.')))
            }
            // Of a class of the script, it is a list of what it knows itself.
            "__subclasses__" => {
                let of = of();
                of.is_empty() || of.iter().any(|value| matches!(value, Meaning::Name(..)))
            }
            "__getattribute__" => {
                inner.of.is_some_and(|of| !matches!(of, Expr::Name(_)) && !of.is_call_expr())
            }
            "__import__" => true,
            "__dict__" => of().iter().any(is_module_of_note),
            "__class__" => inner.is_store,
            "__bases__" => inner.is_store,
            _ => false,
        };
        if is_told {
            tell(Found::at(&inner.range).message(format!("`{}` leads out of what was given", inner.name)));
        }
    }
    for used in &sight.uses {
        let lists = matches!(&*used.name, "vars" | "inspect.getmembers" | "inspect.getmembers_static");
        if lists && sight.given(used, 0, "object").iter().any(is_module_of_note) {
            tell(Found::at(&used.range).message("the members of a module are gone through"));
        }
        if matches!(
            &*used.name,
            "gc.get_objects"
                | "gc.get_referrers"
                | "gc.get_referents"
                | "inspect.getclosurevars"
                | "sys.modules.*"
        ) && used.call().is_some()
        {
            tell(
                Found::at(&used.range)
                    .message(format!("`{}` reaches objects that were not given", used.name)),
            );
        }
    }
}

/// A module in which there is something dangerous.
fn is_module_of_note(value: &Meaning<'_>) -> bool {
    matches!(value, Meaning::Name(name, _) if matches!(&**name, "os" | "subprocess" | "builtins" | "pty" | "sys" | "ctypes" | "importlib"))
}

fn frame<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for inner in &sight.inner {
        if matches!(
            &*inner.name,
            "f_globals" | "f_builtins" | "f_locals" | "gi_frame" | "cr_frame" | "ag_frame"
        ) {
            tell(
                Found::at(&inner.range).message(format!("`{}` reaches the variables of others", inner.name)),
            );
        }
    }
}

fn code<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for inner in &sight.inner {
        if matches!(&*inner.name, "__code__" | "__closure__" | "co_code" | "co_consts") && inner.is_store {
            tell(Found::at(&inner.range).message(format!("`{}` is exchanged", inner.name)));
        }
    }
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        let replaces_code = || {
            let names = call.arguments.keywords.iter().filter_map(|keyword| keyword.arg.as_ref());
            names.into_iter().any(|name| matches!(name.as_str(), "co_code" | "co_consts" | "co_names"))
        };
        if matches!(&*used.name, "types.CodeType" | "types.FunctionType" | "types.LambdaType")
            || replaces_code()
        {
            tell(Found::at(&used.range).message("code is put together from parts"));
        }
    }
    for &(call, _) in sight.names.calls() {
        let is_replace = matches!(&*call.func, Expr::Attribute(attribute) if attribute.attr == *"replace");
        let mut names = call.arguments.keywords.iter().filter_map(|keyword| keyword.arg.as_ref());
        if is_replace && names.any(|name| name.as_str().starts_with("co_")) {
            tell(Found::at(call).message("the code of a function is exchanged"));
        }
    }
}
