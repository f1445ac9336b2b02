//! Dotted names of what is outside of the script, in their usual form.

use super::meaning::{Made, Meaning};
use crate::imports::MAX_NAME;

/// Modules that other modules import and so show as their own members.
const SHOWN: &[&str] = &[
    "os",
    "sys",
    "builtins",
    "subprocess",
    "importlib",
    "ctypes",
    "posix",
    "socket",
    "pty",
    "shutil",
    "marshal",
];

/// Names that are there without an import, as far as any rule asks for them.
const BUILTINS: &[&str] = &[
    "__builtins__",
    "__import__",
    "__loader__",
    "__spec__",
    "bool",
    "breakpoint",
    "bytearray",
    "bytes",
    "chr",
    "compile",
    "delattr",
    "dict",
    "dir",
    "eval",
    "exec",
    "filter",
    "float",
    "format",
    "getattr",
    "globals",
    "hasattr",
    "hex",
    "input",
    "int",
    "isinstance",
    "iter",
    "len",
    "list",
    "locals",
    "map",
    "max",
    "min",
    "next",
    "object",
    "open",
    "ord",
    "print",
    "range",
    "repr",
    "reversed",
    "set",
    "setattr",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
];

pub(crate) fn is_builtin(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok()
}

/// A name that nothing binds.
pub(super) fn builtin<'a>(name: &str) -> Meaning<'a> {
    match name {
        "__builtins__" => Meaning::Name("builtins".into(), Made::Indirect),
        _ if name.len() > MAX_NAME => Meaning::Unknown(None),
        _ => Meaning::Name(name.into(), Made::Written),
    }
}

/// A module, or what else has this dotted name.
pub(super) fn name<'a>(name: &str, made: Made) -> Meaning<'a> {
    if name.len() > MAX_NAME {
        return Meaning::Unknown(None);
    }
    match name.rsplit_once('.') {
        Some((of, last)) => member(of, last, made),
        None => Meaning::Name(usual_module(name).into(), made),
    }
}

/// A member of something with a dotted name.
pub(super) fn member<'a>(of: &str, name: &str, made: Made) -> Meaning<'a> {
    if of.len() + name.len() >= MAX_NAME {
        return Meaning::Unknown(None);
    }
    let of = usual_module(of);
    // `random._os` is `os`; but `asyncio.subprocess` is a module of its own, and so is `socket.socket` no module.
    let shown = name.strip_prefix('_').unwrap_or(name);
    if SHOWN.contains(&shown)
        && of != shown
        && !of.contains('*')
        && !matches!(of, "asyncio" | "eventlet.green" | "gevent")
        && is_module(of)
    {
        return Meaning::Name(usual_module(shown).into(), made.max(Made::Indirect));
    }
    match of {
        "builtins" => Meaning::Name(name.into(), made),
        "" => Meaning::Unknown(None),
        _ => Meaning::Name(format!("{of}.{name}").into(), made),
    }
}

/// Whether this looks like the name of a module: no part of it begins with a capital letter, and it is no builtin.
fn is_module(name: &str) -> bool {
    !is_builtin(name) && !name.split('.').any(|part| part.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Modules that are the inside of another one.
fn usual_module(module: &str) -> &str {
    match module {
        "posix" | "nt" => "os",
        "_socket" => "socket",
        "_pickle" | "cPickle" => "pickle",
        "__builtin__" | "__builtins__" => "builtins",
        "_imp" | "imp" => "imp",
        "_io" => "io",
        "_thread" => "_thread",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::BUILTINS;

    #[test]
    fn builtins_are_in_order() {
        assert!(BUILTINS.is_sorted());
    }
}
