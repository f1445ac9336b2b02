use std::collections::BTreeSet;

use super::Names;
use crate::version::PythonVersion;
use crate::walk::Walk;

/// The names that a script calls, imports and mentions, each with its kind in front.
fn uses(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let problems = crate::parse::parse(source, PythonVersion::new(3, 13), |body, _| {
        let mut names = Names::new();
        let (mut walk, mut path) = (Walk::new(body), Vec::new());
        while walk.next(&mut path).is_some() {
            names.see(&path);
        }
        found.extend(names.imported().iter().map(|(name, _, _)| format!("import {name}")));
        let calls = names.calls().iter().map(|&(call, scope)| ("call", &*call.func, scope));
        let reads = names.references().iter().map(|&(expression, scope)| ("read", expression, scope));
        for (kind, expression, scope) in calls.chain(reads) {
            found.extend(names.names_of(expression, scope).iter().map(|name| format!("{kind} {name}")));
        }
        Vec::new()
    });
    assert!(problems.is_empty(), "{source}: {problems:?}");
    found
}

#[test]
fn names_are_followed_to_where_they_come_from() {
    for (source, expected) in [
        ("import os\nos.system(x)\n", "call os.system"),
        ("import os as o\no.system(x)\n", "call os.system"),
        ("import os.path\nos.system(x)\n", "call os.system"),
        ("from os import system as s\ns(x)\n", "call os.system"),
        ("from os import *\nsystem(x)\n", "call os.system"),
        ("import os\ns = os.system\ns(x)\n", "call os.system"),
        ("import os\na, b = os.system, 1\na(x)\n", "call os.system"),
        ("import os\n(o := os).system(x)\n", "call os.system"),
        ("import os\ndef f(): s(x)\ns = os.system\n", "call os.system"),
        (
            "import os\nclass A:\n def __init__(self): self.s = os.system\n def f(self): self.s(x)\n",
            "call os.system",
        ),
        ("import os\nf = os.system if x else print\nf(x)\n", "call os.system"),
        ("import os\nif x: f = os.system\nelse: f = print\nf(x)\n", "call os.system"),
        ("import os\nx = os.environ['A']\n", "read os.environ"),
        ("import socket\ns = socket.socket()\ns.connect(x)\n", "call socket.socket.connect"),
        ("import socket\nwith socket.socket() as s: s.connect(x)\n", "call socket.socket.connect"),
        ("def f():\n import os\n return os\nf().system(x)\n", "call os.system"),
        ("import os\n(lambda: os)().system(x)\n", "call os.system"),
        ("import posix\nposix.system(x)\n", "call os.system"),
        ("import builtins\nbuiltins.exec(x)\n", "call exec"),
        ("print(x)\n", "call print"),
        ("import a.b\n", "import a.b"),
        ("from a.b import c\n", "import a.b"),
    ] {
        let found = uses(source);
        assert!(found.contains(expected), "{source}: {found:?}");
    }
}

#[test]
fn names_of_other_scopes_are_other_names() {
    for (source, not) in [
        ("def f():\n from os import system as s\ns(x)\n", "call os.system"),
        ("class A:\n from os import system as s\n def f(self): s(x)\n", "call os.system"),
        ("from . import os\nos.system(x)\n", "call os.system"),
        ("def f(): system = print\nfrom os import *\ndef g(system): system(x)\n", "call os.system"),
    ] {
        let found = uses(source);
        assert!(!found.contains(not), "{source}: {found:?}");
    }
}
