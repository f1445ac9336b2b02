use crate::{Capabilities, Profile, PythonVersion, scan};

fn capabilities(script: &str) -> Capabilities {
    let profile = Profile { capabilities: true, ..Profile::default() };
    scan("x.py", script.as_bytes(), PythonVersion::NEWEST, &profile).capabilities
}

/// Each capability in one line, in the order of the script, but for its modules: `fs.read data/x.json exact 3`, with `?` behind the
/// line where the script goes on without.
fn told(script: &str) -> Vec<String> {
    let capabilities = capabilities(script);
    assert!(capabilities.complete, "{script}");
    let one = |entry: &super::Capability| {
        let what = entry.operation.map_or(entry.family.name(), |operation| operation.name());
        let places = entry
            .places
            .iter()
            .map(|place| format!("{}{}", place.line, if place.optional { "?" } else { "" }));
        let places = places.collect::<Vec<_>>().join(",");
        format!("{what} {} {} {places}", entry.target, entry.certainty)
            .replace("  ", " ")
            .replace("(not known before it runs)", "*")
    };
    capabilities.entries.iter().filter(|entry| entry.family != super::Family::Modules).map(one).collect()
}

#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    for (script, expected) in cases {
        assert_eq!(told(script), *expected, "{script}");
    }
}

#[test]
fn files_are_found_by_what_opens_them() {
    check(&[
        ("open('a.txt')", &["fs.read a.txt exact 1"]),
        ("open('a.txt', 'w')", &["fs.write a.txt exact 1", "fs.create a.txt exact 1"]),
        ("open('a.txt', mode='r+b')", &["fs.read a.txt exact 1", "fs.write a.txt exact 1"]),
        ("import io as f\nf.open('/etc/passwd')", &["fs.read /etc/passwd exact 2"]),
        (
            "import os\nos.open('x', os.O_RDWR | os.O_CREAT)",
            &["fs.read x exact 2", "fs.write x exact 2", "fs.create x exact 2"],
        ),
        ("import os\nos.remove('data/x')", &["fs.delete data/x exact 2"]),
        (
            "import shutil\nshutil.copy('a', 'b')",
            &["fs.read a exact 2", "fs.write b exact 2", "fs.create b exact 2", "fs.chmod b exact 2"],
        ),
        ("import shutil\nshutil.rmtree('a')", &["fs.delete a exact 2", "fs.delete a/* pattern 2?"]),
        ("from shutil import move as m\nm('a', dst='b')", &["fs.rename a exact 2", "fs.rename b exact 2"]),
        (
            "import os\nos.makedirs('out', exist_ok=True)\nos.mkdir('x')",
            &["fs.create out exact 2?", "fs.create x exact 3"],
        ),
        ("import sys\nopen(sys.argv[1])", &["fs.read * unknown 2"]),
        ("open(0)\nopen(None)", &[]),
        ("import sqlite3\nsqlite3.connect(':memory:')", &[]),
        ("import logging\nlogging.basicConfig(level=1)", &[]),
        (
            "import glob\nfor p in glob.glob('in/*.csv'):\n    open(p)",
            &["fs.read in/*.csv pattern 2,3", "fs.read in exact 2"],
        ),
    ]);
}

#[test]
fn paths_are_followed() {
    check(&[
        ("x = 3\nopen(f'data/{x}.json')", &["fs.read data/3.json exact 2"]),
        ("import sys\nopen(f'data/{sys.argv[1]}.json')", &["fs.read data/*.json pattern 2"]),
        (
            "from pathlib import Path\nDATA = Path('data')\ndef f():\n    return (DATA / 'in' / 'x.json').read_text()\nf()",
            &["fs.read data/in/x.json exact 4"],
        ),
        (
            "from pathlib import Path\nHERE = Path(__file__).resolve().parent\n(HERE / 'x').write_text('')",
            &["fs.write {script's folder}/x exact 3", "fs.create {script's folder}/x exact 3"],
        ),
        (
            "import os\nopen(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'x'))",
            &["fs.read {script's folder}/../x exact 2"],
        ),
        ("import os\nopen(os.path.expanduser('~/.ssh/id_rsa'))", &["fs.read ~/.ssh/id_rsa exact 2"]),
        ("from pathlib import Path\nPath.home().joinpath('.aws').read_text()", &["fs.read ~/.aws exact 2"]),
        (
            "def load(path):\n    return open(path)\nload('a')\nload('b')",
            &["fs.read a exact 2?", "fs.read b exact 2?"],
        ),
        ("def at(name):\n    return 'data/' + name\nopen(at('x'))\n", &["fs.read data/x exact 3"]),
        (
            "class Store:\n    def __init__(self, path):\n        self.path = path\n    def load(self):\n        return open(self.path)\nStore('db').load()",
            &["fs.read db exact 5"],
        ),
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--out-file', default='o.txt')\na = p.parse_args()\nopen(a.out_file, 'r')",
            &["fs.read o.txt exact 5?", "fs.read * unknown 5?"],
        ),
        (
            "p = 'a'\nfor _ in range(3):\n    p = p + '/x'\nopen(p)",
            &["fs.read a exact 4?", "fs.read * unknown 4?"],
        ),
        ("C = {'path': 'x', 'n': 1}\nopen(C['path'])", &["fs.read x exact 2"]),
        (
            "for name in ['a', 'b']:\n    open('%s.txt' % name)",
            &["fs.read a.txt exact 2?", "fs.read b.txt exact 2?"],
        ),
        (
            "import tempfile, os\nd = tempfile.mkdtemp()\nopen(os.path.join(d, 'x'), 'w')",
            &[
                "fs.write /tmp exact 2",
                "fs.create /tmp exact 2",
                "fs.write /tmp/* pattern 2",
                "fs.create /tmp/* pattern 2",
                "fs.read /tmp/* pattern 2?",
                "fs.delete /tmp/* pattern 2?",
                "fs.write /tmp/*/x pattern 3",
                "fs.create /tmp/*/x pattern 3",
            ],
        ),
        ("def f(p):\n    p.unlink()\nf(object())", &["fs.delete * unknown 2"]),
    ]);
}

#[test]
fn hosts_are_found() {
    check(&[
        (
            "import urllib.request\nurllib.request.urlopen('https://api.example.org/x')",
            &["net.connect api.example.org:443 exact 2"],
        ),
        (
            "from urllib.request import Request, urlopen\nr = Request('http://e.org:81')\nurlopen(r)",
            &["net.connect e.org:81 exact 2,3"],
        ),
        (
            "import socket\ns = socket.socket()\ns.connect(('10.0.0.5', 4444))",
            &["net.connect 10.0.0.5:4444 exact 3"],
        ),
        (
            "import socket\nwith socket.create_server(('127.0.0.1', 0)) as s:\n    pass",
            &["net.listen 127.0.0.1 exact 2"],
        ),
        (
            "import smtplib\nsmtplib.SMTP('mail.example.org', 587)\nsmtplib.SMTP()",
            &["net.connect mail.example.org:587 exact 2"],
        ),
        (
            "import requests\ns = requests.Session()\ns.get(url='https://x.org')",
            &["net.connect x.org:443 exact 3"],
        ),
        ("import requests, sys\nrequests.post(sys.argv[1])", &["net.connect * unknown 2"]),
        (
            "import requests\nBASE = 'https://api.x.org'\nrequests.get(f'{BASE}/v1/{BASE}')",
            &["net.connect api.x.org:443 exact 3"],
        ),
        ("import http.client\nhttp.client.HTTPSConnection('x.org')", &["net.connect x.org:443 exact 2"]),
        ("import redis\nredis.Redis()", &["net.connect localhost:6379 exact 2"]),
        ("import socket\nsocket.gethostbyname('x.org')", &["net.dns x.org exact 2"]),
        (
            "import pandas as pd\npd.read_csv('a.csv').to_csv('b.csv')",
            &["fs.write b.csv exact 2", "fs.create b.csv exact 2", "fs.read a.csv exact 2"],
        ),
        ("import docker\ndocker.from_env()", &["ipc.unix /var/run/docker.sock exact 2"]),
    ]);
}

#[test]
fn programs_and_the_rest_are_found() {
    check(&[
        (
            "import subprocess\nsubprocess.run(['git', 'log'])",
            &["proc.exec git exact 2", "proc.fork exact 2"],
        ),
        (
            "import os\nos.system('cat a | sort')",
            &["proc.exec sh exact 2", "proc.exec cat exact 2", "proc.exec sort exact 2", "proc.fork exact 2"],
        ),
        (
            "import subprocess, sys\nsubprocess.check_output([sys.executable, '-c', ''])",
            &["proc.exec python3 exact 2", "proc.fork exact 2"],
        ),
        (
            "import os\nos.environ['HOME']\nos.getenv('X')\n'Y' in os.environ\ndict(os.environ)",
            &[
                "environment HOME exact 2",
                "environment X exact 3",
                "environment Y exact 4",
                "environment * unknown 5",
            ],
        ),
        ("import os\nos.environ['A'] = '1'", &[]),
        ("from threading import Thread\nclass T(Thread):\n    pass", &["threads exact 2"]),
        ("import ctypes\nctypes.CDLL('libc.so.6')", &["native libc.so.6 exact 2"]),
        ("eval(input())", &["code unknown 1"]),
        ("@exec\nclass X:\n    pass", &["code unknown 1"]),
        (
            "import os\nos.setuid(0)\nos.nice(5)\nos.nice(-5)\nos.kill(1, 9)",
            &["proc.identity exact 2", "proc.priority exact 4", "proc.signal exact 5"],
        ),
        (
            "from os import *\nsystem('id')",
            &["proc.exec sh exact 2", "proc.exec id exact 2", "proc.fork exact 2"],
        ),
        (
            "getattr(__import__('o' + 's'), 'sys' + 'tem')('id')",
            &["proc.exec sh exact 1", "proc.exec id exact 1", "proc.fork exact 1"],
        ),
        ("import os\nlist(map(os.remove, ['a']))", &["fs.delete * unknown 2"]),
    ]);
}

#[test]
fn what_a_script_can_do_without_is_told() {
    check(&[
        ("try:\n    open('a')\nexcept OSError:\n    pass", &["fs.read a exact 2?"]),
        ("try:\n    open('a')\nexcept OSError:\n    raise", &["fs.read a exact 2"]),
        ("try:\n    open('a')\nexcept ValueError:\n    pass", &["fs.read a exact 2"]),
        ("import os\nif os.path.exists('a'):\n    open('a')", &["fs.read a exact 2?,3?"]),
        ("def f():\n    open('a')\ntry:\n    f()\nexcept Exception:\n    pass", &["fs.read a exact 2?"]),
        ("def f():\n    open('a')\n", &["fs.read a exact 2?"]),
        ("def f():\n    open('a')\nf()", &["fs.read a exact 2"]),
    ]);
}

#[test]
fn modules_are_of_use_without_a_network_or_not() {
    let network = |script: &str| {
        let capabilities = capabilities(script);
        let modules = capabilities.entries.into_iter().filter_map(|entry| match entry.target {
            super::Target::Module { name: Some(name), network: true } => Some(name),
            _ => None,
        });
        modules.collect::<Vec<_>>().join(" ")
    };
    for (script, expected) in [
        ("import socket", "socket"),
        ("import socket\nprint(socket.gethostname())", ""),
        ("import socket\nsocket.create_connection(('a', 1))", "socket"),
        ("import socket as s\ndef f(x: s.AF_INET): pass\nf(s)", "socket"),
        ("from http import HTTPStatus\nimport urllib.parse", ""),
        ("from urllib import request\nrequest.urlopen(x)", "urllib.request"),
        ("import http.client\nhttp.client.responses[200]", ""),
        ("from socket import gethostname", ""),
        ("from socket import *", "socket"),
    ] {
        assert_eq!(network(script), expected, "{script}");
    }
}
