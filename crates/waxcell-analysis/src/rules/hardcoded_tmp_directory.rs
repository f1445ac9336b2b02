//! B108: paths in folders that everybody may write to.

use super::{Check, Rule};
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::text::Text;

pub(super) static RULE: Rule = Rule {
    id: "B108",
    class: Class::Hygiene,
    name: "hardcoded_tmp_directory",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 377,
    summary: "a path in a folder that everybody may write to",
    why: "Another user can make the file first, or put a link in its place.",
    help: "let `tempfile` make the file or the folder",
    fires: "open('/tmp/report', 'w')\n",
    silent: "open('report', 'w')\n",
    differs: None,
    check: Check::Text(check),
};

fn check<'a>(text: &Text<'a>, context: &Context<'a>) -> Option<Found> {
    let folders = &context.options.hardcoded_tmp_directory.tmp_dirs;
    folders.iter().any(|folder| text.value.starts_with(folder.as_str())).then(|| text.found())
}
