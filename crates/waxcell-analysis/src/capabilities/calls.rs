//! What one call does, by the table.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;
use waxcell_operations::Operation;

use super::gather::{Gather, Place};
use super::path::{self, GAP};
use super::table::{Effect, Slot, Verb};
use super::worth::{self, Thing, Worth};
use super::{Certainty, Family, Target, shell};

impl<'a> Gather<'a> {
    /// Notes what calling something with this effect does; without a call, it is not known on what.
    pub(super) fn effect(
        &mut self,
        effect: &Effect,
        call: Option<&'a ExprCall>,
        own: Option<&str>,
        place: Place,
    ) {
        use Operation as Do;
        let slot = |gather: &Self, at: usize| gather.slot(effect, at, call, own, place);
        let first = || slot(self, 0);
        match effect.verb {
            Verb::Nothing => {}
            Verb::Read => self.paths(&[Do::FsRead], first(), place),
            Verb::ReadTree => self.tree(&[Do::FsRead], first(), place),
            Verb::WriteTree => self.tree(&[Do::FsWrite, Do::FsCreate], first(), place),
            Verb::DeleteTree => self.tree(&[Do::FsDelete], first(), place),
            Verb::ChmodTree => self.tree(&[Do::FsChmod], first(), place),
            Verb::Glob => {
                let Some(pattern) = first() else { return };
                let gaps = |text: &String| text.replace(['*', '?'], "\0");
                // To find names, their folders are read.
                let folder = |text: String| match text.split('\0').next().unwrap_or_default().rsplit_once('/')
                {
                    Some(("", _)) => "/".to_owned(),
                    Some((folder, _)) => folder.to_owned(),
                    None => ".".to_owned(),
                };
                let texts: Vec<String> = pattern.texts().iter().map(gaps).collect();
                let folders = texts.iter().cloned().map(folder).collect();
                self.paths(&[Do::FsRead], Some(worth::texts(texts, Thing::Text)), place);
                self.paths(&[Do::FsRead], Some(worth::texts(folders, Thing::Text)), place);
            }
            Verb::Look => self.paths(&[Do::FsRead], first(), Place { optional: true, ..place }),
            Verb::Write | Verb::Append => self.paths(&[Do::FsWrite, Do::FsCreate], first(), place),
            Verb::Create | Verb::Make => self.paths(&[Do::FsCreate], first(), place),
            Verb::MakeAll | Verb::MakeFolder => {
                let optional =
                    place.optional || call.is_some_and(|call| self.may_exist(call, effect.verb, place.scope));
                self.paths(&[Do::FsCreate], first(), Place { optional, ..place });
            }
            Verb::Delete => self.paths(&[Do::FsDelete], first(), place),
            Verb::Rename => self.paths(&[Do::FsRename], first(), place),
            Verb::Link => self.paths(&[Do::FsLink], first(), place),
            Verb::Chmod => self.paths(&[Do::FsChmod], first(), place),
            Verb::Chown => self.paths(&[Do::FsChown], first(), place),
            Verb::Xattr => self.paths(&[Do::FsXattr], first(), place),
            Verb::Mknod => self.paths(&[Do::FsMknod], first(), place),
            Verb::Mount => self.paths(&[Do::FsMount], first(), place),
            Verb::Open => {
                let mode = slot(self, 1).map_or_else(|| "r".to_owned(), |mode| mode.one_text());
                self.paths(operations_of(&mode), first(), place);
            }
            Verb::Descriptor => self.opened(first(), call, place),
            Verb::Archive => {
                let path = first().map(|path| after(path, "\0"));
                self.paths(&[Do::FsWrite, Do::FsCreate], path, place);
            }
            Verb::Database => self.database(first(), place),
            Verb::Stem => {
                let all = first().map(|path| after(path, "\0"));
                self.paths(&[Do::FsRead, Do::FsWrite, Do::FsCreate], all.clone(), place);
                self.paths(&[Do::FsRename, Do::FsDelete], all, Place { optional: true, ..place });
            }
            Verb::Rotate => {
                let old = first().map(|path| after(path, "\0"));
                self.paths(&[Do::FsRename, Do::FsDelete], old, Place { optional: true, ..place });
            }
            Verb::Scratch => {
                let dir = call.and_then(|call| call.arguments.find_keyword("dir"));
                let dir = dir.map_or_else(
                    || Worth::text("/tmp"),
                    |dir| self.evaluation.worth_in(&dir.value, place.scope),
                );
                let dir = dir.map(|thing| match thing {
                    Thing::Plain => Worth::text("/tmp"),
                    other => other.into(),
                });
                // It is looked for a name that is free, and cleaned up at the end.
                self.paths(&[Do::FsWrite, Do::FsCreate], Some(dir.clone()), place);
                let inner = after(dir, "/\0");
                self.paths(&[Do::FsWrite, Do::FsCreate], Some(inner.clone()), place);
                self.paths(&[Do::FsRead, Do::FsDelete], Some(inner), Place { optional: true, ..place });
            }
            Verb::Variable => match first() {
                Some(key) => key.texts().iter().for_each(|key| self.variable_named(key, place)),
                None => self.variable(None, Certainty::Unknown, place),
            },
            Verb::Module => self.imports(first(), place),
            Verb::Library => {
                let names = first().map_or_else(|| vec![GAP.to_string()], |name| name.texts());
                for name in names {
                    let (name, certainty) = path::shown(&name);
                    self.note(Family::Native, None, Target::Library { name }, certainty, place);
                }
            }
            Verb::Thread => self.note(Family::Threads, None, Target::None, Certainty::Exact, place),
            Verb::Code => self.note(Family::Code, None, Target::None, Certainty::Unknown, place),
            Verb::Does(Do::ProcFork) => {
                self.note(Family::Processes, Some(Do::ProcFork), Target::None, Certainty::Exact, place);
            }
            Verb::Does(operation) => {
                self.note(Family::System, Some(operation), Target::None, Certainty::Exact, place)
            }
            Verb::Kill => {
                let is_known = first().and_then(|pid| pid.int()).is_some_and(|pid| pid > 0);
                let certainty = if is_known { Certainty::Exact } else { Certainty::Unknown };
                self.note(Family::System, Some(Do::ProcSignal), Target::None, certainty, place);
            }
            Verb::Priority => match first().and_then(|by| by.int()) {
                Some(0..) => {}
                Some(_) => {
                    self.note(Family::System, Some(Do::ProcPriority), Target::None, Certainty::Exact, place)
                }
                None => {
                    self.note(Family::System, Some(Do::ProcPriority), Target::None, Certainty::Unknown, place)
                }
            },
            Verb::Limits => {
                self.note(Family::System, Some(Do::ProcLimits), Target::None, Certainty::Unknown, place)
            }
            Verb::Ioctl => {
                let text = self.source(call.map(|call| call.range()).unwrap_or(place.range));
                if text.contains("TIOCSTI") {
                    self.note(Family::System, Some(Do::IpcTerminal), Target::None, Certainty::Exact, place);
                }
            }
            Verb::Program => {
                let default = || effect.words.first().map(|word| Worth::text(*word));
                let names =
                    first().or_else(default).map_or_else(|| vec![GAP.to_string()], |name| name.texts());
                self.programs(names, place);
            }
            Verb::Shell => {
                let lines = first().map_or_else(|| vec![GAP.to_string()], |line| line.texts());
                self.shell(&lines, place);
            }
            Verb::Argv => self.argv(first(), call, place),
            Verb::Url
            | Verb::Host
            | Verb::Address
            | Verb::Datagram
            | Verb::Dns
            | Verb::Listen
            | Verb::ListenHost
            | Verb::Unix
            | Verb::Mongo
            | Verb::Elsewhere
            | Verb::Resource => {
                let (first, second) = (first(), slot(self, 1));
                self.connects(effect, first, second, call.is_some(), place);
            }
        }
    }

    /// What an argument is worth; nothing where it is not given.
    fn slot(
        &self,
        effect: &Effect,
        at: usize,
        call: Option<&'a ExprCall>,
        own: Option<&str>,
        place: Place,
    ) -> Option<Worth<'a>> {
        let slot = effect.slots.get(at)?;
        let Some(call) = call else { return Some(Worth::unknown()) };
        match slot {
            Slot::Own => Some(Thing::Path(own.unwrap_or("\0").to_owned()).into()),
            Slot::Argument(position, names) => {
                let arguments = &call.arguments;
                let positional = position.and_then(|position| {
                    let starred = arguments.args.iter().take(position + 1).any(Expr::is_starred_expr);
                    if starred { None } else { arguments.args.get(position) }
                });
                let keyword = || {
                    names.iter().find_map(|name| arguments.find_keyword(name)).map(|keyword| &keyword.value)
                };
                if let Some(expr) = positional.or_else(keyword) {
                    return Some(self.evaluation.worth_in(expr, place.scope));
                }
                let is_open = arguments.args.iter().any(Expr::is_starred_expr) && position.is_some()
                    || arguments.keywords.iter().any(|keyword| keyword.arg.is_none());
                match is_open {
                    true if at == 0 => Some(Worth::unknown()),
                    _ if at == 0 && effect.slots.len() == 1 => {
                        effect.words.first().map(|word| Worth::text(word.replace('*', "\0")))
                    }
                    _ => None,
                }
            }
        }
    }

    pub(super) fn source(&self, range: ruff_text_size::TextRange) -> &'a str {
        self.text.get(range.start().to_usize()..range.end().to_usize()).unwrap_or_default()
    }

    /// Notes operations on a path, if it is one.
    pub(super) fn paths(&mut self, operations: &[Operation], path: Option<Worth<'a>>, place: Place) {
        let Some(Worth(things)) = path else { return };
        let place = Place { optional: place.optional || things.len() > 1, ..place };
        for thing in things {
            let texts = match &thing {
                // A descriptor, or nothing.
                Thing::Int(_) | Thing::Plain => continue,
                // A file that is open already.
                Thing::Instance(kind) if is_stream(kind) => continue,
                Thing::Items(items) => items.iter().map(Worth::one_text).collect(),
                Thing::Each(item) => item.texts(),
                thing => vec![thing.as_text().unwrap_or(GAP.to_string())],
            };
            for text in texts {
                if text.is_empty() {
                    continue;
                }
                let text = if self.evaluation.charge(text.len()) { text } else { GAP.to_string() };
                let (target, certainty) = path::target(&text);
                for operation in operations {
                    self.note(Family::Files, Some(*operation), target.clone(), certainty, place);
                }
            }
        }
    }

    /// A path and everything below it.
    fn tree(&mut self, operations: &[Operation], path: Option<Worth<'a>>, place: Place) {
        let below = path.clone().map(|path| after(path, "/\0"));
        self.paths(operations, path, place);
        self.paths(operations, below, Place { optional: true, ..place });
    }

    fn may_exist(&self, call: &'a ExprCall, verb: Verb, scope: usize) -> bool {
        let position = if verb == Verb::MakeAll { 2 } else { usize::MAX };
        let keyword = || call.arguments.find_keyword("exist_ok").map(|keyword| &keyword.value);
        let given = call.arguments.args.get(position).or_else(keyword);
        given.is_some_and(|expr| self.evaluation.worth_in(expr, scope).0 != [Thing::Int(0)])
    }

    /// `os.open`: what its flags say.
    fn opened(&mut self, path: Option<Worth<'a>>, call: Option<&'a ExprCall>, place: Place) {
        let flags =
            call.and_then(|call| call.arguments.args.get(1)).map_or("", |flags| self.source(flags.range()));
        let writes = ["O_WRONLY", "O_RDWR", "O_TRUNC", "O_APPEND"].iter().any(|flag| flags.contains(flag));
        let creates = ["O_CREAT", "O_TMPFILE"].iter().any(|flag| flags.contains(flag));
        let is_known = flags.contains("O_");
        let mut operations = Vec::new();
        if !is_known || flags.contains("O_RDONLY") || flags.contains("O_RDWR") {
            operations.push(Operation::FsRead);
        }
        if writes || !is_known {
            operations.push(Operation::FsWrite);
        }
        if creates || !is_known {
            operations.push(Operation::FsCreate);
        }
        self.paths(&operations, path, place);
    }

    fn database(&mut self, path: Option<Worth<'a>>, place: Place) {
        let path = path.map(|path| {
            path.map(|thing| match thing {
                Thing::Text(text) if text == ":memory:" || text.is_empty() => Thing::Plain.into(),
                Thing::Text(text) => match text.strip_prefix("file:") {
                    Some(file) if file.starts_with(":memory:") || text.contains("mode=memory") => {
                        Thing::Plain.into()
                    }
                    Some(file) => Worth::text(file.split('?').next().unwrap_or_default()),
                    None => Worth::text(text),
                },
                other => other.into(),
            })
        });
        self.paths(&[Operation::FsWrite, Operation::FsCreate], path.clone(), place);
        // What it keeps beside it while it writes.
        let journal = path.map(|path| after(path, "-journal"));
        self.paths(&[Operation::FsCreate, Operation::FsDelete], journal, Place { optional: true, ..place });
    }

    fn imports(&mut self, name: Option<Worth<'a>>, place: Place) {
        for name in name.map_or_else(|| vec![GAP.to_string()], |name| name.texts()) {
            match path::certainty(&name) {
                Certainty::Exact => self.module(&name, place),
                certainty => {
                    let target = Target::Module { name: path::shown(&name).0, network: false };
                    self.note(Family::Modules, None, target, certainty, place);
                }
            }
        }
    }

    pub(super) fn programs(&mut self, names: Vec<String>, place: Place) {
        let place = Place { optional: place.optional || names.len() > 1, ..place };
        for name in names {
            let (name, certainty) = path::shown(&name);
            self.note(
                Family::Programs,
                Some(Operation::ProcExec),
                Target::Program { name },
                certainty,
                place,
            );
        }
    }

    fn shell(&mut self, lines: &[String], place: Place) {
        for line in lines {
            self.programs(vec!["sh".to_owned()], place);
            let line = shell::line(line);
            for file in line.written {
                self.paths(&[Operation::FsWrite, Operation::FsCreate], Some(Worth::text(file)), place);
            }
            for program in line.programs {
                self.programs(vec![program], Place { optional: place.optional || lines.len() > 1, ..place });
            }
        }
    }

    /// A list of arguments; or a line, which is for a shell where that is asked for.
    fn argv(&mut self, args: Option<Worth<'a>>, call: Option<&'a ExprCall>, place: Place) {
        let keyword =
            |name| call.and_then(|call| call.arguments.find_keyword(name)).map(|keyword| &keyword.value);
        let shell = keyword("shell").map(|shell| self.evaluation.worth_in(shell, place.scope));
        let is_shell = shell.is_some_and(|shell| shell.0 != [Thing::Int(0)]);
        if let Some(program) = keyword("executable") {
            let names = self.evaluation.worth_in(program, place.scope).texts();
            self.programs(names, place);
        }
        let things = args.unwrap_or_else(Worth::unknown).0;
        let place = Place { optional: place.optional || things.len() > 1, ..place };
        for thing in things {
            match thing {
                Thing::Items(items) => match items.first() {
                    Some(first) if is_shell => self.shell(&first.texts(), place),
                    Some(first) => self.programs(first.texts(), place),
                    None => {}
                },
                Thing::Text(line) | Thing::Path(line) if is_shell => self.shell(&[line], place),
                Thing::Text(name) | Thing::Path(name) => self.programs(vec![name], place),
                _ if is_shell => self.shell(&[GAP.to_string()], place),
                _ => self.programs(vec![GAP.to_string()], place),
            }
        }
    }
}

/// Objects that hold an open file or memory.
fn is_stream(kind: &str) -> bool {
    let name = kind.rsplit('.').next().unwrap_or_default();
    kind.starts_with("io.")
        || matches!(kind, "open" | "gzip.open" | "bz2.open" | "lzma.open")
        || matches!(name, "BytesIO" | "StringIO" | "TextIOWrapper" | "makefile")
}

/// What a mode of `open` asks for.
fn operations_of(mode: &str) -> &'static [Operation] {
    use Operation::{FsCreate, FsRead, FsWrite};
    let has = |letter: char| mode.contains(letter);
    match () {
        () if has(GAP) => &[FsRead, FsWrite, FsCreate],
        () if has('x') => &[FsWrite, FsCreate],
        () if (has('w') || has('a')) && has('+') => &[FsRead, FsWrite, FsCreate],
        () if has('w') || has('a') => &[FsWrite, FsCreate],
        () if has('+') => &[FsRead, FsWrite],
        () => &[FsRead],
    }
}

/// Each text with something behind it.
fn after<'a>(path: Worth<'a>, end: &str) -> Worth<'a> {
    path.map(|thing| match thing {
        Thing::Int(_) | Thing::Plain => thing.into(),
        thing => Worth::text(path::concat(&thing.as_text().unwrap_or(GAP.to_string()), end)),
    })
}
