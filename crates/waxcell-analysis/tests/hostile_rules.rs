//! Scripts made to have rules take the square of their length, or more: a megabyte of each is scanned in bounded time.

use std::time::{Duration, Instant};

use waxcell_analysis::{Profile, PythonVersion, scan};

const TARGET: PythonVersion = PythonVersion::new(3, 13);

/// What a debug build on a busy machine may take; a quadratic step takes minutes.
const PATIENCE: Duration = Duration::from_secs(20);

const MEGABYTE: usize = 1_000_000;

/// A beginning, and what follows as often as there is room for it.
fn filled(start: &str, repeated: &str) -> String {
    let times = MEGABYTE.saturating_sub(start.len()) / repeated.len();
    start.to_owned() + &repeated.repeat(times)
}

fn half(start: &str, middle: &str, end: &str) -> String {
    let half = |part: &str| part.repeat(MEGABYTE / 2 / part.len());
    format!("{start}{}{}", half(middle), half(end))
}

/// Text that runs text that runs text.
fn nested(depth: usize) -> String {
    (0..depth).fold("import os; os.system(1)".to_owned(), |inner, _| format!("exec({inner:?})")) + "\n"
}

fn scripts() -> Vec<(&'static str, String)> {
    let django = "from django.utils.safestring import mark_safe\n";
    let name = "a".repeat(MEGABYTE / 2);
    let chain = |part: &str| format!("x = {}x\n", part.repeat(4_900));
    let doubling: String = (0..200)
        .map(|n| format!("x{n} = '%s%s' % (x{before}, x{before})\n", before = n.max(1) - 1))
        .collect();
    let doubling = format!("{django}x0 = ''\n{doubling}mark_safe(x199)\n");
    let doubled: String = (0..90).map(|n| format!("x{} = x{n} + x{n}\n", n + 1)).collect();
    let paths: String =
        (1..200).map(|n| format!("x{n} = x{before} + '/' + x{before}\n", before = n - 1)).collect();
    let paths = format!("x0 = 'a'\n{paths}");
    let numbered = |part: &str| (0..20_000).map(|n| part.replace('#', &n.to_string())).collect::<String>();
    vec![
        ("sums of strings", filled("", &chain("'a' + "))),
        ("sums of beginnings of queries", filled("", &chain("'select ' + "))),
        (
            "one string of beginnings",
            format!("'{}'.format(x)\n", "select insert into update ".repeat(38_000)),
        ),
        ("one string of blanks", format!("'{}'.format(x)\n", "delete  ".repeat(120_000))),
        ("pieces of an f-string", filled("", &format!("x = {}\n", "f'select {x}' ".repeat(2_000)))),
        ("a dictionary of passwords", filled("x = {", "'password': 'x',") + "}\n"),
        ("comparisons", filled("password", " == 'a'") + "\n"),
        ("comparisons with a long name", format!("pwd_{name}{}\n", " == 'a'".repeat(70_000))),
        ("imports and calls", half("", "import paramik\n", "x.exec_command()\n")),
        ("imports between calls", filled("", "import paramik; x.exec_command()\n")),
        ("a long alias", half(&format!("import {name} as x\n"), "x.y();", "x();")),
        ("a long alias from", half(&format!("from {name} import x\n"), "x.y();", "x();")),
        ("long chains of names", filled("", &format!("x{}()\n", ".a".repeat(9_000)))),
        ("chains of calls", filled("", &format!("x{}\n", ".extra(x)".repeat(4_000)))),
        ("safe markup of many lines", half(django, "x = 'a'\n", "mark_safe(x)\n")),
        ("safe markup in one line", half(django, "x = 'a';", "mark_safe(x);")),
        ("safe markup that doubles", filled(&doubling, "mark_safe(x199)\n")),
        ("safe markup in a circle", filled(django, "a = b\nb = a\nmark_safe(a)\n")),
        ("comments", filled("", "eval(x) # nosec B101\n")),
        ("comments in a call", filled("f(", "x, # nosec B101\n") + "shell=True)\n"),
        ("findings in one line", filled("", "eval(x);")),
        ("findings in one line of Latin-1", filled("# coding: latin-1\nx\n", "eval(x);")),
        ("chains of Latin-1", filled("# coding: latin-1\n", &format!("x{}\n", ".extra(x)".repeat(4_000)))),
        ("keywords", filled("f(", "shell=x,") + ")\n"),
        ("a long command", filled("import os\nos.system(['tar'", ",'a'") + "])\n"),
        ("assertions", filled("", "assert x\n")),
        ("assignments to one name", half("import os\n", "x = os.system\n", "x(1)\n")),
        ("sums of one name", filled("x = 'a'\n", "x = x + 'a'\n") + "exec(x)\n"),
        ("additions to one name", filled("x = ''\n", "x += 'a'\n") + "exec(x)\n"),
        ("doubling texts", filled(&format!("x0 = 'a' * 1000\n{doubled}"), "exec(x90)\n")),
        ("calls within calls", filled("", &format!("{}x{}\n", "f(".repeat(190), ")".repeat(190)))),
        ("code within code", nested(12)),
        ("a huge join", filled("exec(''.join([", "'a',") + "]))\n"),
        ("a huge list of numbers", filled("exec(bytes([", "65,") + "]))\n"),
        ("a huge text", format!("exec('{}')\n", "a".repeat(MEGABYTE - 20))),
        ("many texts that are run", filled("", "exec('x = 1')\n")),
        (
            "functions that call each other",
            filled("", "def f(x): return g(x)\ndef g(x): return f(x)\nf(g)()\n"),
        ),
        ("parameters", filled("def f(x): x.y()\n", "f(f(f))\n")),
        (
            "programs and downloads",
            half("import os, urllib.request\n", "urllib.request.urlretrieve(x, 'a')\n", "os.system('ab')\n"),
        ),
        ("files and programs", half("import os\n", "open('x.py', 'w')\n", "os.system('ab')\n")),
        ("lambdas", "(lambda x: x(x))(lambda x: x(x))\n".repeat(9_000)),
        ("comprehensions", filled("", "''.join(chr(c ^ 7) for c in range(60000))\n")),
        ("names of other letters", filled("", "\u{43e}\u{455} = 1;")),
        ("attributes", filled("class A: pass\n", "A.x = A.x.y\n")),
        ("a chain of getattr", filled("", &format!("{}x{}\n", "getattr(".repeat(190), ", 'a')".repeat(190)))),
        ("formats", filled("exec('", "{0}") + "'.format('a' * 100000))\n"),
        ("replacements", format!("exec('a'{})\n", ".replace('a', 'aa')".repeat(400))),
        ("one long path, opened often", filled(&format!("x = '{}'\n", "a/".repeat(50_000)), "open(x)\n")),
        (
            "a list of long paths, opened often",
            filled(&format!("x = [{}]\n", format!("'{}',", "a".repeat(2_000)).repeat(60)), "open(x[0])\n"),
        ),
        ("paths that double", filled(&paths, "open(x199)\n")),
        ("paths in a circle", filled("a = b + c\nb = c + a\nc = a + b\n", "open(a + b + c)\n")),
        ("paths of many names", filled("", "x = x + 'a'\nopen(x)\n")),
        (
            "functions that call each other",
            filled(
                "def a(x): return b(x) + b(x)\ndef b(x): return c(x) + c(x)\ndef c(x): return a(x) + 'x'\n",
                "open(a('x'))\n",
            ),
        ),
        ("a function with many callers", half("def f(x): open(x)\n", "f('a')\n", "f(x)\n")),
        (
            "many keywords for many parameters",
            format!("def f({}): {}\nf({})\n", numbered("p#,"), numbered("open(p#);"), numbered("p#=1,")),
        ),
        (
            "modules of a network and their names",
            half("import requests\n", "import requests.a\n", "requests.b.c\n"),
        ),
        (
            "a try with many handlers",
            format!(
                "try:\n{}except A: pass\n{}",
                " x()\n".repeat(90_000),
                "except OSError: pass\n".repeat(20_000)
            ),
        ),
        ("a line for a shell", format!("import os\nos.system('{}')\n", "a;".repeat(450_000))),
        ("lines for a shell", filled("import os\n", "os.system('a|b>c')\n")),
        ("replacements", filled(&format!("x = '{}'\n", "a".repeat(2_000)), "open(x.replace('a', x))\n")),
    ]
}

#[test]
fn a_megabyte_of_anything_is_scanned_in_bounded_time() {
    let profile = Profile { capabilities: true, ..Profile::default() };
    for (name, script) in scripts() {
        let start = Instant::now();
        let analysis = scan("script.py", script.as_bytes(), TARGET, &profile);
        let took = start.elapsed();
        let count = analysis.findings.len();
        println!(
            "{name}: {} bytes, {took:?}, {count} findings, {:?}",
            script.len(),
            analysis.findings.first()
        );
        assert!(took < PATIENCE, "{name} took {took:?}");
        assert!(!analysis.blocks(), "{name} is no script: {:?}", analysis.findings.first());
    }
}
