//! The table of what calls do, `table.txt`: read once, and the same on every machine.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use waxcell_operations::Operation;

/// What a call of a name does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) verb: Verb,
    /// Which arguments say to what.
    pub(super) slots: Vec<Slot>,
    /// What holds where they are not given.
    pub(super) words: Vec<&'static str>,
}

/// Which argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The path whose method is called.
    Own,
    /// The one at this position, or under one of these names.
    Argument(Option<usize>, Vec<&'static str>),
}

macro_rules! verbs {
    ($($variant:ident = $name:literal,)*) => {
        /// What is done; what each means stands at the top of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Verb {
            $($variant,)*
            /// An operation that needs no target.
            Does(Operation),
        }

        impl Verb {
            fn parse(name: &str) -> Option<Verb> {
                match name {
                    $($name => Some(Verb::$variant),)*
                    _ => Operation::ALL.iter().find(|operation| operation.name() == name).copied().map(Verb::Does),
                }
            }
        }
    };
}

verbs! {
    Address = "address", Append = "append", Archive = "archive", Argv = "argv", Chmod = "chmod", ChmodTree = "chmodtree", Chown = "chown",
    Code = "code", Create = "create", Database = "database", Datagram = "datagram", Delete = "delete", DeleteTree = "deletetree", Dns = "dns",
    Elsewhere = "elsewhere", Descriptor = "fd", Glob = "glob", Host = "host", Ioctl = "ioctl", Kill = "kill", Library = "lib",
    Limits = "limits", Link = "link", Listen = "listen", ListenHost = "listenhost", Look = "look", Make = "make",
    MakeAll = "makedirs", MakeFolder = "mkdir", Mknod = "mknod", Module = "module", Mongo = "mongo", Mount = "mount",
    Nothing = "nothing", Open = "open", Priority = "priority", Program = "program", Read = "read", ReadTree = "readtree", Rename = "rename",
    Resource = "resource", Rotate = "rotate", Scratch = "scratch", Shell = "shell", Stem = "stem", Thread = "thread",
    Unix = "unix", Url = "url", Variable = "variable", Write = "write", WriteTree = "writetree", Xattr = "xattr",
}

struct Table {
    effects: HashMap<&'static str, Vec<Effect>>,
    aliases: HashMap<&'static str, &'static str>,
    network: HashSet<&'static str>,
    offline: HashSet<&'static str>,
    /// Modules that have names in it.
    modules: HashSet<&'static str>,
    /// Methods that only paths have, by name.
    of_paths: HashMap<&'static str, &'static str>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("table.txt")));

/// Names that other objects have as well: a method of these on what is not known says nothing.
const COMMON: [&str; 14] = [
    "open", "replace", "rename", "copy", "move", "group", "owner", "walk", "glob", "exists", "stat", "chmod",
    "touch", "mkdir",
];

impl Table {
    fn read(text: &'static str) -> Table {
        let (effects, aliases) = (HashMap::new(), HashMap::new());
        let (network, offline, modules) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut table = Table { effects, aliases, network, offline, modules, of_paths: HashMap::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.split(' ');
            match words.next() {
                Some("alias") => {
                    if let (Some(new), Some(old)) = (words.next(), words.next()) {
                        table.aliases.insert(new, old);
                    }
                }
                Some("network") => table.network.extend(words),
                Some("offline") => table.offline.extend(words),
                _ => {
                    let Some((names, effects)) = line.split_once(": ") else { continue };
                    let effects: Vec<Effect> = effects.split(", ").filter_map(effect).collect();
                    for name in names.split(' ') {
                        table.effects.entry(name).or_default().extend(effects.iter().cloned());
                    }
                }
            }
        }
        for name in table.effects.keys() {
            // Classes begin with a capital letter.
            let holders = name.match_indices('.').map(|(dot, _)| &name[..dot]);
            let is_module = |holder: &&str| {
                let last = holder.rsplit('.').next().unwrap_or_default();
                last.starts_with(|letter: char| letter.is_ascii_lowercase()) && last != "environ"
            };
            table.modules.extend(holders.take_while(is_module));
            if let Some(method) = name.strip_prefix("pathlib.Path.").filter(|method| !COMMON.contains(method))
            {
                table.of_paths.insert(method, name);
            }
        }
        table
    }
}

fn effect(text: &'static str) -> Option<Effect> {
    let mut words = text.split(' ').peekable();
    let verb = Verb::parse(words.next()?)?;
    let mut slots = Vec::new();
    while let Some(word) = words.next_if(|word| !word.starts_with('=')) {
        slots.push(match word {
            "self" => Slot::Own,
            position => {
                let names = words.next_if(|word| !word.starts_with('=')).unwrap_or_default();
                Slot::Argument(position.parse().ok(), names.split('/').filter(|name| *name != "-").collect())
            }
        });
    }
    Some(Effect { verb, slots, words: words.map(|word| &word[1..]).collect() })
}

/// What a call of this name does, as far as it is known.
pub(super) fn effects(name: &str) -> Option<&'static [Effect]> {
    TABLE.effects.get(name).map(Vec::as_slice)
}

/// Whether the table has this name, or something below it.
pub(super) fn knows(name: &str) -> bool {
    TABLE.effects.contains_key(&*canonical(name))
}

/// Whether this is a module, as far as the table knows it.
pub(super) fn is_module(name: &str) -> bool {
    TABLE.modules.contains(name) || TABLE.network.contains(name)
}

/// What a method of this name does to the path that has it, where it is not known that it is one.
pub(super) fn method_of_paths(name: &str) -> Option<&'static str> {
    TABLE.of_paths.get(name).copied()
}

/// How much of a name can stand in the table: none there has more than so many parts.
fn longest(name: &str) -> usize {
    name.match_indices('.').nth(7).map_or(name.len(), |(dot, _)| dot)
}

/// The name under which something stands in the table.
pub(super) fn canonical(name: &str) -> Cow<'_, str> {
    let mut end = longest(name);
    loop {
        if let Some(old) = TABLE.aliases.get(&name[..end]) {
            return Cow::Owned(format!("{old}{}", &name[end..]));
        }
        match name[..end].rfind('.') {
            Some(dot) => end = dot,
            None => return Cow::Borrowed(name.strip_prefix("builtins.").unwrap_or(name)),
        }
    }
}

/// The module of no use without a network that this is, or is part of.
pub(super) fn network_module(name: &str) -> Option<&'static str> {
    let mut end = longest(name);
    loop {
        if let Some(module) = TABLE.network.get(&name[..end]) {
            return Some(module);
        }
        end = name[..end].rfind('.')?;
    }
}

/// Whether this, of a module of no use without a network, is of use without.
pub(super) fn is_offline(name: &str) -> bool {
    let mut end = longest(name);
    loop {
        if TABLE.offline.contains(&name[..end]) {
            return true;
        }
        match name[..end].rfind('.') {
            Some(dot) => end = dot,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        for line in
            include_str!("table.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if let Some((_, effects)) = line.split_once(": ") {
                for text in effects.split(", ") {
                    assert!(effect(text).is_some(), "{line}: {text}");
                }
            } else {
                let kind = line.split(' ').next();
                assert!(matches!(kind, Some("alias" | "network" | "offline")), "{line}");
            }
        }
    }

    #[test]
    fn names_have_one_form() {
        for (name, form) in [
            ("posix.unlink", "os.unlink"),
            ("io.open", "open"),
            ("builtins.exec", "exec"),
            ("requests.sessions.Session.get", "requests.Session.get"),
            ("os.path.join", "os.path.join"),
        ] {
            assert_eq!(canonical(name), form);
        }
        assert_eq!(network_module("http.client.HTTPConnection"), Some("http.client"));
        assert_eq!(network_module("http.HTTPStatus"), None);
        assert!(is_offline("requests.exceptions.Timeout") && !is_offline("requests.get"));
    }
}
