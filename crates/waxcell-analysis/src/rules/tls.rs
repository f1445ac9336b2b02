//! B502, B503 and B504: versions of TLS that are broken.

use ruff_python_ast::{Expr, StmtFunctionDef};

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

const OLD_TLS: Rule = Rule {
    id: "",
    class: Class::Hygiene,
    name: "",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 327,
    summary: "a version of TLS is asked for that is broken",
    why: "SSL 2 and 3, TLS 1.0 and 1.1 do not keep a secret from whoever sits on the way.",
    help: "use `ssl.create_default_context`",
    fires: "import ssl\nssl.wrap_socket(s, ssl_version=ssl.PROTOCOL_SSLv3)\n",
    silent: "import ssl\nssl.wrap_socket(s, ssl_version=ssl.PROTOCOL_TLS_CLIENT)\n",
    differs: None,
    check: Check::Call(version),
};

pub(super) static VERSION: Rule = Rule { id: "B502", name: "ssl_with_bad_version", ..OLD_TLS };

pub(super) static DEFAULT: Rule = Rule {
    id: "B503",
    class: Class::Hygiene,
    name: "ssl_with_bad_defaults",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    summary: "the version of TLS that is used by default is broken",
    fires: "import ssl\ndef open(version=ssl.PROTOCOL_SSLv3): pass\n",
    silent: "import ssl\ndef open(version=ssl.PROTOCOL_TLS_CLIENT): pass\n",
    check: Check::Function(default),
    ..OLD_TLS
};

pub(super) static NO_VERSION: Rule = Rule {
    id: "B504",
    class: Class::Hygiene,
    name: "ssl_with_no_version",
    severity: Severity::Low,
    confidence: Confidence::Medium,
    summary: "no version of TLS is asked for, and the default may be a broken one",
    fires: "import ssl\nssl.wrap_socket(s)\n",
    check: Check::Call(no_version),
    ..OLD_TLS
};

fn version<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let bad = &context.options.ssl_with_bad_version.bad_protocol_versions;
    let is_bad = |keyword: &str| {
        let version = call.value(keyword).and_then(|value| value.text());
        version.is_some_and(|version| bad.iter().any(|one| one == version))
    };
    let at = match call.qualified.as_str() {
        "ssl.wrap_socket" => is_bad("ssl_version").then_some("ssl_version"),
        "pyOpenSSL.SSL.Context" => is_bad("method").then_some("method"),
        _ if is_bad("method") || is_bad("ssl_version") => {
            let at = if call.keyword("method").is_some() { "method" } else { "ssl_version" };
            let found = call.found_at(at).severity(Severity::Medium).confidence(Confidence::Medium);
            return Some(found.message("a version of TLS seems to be asked for that is broken"));
        }
        _ => None,
    };
    at.map(|at| call.found_at(at))
}

fn default(function: &StmtFunctionDef, context: &Context<'_>) -> Option<Found> {
    let bad = &context.options.ssl_with_bad_version.bad_protocol_versions;
    let parameters = function.parameters.posonlyargs.iter().chain(&function.parameters.args);
    let is_bad = parameters.filter_map(|parameter| parameter.default.as_deref()).any(
        |default| matches!(default, Expr::Attribute(version) if bad.iter().any(|one| *one == *version.attr)),
    );
    is_bad.then(|| Found::at(&function.name))
}

fn no_version<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    let missing = call.qualified == "ssl.wrap_socket" && call.value("ssl_version").is_none();
    missing.then(|| call.found_at("ssl_version"))
}
