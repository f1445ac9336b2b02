//! B324: broken hashes of the standard library.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::Value;

const WEAK: [&str; 4] = ["md4", "md5", "sha", "sha1"];
const WEAK_METHODS: [&str; 3] = ["METHOD_CRYPT", "METHOD_MD5", "METHOD_BLOWFISH"];

pub(super) static RULE: Rule = Rule {
    id: "B324",
    class: Class::Hygiene,
    name: "hashlib_insecure_functions",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 327,
    summary: "the hash is broken: two texts with the same one can be made",
    why: "MD4, MD5 and SHA-1 prove nothing about who wrote a text. Of medium severity for methods of `crypt` that are tried out fast.",
    help: "use SHA-256 or better, or pass `usedforsecurity=False` where it protects nothing",
    fires: "import hashlib\nhashlib.md5(text)\n",
    silent: "import hashlib\nhashlib.md5(text, usedforsecurity=False)\n",
    differs: None,
    check: Check::Call(check),
};

fn check<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    if call.has_part("hashlib") {
        let name = match call.name() {
            "new" => first_of(call, 0, "name")?.to_ascii_lowercase(),
            name => name.to_owned(),
        };
        let for_security =
            call.keyword("usedforsecurity").is_none() || call.value_is("usedforsecurity", "True");
        return (WEAK.contains(&name.as_str()) && for_security).then(|| call.found());
    }
    if !call.has_part("crypt") {
        return None;
    }
    let method = match call.name() {
        "crypt" => first_of(call, 1, "salt"),
        "mksalt" => first_of(call, 0, "method"),
        _ => None,
    };
    let found =
        || call.found().severity(Severity::Medium).message("passwords hashed like this are tried out fast");
    method.filter(|method| WEAK_METHODS.contains(method)).map(|_| found())
}

/// The argument at this position; by this keyword if there are not so many.
fn first_of<'a>(call: &Call<'a>, position: usize, keyword: &str) -> Option<&'a str> {
    let value = if call.args().len() > position { call.arg(position) } else { call.value(keyword) };
    value.as_ref().and_then(Value::text)
}
