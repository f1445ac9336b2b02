//! B202: archives that unpack to wherever they say.

use ruff_python_ast::Expr;

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::string;

pub(super) static RULE: Rule = Rule {
    id: "B202",
    class: Class::Hygiene,
    name: "tarfile_unsafe_members",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 22,
    summary: "an archive is unpacked to wherever its members say",
    why: "A member may be named `../../etc/passwd`, or be a link. Where `members` chooses what is unpacked, the finding is a milder one.",
    help: "pass `filter='data'`",
    fires: "import tarfile\ntarfile.open('a.tar').extractall()\n",
    silent: "import tarfile\ntarfile.open('a.tar').extractall(filter='data')\n",
    differs: Some(
        "Bandit crashes on `members=module.function()` and finds nothing; it is taken for any other function.",
    ),
    check: Check::Call(check),
};

fn check<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    if !call.name().contains("extractall") || !context.imports.has("tarfile") {
        return None;
    }
    if call.keyword("filter").and_then(|filter| string(&filter.value)) == Some("data") {
        return None;
    }
    let found = call.found();
    Some(match call.keyword("members").map(|members| &members.value) {
        None => found,
        Some(Expr::Call(_)) => found
            .severity(Severity::Low)
            .confidence(Confidence::Low)
            .message("a function chooses what of an archive is unpacked; see that it leaves no path outside"),
        Some(_) => found
            .severity(Severity::Medium)
            .confidence(Confidence::Medium)
            .message("what of an archive is unpacked depends on a value that is not known here"),
    })
}
