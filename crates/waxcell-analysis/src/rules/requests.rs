//! B113 and B501: requests over HTTP that wait for ever, or believe anybody.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

const VERBS: [&str; 7] = ["get", "options", "head", "post", "put", "patch", "delete"];
const HTTPX: [&str; 4] = ["request", "stream", "Client", "AsyncClient"];

pub(super) static NO_TIMEOUT: Rule = Rule {
    id: "B113",
    class: Class::Hygiene,
    name: "request_without_timeout",
    severity: Severity::Medium,
    confidence: Confidence::Low,
    cwe: 400,
    summary: "the request may wait for ever",
    why: "A server that does not answer stops the script.",
    help: "pass a `timeout` in seconds",
    fires: "import requests\nrequests.get(address)\n",
    silent: "import requests\nrequests.get(address, timeout=10)\n",
    differs: None,
    check: Check::Call(no_timeout),
};

pub(super) static NO_VERIFICATION: Rule = Rule {
    id: "B501",
    class: Class::Hygiene,
    name: "request_with_no_cert_validation",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 295,
    summary: "the server's certificate is not checked",
    why: "Anybody on the way can answer in the server's name.",
    help: "leave `verify` out, or pass the file of your own certificate authority",
    fires: "import requests\nrequests.get(address, timeout=10, verify=False)\n",
    silent: "import requests\nrequests.get(address, timeout=10, verify='authority.pem')\n",
    differs: None,
    check: Check::Call(no_verification),
};

fn is_request(call: &Call<'_>) -> bool {
    let (library, name) = (call.root(), call.name());
    match library {
        "requests" => VERBS.contains(&name),
        "httpx" => VERBS.contains(&name) || HTTPX.contains(&name),
        _ => false,
    }
}

fn no_timeout<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    if !is_request(call) {
        return None;
    }
    // httpx has a default; and a value that has to be computed is as good as none.
    let missing = call.root() == "requests" && call.value("timeout").is_none();
    (missing || call.value_is("timeout", "None")).then(|| call.found())
}

fn no_verification<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    (is_request(call) && call.value_is("verify", "False")).then(|| call.found_at("verify"))
}
