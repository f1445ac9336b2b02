use std::path::Path;

use waxcell_analysis::{Profile, PythonVersion, scan};

use super::{Seen, outside};
use crate::policy;

const PROJECT: &str = "/work/project";

/// What is certain, each as `line what [edits]`, and behind `?` what is not.
fn told(script: &str, policy: &str) -> Vec<String> {
    let project = Path::new(PROJECT);
    let policy = match policy {
        "" => policy::builtin(project),
        text => policy::parse(text, &project.join("security_policy.yml"), project).unwrap(),
    };
    let profile = Profile { capabilities: true, ..Profile::default() };
    let analysis = scan("x.py", script.as_bytes(), PythonVersion::NEWEST, &profile);
    let seen = Seen { cwd: project, script: &project.join("scripts"), project: Some(project), roots: &[] };
    let all = outside(&analysis.capabilities, &policy, &seen);
    let one = |outside: super::Outside| {
        let edits: Vec<String> = outside.edits.iter().map(ToString::to_string).collect();
        let mark = if outside.certain { "" } else { "?" };
        format!("{mark}{} {} [{}]", outside.line, outside.what, edits.join(", and "))
    };
    all.into_iter().map(one).collect()
}

#[track_caller]
fn check(cases: &[(&str, &str, &[&str])]) {
    for (script, policy, expected) in cases {
        assert_eq!(told(script, policy), *expected, "{script}\n{policy}");
    }
}

const DATA: &str = "filesystem: {allowed_paths: [./data], blocked_operations: [delete]}";
const NET: &str = "network: {allowed_domains: [{name: api.example.org, ports: [443]}, '*.cdn.example.org'], allow_addresses: [10.0.0.0/24]}";

#[test]
fn what_is_not_followed_to_its_end_is_refused() {
    let told = told(&"open(x)\n".repeat(60_000), "");
    assert_eq!(told[0], "1 is too much for what it can use to be followed to its end []");
}

#[test]
fn a_network_that_is_not_given() {
    check(&[
        (
            "import requests\nrequests.get('https://api.example.org/x')",
            "",
            &[
                "1 imports `requests`, and this policy gives no network [add `api.example.org` to network.allowed_domains]",
                "2 connects to `api.example.org:443`, and this policy gives no network [add `api.example.org` to network.allowed_domains]",
            ],
        ),
        (
            "import socket, sys\nsocket.create_connection((sys.argv[1], 80))",
            "",
            &[
                "1 imports `socket`, and this policy gives no network: add a name to network.allowed_domains, or leave the import out []",
            ],
        ),
        ("import socket\nprint(socket.gethostname())", "", &[]),
        ("import urllib.parse\nfrom http import HTTPStatus", "", &[]),
        (
            "try:\n    import requests\nexcept ImportError:\n    requests = None",
            "",
            &[
                "?2 imports `requests`, and this policy gives no network: add a name to network.allowed_domains, or leave the import out []",
            ],
        ),
        (
            "import socket\ns = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(s.getsockname())",
            "",
            &[],
        ),
        ("import http.server\nhttp.server.HTTPServer(('', 8000), None)", "", &[]),
        (
            "import socket\nsocket.create_connection(('localhost', 1))",
            "network: {loopback: false}",
            &[
                "1 imports `socket`, and this policy gives no network: add a name to network.allowed_domains, or leave the import out []",
                "2 connects to `localhost:1`, and this policy gives no loopback [write `true` for network.loopback]",
            ],
        ),
    ]);
}

#[test]
fn hosts_that_are_not_named() {
    check(&[
        (
            "import requests\nrequests.get('https://api.example.org/x')\nrequests.get('https://a.cdn.example.org:8443')",
            NET,
            &[],
        ),
        (
            "import requests\nrequests.get('http://api.example.org/x')",
            NET,
            &[
                "2 connects to `api.example.org:80`, which this policy does not name [add `api.example.org` to network.allowed_domains]",
            ],
        ),
        (
            "import requests\nrequests.get('https://evil.example')",
            NET,
            &[
                "2 connects to `evil.example:443`, which this policy does not name [add `evil.example` to network.allowed_domains]",
            ],
        ),
        ("import socket\nsocket.create_connection(('10.0.0.7', 5432))", NET, &[]),
        (
            "import socket\nsocket.create_connection(('10.0.1.7', 22))",
            NET,
            &[
                "2 connects to `10.0.1.7:22`, and this policy blocks port 22 [add `10.0.1.7` to network.allow_addresses, and leave `22` out of network.blocked_ports]",
            ],
        ),
        (
            "import requests, sys\nrequests.get(sys.argv[1])\nrequests.get(f'https://{sys.argv[2]}.example.net')",
            NET,
            &[],
        ),
        (
            "import docker\ndocker.from_env()",
            NET,
            &["2 reaches for the UNIX socket `/var/run/docker.sock` of the host, and no run may do that []"],
        ),
    ]);
}

#[test]
fn paths_that_are_not_there() {
    check(&[
        (
            "open('config.yml')\nopen('/usr/share/x')\nopen('/etc/passwd')\nopen('/proc/self/status')\nopen('/tmp/x', 'w')\nopen('/dev/null', 'w')",
            "",
            &[],
        ),
        (
            "open('/etc/shadow')",
            "",
            &[
                "1 reads `/etc/shadow`, which no run sees unless its policy names it [add `{path: /etc/shadow, access: read}` to filesystem.allowed_paths]",
            ],
        ),
        (
            "open('../other/x')",
            "",
            &[
                "1 reads `../other/x`, which no run sees unless its policy names it [add `{path: /work/other/x, access: read}` to filesystem.allowed_paths]",
            ],
        ),
        ("import os\nos.listdir('/')\nos.listdir('/work')", "", &[]),
        (
            "import os\nopen(os.path.expanduser('~/.ssh/id_rsa'))",
            "",
            &[
                "2 reads `~/.ssh/id_rsa`, and a run has a home folder of its own, which is empty: name what it needs by its absolute path in filesystem.allowed_paths []",
            ],
        ),
        ("import os\np = os.path.expanduser('~/.cache/x')\nopen(p, 'w')\nopen(p)", "", &[]),
        (
            "open('.env')",
            "",
            &[
                "1 reads `.env`, which may hold credentials, and this policy does not name it [add `{path: ./.env, access: read}` to filesystem.allowed_paths]",
            ],
        ),
        (
            "open('secret/x')",
            "filesystem: {allowed_paths: [{path: ./secret, access: none}]}",
            &[
                "1 reads `secret/x`, and this policy withholds `./secret` [add `{path: ./secret/x, access: read}` to filesystem.allowed_paths]",
            ],
        ),
        (
            "import sys\nopen(sys.argv[1])\nopen(f'/srv/{sys.argv[1]}')",
            "",
            &[
                "3 reads `/srv/*`, which no run sees unless its policy names it [add `{path: /srv, access: read}` to filesystem.allowed_paths]",
            ],
        ),
        (
            "try:\n    open('/etc/shadow')\nexcept OSError:\n    pass",
            "",
            &[
                "?2 reads `/etc/shadow`, which no run sees unless its policy names it [add `{path: /etc/shadow, access: read}` to filesystem.allowed_paths]",
            ],
        ),
    ]);
}

#[test]
fn paths_that_are_not_writable() {
    check(&[
        ("open('data/x', 'w')\nopen('/tmp/x', 'w')", DATA, &[]),
        (
            "open('out.txt', 'w')",
            DATA,
            &[
                "1 writes to `out.txt`, where this policy allows no writing [add `./out.txt` to filesystem.allowed_paths]",
            ],
        ),
        (
            "import sys\nopen(f'out/{sys.argv[1]}.txt', 'w')",
            DATA,
            &[
                "2 writes to `out/*.txt`, where this policy allows no writing [add `./out` to filesystem.allowed_paths]",
            ],
        ),
        (
            "import os\nos.remove('data/x')",
            DATA,
            &[
                "2 removes `data/x`, and this policy blocks `delete` [leave `delete` out of filesystem.blocked_operations]",
            ],
        ),
        ("import os\nos.remove('/tmp/x')\nos.chmod('data/x', 0o600)", DATA, &[]),
        (
            "import os\nos.remove('x')",
            DATA,
            &[
                "2 removes `x`, where this policy allows no writing [add `./x` to filesystem.allowed_paths, and leave `delete` out of filesystem.blocked_operations]",
            ],
        ),
        (
            "import os\nos.makedirs('out', exist_ok=True)\nos.replace('a', 'data/a')",
            DATA,
            &[
                "?2 writes to `out`, where this policy allows no writing [add `./out` to filesystem.allowed_paths]",
                "3 renames `a`, where this policy allows no writing [add `./a` to filesystem.allowed_paths]",
            ],
        ),
        (
            "import sqlite3\nsqlite3.connect('data/x.db')",
            DATA,
            &[
                "?2 removes `data/x.db-journal`, and this policy blocks `delete` [leave `delete` out of filesystem.blocked_operations]",
            ],
        ),
    ]);
}

#[test]
fn what_no_run_may_do_and_what_is_counted() {
    check(&[
        (
            "import os\nos.setuid(0)",
            "",
            &["2 would become another user or group, and no run may do that (`proc.identity`) []"],
        ),
        (
            "import os\nos.mknod('x')",
            "",
            &["2 would make a device node, and no run may do that (`fs.mknod`) []"],
        ),
        ("import os, sys\nos.kill(int(sys.argv[1]), 15)\nos.nice(10)", "", &[]),
        (
            "import subprocess\nsubprocess.run(['ls'])",
            "execution: {max_processes: 0}",
            &["2 starts a process, and this policy allows none [write `5` for execution.max_processes]"],
        ),
        ("import subprocess\nsubprocess.run(['ls'])", "", &[]),
        (
            "from threading import Thread\nThread(target=print).start()",
            "execution: {max_threads: 0}",
            &["2 starts a thread, and this policy allows none [write `64` for execution.max_threads]"],
        ),
    ]);
}
