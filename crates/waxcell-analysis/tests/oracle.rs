//! The interpreters of this machine are the oracle: what they compile is not blocked, what they do not read is.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use waxcell_analysis::{Finding, PythonVersion, analyse};

/// Says that a test did not take place; `WAXCELL_SKIPS` names a file that collects these lines.
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a test's own report")]
fn skip(name: &str, why: &str) {
    println!("SKIPPED {name}: {why}");
    if let Some(list) = std::env::var_os("WAXCELL_SKIPS") {
        let mut list = fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        // In one write: tests run side by side.
        list.write_all(format!("SKIPPED {name}: {why}\n").as_bytes()).unwrap();
    }
}

struct Python {
    program: PathBuf,
    library: PathBuf,
    version: PythonVersion,
}

/// The interpreters of this machine that are supported.
fn pythons(test: &str) -> Vec<Python> {
    let mut pythons = Vec::new();
    let pyenv =
        fs::read_dir("/root/.pyenv/versions").into_iter().flatten().flatten().map(|entry| entry.path());
    for prefix in pyenv.chain([PathBuf::from("/usr")]) {
        for minor in PythonVersion::OLDEST.minor..=20 {
            let program = prefix.join(format!("bin/python3.{minor}"));
            let library = prefix.join(format!("lib/python3.{minor}"));
            if program.exists() && library.join("os.py").exists() {
                pythons.push(Python { program, library, version: PythonVersion::new(3, minor) });
            }
        }
    }
    if pythons.is_empty() {
        skip(test, "no Python 3.8 or newer in /usr or /root/.pyenv");
    }
    pythons
}

/// They differ most, and every version takes its time.
fn oldest_and_newest(mut pythons: Vec<Python>) -> Vec<Python> {
    pythons.sort_by_key(|python| python.version);
    if pythons.len() > 2 {
        pythons.drain(1..pythons.len() - 1);
    }
    pythons
}

impl Python {
    /// Gives a program lines on standard input and takes lines back.
    #[expect(clippy::disallowed_methods, reason = "the interpreter itself is asked")]
    fn ask(&self, program: &str, lines: &str) -> String {
        let mut child = Command::new(&self.program)
            .args(["-W", "ignore", "-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let lines = lines.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }
}

fn scripts_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && entry.file_name() != "site-packages" {
            scripts_below(&path, found);
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "py") {
            found.push(path);
        }
    }
}

const PARSES: &str = "
import ast, sys
for line in sys.stdin:
    with open(line.rstrip('\\n'), 'rb') as script:
        source = script.read()
    try:
        compile(source, 'script', 'exec', ast.PyCF_ONLY_AST, dont_inherit=True)
        print('yes')
    except (SyntaxError, ValueError):
        print('no')
";

/// Files that the interpreter reads and we refuse: encodings that are not analysed.
const REFUSED: [&str; 2] = ["test/test_source_encoding.py", "test/encoded_modules/module_koi8_r.py"];

#[test]
fn the_standard_library_is_read_as_the_interpreter_reads_it() {
    for python in oldest_and_newest(pythons("the_standard_library_is_read_as_the_interpreter_reads_it")) {
        let mut scripts = Vec::new();
        scripts_below(&python.library, &mut scripts);
        assert!(scripts.len() > 500, "{}", python.library.display());
        let list: String = scripts.iter().map(|path| format!("{}\n", path.display())).collect();
        let answers = python.ask(PARSES, &list);

        let mut wrong = BTreeMap::new();
        for (path, answer) in scripts.iter().zip(answers.lines()) {
            let analysis = analyse(&fs::read(path).unwrap(), python.version);
            let koi8 = analysis.findings.first().is_some_and(|finding| finding.message.contains("`koi8-r`"));
            let refused = koi8 && REFUSED.iter().any(|name| path.ends_with(name));
            if analysis.blocks() != (answer == "no" || refused) {
                wrong.insert(path, (answer, analysis.findings));
            }
        }
        assert!(wrong.is_empty(), "Python {}: {wrong:#?}", python.version);
    }
}

/// Runs each script, given by its path, as `python3 SCRIPT` does, and says what `x` is or that it cannot be read.
const RUNS: &str = "
import subprocess, sys
for line in sys.stdin:
    ran = subprocess.run([sys.executable, line.rstrip('\\n')], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    print(ran.stdout.decode('ascii') if ran.returncode == 0 else 'no')
";

#[test]
fn encodings_are_those_of_the_interpreter() {
    let test = "encodings_are_those_of_the_interpreter";
    // Scripts, and whether their encoding is one that we decode.
    let mut sources: Vec<(Vec<u8>, bool)> = Vec::new();
    for name in [
        "utf-8",
        "utf8",
        "UTF-8",
        "utf_8",
        "U8",
        "utf",
        "utf-8-sig",
        "utf-8-unix",
        "utf-8x",
        "cp65001",
        "ascii",
        "us-ascii",
        "ANSI_X3.4-1968",
        "646",
        "latin-1",
        "latin1",
        "Latin-1-unix",
        "l1",
        "iso-8859-1",
        "ISO8859_1",
        "iso-latin-1-mac",
        "iso-8859-15",
        "iso8859-15",
        "latin9",
        "L9",
        "latin-9",
        "cp1252",
        "windows-1252",
        "1252",
        "no-such-codec",
    ] {
        for (before, after) in [
            ("", "\n"),
            ("\u{feff}", "\n"),
            ("#!/usr/bin/python3\n", "\r\n"),
            ("\r", "\r"),
            ("x = 0\n", "\n"),
            ("\n\n", "\n"),
        ] {
            // Every name in one place, some names in every place.
            if !before.is_empty() && !["utf-8", "utf8", "latin-1", "cp1252", "no-such-codec"].contains(&name)
            {
                continue;
            }
            let declaration = format!("{before}# -*- coding: {name} -*-{after}");
            for value in [&b"'a'"[..], "'é'".as_bytes(), b"'\xe9'", b"'\xa4\x80'", b"'\x81'"] {
                let source = [declaration.as_bytes(), b"x = ", value, b"\nprint(ascii(x))"].concat();
                sources.push((source, true));
            }
        }
    }
    for text in [
        "# coding:utf-7\nx = 0",
        "#\x0ccoding=latin-1\nx='\u{e9}'",
        "\x0c # vim: fileencoding=ascii\nx='é'",
        "# coding\nx='é'",
    ] {
        sources.push(([text.as_bytes(), b"\nprint(ascii(x))"].concat(), !text.contains("utf-7")));
    }
    let folder = std::env::temp_dir().join(format!("waxcell-encodings-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for python in oldest_and_newest(pythons(test)) {
        let mut list = String::new();
        for (number, (source, _)) in sources.iter().enumerate() {
            let path = folder.join(format!("{number}.py"));
            fs::write(&path, source).unwrap();
            list += &format!("{}\n", path.display());
        }
        let answers = python.ask(RUNS, &list);
        let answers: Vec<&str> = answers.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(answers.len(), sources.len());
        for ((source, decoded), answer) in sources.iter().zip(answers) {
            let analysis = analyse(source, python.version);
            let readable = answer != "no" && *decoded;
            let shown = String::from_utf8_lossy(source);
            assert_eq!(
                !analysis.blocks(),
                readable,
                "Python {}: {shown:?} {answer} {analysis:?}",
                python.version
            );
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_the_interpreter_does_not_read_blocks_and_what_it_reads_does_not() {
    let cases: &[(&str, (u8, u8))] = &[
        // The first version that reads it.
        ("", (3, 8)),
        ("x = 1", (3, 8)),
        ("if x:\r\n\ty = 1\r\nz = 2", (3, 8)),
        ("x = 1\ry = 2\r", (3, 8)),
        ("def f():\n\x0c    return 1\n", (3, 8)),
        ("\u{feff}x = 1\n", (3, 8)),
        ("é = 'ü'\n", (3, 8)),
        ("if (n := 10) > 5: pass\n", (3, 8)),
        ("def f(a, /, b): pass\n", (3, 8)),
        ("@x[0].y\ndef f(): pass\n", (3, 9)),
        ("with (open(a) as b, open(c) as d): pass\n", (3, 9)),
        ("match x:\n  case [a, *_]: pass\n", (3, 10)),
        ("try: pass\nexcept* ValueError: pass\n", (3, 11)),
        ("x[*a]\n", (3, 11)),
        ("type X = int\n", (3, 12)),
        ("def f[T](x: T): pass\n", (3, 12)),
        ("f'{x['a']}' f'{'a'}'\n", (3, 12)),
        ("f'{x!r:{y}}'\n", (3, 8)),
        ("class C[T = int]: pass\n", (3, 13)),
        ("def f(:\n", (9, 9)),
        ("print 'x'\n", (9, 9)),
        ("x = (1\n", (9, 9)),
        ("if x:\npass\n", (9, 9)),
        ("x = 'a\n", (9, 9)),
        ("x = 0777\n", (9, 9)),
        ("\tx\n        y\n", (9, 9)),
        ("x = $\n", (9, 9)),
    ];
    for python in pythons("what_the_interpreter_does_not_read_blocks_and_what_it_reads_does_not") {
        let version = (python.version.major, python.version.minor);
        for &(source, since) in cases {
            let list = format!("{source:?}").replace("\\u{feff}", "\\ufeff").replace("\\u{c}", "\\x0c");
            let program = format!(
                "import ast\ntry:\n  compile({list}.encode(), 's', 'exec', ast.PyCF_ONLY_AST)\n  print('yes')\nexcept SyntaxError: print('no')"
            );
            let reads = python.ask(&program, "").trim() == "yes";
            assert_eq!(reads, version >= since, "Python {} and {source:?}", python.version);
            let analysis = analyse(source.as_bytes(), python.version);
            assert_eq!(!analysis.blocks(), reads, "Python {} and {source:?}: {analysis:?}", python.version);
        }
    }
}

fn finding(source: &[u8]) -> Finding {
    let analysis = analyse(source, PythonVersion::new(3, 11));
    assert!(analysis.blocks());
    analysis.findings.into_iter().next().unwrap()
}

#[test]
fn places_are_those_of_the_file() {
    for (source, rule, line, column, bytes) in [
        (&b"x = 1\r\ny = \xff\n"[..], "undecodable", 2, 5, 11..12),
        (b"\xef\xbb\xbfx = \xe9", "undecodable", 1, 5, 7..8),
        (b"a\x00b", "nul-byte", 1, 2, 1..2),
        (b"# \xc3\xa9\n\xc3\xa9\xc3\xa9\x00", "nul-byte", 2, 3, 9..10),
        (b"# coding: latin-1\n\xe9\xe9 = $", "syntax-error", 2, 6, 23..24),
        (b"# coding: no-such\n", "undecodable", 1, 11, 10..17),
        (b"\xef\xbb\xbf\n# coding: latin-1\n", "undecodable", 2, 11, 14..21),
        (b"\xc3\xa9 = 1\n\xef\xbb\xbf", "syntax-error", 2, 1, 7..10),
        (b"\xef\xbb\xbf\xc3\xa9 = ?", "syntax-error", 1, 5, 8..9),
        (b"# coding: cp1252\r\n'\x81'", "undecodable", 2, 2, 19..20),
        (b"\ntype X = int", "unsupported-syntax", 2, 1, 1..5),
    ] {
        let found = finding(source);
        let place = (found.rule, found.span.line, found.span.column, found.span.start..found.span.end);
        assert_eq!(place, (rule, line, column, bytes), "{:?} {found:?}", String::from_utf8_lossy(source));
    }
}

#[test]
fn a_finding_is_written_as_readers_expect() {
    let analysis = analyse(b"x = (\n", PythonVersion::new(3, 11));
    let json = serde_json::to_string_pretty(&analysis).unwrap();
    assert_eq!(
        json,
        r#"{
  "findings": [
    {
      "rule": "syntax-error",
      "class": "reading",
      "severity": "high",
      "confidence": "high",
      "message": "unexpected EOF while parsing",
      "span": {
        "start": 6,
        "end": 6,
        "line": 2,
        "column": 1
      },
      "help": "correct the script; Python 3.11 does not read it either",
      "about": {
        "first_line": 0,
        "last_line": 0,
        "column": 0,
        "end_column": 0
      }
    }
  ],
  "lines": 1,
  "capabilities": {
    "entries": [],
    "complete": false
  },
  "silenced": {
    "all": 0,
    "named": 0,
    "unused": []
  }
}"#
    );
}
