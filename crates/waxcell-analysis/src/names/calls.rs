//! What a call returns.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprCall};

use super::bindings::{Names, RETURNED};
use super::dotted;
use super::eval::{from_source, join, position};
use super::meaning::{MAX_VALUES, Made, Meaning, Piece, Values, whole};
use super::scope::ScopeId;
use super::texts::text_of;

impl<'a> Names<'a> {
    pub(crate) fn call(&self, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
        let mut values = Values::new();
        for callee in self.eval(&call.func, scope) {
            join(&mut values, self.result(&callee, call, scope));
        }
        values
    }

    /// What the function of this scope returns.
    pub(crate) fn returned(&self, scope: ScopeId) -> Values<'a> {
        let mut values = Values::new();
        for binding in self.bound(scope, RETURNED).take(MAX_VALUES) {
            join(&mut values, self.binding(binding));
        }
        values
    }

    fn result(&self, callee: &Meaning<'a>, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
        match callee {
            Meaning::Name(name, _) => self.by_name(name, call, scope),
            Meaning::Method(of, name) => self.method(of, name, call, scope),
            Meaning::Function(function) => match self.own_scopes.get(&std::ptr::from_ref(*function).addr()) {
                Some(&inner) => self.returned(inner),
                None => Values::new(),
            },
            Meaning::Lambda(lambda) => match self.own_scopes.get(&std::ptr::from_ref(*lambda).addr()) {
                Some(&inner) => self.eval(&lambda.body, inner),
                None => Values::new(),
            },
            Meaning::Class(class) => {
                let mut values = vec![Meaning::Instance(class)];
                for base in self.bases(class) {
                    if let Meaning::Name(name, _) = base
                        && &*name != "object"
                    {
                        join(&mut values, vec![Meaning::Result(name, call, scope)]);
                    }
                }
                values
            }
            Meaning::Getter(names, made) => {
                let of = self.argument(call, scope, 0, "");
                let mut values = Values::new();
                for name in names.iter() {
                    join(&mut values, self.path_by_text(&of, name, *made));
                }
                values
            }
            Meaning::Picker(key) => {
                self.items(&self.argument(call, scope, 0, ""), std::slice::from_ref(&**key))
            }
            Meaning::Unknown(Some(source)) => vec![Meaning::Unknown(Some(*source))],
            _ => Values::new(),
        }
    }

    /// What `of.a.b` is, for a text with dots.
    pub(super) fn path_by_text(&self, of: &[Meaning<'a>], path: &str, made: Made) -> Values<'a> {
        let mut values = of.to_vec();
        for name in path.split('.').take(16) {
            let name: Rc<str> = name.into();
            values =
                values.iter().flat_map(|of| self.member_by_text(of, &name, made)).take(MAX_VALUES).collect();
        }
        values
    }

    /// The argument at a position or of a name; of starred ones, what their lists hold.
    pub(crate) fn argument(&self, call: &'a ExprCall, scope: ScopeId, at: usize, name: &str) -> Values<'a> {
        let mut left = at;
        for argument in call.arguments.args.iter() {
            match argument {
                Expr::Starred(starred) => match self.eval(&starred.value, scope).as_slice() {
                    [Meaning::List(list)] if left < list.len() => return list[left].clone(),
                    [Meaning::List(list)] => left -= list.len(),
                    other => return self.elements(other),
                },
                _ if left == 0 => return self.eval(argument, scope),
                _ => left -= 1,
            }
        }
        let keyword = call.arguments.keywords.iter().find(|one| match &one.arg {
            Some(arg) => arg.as_str() == name,
            None => true,
        });
        match keyword {
            Some(keyword) if keyword.arg.is_some() => self.eval(&keyword.value, scope),
            Some(keyword) => {
                let key = Meaning::Text(name.into(), Made::Written);
                match self.eval(&keyword.value, scope).as_slice() {
                    [Meaning::Dict(_)] => self.items(&self.eval(&keyword.value, scope), &[key]),
                    _ => Values::new(),
                }
            }
            None => Values::new(),
        }
    }

    /// How many arguments are given by position, as far as that is written out.
    pub(super) fn count(call: &ExprCall) -> usize {
        call.arguments.args.len()
    }

    fn by_name(&self, name: &Rc<str>, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
        let argument = |at| self.argument(call, scope, at, "");
        match &**name {
            "getattr" | "object.__getattribute__" | "type.__getattribute__" | "inspect.getattr_static" => {
                let of = argument(0);
                let mut values = Values::new();
                for name in argument(1) {
                    match text_of(&name) {
                        Some((name, made)) => {
                            of.iter().for_each(|of| join(&mut values, self.member_by_text(of, &name, made)));
                        }
                        None => of.iter().for_each(|of| join(&mut values, some_member(of, &name))),
                    }
                }
                if values.is_empty() {
                    of.iter().for_each(|of| join(&mut values, some_member(of, &Meaning::Unknown(None))));
                }
                join(&mut values, argument(2));
                values
            }
            name if name.ends_with(".__getattribute__") => {
                let of = dotted::name(name.trim_end_matches(".__getattribute__"), Made::Written);
                let texts = argument(0);
                let members = texts.iter().filter_map(text_of);
                members.flat_map(|(name, made)| self.member_by_text(&of, &name, made)).collect()
            }
            "__import__" | "importlib.__import__" => {
                let whole = Self::count(call) > 3 || call.arguments.find_keyword("fromlist").is_some();
                let mut values = Values::new();
                for name in self.argument(call, scope, 0, "name") {
                    if let Some((name, made)) = text_of(&name) {
                        let root = name.split('.').next().unwrap_or_default();
                        let module = if whole { &*name } else { root };
                        join(&mut values, vec![dotted::name(module, made.max(Made::Indirect))]);
                    }
                }
                values
            }
            "importlib.import_module"
            | "pydoc.locate"
            | "pydoc.safeimport"
            | "pkgutil.resolve_name"
            | "imp.load_module"
            | "imp.find_module"
            | "django.utils.module_loading.import_string"
            | "werkzeug.utils.import_string"
            | "pkgutil.find_loader"
            | "importlib.util.find_spec"
            | "importlib.machinery.BuiltinImporter.load_module"
            | "__loader__.load_module"
            | "__spec__.loader.load_module"
            | "importlib.util.resolve_name"
            | "sys.modules.get"
            | "sys.modules.__getitem__"
            | "sys.modules.pop"
            | "sys.modules.setdefault"
            | "importlib.reload"
            | "importlib.util.module_from_spec"
            | "importlib.machinery.FrozenImporter.load_module" => {
                let mut values = Values::new();
                for name in self.argument(call, scope, 0, "name") {
                    match (&name, text_of(&name)) {
                        (Meaning::Name(..), _) => join(&mut values, vec![name]),
                        (_, Some((name, made))) => {
                            let name = name.replace(':', ".");
                            join(&mut values, vec![dotted::name(&name, made.max(Made::Indirect))]);
                        }
                        _ => {}
                    }
                }
                values
            }
            "globals" => vec![Meaning::Namespace(0)],
            "locals" | "dir" => vec![Meaning::Namespace(scope)],
            "vars" | "object.__dict__" => match &call.arguments.args[..] {
                [] => vec![Meaning::Namespace(scope)],
                _ => argument(0).into_iter().map(|of| Meaning::Members(Rc::new(of))).collect(),
            },
            "sys.exc_info" => Values::new(),
            "operator.attrgetter" => {
                let names: Vec<_> =
                    (0..Self::count(call)).flat_map(&argument).filter_map(|one| text_of(&one)).collect();
                let made = names.iter().map(|(_, made)| *made).max().unwrap_or(Made::Indirect);
                vec![Meaning::Getter(names.into_iter().map(|(name, _)| name).collect(), made)]
            }
            "operator.methodcaller" => argument(0)
                .iter()
                .filter_map(text_of)
                .map(|(name, made)| Meaning::Caller(name, made.max(Made::Indirect)))
                .collect(),
            "operator.itemgetter" => {
                argument(0).into_iter().map(|key| Meaning::Picker(Rc::new(key))).collect()
            }
            "operator.getitem" => self.items(&argument(0), &argument(1)),
            "operator.add" | "operator.concat" | "operator.iadd" => {
                self.binary(ruff_python_ast::Operator::Add, &argument(0), &argument(1))
            }
            "operator.mod" => self.binary(ruff_python_ast::Operator::Mod, &argument(0), &argument(1)),
            "operator.xor" => self.binary(ruff_python_ast::Operator::BitXor, &argument(0), &argument(1)),
            // What is called in the end is what is given.
            "functools.partial"
            | "functools.partialmethod"
            | "functools.wraps"
            | "functools.lru_cache"
            | "functools.cache"
            | "copy.copy"
            | "copy.deepcopy"
            | "staticmethod"
            | "classmethod"
            | "types.MethodType"
            | "weakref.proxy"
            | "typing.cast"
            | "property"
            | "contextlib.nullcontext"
            | "types.coroutine"
            | "asyncio.coroutine"
            | "inspect.unwrap"
            | "iter"
            | "memoryview" => argument(usize::from(&**name == "typing.cast")),
            "next" => self.elements(&argument(0)),
            "map" => {
                let mut values = Values::new();
                for callee in argument(0) {
                    if let Meaning::Name(name, _) = callee {
                        join(
                            &mut values,
                            self.mapped(&name, &argument(1))
                                .unwrap_or_else(|| vec![Meaning::Result(name, call, scope)]),
                        );
                    } else if let Meaning::Lambda(lambda) = callee {
                        join(&mut values, self.mapped_lambda(lambda, &argument(1)));
                    }
                }
                values
            }
            "functools.reduce" | "reduce" => self.reduced(&argument(0), &argument(1), argument(2)),
            "list" | "tuple" | "set" | "sorted" | "frozenset" | "collections.deque" | "array.array" => {
                self.as_list(&argument(usize::from(&**name == "array.array")))
            }
            "dict" => self.as_dict(call, scope),
            "zip" | "enumerate" => self.zipped(name, call, scope),
            "compile" => {
                let mut values = Values::new();
                for text in self.argument(call, scope, 0, "source") {
                    match code_of(&text) {
                        Some((text, made)) => join(&mut values, vec![Meaning::Code(text, made)]),
                        None => join(&mut values, vec![text]),
                    }
                }
                values
            }
            "pathlib.Path"
            | "pathlib.PurePath"
            | "pathlib.PosixPath"
            | "os.path.join"
            | "pathlib.Path.joinpath"
            | "posixpath.join" => {
                let mut pieces: Vec<Piece> = Vec::new();
                if &**name == "pathlib.Path.joinpath" {
                    pieces.extend(self.receiver_path(call, scope));
                }
                for at in 0..Self::count(call).min(16) {
                    if !pieces.is_empty() {
                        pieces.push(Piece::Text("/".into()));
                    }
                    pieces.extend(self.pieces_of(&argument(at)));
                }
                self.path_or_text(name, pieces)
            }
            "pathlib.Path.home" => vec![Meaning::Path(Rc::new([Piece::Text("~".into())]))],
            "pathlib.Path.cwd" | "os.getcwd" => vec![Meaning::Path(Rc::new([Piece::Text(".".into())]))],
            "pathlib.Path.expanduser" | "pathlib.Path.resolve" | "pathlib.Path.absolute" => {
                vec![Meaning::Path(self.receiver_path(call, scope).into())]
            }
            "os.path.expanduser" | "os.path.expandvars" | "os.path.abspath" | "os.path.normpath"
            | "os.path.realpath" | "os.fspath" | "os.fsencode" | "os.fsdecode" => argument(0),
            "io.StringIO" | "io.BytesIO" => match argument(0) {
                values if values.iter().any(|one| matches!(one, Meaning::Text(..) | Meaning::Bytes(..))) => {
                    values
                }
                _ => vec![Meaning::Result(name.clone(), call, scope)],
            },
            "shlex.quote" | "pipes.quote" => match argument(0).as_slice() {
                [one @ Meaning::Text(..)] => vec![one.clone()],
                _ => Values::new(),
            },
            "os.getenv" | "os.environ.get" => {
                match self.source_of(&Meaning::Result(name.clone(), call, scope)) {
                    Some(source) => {
                        let home = argument(0)
                            .iter()
                            .any(|one| matches!(one, Meaning::Text(text, _) if &**text == "HOME"));
                        if home {
                            vec![Meaning::Path(Rc::new([Piece::Text("~".into())]))]
                        } else {
                            vec![Meaning::Unknown(Some(source))]
                        }
                    }
                    None => Values::new(),
                }
            }
            _ => match self.folded(name, call, scope) {
                Some(values) => values,
                None => vec![Meaning::Result(name.clone(), call, scope)],
            },
        }
    }

    fn path_or_text(&self, name: &str, pieces: Vec<Piece>) -> Values<'a> {
        if name.starts_with("pathlib") {
            return vec![Meaning::Path(pieces.into())];
        }
        match whole(&pieces) {
            Some(text) => vec![Meaning::Text(text, Made::Written)],
            None => vec![Meaning::Pattern(pieces.into())],
        }
    }

    /// The pieces of the path whose method is called.
    fn receiver_path(&self, call: &'a ExprCall, scope: ScopeId) -> Vec<Piece> {
        match &*call.func {
            Expr::Attribute(attribute) => self.pieces_of(&self.eval(&attribute.value, scope)),
            _ => Vec::new(),
        }
    }

    /// `functools.reduce` with what is used to take paths of names apart, or to put texts together.
    fn reduced(&self, callee: &[Meaning<'a>], list: &[Meaning<'a>], start: Values<'a>) -> Values<'a> {
        let ([Meaning::List(list)], [callee]) = (list, callee) else { return Values::new() };
        let mut items = list.iter();
        let mut values = if start.is_empty() { items.next().cloned().unwrap_or_default() } else { start };
        for item in items {
            if !self.spend(1) {
                return Values::new();
            }
            values = match callee {
                Meaning::Name(name, _) if &**name == "getattr" => {
                    let names: Vec<_> = item.iter().filter_map(text_of).collect();
                    let of = values;
                    names
                        .iter()
                        .flat_map(|(name, made)| {
                            of.iter()
                                .flat_map(|of| self.member_by_text(of, name, *made))
                                .collect::<Values<'a>>()
                        })
                        .take(MAX_VALUES)
                        .collect()
                }
                Meaning::Name(name, _) if matches!(&**name, "operator.add" | "operator.concat") => {
                    self.binary(ruff_python_ast::Operator::Add, &values, item)
                }
                // `lambda a, b: a + b`, whatever it is, is nearly always that.
                Meaning::Lambda(lambda) if matches!(&*lambda.body, Expr::BinOp(sum) if sum.op == ruff_python_ast::Operator::Add) => {
                    self.binary(ruff_python_ast::Operator::Add, &values, item)
                }
                _ => return Values::new(),
            };
        }
        values
    }

    fn as_list(&self, values: &[Meaning<'a>]) -> Values<'a> {
        let one = |value: &Meaning<'a>| -> Option<Meaning<'a>> {
            Some(match value {
                Meaning::List(_) => value.clone(),
                Meaning::Text(..) | Meaning::Bytes(..) => Meaning::List(self.spread(value)?.into()),
                Meaning::Dict(items) => Meaning::List(items.iter().map(|(key, _)| key.clone()).collect()),
                Meaning::Unknown(_) | Meaning::Result(..) | Meaning::Name(..) | Meaning::Members(_) => {
                    Meaning::Unknown(Some(self.source_of(value)?))
                }
                _ => return None,
            })
        };
        values.iter().filter_map(one).collect()
    }

    /// The items of a value that is known, each as values of its own.
    pub(super) fn spread(&self, value: &Meaning<'a>) -> Option<Vec<Values<'a>>> {
        match value {
            Meaning::List(list) => Some(list.to_vec()),
            Meaning::Text(text, made) if text.len() <= 1 << 16 && self.spend(text.len()) => {
                Some(text.chars().map(|c| vec![Meaning::Text(c.to_string().into(), *made)]).collect())
            }
            Meaning::Bytes(bytes, _) if bytes.len() <= 1 << 16 && self.spend(bytes.len()) => {
                Some(bytes.iter().map(|&byte| vec![Meaning::Int(byte.into())]).collect())
            }
            Meaning::Dict(items) => Some(items.iter().map(|(key, _)| key.clone()).collect()),
            _ => None,
        }
    }

    fn as_dict(&self, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
        let given = self.argument(call, scope, 0, "");
        if let [known @ Meaning::Dict(_)] = given.as_slice() {
            return vec![known.clone()];
        }
        let keywords = call.arguments.keywords.iter().filter_map(|keyword| {
            let name = keyword.arg.as_ref()?;
            Some((vec![Meaning::Text(name.as_str().into(), Made::Written)], self.eval(&keyword.value, scope)))
        });
        let mut items: Vec<_> = keywords.collect();
        if let [Meaning::List(pairs)] = given.as_slice() {
            for pair in pairs.iter() {
                if let [Meaning::List(pair)] = pair.as_slice()
                    && let [key, value] = &pair[..]
                {
                    items.push((key.clone(), value.clone()));
                }
            }
        }
        match self.source(&given) {
            Some(source) => vec![Meaning::Unknown(Some(source))],
            None if items.is_empty() => Values::new(),
            None => vec![Meaning::Dict(items.into())],
        }
    }

    fn zipped(&self, name: &str, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
        let first = self.argument(call, scope, 0, "");
        let [first] = first.as_slice() else { return Values::new() };
        let Some(first) = self.spread(first) else { return Values::new() };
        let second = if name == "enumerate" {
            (0..first.len() as i64).map(|at| vec![Meaning::Int(at)]).collect()
        } else {
            let second = self.argument(call, scope, 1, "");
            let [second] = second.as_slice() else { return Values::new() };
            match self.spread(second) {
                Some(second) => second,
                // `itertools.cycle(key)`.
                None => return Values::new(),
            }
        };
        if !self.spend(first.len()) {
            return Values::new();
        }
        let pair = |(one, other): (Values<'a>, Values<'a>)| match name {
            "enumerate" => vec![Meaning::List(Rc::new([other, one]))],
            _ => vec![Meaning::List(Rc::new([one, other]))],
        };
        vec![Meaning::List(first.into_iter().zip(second).map(pair).collect())]
    }

    /// Methods of values that are known and are no texts; those of texts are in `texts.rs`.
    fn method(&self, of: &Meaning<'a>, name: &str, call: &'a ExprCall, scope: ScopeId) -> Values<'a> {
        let argument = |at| self.argument(call, scope, at, "");
        match (of, name) {
            (Meaning::Text(..) | Meaning::Bytes(..) | Meaning::Pattern(_), _) => {
                self.text_method(of, name, call, scope)
            }
            (_, "get" | "__getitem__" | "pop" | "setdefault" | "__getattribute__") => {
                let mut values = self.items(std::slice::from_ref(of), &argument(0));
                join(&mut values, argument(1));
                values
            }
            (Meaning::Dict(items), "values") => {
                vec![Meaning::List(items.iter().map(|(_, value)| value.clone()).collect())]
            }
            (Meaning::Dict(items), "keys") => {
                vec![Meaning::List(items.iter().map(|(key, _)| key.clone()).collect())]
            }
            (Meaning::Dict(items), "items") => {
                let pair = |(key, value): &(Values<'a>, Values<'a>)| {
                    vec![Meaning::List(Rc::new([key.clone(), value.clone()]))]
                };
                vec![Meaning::List(items.iter().map(pair).collect())]
            }
            (Meaning::List(list), "copy") => vec![Meaning::List(list.clone())],
            (Meaning::List(list), "index") => {
                let wanted = argument(0);
                let [wanted] = wanted.as_slice() else { return Values::new() };
                let at = list
                    .iter()
                    .position(|one| matches!(one.as_slice(), [one] if super::eval::same(one, wanted)));
                at.map(|at| Meaning::Int(at as i64)).into_iter().collect()
            }
            (Meaning::Int(int), "to_bytes") => {
                let (length, order) =
                    (self.argument(call, scope, 0, "length"), self.argument(call, scope, 1, "byteorder"));
                let length = match length.as_slice() {
                    [Meaning::Int(length)] => usize::try_from(*length).unwrap_or(0).min(64),
                    _ => 1,
                };
                let little = matches!(order.as_slice(), [Meaning::Text(order, _)] if &**order == "little");
                let mut bytes: Vec<u8> =
                    (0..length).map(|at| if at < 8 { (int >> (8 * at)) as u8 } else { 0 }).collect();
                if !little {
                    bytes.reverse();
                }
                vec![Meaning::Bytes(bytes.into(), Made::Built)]
            }
            _ => from_source(std::slice::from_ref(of)),
        }
    }
}

/// A member of something of which it is not known which one.
fn some_member<'a>(of: &Meaning<'a>, name: &Meaning<'_>) -> Values<'a> {
    let Meaning::Name(of, _) = of else { return Values::new() };
    let begin = match name {
        Meaning::Pattern(pieces) => match pieces.first() {
            Some(Piece::Text(text)) => text.clone(),
            _ => "".into(),
        },
        _ => "".into(),
    };
    vec![dotted::member(of, &format!("{begin}*"), Made::Indirect)]
}

/// Text that can be compiled.
pub(crate) fn code_of(value: &Meaning<'_>) -> Option<(Rc<str>, Made)> {
    match value {
        Meaning::Text(text, made) | Meaning::Code(text, made) => Some((text.clone(), *made)),
        Meaning::Bytes(bytes, made) => Some((String::from_utf8_lossy(bytes).into(), *made)),
        _ => None,
    }
}

/// The items of a list from here to there by steps, as Python counts.
pub(super) fn slice_positions(
    length: usize,
    lower: Option<i64>,
    upper: Option<i64>,
    step: Option<i64>,
) -> Vec<usize> {
    let (length, step) = (length as i64, step.unwrap_or(1));
    if step == 0 {
        return Vec::new();
    }
    let bound = |given: Option<i64>, default: i64| match given {
        None => default,
        Some(at) if at < 0 => (at.saturating_add(length)).max(if step < 0 { -1 } else { 0 }),
        Some(at) => at.min(if step < 0 { length - 1 } else { length }),
    };
    let (mut at, end) = if step > 0 {
        (bound(lower, 0), bound(upper, length))
    } else {
        (bound(lower, length - 1), bound(upper, -1))
    };
    let mut positions = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        positions.extend(position(at, length as usize).filter(|_| at >= 0));
        at = at.saturating_add(step);
    }
    positions
}
