//! Scripts made to break the analyser: each must be judged in bounded time, without overflowing the stack of a test
//! thread (2 MiB, a quarter of a main thread's), in debug builds as well.

use std::time::{Duration, Instant};

use waxcell_analysis::{Analysis, MAX_PER_RULE, MAX_SOURCE, Profile, PythonVersion, analyse, scan};

/// What makes the parser take what follows for code where the lexer alone takes it for a string.
const HIDE: &str = "f'''{a''' #\n";

const TARGET: PythonVersion = PythonVersion::new(3, 13);

/// Far above what any of them takes (a debug build on a busy machine), far below what a quadratic step would take.
const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::print_stdout, reason = "a test's own report")]
fn judged(name: &str, source: &str) -> Analysis {
    let start = Instant::now();
    let analysis = analyse(source.as_bytes(), TARGET);
    let took = start.elapsed();
    let first = analysis.findings.first().map(|finding| (finding.rule, finding.span));
    println!("{name}: {} bytes, {took:?}, {:?}", source.len(), first);
    assert!(took < PATIENCE, "{name} took {took:?}");
    let scanned = scan("script.py", source.as_bytes(), TARGET, &Profile::default());
    let took = start.elapsed();
    assert!(took < 2 * PATIENCE, "{name} took {took:?} with a scan");
    assert_eq!(scanned.blocks(), analysis.blocks(), "{name}");
    analysis
}

fn rule_of(analysis: &Analysis) -> Option<&'static str> {
    analysis.findings.first().map(|finding| finding.rule)
}

/// Shapes by how deep they are: `None` where any depth is fine, else the deepest that is accepted.
type Shape = (&'static str, fn(usize) -> String, Option<usize>);

const SHAPES: &[Shape] = &[
    ("parentheses", |n| format!("{}x{}\n", "(".repeat(n), ")".repeat(n)), Some(200)),
    ("lists", |n| format!("x = {}{}\n", "[".repeat(n), "]".repeat(n)), Some(200)),
    ("sets", |n| format!("x = {}1{}\n", "{".repeat(n), "}".repeat(n)), Some(200)),
    ("calls within", |n| format!("{}x{}\n", "f(".repeat(n), ")".repeat(n)), Some(200)),
    ("with", |n| format!("with {}x{}: pass\n", "(".repeat(n), ")".repeat(n)), Some(200)),
    ("match", |n| format!("match {}x{}:\n case _: pass\n", "(".repeat(n), ")".repeat(n)), Some(200)),
    ("call of match", |n| format!("match{}x{}\n", "(".repeat(n), ")".repeat(n)), Some(200)),
    ("pattern", |n| format!("match x:\n case {}x{}: pass\n", "[".repeat(n), "]".repeat(n)), Some(200)),
    ("generators", |n| format!("{}x{}\n", "(".repeat(n), " for x in y)".repeat(n)), Some(200)),
    ("dictionaries", |n| format!("x = {}1{}\n", "{1: ".repeat(n), "}".repeat(n)), Some(200)),
    ("f-strings", |n| format!("{}x{}\n", "f\"{".repeat(n), "}\"".repeat(n)), Some(150)),
    ("format specs", |n| format!("f\"{}{}\"\n", "{x:".repeat(n), "}".repeat(n)), None),
    (
        "blocks",
        |n| (0..n).map(|i| " ".repeat(i) + "if x:\n").collect::<String>() + &" ".repeat(n) + "x\n",
        Some(99),
    ),
    ("minus", |n| format!("{}x\n", "-".repeat(n)), Some(10_000)),
    ("not", |n| format!("{}x\n", "not ".repeat(n)), Some(10_000)),
    ("await", |n| format!("async def f(): {}x\n", "await ".repeat(n)), None),
    ("attributes", |n| format!("x{}\n", ".a".repeat(n)), Some(10_000)),
    ("sum", |n| format!("x{}\n", "+x".repeat(n)), Some(10_000)),
    ("power", |n| format!("x{}\n", "**x".repeat(n)), Some(10_000)),
    ("calls", |n| format!("x{}\n", "()".repeat(n)), Some(10_000)),
    ("subscripts", |n| format!("x{}\n", "[0]".repeat(n)), Some(10_000)),
    ("conditions", |n| format!("{}x\n", "x if x else ".repeat(n)), Some(5_000)),
    ("lambda", |n| format!("{}x\n", "lambda:".repeat(n)), Some(10_000)),
    ("lambda with commas", |n| format!("{}x\n", "lambda a,b:".repeat(n)), Some(10_000)),
    ("lambda defaults", |n| format!("{}x{}\n", "lambda a,b=".repeat(n), ": 0".repeat(n)), Some(10_000)),
    ("decorators", |n| "@x\n".repeat(n) + "def f(): pass\n", None),
    ("elif", |n| format!("if x: pass\n{}", "elif x: pass\n".repeat(n)), None),
    ("and or", |n| format!("x{}\n", " and x or x".repeat(n)), None),
    ("comparison", |n| format!("x{}\n", " < x".repeat(n)), None),
    ("assignment", |n| format!("{}x\n", "x = ".repeat(n)), None),
    ("tuple", |n| format!("x = {}x\n", "x + 1, ".repeat(n)), None),
    ("statements", |n| "x = 1; ".repeat(n) + "\n", None),
    ("lines", |n| "x = 1\n".repeat(n), None),
    ("CR lines", |n| "x = 1\r".repeat(n), None),
    ("empty lines", |n| "\n".repeat(n), None),
    ("strings", |n| format!("x = {}\n", "'a' ".repeat(n)), None),
    ("comments", |n| "# c\n".repeat(n), None),
    ("continuations", |n| format!("x = \\\n{}1\n", "\\\n".repeat(n)), None),
    ("comprehension", |n| format!("[x {}]\n", "for x in x ".repeat(n)), None),
    ("with items", |n| format!("with {}x: pass\n", "x as y, ".repeat(n)), None),
    ("or pattern", |n| format!("match x:\n case {}1: pass\n", "1 | ".repeat(n)), Some(10_000)),
];

#[test]
fn depth_is_bounded_and_what_is_below_the_bound_is_read() {
    for &(name, shape, limit) in SHAPES {
        let Some(limit) = limit else { continue };
        let below = judged(&format!("{name} {}", limit - 5), &shape(limit - 5));
        assert_eq!(below.findings, [], "{name}");
        let above = judged(&format!("{name} {}", limit + 5), &shape(limit + 5));
        assert_eq!(rule_of(&above), Some("too-deep"), "{name}");
        assert!(above.blocks(), "{name}");
    }
}

#[test]
fn a_hundred_thousand_and_a_million_of_everything() {
    for &(name, shape, limit) in SHAPES {
        for n in [100_000, 1_000_000] {
            let n = if name == "blocks" { n.min(3_000) } else { n };
            let analysis = judged(&format!("{name} {n}"), &shape(n));
            match limit {
                _ if shape(n).len() > MAX_SOURCE => {
                    assert_eq!(rule_of(&analysis), Some("too-large"), "{name}")
                }
                Some(_) => assert_eq!(rule_of(&analysis), Some("too-deep"), "{name}"),
                None if ["format specs", "await"].contains(&name) => assert!(analysis.blocks(), "{name}"),
                None => assert_eq!(analysis.findings, [], "{name}"),
            }
        }
    }
}

#[test]
fn nothing_hides_in_what_only_the_parser_reads() {
    // Control: the parser does read what is hidden.
    let control = judged("control", &format!("{HIDE}def x y"));
    assert!(control.findings.iter().any(|finding| finding.span.line == 2), "{control:?}");

    for &(name, shape, _) in SHAPES {
        for n in [15_000, 200_000] {
            let n = if name == "blocks" { n.min(3_000) } else { n };
            let analysis = judged(&format!("hidden {name} {n}"), &format!("{HIDE}{}", shape(n)));
            assert!(analysis.blocks(), "{name}");
        }
    }
}

#[test]
fn a_script_full_of_errors_says_so_briefly() {
    for (name, line) in [
        ("names", "x y\n"),
        ("unclosed", "f(x\n"),
        ("closed", ")\n"),
        ("unclosed string", "x = 'y\n"),
        ("unclosed f-string", "x = f'{y\n"),
        ("unclosed list and block", "if [x\n  y\n"),
        ("questions", "?"),
        ("dollars", "$ "),
        ("dedents", "  if x:\n y\n"),
        ("brackets that do not match", "(]"),
        ("colons", ":"),
        ("keywords", "def class if "),
        ("async", "async "),
        ("yield", "yield x, "),
        ("stars", "*x * "),
        ("a function in brackets", "(((((((def f("),
        ("a class in a list in a call", "f([class C(x, "),
        ("return in a lambda", "lambda x=[return lambda: ("),
        ("import in braces", "{x: [import {"),
        ("pass in an f-string", "f'{(pass "),
        ("commas", ", "),
        ("equals", "= x "),
        ("braces in an f-string", "f'{x} {' "),
        ("old print", "print 'x'\n"),
        ("decorators", "@"),
        ("backslashes", "\\ "),
        ("as", "case x as y as "),
    ] {
        let source = line.repeat(200_000 / line.len());
        let analysis = judged(name, &source);
        assert!(analysis.blocks(), "{name}");
        assert!(analysis.findings.len() <= 2 * MAX_PER_RULE, "{name}");
    }
}

#[test]
fn the_largest_script_is_read_and_a_larger_one_refused() {
    let largest = "x = 1\n".repeat(MAX_SOURCE / 6);
    let analysis = judged("largest", &largest);
    assert_eq!((analysis.findings, analysis.lines), (vec![], MAX_SOURCE / 6));

    let larger = largest + "#.......";
    let analysis = judged("larger", &larger);
    assert_eq!(rule_of(&analysis), Some("too-large"));
    assert!(analysis.blocks());
}

/// A soup of tokens, the same in every run: whatever it is, it is judged.
#[test]
fn soup() {
    const TOKENS: &[&str] = &[
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "f'",
        "'",
        "f\"",
        "\"",
        "'''",
        "f'''",
        "t'{",
        "}'",
        "\n",
        "\r",
        "\r\n",
        "  ",
        "\t",
        "\n    ",
        "x",
        "1",
        ".",
        "..",
        ",",
        ":",
        ";",
        "=",
        ":=",
        "+",
        "-",
        "*",
        "**",
        "@",
        "~",
        "->",
        "!",
        "!r",
        "#",
        "\\\n",
        "\\",
        "lambda ",
        "lambda x=",
        " if ",
        " else ",
        "elif x:",
        " not ",
        "await ",
        "async ",
        "yield ",
        "def f(",
        "class C(",
        "match x:",
        "case ",
        "type X = ",
        "with (",
        "for x in ",
        "import ",
        "from . import ",
        "try:",
        "except* ",
        "return ",
        "del ",
        "global x",
        " as ",
        " is ",
        " in ",
        " and ",
        "é",
        "\u{feff}",
        "\x0c",
        "\u{0}",
        "日",
        "$",
        "?",
        "`",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % bound
    };
    let mut blocked = 0;
    let rounds = 4_000;
    for round in 0..rounds {
        // Some from few tokens, so that they are deep, some from many.
        let kinds = 1 + random(TOKENS.len()).min(random(40));
        let chosen: Vec<&str> = (0..kinds).map(|_| TOKENS[random(TOKENS.len())]).collect();
        let length = if round % 40 == 0 { 50_000 } else { random(300) };
        let source: String = (0..length).map(|_| chosen[random(kinds)]).collect();
        let start = Instant::now();
        let analysis = analyse(source.as_bytes(), TARGET);
        blocked += usize::from(analysis.blocks());
        let scanned = scan("script.py", source.as_bytes(), TARGET, &Profile::default());
        assert_eq!(scanned.blocks(), analysis.blocks(), "{source}");
        assert!(start.elapsed() < PATIENCE, "{source}");
    }
    assert!(blocked > rounds / 2 && blocked < rounds, "{blocked} of {rounds}");
}
