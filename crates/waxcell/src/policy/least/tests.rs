use std::path::Path;

use waxcell_analysis::{Profile, PythonVersion, scan};

use super::{Used, least};
use crate::gate::{Seen, outside};
use crate::policy;

fn used(script: &str) -> Used {
    let profile = Profile { capabilities: true, ..Profile::default() };
    let capabilities = scan("x.py", script.as_bytes(), PythonVersion::NEWEST, &profile).capabilities;
    Used { name: "scripts/x.py".to_owned(), folder: "/work/project/scripts".into(), capabilities }
}

fn written(scripts: &[Used]) -> String {
    let root = Path::new("/work/project");
    least(scripts, root, root)
}

#[test]
fn each_line_names_its_place() {
    let text = written(&[used(
        "import json, os, requests\nwith open('data/x.json', 'w') as f:\n    json.dump({}, f)\nos.remove('data/old')\n\
         requests.get('https://api.example.org/v1')\nos.environ['TOKEN']\nopen(input())\n",
    )]);
    let body: String =
        text.lines().skip_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    let expected = "
execution:
  # starts no process
  max_processes: 0

filesystem:
  allowed_paths:
    # line 2: open('data/x.json', 'w')
    # line 4: os.remove('data/old')
    - ./data
  # `delete` is allowed
  # line 4: os.remove('data/old')
  blocked_operations: [chmod, chown, fs.xattr]
  # reads a path that is only known when it runs; name it here if it lies beyond the project
  # line 7: open(input())

network:
  allowed_domains:
    # line 5: requests.get('https://api.example.org/v1')
    - {name: api.example.org, ports: [443]}
  allow_addresses: []
  blocked_ports: [22, 23, 3389]

environment:
  pass:
    # line 6: os.environ['TOKEN']
    - TOKEN
";
    assert_eq!(body, expected);
}

/// Scripts of every kind, also such as nobody would write.
const SCRIPTS: &[&str] = &[
    "",
    "print(1)",
    "import os\nos.remove('a')\nos.rename('b/c', 'd/e')\nos.chmod('f', 1)\nos.mkdir('g')\nos.makedirs('h', exist_ok=True)",
    "open('a b: c, {d}', 'w')\nopen('\"', 'w')\nopen('x\\ty', 'w')\nopen('$HOME', 'w')\nopen('~x', 'w')",
    "open('/etc/shadow')\nopen('/usr/bin/x', 'w')\nopen('/proc/1/mem', 'w')\nopen('/', 'w')",
    "import requests\nfor host in ['a.example.org', 'com', '*.com', '1.2.3.4', '::1', 'localhost', 'a b', 'b\\nc']:\n    requests.get(f'https://{host}/')",
    "import requests\nrequests.get('https://10.0.0.1:22/')\nrequests.get('http://x.example.org:0/')\nrequests.get('https://m\u{fc}nchen.de')",
    "import os\nos.environ['A B']\nos.environ['PATH']\nos.getenv('null')\nos.environ[input()]\ndict(os.environ)",
    "import multiprocessing\nmultiprocessing.Pool(4)\nimport threading\nthreading.Thread(target=print).start()",
    "import subprocess\nsubprocess.run('a | b', shell=True)\nsubprocess.run(input(), shell=True)",
    "exec(input())\nimport ctypes\nctypes.CDLL(None)\n__import__(input())",
    "import sqlite3, shelve, logging\nsqlite3.connect('data/x.db')\nshelve.open('cache/s')\nlogging.basicConfig(filename='log/x.log')",
    "from pathlib import Path\nP = Path(__file__).parent\n(P / 'out' / 'x').write_text('')\n(P / '..' / '..' / 'y').write_text('')\nfor p in P.glob('*.txt'):\n    p.unlink()",
];

#[test]
fn what_is_written_is_a_policy_and_gives_the_scripts_all_that_a_policy_can() {
    let root = Path::new("/work/project");
    let all: Vec<Used> = SCRIPTS.iter().map(|script| used(script)).collect();
    for scripts in all.iter().map(std::slice::from_ref).chain([all.as_slice()]) {
        let text = written(scripts);
        let (policy, report) = policy::parse_all(&text, &root.join("security_policy.yml"), root);
        assert!(report.diagnostics.is_empty(), "{}\n{text}", report.render(false));
        let policy = policy.unwrap();
        for script in scripts {
            let seen = Seen { cwd: root, script: &script.folder, project: Some(root), roots: &[] };
            let left = outside(&script.capabilities, &policy, &seen);
            let left: Vec<_> = left.iter().filter(|outside| !outside.edits.is_empty()).collect();
            assert!(left.is_empty(), "{left:#?}\n{text}");
        }
    }
}
