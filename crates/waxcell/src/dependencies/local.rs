//! Modules that lie beside a script: its folder comes first where Python looks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What was looked for already.
#[derive(Debug, Default)]
pub(super) struct Local(HashMap<(PathBuf, String), Kind>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    None,
    Module,
    /// A folder without `__init__.py`, which yields to whatever is found later.
    Folder,
}

impl Local {
    /// Whether an import in a script of this folder finds a file there; `is_installed` says whether there is another one.
    pub(super) fn has(&mut self, folder: &Path, module: &str, is_installed: bool) -> bool {
        let top = module.split('.').next().unwrap_or_default();
        let key = (folder.to_owned(), top.to_owned());
        match *self.0.entry(key).or_insert_with(|| look(folder, top)) {
            Kind::None => false,
            Kind::Module => true,
            Kind::Folder => !is_installed,
        }
    }
}

fn look(folder: &Path, top: &str) -> Kind {
    // What stands before the first dot of a relative import, and what is no name.
    if top.is_empty() {
        return Kind::Module;
    }
    let package = folder.join(top);
    match () {
        () if top.contains(['/', '\0']) => Kind::None,
        () if folder.join(format!("{top}.py")).is_file() || package.join("__init__.py").is_file() => {
            Kind::Module
        }
        () if package.is_dir() => Kind::Folder,
        () => Kind::None,
    }
}
