//! `autostart`, `writes-code`, `loader-environment`: what runs later, or in other programs.

use ruff_python_ast::Expr;
use ruff_text_size::TextRange;

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Made, Meaning, UseKind, Values, path_of};
use crate::sight::{Sight, Used, danger};

pub(super) static AUTOSTART: Rule = Rule {
    id: "autostart",
    class: Class::Threat,
    name: "autostart",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 506,
    summary: "something is put where it is run later by itself",
    why: "It goes on when the script is long gone.",
    help: "have whoever runs the script set this up",
    fires: "open(\"/home/a/.bashrc\", \"a\").write(x)\n",
    silent: "open(\"/home/a/.bashrc\").read()\n",
    differs: None,
    check: Check::Sight(autostart),
};

pub(super) static WRITES_CODE: Rule = Rule {
    id: "writes-code",
    class: Class::Capability,
    name: "writes-code",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 94,
    summary: "a file is written and then run",
    why: "What is in it is not part of what was judged.",
    help: "keep the code with the script",
    fires: "open(\"x.py\", \"w\").write(y)\nimport x\n",
    silent: "open(\"x.py\", \"w\").write(y)\n",
    differs: None,
    check: Check::Sight(writes_code),
};

pub(super) static ENVIRONMENT: Rule = Rule {
    id: "loader-environment",
    class: Class::Capability,
    name: "loader-environment",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 426,
    summary: "a variable of the environment is set that makes programs run something else",
    why: "Every program that is started from here on runs it too.",
    help: "call the program by its path, with an environment of its own",
    fires: "import os\nos.environ[\"LD_PRELOAD\"] = x\n",
    silent: "import os\nos.environ[\"LANG\"] = \"C\"\n",
    differs: None,
    check: Check::Sight(environment),
};

/// Parts of paths where things are run by themselves.
const PLACES: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".zshrc",
    ".zprofile",
    ".zshenv",
    "/.profile",
    "/etc/profile",
    "/etc/cron",
    "/var/spool/cron",
    "crontab",
    ".config/autostart",
    "authorized_keys",
    "sitecustomize",
    "usercustomize",
    "/etc/rc.local",
    "/etc/ld.so.preload",
    "/etc/ld.so.conf",
    "systemd/system",
    "systemd/user",
    ".git/hooks",
    "launchagents",
    "launchdaemons",
    "currentversion\\run",
    "programs/startup",
    "programs\\startup",
    "/etc/init.d",
    "/etc/passwd",
    "/etc/sudoers",
    ".xinitrc",
    ".xprofile",
    ".vimrc",
    "/etc/update-motd.d",
    "/etc/environment",
    ".pam_environment",
    ".config/fish/config.fish",
    ".inputrc",
    "/proc/self/mem",
    "/proc/sys/kernel",
    "/etc/pam.d",
    ".ssh/rc",
    ".kshrc",
    ".tmux.conf",
    ".pdbrc",
];

fn is_place(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".pth") || PLACES.iter().any(|place| path.contains(place))
}

/// The paths that a use writes to, if it writes.
fn written<'a>(sight: &Sight<'a, '_>, used: &Used<'a>) -> Vec<String> {
    let Some(call) = used.call() else { return Vec::new() };
    let writes = |mode: &Values<'a>| {
        mode.iter().any(|mode| matches!(mode, Meaning::Text(mode, _) if mode.contains(['w', 'a', 'x', '+'])))
    };
    let values = match &*used.name {
        "open" | "io.open" | "codecs.open" | "io.FileIO" | "aiofiles.open"
            if writes(&sight.argument(call, used.scope, 1, "mode")) =>
        {
            sight.argument(call, used.scope, 0, "file")
        }
        "os.open" if call.arguments.args.len() > 1 => sight.argument(call, used.scope, 0, "path"),
        "pathlib.Path.write_text"
        | "pathlib.Path.write_bytes"
        | "pathlib.Path.symlink_to"
        | "pathlib.Path.touch" => sight.receiver(used),
        "pathlib.Path.open" if writes(&sight.argument(call, used.scope, 0, "mode")) => sight.receiver(used),
        "shutil.copy"
        | "shutil.copyfile"
        | "shutil.copy2"
        | "shutil.move"
        | "os.rename"
        | "os.replace"
        | "os.symlink"
        | "os.link"
        | "urllib.request.urlretrieve"
        | "shutil.copytree" => sight.argument(call, used.scope, 1, "dst"),
        _ => return Vec::new(),
    };
    values.iter().filter_map(path_of).filter(|path| path.len() < 500).collect()
}

/// Commands that have something run later.
const SETS_UP: &[&str] =
    &["crontab -", "| crontab", "schtasks /create", "systemctl enable", "reg add", "launchctl load", "| at "];

fn autostart<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for used in &sight.uses {
        if let Some(path) = written(sight, used).into_iter().find(|path| is_place(path)) {
            let message = format!("what is written to `{path}` is run later by itself");
            tell(Found::at(&used.range).message(message));
        }
        let is_command = used.starts_program() || used.name.starts_with("winreg.");
        let Some(call) = used.call().filter(|_| is_command) else { continue };
        let command = sight.words(call, used.scope).join(" ").to_ascii_lowercase();
        let writes = [">", "tee ", "cp ", "mv ", "ln "].iter().any(|one| command.contains(one));
        let sets_up = SETS_UP.iter().any(|one| command.contains(one)) && !command.contains("crontab -l");
        if sets_up || ((writes || used.name.starts_with("winreg.")) && is_place(&command)) {
            tell(Found::at(&used.range).message("the command has something run later by itself"));
        }
    }
}

/// The most written files that are looked for among what is run.
const MAX_FILES: usize = 64;

/// It is told where the script goes on to use what it writes; a generator of code only writes.
fn writes_code<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    let is_code = |path: &String| {
        [".py", ".pyc", ".so", ".pyd", ".sh", ".pyw", ".pyz", ".zip"].iter().any(|end| path.ends_with(end))
    };
    let files =
        sight.uses.iter().flat_map(|used| written(sight, used).into_iter().map(move |path| (used, path)));
    let files: Vec<_> = files.filter(|(_, path)| is_code(path)).take(MAX_FILES).collect();
    if files.is_empty() {
        return;
    }
    let mut run: Vec<String> = Vec::new();
    for used in &sight.uses {
        match used.kind {
            UseKind::Import => run.push(format!("{}.", used.name)),
            UseKind::Call(call) if runs_files(&used.name) => run.extend(sight.words(call, used.scope)),
            _ => {}
        }
    }
    for (used, path) in files {
        let name = path.rsplit('/').next().unwrap_or(&path);
        let module = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        if run.iter().any(|word| word.contains(&path) || word.strip_suffix('.') == Some(module)) {
            tell(Found::at(&used.range).message(format!("`{path}` is written, and then run")));
        }
    }
}

fn runs_files(name: &str) -> bool {
    danger(name).is_some()
        || ["importlib.", "ctypes.", "runpy.", "sys.path."].iter().any(|begin| name.starts_with(begin))
}

/// Variables that make programs run something else.
const VARIABLES: &[&str] = &[
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONBREAKPOINT",
    "PYTHONUSERBASE",
    "PYTHONEXECUTABLE",
    "PAGER",
    "MANPAGER",
    "BROWSER",
    "GIT_SSH_COMMAND",
    "GIT_SSH",
    "BASH_ENV",
    "PERL5OPT",
    "NODE_OPTIONS",
    "RUBYOPT",
    "DYLD_INSERT_LIBRARIES",
    "PROMPT_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "PYTHONWARNINGS",
];

fn environment<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    let mut check = |key: &[Meaning<'a>], range: TextRange| {
        if let Some(name) = key.iter().filter_map(path_of).find(|name| VARIABLES.contains(&name.as_str())) {
            tell(Found::at(&range).message(format!("`{name}` makes other programs run something else")));
        }
    };
    for &(target, _, scope) in sight.names.stores() {
        let Expr::Subscript(subscript) = target else { continue };
        let of = sight.values(&subscript.value, scope);
        if of.iter().any(|value| matches!(value, Meaning::Name(name, _) if &**name == "os.environ")) {
            check(&sight.values(&subscript.slice, scope), subscript.range);
        }
    }
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        let dict = match &*used.name {
            "os.putenv" | "os.environ.setdefault" | "os.environ.__setitem__" => {
                check(&sight.given(used, 0, ""), used.range);
                continue;
            }
            "os.environ.update" => {
                for name in call.arguments.keywords.iter().filter_map(|keyword| keyword.arg.as_ref()) {
                    check(&[Meaning::Text(name.as_str().into(), Made::Written)], used.range);
                }
                sight.given(used, 0, "")
            }
            _ if used.starts_program() => sight.given(used, usize::MAX, "env"),
            _ => continue,
        };
        for value in dict {
            if let Meaning::Dict(items) = value {
                items.iter().for_each(|(key, _)| check(key, used.range));
            }
        }
    }
}
