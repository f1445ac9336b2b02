//! `dynamic-import`: modules and files whose names are chosen when the script runs.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Meaning, Piece};
use crate::sight::{Sight, Used};

pub(super) static RULE: Rule = Rule {
    id: "dynamic-import",
    class: Class::Capability,
    name: "dynamic-import",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 829,
    summary: "which code is loaded is chosen when the script runs",
    why: "What is loaded is not part of what was judged.",
    help: "import modules by their names",
    fires: "import importlib\nimportlib.import_module(name)\n",
    silent: "import importlib\nimportlib.import_module(\"json\")\n",
    differs: None,
    check: Check::Use(NAMES, check),
};

const NAMES: &[&str] = &[
    "sys.path.insert",
    "sys.path.append",
    "__import__",
    "importlib.import_module",
    "importlib.__import__",
    "imp.load_source",
    "imp.load_module",
    "imp.load_compiled",
    "imp.load_dynamic",
    "imp.init_builtin",
    "importlib.machinery.SourceFileLoader",
    "importlib.machinery.SourcelessFileLoader",
    "importlib.machinery.ExtensionFileLoader",
    "importlib.util.spec_from_file_location",
    "importlib.util.spec_from_loader",
    "runpy.run_path",
    "runpy.run_module",
    "runpy._run_code",
    "runpy._run_module_code",
    "zipimport.zipimporter",
    "pkgutil.resolve_name",
    "pydoc.locate",
    "pydoc.safeimport",
    "pydoc.importfile",
    "importlib.machinery.BuiltinImporter.load_module",
    "importlib.machinery.FrozenImporter.load_module",
    "importlib.machinery.BuiltinImporter.create_module",
    "__loader__.load_module",
    "__spec__.loader.load_module",
    "__loader__.create_module",
    "pkg_resources.load_entry_point",
    "site.addsitedir",
    "site.addpackage",
    "django.utils.module_loading.import_string",
    "werkzeug.utils.import_string",
    "_frozen_importlib._gcd_import",
    "_frozen_importlib.BuiltinImporter.load_module",
    "_frozen_importlib._load",
    "importlib._bootstrap._load",
    "importlib._bootstrap._gcd_import",
    "importlib._bootstrap.BuiltinImporter.load_module",
    "importlib._bootstrap_external.SourceFileLoader",
    "sys.modules.*",
    "test.support.import_helper.import_fresh_module",
    "importlib.util.find_spec.loader.load_module",
];

/// What is given the name of a module, and knows it from there.
fn is_by_name(name: &str) -> bool {
    matches!(
        name,
        "__import__"
            | "importlib.import_module"
            | "importlib.__import__"
            | "runpy.run_module"
            | "django.utils.module_loading.import_string"
            | "werkzeug.utils.import_string"
    )
}

fn check<'a>(used: &Used<'a>, sight: &Sight<'a, '_>) -> Option<Found> {
    used.call()?;
    // Of everything below a name, only what is called `*`: which one it is is not known.
    if used.name.starts_with("sys.modules.") && !used.name.ends_with('*') {
        return None;
    }
    if used.name.starts_with("sys.path.") {
        let words = used.call().map(|call| sight.words(call, used.scope)).unwrap_or_default();
        let is_archive =
            |word: &String| [".zip", ".egg", ".whl", ".pyz"].iter().any(|end| word.ends_with(end));
        let archive = words.iter().find(|word| is_archive(word))?;
        return Some(Found::at(&used.range).message(format!("modules are imported from `{archive}`")));
    }
    let given = sight.given(used, 0, "name");
    let is_known = |value: &Meaning<'_>| match value {
        Meaning::Text(..) => true,
        // A name with a package in front, and a gap behind.
        Meaning::Pattern(pieces) => matches!(pieces.first(), Some(Piece::Text(text)) if text.contains('.')),
        _ => false,
    };
    if is_by_name(&used.name) && !given.is_empty() && given.iter().all(is_known) {
        return None;
    }
    let message = match sight.names.source(&given) {
        Some(source) => format!("`{}` loads what is named by {}", used.name, sight.source(source)),
        None => format!("`{}` loads code that is chosen when the script runs", used.name),
    };
    Some(Found::at(&used.range).message(message))
}
