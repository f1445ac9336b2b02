//! What calls of Python's own functions and methods give, as far as it names something.

use ruff_python_ast::{Expr, ExprCall};

use super::evaluate::{At, Evaluation};
use super::path::{self, GAP, HOME};
use super::table;
use super::worth::{self, DictOf, Thing, Worth};

/// What `sys.executable` is told as.
pub(super) const INTERPRETER: &str = "python3";

/// Names of Python's own that matter here.
const BUILTINS: [&str; 29] = [
    "open",
    "exec",
    "eval",
    "compile",
    "__import__",
    "getattr",
    "str",
    "bytes",
    "repr",
    "int",
    "float",
    "list",
    "tuple",
    "set",
    "sorted",
    "reversed",
    "enumerate",
    "iter",
    "next",
    "zip",
    "dict",
    "min",
    "max",
    "map",
    "filter",
    "input",
    "print",
    "super",
    "vars",
];

pub(super) fn is_builtin(name: &str) -> bool {
    BUILTINS.contains(&name)
}

/// The value of an environment variable.
pub(super) fn variable<'a>(name: &str) -> Worth<'a> {
    match name {
        "HOME" => Worth::text(HOME),
        "TMPDIR" | "TEMP" | "TMP" => Worth::text("/tmp"),
        _ => Worth::some_text(),
    }
}

/// `format % values`, each value a gap unless it is the only one and known.
pub(super) fn percent(format: &str, values: &Worth<'_>) -> String {
    let mut values = match values.0.as_slice() {
        [Thing::Items(items)] => items.iter().map(Worth::one_text).collect::<Vec<_>>(),
        _ => vec![values.one_text()],
    }
    .into_iter();
    let mut text = String::new();
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        if letters.next_if_eq(&'%').is_some() {
            text.push('%');
            continue;
        }
        let is_plain = letters.peek() == Some(&'s');
        while let Some(flag) = letters.next() {
            if flag == '(' {
                while letters.next().is_some_and(|letter| letter != ')') {}
            } else if flag.is_ascii_alphabetic() {
                break;
            }
        }
        let value = values.next().unwrap_or(GAP.to_string());
        text = path::concat(&text, if is_plain { &value } else { "\0" });
    }
    text
}

/// `format.format(...)`.
fn formatted(format: &str, positional: &[String], named: &[(String, String)]) -> String {
    let (mut text, mut next) = (String::new(), 0);
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let mark = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(mark) {
            text.push_str(mark);
            rest = after;
        } else if mark == "{" {
            let Some(end) = rest.find('}') else { break };
            let field = &rest[..end];
            rest = &rest[end + 1..];
            let value = match field.parse::<usize>() {
                Ok(at) => positional.get(at),
                Err(_) if field.is_empty() => {
                    next += 1;
                    positional.get(next - 1)
                }
                Err(_) => named.iter().find(|(name, _)| name == field).map(|(_, value)| value),
            };
            text = path::concat(&text, value.map_or("\0", String::as_str));
        }
    }
    path::concat(&text, rest)
}

/// The attribute that the argument of `add_argument` becomes.
pub(super) fn option_name(call: &ExprCall) -> Option<String> {
    let literal = |expr: &Expr| expr.as_string_literal_expr().map(|string| string.value.to_str().to_owned());
    let dest = call.arguments.find_keyword("dest").and_then(|keyword| literal(&keyword.value));
    let mut flags = call.arguments.args.iter().filter_map(literal);
    let long = flags.clone().find(|flag| flag.starts_with("--"));
    dest.or(long).or_else(|| flags.next()).map(|name| name.trim_start_matches('-').replace('-', "_"))
}

/// An attribute of something that is neither a module nor of a class of the script.
pub(super) fn attribute<'a>(of: Thing<'a>, name: &'a str) -> Worth<'a> {
    match (&of, name) {
        (Thing::Path(path), "parent") => Thing::Path(path::parent(path)).into(),
        (Thing::Path(path), "name") => Worth::text(path::base_name(path)),
        (Thing::Path(path), "stem" | "suffix") => {
            let base = path::base_name(path);
            let (stem, suffix) = match base.rfind('.') {
                Some(at) if at > 0 => base.split_at(at),
                _ => (base.as_str(), ""),
            };
            match base.contains(GAP) {
                true => Worth::some_text(),
                false => Worth::text(if name == "stem" { stem } else { suffix }),
            }
        }
        (Thing::Instance(kind), "name") if kind.starts_with("tempfile.") => {
            Worth::text(format!("/tmp/{GAP}"))
        }
        (Thing::Path(path), "path") => Worth::text(path.clone()),
        _ => Thing::Method(Box::new(of), name).into(),
    }
}

impl<'a> Evaluation<'a> {
    fn arg<'f>(&self, call: &'a ExprCall, position: usize, name: &str, at: At<'f, 'a>) -> Option<Worth<'a>> {
        let keyword = || call.arguments.find_keyword(name).map(|keyword| &keyword.value);
        call.arguments.args.get(position).or_else(keyword).map(|expr| self.worth(expr, at))
    }

    /// What the option that this call of `add_argument` makes is when it is not given.
    pub(super) fn option<'f>(&self, call: &'a ExprCall, at: At<'f, 'a>) -> Worth<'a> {
        let default = call.arguments.find_keyword("default").map(|keyword| self.worth(&keyword.value, at));
        let is_path = call.arguments.find_keyword("type").is_some_and(|keyword| {
            self.worth(&keyword.value, at)
                .0
                .iter()
                .any(|thing| matches!(thing, Thing::Named(name) if name == "pathlib.Path"))
        });
        let given = if is_path { Thing::Path(GAP.to_string()).into() } else { Worth::unknown() };
        match default {
            Some(Worth(things)) => Worth::any(
                things
                    .into_iter()
                    .map(|thing| match thing {
                        Thing::Text(text) if is_path => Thing::Path(text).into(),
                        other => other.into(),
                    })
                    .chain([given]),
            ),
            None => given,
        }
    }

    /// What calling a function or class of this name gives.
    pub(super) fn gives<'f>(&self, name: &str, call: &'a ExprCall, at: At<'f, 'a>) -> Worth<'a> {
        let args = || call.arguments.args.iter().map(|arg| self.worth(arg, at));
        let first = || args().next().unwrap_or_else(Worth::unknown);
        let on_path = |change: fn(&str) -> String| {
            worth::texts(first().texts().iter().map(|text| change(text)).collect(), Thing::Text)
        };
        match name {
            "pathlib.Path" => {
                let joined =
                    args().reduce(|all, next| worth::texts(all.with(&next, path::join), Thing::Path));
                match joined {
                    Some(path) => worth::texts(path.texts(), Thing::Path),
                    None => Thing::Path(".".into()).into(),
                }
            }
            "os.path.join" => args()
                .reduce(|all, next| worth::texts(all.with(&next, path::join), Thing::Text))
                .unwrap_or_else(Worth::unknown),
            "os.path.dirname" => on_path(path::parent),
            "os.path.basename" => on_path(path::base_name),
            "os.path.expanduser" => on_path(path::expand_user),
            "os.path.abspath" | "os.path.realpath" | "os.path.normpath" | "os.path.relpath" | "os.fspath"
            | "os.fsdecode" | "os.fsencode" | "str" | "bytes" | "os.path.normcase" | "shlex.quote" => {
                on_path(str::to_owned)
            }
            "os.path.splitext" => {
                let text = first().one_text();
                let (stem, suffix) = match text.rfind('.') {
                    Some(at) if !text[at..].contains('/') => text.split_at(at),
                    _ => (text.as_str(), ""),
                };
                Thing::Items(vec![Worth::text(stem), Worth::text(suffix)]).into()
            }
            "os.path.split" => {
                let text = first().one_text();
                Thing::Items(vec![Worth::text(path::parent(&text)), Worth::text(path::base_name(&text))])
                    .into()
            }
            "pathlib.Path.home" => Thing::Path(HOME.to_string()).into(),
            "pathlib.Path.cwd" => Thing::Path(".".into()).into(),
            "os.getcwd" => Worth::text("."),
            "os.environ.get" | "os.getenv" | "os.environ.setdefault" | "os.environ.pop" => {
                let value = variable(&first().one_text());
                match self.arg(call, 1, "default", at) {
                    Some(default) => {
                        default.or(if value == Worth::some_text() { Worth::unknown() } else { value })
                    }
                    None => value,
                }
            }
            "tempfile.mkdtemp" | "tempfile.mktemp" => self.scratch(call, at),
            "tempfile.mkstemp" => Thing::Items(vec![Worth::unknown(), self.scratch(call, at)]).into(),
            "tempfile.TemporaryDirectory" | "tempfile.NamedTemporaryFile"
                if call.arguments.find_keyword("dir").is_some() =>
            {
                self.scratch(call, at)
            }
            "tempfile.gettempdir" => Worth::text("/tmp"),
            "int" => first().int().map_or_else(Worth::unknown, |int| Thing::Int(int).into()),
            "sorted" | "list" | "tuple" | "set" | "reversed" | "iter" => match first() {
                Worth(things) if things == [Thing::Unknown] => Worth::unknown(),
                worth => Worth::each(worth.item()),
            },
            "next" | "min" | "max" => first().item(),
            "enumerate" => Worth::each(Thing::Items(vec![Worth::unknown(), first().item()]).into()),
            "zip" => Worth::each(Thing::Items(args().take(8).map(Worth::item).collect()).into()),
            "glob.glob" | "glob.iglob" => Worth::each(worth::texts(
                first().texts().iter().map(|pattern| pattern.replace(['*', '?'], "\0")).collect(),
                Thing::Text,
            )),
            "os.listdir" => Worth::each(Worth::some_text()),
            "os.scandir" => {
                Worth::each(worth::texts(first().with(&Worth::some_text(), path::join), Thing::Path))
            }
            "os.walk" | "os.fwalk" => {
                let below = worth::texts(
                    first().texts().iter().map(|top| path::concat(top, "\0")).collect(),
                    Thing::Text,
                );
                let names = || Worth::each(Worth::some_text());
                Worth::each(Thing::Items(vec![below, names(), names()]).into())
            }
            "shutil.which" => first(),
            "getattr" => match self.arg(call, 1, "", at).map(|name| name.one_text()) {
                Some(attribute) if !attribute.contains(GAP) => first().map(|of| match of {
                    Thing::Named(module) => self.held(format!("{module}.{attribute}")),
                    _ => Worth::unknown(),
                }),
                _ => Worth::unknown(),
            },
            "__import__" | "importlib.import_module" | "importlib.__import__" => match first().one_text() {
                module if module.contains(GAP) => Worth::unknown(),
                module if name == "__import__" => Worth::named(module.split('.').next().unwrap_or_default()),
                module => Worth::named(module),
            },
            "argparse.ArgumentParser.parse_args" => Thing::Instance("argparse.Namespace".into()).into(),
            "urllib.request.Request" | "requests.Request" => first(),
            "urllib.parse.urljoin" => worth::texts(
                self.arg(call, 0, "base", at).unwrap_or_else(Worth::unknown).with(
                    &self.arg(call, 1, "url", at).unwrap_or_else(Worth::unknown),
                    |base, url| {
                        if url.contains("://") {
                            url.to_owned()
                        } else {
                            path::concat(&format!("{}/", base.trim_end_matches('/')), "\0")
                        }
                    },
                ),
                Thing::Text,
            ),
            "input" => Worth::some_text(),
            "dict" => Worth::unknown(),
            "copy.copy" | "copy.deepcopy" | "asyncio.wait_for" | "asyncio.run" | "typing.cast" => first(),
            _ => Thing::Instance(table::canonical(name).into_owned()).into(),
        }
    }

    fn scratch<'f>(&self, call: &'a ExprCall, at: At<'f, 'a>) -> Worth<'a> {
        let folder = call.arguments.find_keyword("dir").map(|keyword| self.worth(&keyword.value, at));
        let folder = folder.unwrap_or_else(|| Worth::text("/tmp"));
        worth::texts(folder.with(&Worth::some_text(), path::join), Thing::Text)
    }

    /// What calling a method gives.
    pub(super) fn method_gives<'f>(
        &self,
        of: Thing<'a>,
        name: &'a str,
        call: &'a ExprCall,
        at: At<'f, 'a>,
    ) -> Worth<'a> {
        let args = || call.arguments.args.iter().map(|arg| self.worth(arg, at));
        let first = || args().next().unwrap_or_else(Worth::unknown);
        match (of, name) {
            (Thing::Path(path), "joinpath") => args().fold(Thing::Path(path).into(), |all, next| {
                worth::texts(all.with(&next, path::join), Thing::Path)
            }),
            (Thing::Path(path), "with_name") => {
                worth::texts(Worth::text(path::parent(&path)).with(&first(), path::join), Thing::Path)
            }
            (Thing::Path(path), "with_suffix" | "with_stem") => {
                let base = path::base_name(&path);
                let stem = if name == "with_stem" {
                    ""
                } else {
                    base.rsplit_once('.').map_or(base.as_str(), |(stem, _)| stem)
                };
                let suffix = if name == "with_stem" { GAP.to_string() } else { first().one_text() };
                let put = path::concat(stem, &suffix);
                Thing::Path(path::join(&path::parent(&path), &put)).into()
            }
            (Thing::Path(path), "relative_to") => match path.contains(GAP) {
                true => Thing::Path(GAP.to_string()).into(),
                false => Worth::unknown(),
            },
            (Thing::Path(path), "expanduser") => Thing::Path(path::expand_user(&path)).into(),
            (Thing::Path(path), "resolve" | "absolute" | "rename" | "replace") if args().next().is_none() => {
                Thing::Path(path).into()
            }
            (Thing::Path(_), "rename" | "replace") => worth::texts(first().texts(), Thing::Path),
            (Thing::Path(path), "as_posix" | "__str__" | "__fspath__") => Worth::text(path),
            (Thing::Path(path), "iterdir") => Worth::each(Thing::Path(path::join(&path, "\0")).into()),
            (Thing::Path(path), "glob" | "rglob") => {
                let pattern = first().one_text().replace(['*', '?'], "\0");
                let below = if name == "rglob" { path::concat("\0", &pattern) } else { pattern };
                Worth::each(Thing::Path(path::join(&path, &below)).into())
            }
            (Thing::Text(text), "format") => {
                let positional: Vec<String> = args().map(|arg| arg.one_text()).collect();
                let named = call.arguments.keywords.iter().filter_map(|keyword| {
                    Some((keyword.arg.as_ref()?.to_string(), self.worth(&keyword.value, at).one_text()))
                });
                Worth::text(formatted(&text, &positional, &named.collect::<Vec<_>>()))
            }
            (Thing::Text(text), "encode" | "decode" | "strip" | "rstrip" | "lstrip" | "expandtabs")
                if text.trim() == text =>
            {
                Worth::text(text)
            }
            (Thing::Text(text), "rstrip") if args().next().is_some() => {
                let end = first().one_text();
                Worth::text(text.trim_end_matches(|letter| end.contains(letter)))
            }
            (Thing::Text(text), "lower") => Worth::text(text.to_lowercase()),
            (Thing::Text(text), "upper") => Worth::text(text.to_uppercase()),
            (Thing::Text(text), "replace") if !text.contains(GAP) => {
                let both: Vec<String> = args().take(2).map(|arg| arg.one_text()).collect();
                match both.as_slice() {
                    [from, to]
                        if !from.is_empty() && !from.contains(GAP) && text.len() * to.len() < 1 << 16 =>
                    {
                        Worth::text(path::concat("", &text.replace(from.as_str(), to)))
                    }
                    _ => Worth::some_text(),
                }
            }
            (Thing::Text(text), "split") => {
                let by = args().next().map(|by| by.one_text());
                let words: Vec<Worth<'a>> = match by {
                    None => text.split_whitespace().take(64).map(Worth::text).collect(),
                    Some(by) if !by.is_empty() && !by.contains(GAP) => {
                        text.split(by.as_str()).take(64).map(Worth::text).collect()
                    }
                    Some(_) => return Worth::each(Worth::some_text()),
                };
                Thing::Items(words).into()
            }
            (Thing::Text(by), "join") => match first().0.as_slice() {
                [Thing::Items(items)] => {
                    let mut text = String::new();
                    for (at, item) in items.iter().enumerate() {
                        text = path::concat(
                            &path::concat(&text, if at > 0 { &by } else { "" }),
                            &item.one_text(),
                        );
                    }
                    Worth::text(text)
                }
                _ => Worth::some_text(),
            },
            (Thing::Text(_), "splitlines" | "rsplit" | "partition" | "rpartition") => {
                Worth::each(Worth::some_text())
            }
            (Thing::Text(_), _) => Worth::some_text(),
            (Thing::Dict(DictOf(dict, scope)), "get") => {
                let found = self.looked_up(dict, &first().one_text(), At { scope, call: None, ..at });
                match self.arg(call, 1, "default", at) {
                    Some(default) => found.or(default),
                    None => found,
                }
            }
            (Thing::Dict(DictOf(dict, scope)), "values") => {
                Worth::each(self.looked_up(dict, "\0", At { scope, call: None, ..at }))
            }
            (Thing::Dict(DictOf(dict, scope)), "items") => {
                let inner = At { scope, call: None, ..at };
                let value = self.looked_up(dict, "\0", inner);
                let keys = dict.items.iter().take(worth::MOST).filter_map(|item| item.key.as_ref());
                let key = Worth::any(keys.map(|key| self.worth(key, inner)));
                Worth::each(Thing::Items(vec![key, value]).into())
            }
            (Thing::Dict(DictOf(dict, scope)), "keys") => {
                let keys = dict.items.iter().take(worth::MOST).filter_map(|item| item.key.as_ref());
                Worth::each(Worth::any(keys.map(|key| self.worth(key, At { scope, call: None, ..at }))))
            }
            (Thing::Path(_), "open") => Thing::Instance("io.TextIOWrapper".into()).into(),
            (of @ (Thing::Items(_) | Thing::Each(_)), "copy") => of.into(),
            (Thing::Instance(kind), "parse_args") if kind == "argparse.ArgumentParser" => {
                Thing::Instance("argparse.Namespace".into()).into()
            }
            (Thing::Instance(kind), "parse_known_args") if kind == "argparse.ArgumentParser" => {
                Thing::Items(vec![Thing::Instance("argparse.Namespace".into()).into(), Worth::unknown()])
                    .into()
            }
            (Thing::Instance(kind), _) if kind.len() < 200 => {
                Thing::Instance(table::canonical(&format!("{kind}.{name}")).into_owned()).into()
            }
            _ => Worth::unknown(),
        }
    }
}
