//! From an expression to what its value may be.
//!
//! Goes from expression to expression by recursion, but at most [`DEEPEST`] levels; beyond that, and where the script
//! has used up its steps, a value is unknown.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use ruff_python_ast::{Expr, ExprCall, FStringPart, InterpolatedStringElement, Number, Operator, UnaryOp};

use super::path::{self, GAP, SCRIPT};
use super::scopes::{Bound, Kind, MODULE, Scopes, Site};
use super::worth::{self, DictOf, Thing, Worth};

/// How many levels are followed.
const DEEPEST: u8 = 40;
/// Steps that evaluating one expression may take.
const STEPS: usize = 500;
/// Steps that all of a script may take, beside one for every other byte of it.
const ALL_STEPS: usize = 1 << 19;
/// The most items of a list that are looked at.
const MOST_ITEMS: usize = 64;

pub(super) struct Evaluation<'a> {
    pub(super) scopes: Scopes<'a>,
    /// Defaults of what `add_argument` makes, by the name of the attribute.
    pub(super) options: HashMap<String, Vec<(&'a ExprCall, usize)>>,
    /// What is being looked up at the moment: what leads back to it is not known.
    pending: RefCell<Vec<(usize, *const u8)>>,
    /// What names are worth, where that does not depend on who calls.
    known: RefCell<HashMap<(usize, *const u8), Worth<'a>>>,
    steps: Cell<usize>,
    left: Cell<usize>,
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct At<'f, 'a> {
    pub(super) scope: usize,
    pub(super) depth: u8,
    /// The call of a function of the script that is being followed.
    pub(super) call: Option<&'f Frame<'f, 'a>>,
}

pub(super) struct Frame<'f, 'a> {
    function: usize,
    site: Site<'a>,
    above: Option<&'f Frame<'f, 'a>>,
}

impl<'a> Evaluation<'a> {
    /// Of a script with so many bytes.
    pub(super) fn new(scopes: Scopes<'a>, bytes: usize) -> Evaluation<'a> {
        let mut options: HashMap<String, Vec<(&ExprCall, usize)>> = HashMap::new();
        for method in ["add_argument", "add_option"] {
            for site in scopes.calls.get(method).into_iter().flatten() {
                if let Some(name) = super::known::option_name(site.call) {
                    options.entry(name).or_default().push((site.call, site.scope));
                }
            }
        }
        Evaluation {
            scopes,
            options,
            pending: RefCell::default(),
            known: RefCell::default(),
            steps: Cell::new(0),
            left: Cell::new(ALL_STEPS + bytes / 2),
        }
    }

    /// Whether every expression was followed.
    pub(super) fn is_complete(&self) -> bool {
        self.left.get() > 0
    }

    /// What an expression in this scope may be worth.
    pub(super) fn worth_in(&self, expr: &'a Expr, scope: usize) -> Worth<'a> {
        self.steps.set(STEPS);
        self.worth(expr, At { scope, depth: 0, call: None })
    }

    /// Takes what it costs to look at a text of so many bytes off the steps of the script; false when there are none left.
    pub(super) fn charge(&self, bytes: usize) -> bool {
        self.left.set(self.left.get().saturating_sub(bytes / 16));
        self.left.get() > 0
    }

    fn spend(&self, cost: usize) -> bool {
        let (steps, left) = (self.steps.get(), self.left.get());
        self.steps.set(steps.saturating_sub(cost));
        self.left.set(left.saturating_sub(cost));
        steps > 0 && left > 0
    }

    pub(super) fn worth<'f>(&self, expr: &'a Expr, at: At<'f, 'a>) -> Worth<'a> {
        if at.depth > DEEPEST || !self.spend(1) {
            return Worth::unknown();
        }
        let at = At { depth: at.depth + 1, ..at };
        match expr {
            Expr::StringLiteral(string) => Worth::text(path::bounded(string.value.to_str())),
            Expr::BytesLiteral(bytes) => {
                let bytes: Vec<u8> = bytes.value.bytes().take(path::MAX_TEXT).collect();
                String::from_utf8(bytes).map_or(Worth::some_text(), Worth::text)
            }
            Expr::FString(string) => self.f_string(string.value.as_slice(), at),
            Expr::NumberLiteral(number) => match &number.value {
                Number::Int(int) => int.as_i64().map_or(Thing::Plain, Thing::Int).into(),
                _ => Thing::Plain.into(),
            },
            Expr::BooleanLiteral(literal) => Thing::Int(literal.value.into()).into(),
            Expr::NoneLiteral(_) | Expr::EllipsisLiteral(_) | Expr::Compare(_) | Expr::Lambda(_) => {
                Thing::Plain.into()
            }
            Expr::Name(name) => self.name(name.id.as_str(), at),
            Expr::Attribute(attribute) => {
                self.worth(&attribute.value, at).map(|of| self.attribute(of, attribute.attr.as_str(), at))
            }
            Expr::Call(call) => self.worth(&call.func, at).map(|called| self.called(called, call, at)),
            Expr::BinOp(operation) => {
                let (left, right) = (self.worth(&operation.left, at), self.worth(&operation.right, at));
                self.operation(operation.op, left, right)
            }
            Expr::BoolOp(all) => {
                Worth::any(all.values.iter().take(MOST_ITEMS).map(|value| self.worth(value, at)))
            }
            Expr::UnaryOp(unary) => match (unary.op, self.worth(&unary.operand, at).0.as_slice()) {
                (UnaryOp::USub, [Thing::Int(int)]) => {
                    int.checked_neg().map_or(Thing::Plain, Thing::Int).into()
                }
                (UnaryOp::Not, _) => Thing::Plain.into(),
                _ => Worth::unknown(),
            },
            Expr::If(either) => self.worth(&either.body, at).or(self.worth(&either.orelse, at)),
            Expr::Named(named) => self.worth(&named.value, at),
            Expr::Await(awaited) => self.worth(&awaited.value, at),
            Expr::Starred(starred) => self.worth(&starred.value, at),
            Expr::List(list) => self.items(&list.elts, at),
            Expr::Tuple(tuple) => self.items(&tuple.elts, at),
            Expr::Set(set) => self.items(&set.elts, at),
            Expr::ListComp(comp) => Worth::each(self.worth(&comp.elt, at)),
            Expr::SetComp(comp) => Worth::each(self.worth(&comp.elt, at)),
            Expr::Generator(comp) => Worth::each(self.worth(&comp.elt, at)),
            Expr::Dict(dict) => Thing::Dict(DictOf(dict, at.scope)).into(),
            Expr::Subscript(subscript) => {
                self.worth(&subscript.value, at).map(|of| self.subscript(of, &subscript.slice, at))
            }
            _ => Worth::unknown(),
        }
    }

    fn items<'f>(&self, items: &'a [Expr], at: At<'f, 'a>) -> Worth<'a> {
        if items.len() > MOST_ITEMS {
            return Worth::each(Worth::unknown());
        }
        Thing::Items(items.iter().map(|item| self.worth(item, at)).collect()).into()
    }

    fn f_string<'f>(&self, parts: &'a [FStringPart], at: At<'f, 'a>) -> Worth<'a> {
        let mut text = Worth::text("");
        for part in parts.iter().take(MOST_ITEMS) {
            match part {
                FStringPart::Literal(literal) => {
                    text = worth::concat(&text, &Worth::text(path::bounded(&literal.value)))
                }
                FStringPart::FString(string) => {
                    for element in string.elements.iter().take(MOST_ITEMS) {
                        let next = match element {
                            InterpolatedStringElement::Literal(literal) => {
                                Worth::text(path::bounded(&literal.value))
                            }
                            InterpolatedStringElement::Interpolation(element) => match &element.format_spec {
                                None => self.worth(&element.expression, at),
                                Some(_) => Worth::some_text(),
                            },
                        };
                        text = worth::concat(&text, &next);
                    }
                }
            }
        }
        text
    }

    fn operation(&self, operator: Operator, left: Worth<'a>, right: Worth<'a>) -> Worth<'a> {
        match operator {
            Operator::Add => match (left.0.as_slice(), right.0.as_slice()) {
                ([Thing::Int(a)], [Thing::Int(b)]) => {
                    a.checked_add(*b).map_or(Thing::Unknown, Thing::Int).into()
                }
                ([Thing::Items(a)], [Thing::Items(b)]) => {
                    Thing::Items(a.iter().chain(b).take(MOST_ITEMS).cloned().collect()).into()
                }
                ([Thing::Items(a)], _) => {
                    let mut items = a.clone();
                    items.push(Worth::unknown());
                    Thing::Items(items).into()
                }
                _ if left.0.iter().chain(&right.0).any(|thing| thing.as_text().is_some()) => {
                    worth::concat(&left, &right)
                }
                _ => Worth::unknown(),
            },
            Operator::Div => {
                let is_path = |worth: &Worth<'_>| worth.0.iter().any(|thing| matches!(thing, Thing::Path(_)));
                match is_path(&left) || is_path(&right) {
                    true => worth::texts(left.with(&right, path::join), Thing::Path),
                    false => Worth::unknown(),
                }
            }
            Operator::Mod => match left.0.as_slice() {
                [Thing::Text(format)] => {
                    right.map(|value| Worth::text(super::known::percent(format, &value.into())))
                }
                _ => Worth::unknown(),
            },
            _ => Worth::unknown(),
        }
    }

    fn name<'f>(&self, name: &'a str, at: At<'f, 'a>) -> Worth<'a> {
        let Some((scope, bound)) = self.scopes.look_up(at.scope, name) else { return self.builtin(name) };
        if name == "self"
            && let Some(class) = self.scopes.class_around(at.scope)
        {
            return Thing::Object(class).into();
        }
        let key = (scope, bound.as_ptr().cast::<u8>());
        let is_free = at.call.is_none_or(|_| scope == MODULE);
        if is_free && let Some(known) = self.known.borrow().get(&key) {
            // To copy something large is worth many steps.
            return if self.spend(known.weight()) { known.clone() } else { Worth::unknown() };
        }
        if self.pending.borrow().contains(&key) {
            return Worth::unknown();
        }
        self.pending.borrow_mut().push(key);
        let at = At { scope, ..at };
        let worth = Worth::any(bound.iter().map(|bound| self.bound(*bound, name, at)));
        self.pending.borrow_mut().pop();
        // What was cut short on the way is not kept.
        if is_free && self.pending.borrow().is_empty() && self.steps.get() > 0 && at.depth < DEEPEST / 2 {
            self.known.borrow_mut().insert(key, worth.clone());
        }
        worth
    }

    fn bound<'f>(&self, bound: Bound<'a>, name: &'a str, at: At<'f, 'a>) -> Worth<'a> {
        match bound {
            Bound::Value(expr) => self.worth(expr, at),
            Bound::Item(expr) => self.worth(expr, at).item(),
            Bound::Part { of, at: position, of_item: false } => self.worth(of, at).at(position),
            Bound::Part { of, at: position, of_item: true } => self.worth(of, at).item().at(position),
            Bound::Entered(expr) => self.worth(expr, at),
            Bound::Import { module, name: None } => Worth::named(module),
            Bound::Import { module, name: Some(name) } => self.held(format!("{module}.{name}")),
            Bound::Scope(scope) => Thing::Scope(scope).into(),
            Bound::Parameter { position, default } => self.parameter(at.scope, name, position, default, at),
            Bound::Unknown => Worth::unknown(),
        }
    }

    fn parameter<'f>(
        &self,
        function: usize,
        name: &str,
        position: Option<usize>,
        default: Option<&'a Expr>,
        at: At<'f, 'a>,
    ) -> Worth<'a> {
        let mut frame = at.call;
        while let Some(called) = frame {
            if called.function == function {
                return self.argument(
                    function,
                    called.site,
                    name,
                    position,
                    default,
                    At { call: called.above, ..at },
                );
            }
            frame = called.above;
        }
        let given = match &self.scopes.all[function].kind {
            Kind::Function(own) => self.scopes.given.contains(own.name.as_str()),
            _ => true,
        };
        let sites = self.scopes.sites(function).unwrap_or_default();
        let known = sites
            .iter()
            .take(worth::MOST)
            .map(|site| self.argument(function, *site, name, position, default, At { call: None, ..at }));
        let unknown = (given || sites.is_empty() || sites.len() > worth::MOST).then(Worth::unknown);
        let default =
            default.filter(|_| unknown.is_some()).map(|default| self.worth(default, At { call: None, ..at }));
        Worth::any(known.chain(default).chain(unknown))
    }

    /// What a call gives for a parameter.
    fn argument<'f>(
        &self,
        function: usize,
        site: Site<'a>,
        name: &str,
        position: Option<usize>,
        default: Option<&'a Expr>,
        at: At<'f, 'a>,
    ) -> Worth<'a> {
        let there = At { scope: site.scope, ..at };
        let arguments = &site.call.arguments;
        let keyword = arguments
            .keywords
            .iter()
            .take(MOST_ITEMS)
            .find(|keyword| keyword.arg.as_ref().is_some_and(|arg| arg.as_str() == name));
        if let Some(keyword) = keyword {
            return self.worth(&keyword.value, there);
        }
        // The object comes before the arguments, unless it is a plain function.
        let is_method = matches!(self.scopes.all[self.scopes.all[function].parent].kind, Kind::Class(_))
            && !self.is_static(function);
        let position = position.and_then(|position| position.checked_sub(usize::from(is_method)));
        let is_open = arguments.args.iter().take(MOST_ITEMS).any(Expr::is_starred_expr)
            || arguments.keywords.len() > MOST_ITEMS
            || arguments.keywords.iter().any(|keyword| keyword.arg.is_none());
        match position.and_then(|position| arguments.args.get(position)) {
            Some(argument) if !argument.is_starred_expr() => self.worth(argument, there),
            _ if is_open => Worth::unknown(),
            _ => default.map_or(Worth::unknown(), |default| self.worth(default, At { call: None, ..at })),
        }
    }

    fn is_static(&self, function: usize) -> bool {
        let Kind::Function(function) = &self.scopes.all[function].kind else { return false };
        function
            .decorator_list
            .iter()
            .any(|decorator| super::places::last_name(&decorator.expression) == Some("staticmethod"))
    }

    /// What a name is worth that the script never binds.
    fn builtin(&self, name: &str) -> Worth<'a> {
        match name {
            "__file__" => Worth::text(SCRIPT),
            "__name__" => Worth::text("__main__"),
            "__builtins__" => Worth::named("builtins"),
            _ if super::known::is_builtin(name) => Worth::named(name),
            _ => {
                let all = self.scopes.stars.iter().map(|module| format!("{module}.{name}"));
                let known = all.filter(|name| super::table::knows(name)).map(|name| self.held(name));
                Worth::any(known.take(worth::MOST))
            }
        }
    }

    /// What a module holds under this dotted name.
    pub(super) fn held(&self, name: String) -> Worth<'a> {
        let name = super::table::canonical(&name).into_owned();
        if name.len() > crate::imports::MAX_NAME {
            return Worth::unknown();
        }
        match name.as_str() {
            "os.sep" | "os.path.sep" => Worth::text("/"),
            "os.curdir" => Worth::text("."),
            "os.pardir" => Worth::text(".."),
            "os.devnull" => Worth::text("/dev/null"),
            "os.linesep" => Worth::text("\n"),
            "sys.executable" => Worth::text(super::known::INTERPRETER),
            "sys.stdin" | "sys.stdout" | "sys.stderr" => Thing::Instance("io.TextIOWrapper".into()).into(),
            "tempfile.tempdir" => Worth::text("/tmp"),
            _ => Worth::named(name),
        }
    }

    fn attribute<'f>(&self, of: Thing<'a>, name: &'a str, at: At<'f, 'a>) -> Worth<'a> {
        match of {
            Thing::Named(module) => self.held(format!("{module}.{name}")),
            Thing::Object(class) => self.member(class, name, at),
            Thing::Scope(class) if matches!(self.scopes.all[class].kind, Kind::Class(_)) => {
                self.member(class, name, at)
            }
            Thing::Instance(kind) if kind == "argparse.Namespace" => match self.options.get(name) {
                None => Worth::unknown(),
                Some(calls) => Worth::any(
                    calls
                        .iter()
                        .take(worth::MOST)
                        .map(|(call, scope)| self.option(call, At { scope: *scope, call: None, ..at })),
                ),
            },
            of => super::known::attribute(of, name),
        }
    }

    /// An attribute of objects of a class of the script, or what the class holds.
    fn member<'f>(&self, class: usize, name: &'a str, at: At<'f, 'a>) -> Worth<'a> {
        let at = At { call: None, ..at };
        if let Some(bound) = self.scopes.attributes.get(&(class, name)) {
            let key = (class, bound.as_ptr().cast::<u8>());
            if self.pending.borrow().contains(&key) {
                return Worth::unknown();
            }
            self.pending.borrow_mut().push(key);
            let all = bound.iter().take(worth::MOST);
            let worth =
                Worth::any(all.map(|(bound, scope)| self.bound(*bound, "", At { scope: *scope, ..at })));
            self.pending.borrow_mut().pop();
            return worth;
        }
        match self.scopes.all[class].names.get(name) {
            Some(bound) => {
                Worth::any(bound.iter().map(|bound| self.bound(*bound, name, At { scope: class, ..at })))
            }
            None => {
                // What it has of a class that is not the script's.
                let Kind::Class(own) = &self.scopes.all[class].kind else { return Worth::unknown() };
                let bases = own.arguments.iter().flat_map(|arguments| &arguments.args).take(worth::MOST);
                Worth::any(bases.map(|base| {
                    self.worth(base, At { scope: self.scopes.all[class].parent, ..at }).map(|base| match base
                    {
                        Thing::Named(base) => Thing::Method(Box::new(Thing::Instance(base)), name).into(),
                        Thing::Scope(base) if base != class && at.depth < DEEPEST => {
                            self.member(base, name, At { depth: at.depth + 1, ..at })
                        }
                        _ => Worth::unknown(),
                    })
                }))
            }
        }
    }

    fn subscript<'f>(&self, of: Thing<'a>, slice: &'a Expr, at: At<'f, 'a>) -> Worth<'a> {
        let key = || self.worth(slice, at);
        match of {
            Thing::Named(name) if name == "os.environ" => super::known::variable(&key().one_text()),
            Thing::Named(name) if name == "sys.modules" => match key().one_text() {
                name if name.contains(GAP) => Worth::unknown(),
                name => Worth::named(name),
            },
            Thing::Items(_) | Thing::Each(_) => match (slice, key().int()) {
                (Expr::Slice(_), _) => Worth::each(Worth::from(of).item()),
                (_, Some(int)) => match (usize::try_from(int), &of) {
                    (Ok(int), _) => Worth::from(of).at(int),
                    (Err(_), Thing::Items(items)) => {
                        let back = usize::try_from(-int).ok().and_then(|back| items.len().checked_sub(back));
                        back.and_then(|back| items.get(back).cloned()).unwrap_or_else(Worth::unknown)
                    }
                    _ => Worth::from(of).item(),
                },
                _ => Worth::from(of).item(),
            },
            Thing::Dict(DictOf(dict, scope)) => {
                let key = key().one_text();
                self.looked_up(dict, &key, At { scope, call: None, ..at })
            }
            Thing::Text(_) => Worth::some_text(),
            Thing::Method(path, "parents") => match (*path, key().int()) {
                (Thing::Path(path), Some(up @ 0..16)) => {
                    Thing::Path((0..=up).fold(path, |path, _| path::parent(&path))).into()
                }
                _ => Worth::unknown(),
            },
            _ => Worth::unknown(),
        }
    }

    /// The value of a dictionary for a key; of a key that is not known, any of them.
    pub(super) fn looked_up<'f>(
        &self,
        dict: &'a ruff_python_ast::ExprDict,
        key: &str,
        at: At<'f, 'a>,
    ) -> Worth<'a> {
        let mut found = Vec::new();
        for item in dict.items.iter().take(MOST_ITEMS) {
            let Some(name) = &item.key else { return Worth::unknown() };
            let is_it = match name {
                Expr::StringLiteral(string) => key.contains(GAP) || string.value.to_str() == key,
                _ => true,
            };
            if is_it {
                found.push(self.worth(&item.value, at));
            }
        }
        Worth::any(found)
    }

    /// What calling something gives.
    fn called<'f>(&self, called: Thing<'a>, call: &'a ExprCall, at: At<'f, 'a>) -> Worth<'a> {
        match called {
            Thing::Named(name) => self.gives(&name, call, at),
            Thing::Method(of, name) => self.method_gives(*of, name, call, at),
            Thing::Scope(scope) => match &self.scopes.all[scope].kind {
                Kind::Class(_) => Thing::Object(scope).into(),
                _ => {
                    let frame = Frame {
                        function: scope,
                        site: Site { call, scope: at.scope, optional: false },
                        above: at.call,
                    };
                    let returns = &self.scopes.all[scope].returns;
                    if self.pending.borrow().contains(&(scope, std::ptr::null())) {
                        return Worth::unknown();
                    }
                    self.pending.borrow_mut().push((scope, std::ptr::null()));
                    let inner = At { scope, call: Some(&frame), ..at };
                    let worth =
                        Worth::any(returns.iter().take(worth::MOST).map(|value| self.worth(value, inner)));
                    self.pending.borrow_mut().pop();
                    worth
                }
            },
            _ => Worth::unknown(),
        }
    }
}
