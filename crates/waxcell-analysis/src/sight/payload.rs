//! What a script runs as code, from texts that it holds or makes: each such text is a script of its own.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::{Ranged, TextRange};

use super::{Danger, Sight, Used, danger};
use crate::names::{Made, Meaning, ScopeId, Values, code_of};

/// How deep payloads are unpacked within each other, and how many bytes of them there may be in all.
const MAX_NEST: usize = 6;
const MAX_BYTES: usize = 2 << 20;
/// The most payloads of one script.
const MAX_PAYLOADS: usize = 256;

/// How much may still be unpacked.
#[derive(Debug)]
pub(crate) struct Nest {
    pub(crate) depth: usize,
    pub(crate) bytes: Rc<Cell<usize>>,
}

impl Nest {
    pub(crate) fn outermost() -> Nest {
        Nest { depth: 0, bytes: Rc::new(Cell::new(MAX_BYTES)) }
    }

    /// Room for a text of this length within what is being unpacked.
    fn within(&self, length: usize) -> Option<Nest> {
        let left = self.bytes.get().checked_sub(length)?;
        self.bytes.set(left);
        (self.depth < MAX_NEST).then(|| Nest { depth: self.depth + 1, bytes: Rc::clone(&self.bytes) })
    }
}

/// A text that is run as code, or that could be.
pub(crate) struct Payload {
    pub(crate) text: Rc<str>,
    pub(crate) made: Made,
    /// Where it is run.
    pub(crate) range: TextRange,
    pub(crate) nest: Option<Nest>,
}

/// The texts that are run and known. What is run and not known is for the rule `dynamic-code`.
pub(crate) fn payloads(sight: &Sight<'_, '_>, nest: &Nest) -> Vec<Payload> {
    let mut payloads = Vec::new();
    let mut seen = HashSet::new();
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        for value in executed(sight, used, call) {
            let Some((text, made)) = code_of(&value).filter(|(text, _)| !text.trim().is_empty()) else {
                continue;
            };
            if payloads.len() < MAX_PAYLOADS && seen.insert((call.range(), text.clone())) {
                let nest = nest.within(text.len());
                payloads.push(Payload { text, made, range: call.range(), nest });
            }
        }
    }
    payloads
}

/// Functions, in order, that run the text of an argument: at which position, and under which name.
const RUNNERS: &[(&str, usize, &str)] = &[
    ("IPython.get_ipython.run_cell", 0, "raw_cell"),
    ("_interpreters.exec", 1, "code"),
    ("_interpreters.run_string", 1, "script"),
    ("_xxinterpreters.run_string", 1, "script"),
    ("_xxsubinterpreters.run_string", 1, "script"),
    ("bdb.Bdb.run", 0, "cmd"),
    ("bdb.Bdb.runeval", 0, "expr"),
    ("cProfile.Profile.run", 0, "cmd"),
    ("cProfile.run", 0, "statement"),
    ("cProfile.runctx", 0, "statement"),
    ("code.InteractiveConsole.push", 0, "line"),
    ("code.InteractiveConsole.runcode", 0, "code"),
    ("code.InteractiveConsole.runsource", 0, "source"),
    ("code.InteractiveInterpreter.runcode", 0, "code"),
    ("code.InteractiveInterpreter.runsource", 0, "source"),
    ("code.compile_command", 0, "source"),
    ("codeop.compile_command", 0, "source"),
    ("compile", 0, "source"),
    ("concurrent.interpreters.Interpreter.exec", 0, "code"),
    ("doctest.debug_script", 0, "src"),
    ("doctest.script_from_examples", 0, "s"),
    ("eval", 0, ""),
    ("exec", 0, ""),
    ("execfile", usize::MAX, ""),
    ("numexpr.evaluate", 0, "ex"),
    ("pandas.eval", 0, "expr"),
    ("pdb.Pdb.run", 0, "statement"),
    ("pdb.run", 0, "statement"),
    ("pdb.runeval", 0, "expression"),
    ("profile.run", 0, "statement"),
    ("profile.runctx", 0, "statement"),
    ("sympy.parsing.sympy_parser.parse_expr", 0, "s"),
    ("sympy.sympify", 0, "a"),
    ("test.support.interpreters.Interpreter.run", 0, "src_str"),
    ("timeit.Timer", 0, "stmt"),
    ("timeit.repeat", 0, "stmt"),
    ("timeit.timeit", 0, "stmt"),
    ("trace.Trace.run", 0, "cmd"),
    ("trace.Trace.runctx", 0, "cmd"),
    ("types.FunctionType", 0, "code"),
    ("types.LambdaType", 0, "code"),
    ("typing.ForwardRef", 0, "arg"),
    ("typing.get_type_hints", usize::MAX, ""),
];

/// Of these, whether everything they are given is code, and not now and then a function.
pub(crate) fn only_runs(name: &str) -> bool {
    matches!(
        name,
        "exec"
            | "eval"
            | "code.InteractiveInterpreter.runsource"
            | "code.InteractiveInterpreter.runcode"
            | "code.InteractiveConsole.push"
            | "code.InteractiveConsole.runsource"
            | "code.InteractiveConsole.runcode"
            | "types.FunctionType"
            | "types.LambdaType"
            | "_xxsubinterpreters.run_string"
            | "_interpreters.run_string"
            | "_interpreters.exec"
            | "pdb.run"
            | "bdb.Bdb.run"
    )
}

/// What a call runs, if it runs text.
pub(crate) fn executed<'a>(sight: &Sight<'a, '_>, used: &Used<'a>, call: &'a ExprCall) -> Values<'a> {
    if let Ok(at) = RUNNERS.binary_search_by_key(&&*used.name, |(name, ..)| name) {
        let (_, at, name) = &RUNNERS[at];
        let mut values = sight.argument(call, used.scope, *at, name);
        if used.name.starts_with("timeit") {
            values.extend(sight.argument(call, used.scope, 1, "setup"));
        }
        return values;
    }
    match danger(&used.name) {
        Some(Danger::Program) => interpreted(sight, call, used.scope),
        _ => handed_on(sight, call, used.scope),
    }
}

/// The code of `[sys.executable, "-c", code]`.
fn interpreted<'a>(sight: &Sight<'a, '_>, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
    let mut words: Vec<Values<'a>> = Vec::new();
    for values in sight.arguments(call, scope).into_iter().take(8) {
        match values.as_slice() {
            [Meaning::List(list)] => words.extend(list.iter().take(16).cloned()),
            _ => words.push(values),
        }
    }
    let is_flag =
        |values: &Values<'a>| matches!(values.as_slice(), [Meaning::Text(text, _)] if &**text == "-c");
    let is_python = |values: &Values<'a>| match values.as_slice() {
        [Meaning::Text(text, _)] => text.contains("python"),
        [Meaning::Name(name, _)] => name.contains("executable"),
        _ => false,
    };
    match words.iter().position(is_flag) {
        Some(at) if words[..at].iter().any(is_python) => words.get(at + 1).cloned().unwrap_or_default(),
        _ => Values::new(),
    }
}

/// What is given along with a function that runs text: `map(exec, [text])`, `partial(exec, text)`.
fn handed_on<'a>(sight: &Sight<'a, '_>, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
    let arguments = &call.arguments;
    let keywords = arguments.keywords.iter().map(|keyword| &keyword.value);
    let mut all = arguments.args.iter().chain(keywords).take(8);
    let is_runner = |expression: &'a Expr| {
        let may_be = matches!(expression, Expr::Name(_) | Expr::Attribute(_));
        may_be
            && sight
                .values(expression, scope)
                .iter()
                .any(|value| matches!(value, Meaning::Name(name, _) if matches!(&**name, "exec" | "eval")))
    };
    let mut found = Values::new();
    if all.clone().count() > 1 && all.any(is_runner) {
        for argument in
            arguments.args.iter().chain(arguments.keywords.iter().map(|keyword| &keyword.value)).take(8)
        {
            for value in sight.values(argument, scope) {
                match &value {
                    Meaning::List(list) => found.extend(list.iter().take(8).flatten().cloned()),
                    _ => found.push(value),
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn runners_are_in_order() {
        assert!(super::RUNNERS.is_sorted());
    }
}
