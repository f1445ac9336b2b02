//! What a script has imported so far, and so what its names mean.
//!
//! The resolver knows imports and their aliases and no scopes: a name means what the last import before it, in whatever
//! function, has made of it. That is what Bandit knows, and its ids are compared with Bandit's findings.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use ruff_python_ast::{Expr, StmtImport, StmtImportFrom};

/// No dotted name that means anything is longer, in bytes. A longer one stands for nothing, so that a name of a
/// megabyte is not copied for each of its uses.
pub(crate) const MAX_NAME: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Imports<'a> {
    /// What a name stands for.
    aliases: HashMap<&'a str, Cow<'a, str>>,
    /// The dotted name of everything that was imported.
    names: HashSet<Cow<'a, str>>,
    /// The same, one a line, in the order of the script.
    lines: String,
    /// What was asked of the lines: up to where, and whether it was there.
    asked: RefCell<HashMap<&'static str, (usize, bool)>>,
}

impl<'a> Imports<'a> {
    pub(crate) fn import(&mut self, import: &'a StmtImport) {
        for alias in &import.names {
            self.take(alias.asname.as_ref().map(|name| name.as_str()), Cow::Borrowed(alias.name.as_str()));
        }
    }

    pub(crate) fn import_from(&mut self, import: &'a StmtImportFrom) {
        for alias in &import.names {
            let (name, asname) = (alias.name.as_str(), alias.asname.as_ref().map(|name| name.as_str()));
            match &import.module {
                // `from . import name`: as if it was a module of its own.
                None => self.take(asname, Cow::Borrowed(name)),
                Some(module) => {
                    self.take(Some(asname.unwrap_or(name)), Cow::Owned(format!("{module}.{name}")));
                }
            }
        }
    }

    fn take(&mut self, alias: Option<&'a str>, name: Cow<'a, str>) {
        if name.len() > MAX_NAME {
            return;
        }
        self.lines.push_str(&name);
        self.lines.push('\n');
        if let Some(alias) = alias {
            self.aliases.insert(alias, name.clone());
        }
        self.names.insert(name);
    }

    /// Whether exactly this was imported.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether this is part of the name of anything that was imported.
    pub(crate) fn mention(&self, part: &'static str) -> bool {
        let mut asked = self.asked.borrow_mut();
        let (upto, found) = asked.entry(part).or_default();
        if !*found {
            *found = self.lines[*upto..].contains(part);
            *upto = self.lines.len();
        }
        *found
    }

    /// The qualified name of what is called or read: `subprocess.run` for `sp.run` after `import subprocess as sp`. Of
    /// something that has no name (`f().run`, `x[0].run`) only what follows it, from the dot on; of something that is no
    /// chain of names, nothing.
    pub(crate) fn qualified(&self, expression: &Expr) -> String {
        let mut names = Vec::new();
        let mut length = 0;
        let mut at = expression;
        while let Expr::Attribute(attribute) = at {
            names.push(attribute.attr.as_str());
            length += attribute.attr.len() + 1;
            at = &attribute.value;
        }
        let root = match at {
            Expr::Name(name) => self.aliases.get(name.id.as_str()).map_or(name.id.as_str(), |full| full),
            _ => "",
        };
        if root.len() + length > MAX_NAME {
            return String::new();
        }
        let mut qualified = String::with_capacity(root.len() + length);
        qualified.push_str(root);
        for name in names.iter().rev() {
            qualified.push('.');
            qualified.push_str(name);
        }
        qualified
    }
}
