//! B602 to B607: programs that are started, through a shell or not.

use ruff_python_ast::Expr;

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::{Value, string};

const PROGRAM: Rule = Rule {
    id: "",
    class: Class::Hygiene,
    name: "",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 78,
    summary: "",
    why: "What is put into a command for a shell unquoted is part of the command.",
    help: "pass a list of arguments, without a shell",
    fires: "",
    silent: "import subprocess\nsubprocess.run(['/bin/ls', path])\n",
    differs: None,
    check: Check::Call(shell_true),
};

pub(super) static SHELL_TRUE: Rule = Rule {
    id: "B602",
    class: Class::Hygiene,
    name: "subprocess_popen_with_shell_equals_true",
    summary: "a command is put together for a shell",
    why: "What is put into the command unquoted is part of it. Of low severity where the command is written out.",
    fires: "import subprocess\nsubprocess.run('ls ' + path, shell=True)\n",
    ..PROGRAM
};

pub(super) static SHELL_FALSE: Rule = Rule {
    id: "B603",
    class: Class::Hygiene,
    name: "subprocess_without_shell_equals_true",
    severity: Severity::Low,
    summary: "a program is started; see that nothing from outside decides which, and with what",
    why: "A list of arguments needs no quoting, but it still may name the wrong program or begin with an option.",
    help: "write the program out, and put `--` before arguments from outside",
    fires: "import subprocess\nsubprocess.run(['/bin/ls', path])\n",
    silent: "import os\nos.listdir(path)\n",
    check: Check::Call(shell_false),
    ..PROGRAM
};

pub(super) static OTHER_SHELL_TRUE: Rule = Rule {
    id: "B604",
    class: Class::Hygiene,
    name: "any_other_function_with_shell_equals_true",
    severity: Severity::Medium,
    confidence: Confidence::Low,
    summary: "this function seems to pass a command to a shell",
    fires: "run_as('me', 'ls ' + path, shell=True)\n",
    check: Check::Call(other_shell_true),
    ..PROGRAM
};

pub(super) static SHELL: Rule = Rule {
    id: "B605",
    class: Class::Hygiene,
    name: "start_process_with_a_shell",
    summary: "a command is put together for a shell",
    why: "What is put into the command unquoted is part of it. Of low severity where the command is written out.",
    fires: "import os\nos.system('ls ' + path)\n",
    check: Check::Call(shell),
    ..PROGRAM
};

pub(super) static NO_SHELL: Rule = Rule {
    id: "B606",
    class: Class::Hygiene,
    name: "start_process_with_no_shell",
    severity: Severity::Low,
    confidence: Confidence::Medium,
    summary: "a program is started",
    why: "Nothing from outside should decide which, and with what.",
    help: "use `subprocess.run` with a list of arguments, all of them known",
    fires: "import os\nos.execv(path, arguments)\n",
    check: Check::Call(no_shell),
    ..PROGRAM
};

pub(super) static PARTIAL_PATH: Rule = Rule {
    id: "B607",
    class: Class::Hygiene,
    name: "start_process_with_partial_path",
    severity: Severity::Low,
    summary: "the program is looked for in the folders of PATH",
    why: "Whoever can write to one of these folders, or set the variable, decides what is started.",
    help: "write the whole path of the program",
    fires: "import subprocess\nsubprocess.run(['ls', path])\n",
    check: Check::Call(partial_path),
    ..PROGRAM
};

fn is_one(call: &Call<'_>, names: &[String]) -> bool {
    names.contains(&call.qualified)
}

/// Whether the argument `shell` is true, or may be.
fn asks_for_shell(call: &Call<'_>) -> bool {
    match call.keyword("shell").map(|shell| &shell.value) {
        None | Some(Expr::NoneLiteral(_)) => false,
        Some(Expr::BooleanLiteral(literal)) => literal.value,
        Some(Expr::BytesLiteral(bytes)) => !bytes.value.is_empty(),
        Some(Expr::Dict(dict)) => !dict.items.is_empty(),
        Some(shell @ (Expr::StringLiteral(_) | Expr::NumberLiteral(_) | Expr::List(_))) => {
            Value::literal(shell).is_some_and(|value| value.is_true())
        }
        Some(_) => true,
    }
}

/// A finding about the command, which is the first argument.
fn command(call: &Call<'_>, at: Found) -> Option<Found> {
    let written_out = string(call.args().first()?).is_some();
    Some(if written_out {
        at.severity(Severity::Low).message("a command that is written out is given to a shell; keep it so")
    } else {
        at
    })
}

fn shell_true<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    if !is_one(call, &context.options.shell_injection.subprocess) || !asks_for_shell(call) {
        return None;
    }
    command(call, call.found_at("shell"))
}

fn shell_false<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let found = is_one(call, &context.options.shell_injection.subprocess) && !asks_for_shell(call);
    found.then(|| call.found_at("shell"))
}

fn other_shell_true<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let found = asks_for_shell(call) && !is_one(call, &context.options.shell_injection.subprocess);
    found.then(|| call.found_at("shell"))
}

fn shell<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    if !is_one(call, &context.options.shell_injection.shell) {
        return None;
    }
    command(call, call.found())
}

fn no_shell<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    is_one(call, &context.options.shell_injection.no_shell).then(|| call.found())
}

fn partial_path<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let options = &context.options.shell_injection;
    if ![&options.subprocess, &options.shell, &options.no_shell].iter().any(|names| is_one(call, names)) {
        return None;
    }
    let first = match call.args().first()? {
        Expr::List(list) if !list.elts.is_empty() => &list.elts[0],
        first => first,
    };
    (!is_anchored(string(first)?)).then(|| call.found())
}

/// Whether a path begins with a slash of either kind, a dot or a drive.
fn is_anchored(path: &str) -> bool {
    match path.as_bytes() {
        [b'/' | b'\\' | b'.', ..] => true,
        [drive, b':', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}
