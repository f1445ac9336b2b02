//! `hidden-code` and `code-in-text`: code that the script holds as text. Unpacking a payload finds most of it.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Made, Meaning};
use crate::sight::Sight;

pub(crate) static HIDDEN: Rule = Rule {
    id: "hidden-code",
    class: Class::Threat,
    name: "hidden-code",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 506,
    summary: "code is kept so that it cannot be read, and decoded to be run",
    why: "Whoever hides what a script does has a reason to.",
    help: "write the code out",
    fires: "import base64\nexec(base64.b64decode(\"cHJpbnQoMSk=\"))\n",
    silent: "import base64\nprint(base64.b64decode(\"aGVsbG8=\"))\n",
    differs: None,
    check: Check::Sight(check),
};

pub(crate) static IN_TEXT: Rule = Rule {
    id: "code-in-text",
    class: Class::Capability,
    name: "code-in-text",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 95,
    summary: "a text that is run as code does what is worth knowing",
    why: "It is easily overlooked there.",
    help: "write the code out",
    fires: "exec(\"import os\\nos.system(x)\")\n",
    silent: "exec(\"x = 1\")\n",
    differs: None,
    check: Check::Elsewhere,
};

/// What a text has that is code which does something.
const SIGNS: &[&str] = &[
    "import os",
    "import subprocess",
    "import socket",
    "import ctypes",
    "import pty",
    "import requests",
    "import urllib",
    "__import__(",
    "exec(",
    "eval(",
    "os.system(",
    "subprocess.",
    "os.popen(",
    "/bin/sh",
    "/bin/bash",
    "/dev/tcp/",
    "powershell",
    "cmd.exe",
    "curl ",
    "wget ",
    "__subclasses__",
    "__globals__",
    "from os import",
    "import sys",
];

/// Texts that are decoded to code, even where it is not seen who runs them.
fn check<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for &(expression, scope) in sight.names.made() {
        for value in sight.values(expression, scope) {
            let text = match &value {
                Meaning::Text(text, Made::Decoded) => text.to_string(),
                Meaning::Bytes(bytes, Made::Decoded) => String::from_utf8_lossy(bytes).into_owned(),
                _ => continue,
            };
            if let Some(sign) = SIGNS.iter().find(|sign| text.contains(**sign)) {
                let message = format!("a text is decoded that has code in it: `{}`", sign.trim());
                tell(Found::at(expression).message(message));
            }
        }
    }
}
