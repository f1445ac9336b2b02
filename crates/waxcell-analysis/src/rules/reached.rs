//! What is worth knowing when it is used at all: `tracing`, `native-code`, `pty`, `import-hook`, `starts-program`,
//! `unpickles`.

use ruff_python_ast::Expr;

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Meaning, UseKind};
use crate::sight::{Sight, Used};

fn called<'a>(used: &Used<'a>, _: &Sight<'a, '_>) -> Option<Found> {
    used.call()?;
    Some(Found::at(&used.range).message(format!("`{}` is called", used.name)))
}

fn reached<'a>(used: &Used<'a>, _: &Sight<'a, '_>) -> Option<Found> {
    let what = match used.kind {
        UseKind::Import => "imported",
        UseKind::Call(_) => "called",
        UseKind::Reference if matches!(&*used.name, "mmap.PROT_EXEC" | "termios.TIOCSTI") => "reached",
        UseKind::Reference => return None,
    };
    Some(Found::at(&used.range).message(format!("`{}` is {what}", used.name)))
}

pub(super) static TRACING: Rule = Rule {
    id: "tracing",
    class: Class::Capability,
    name: "tracing",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 913,
    summary: "the interpreter is told to call a function for every step",
    why: "Such a function sees and changes what all others do.",
    help: "use `cProfile`, `coverage` or a debugger from outside",
    fires: "import sys\nsys.settrace(f)\n",
    silent: "import cProfile\ncProfile.Profile()\n",
    differs: None,
    check: Check::Use(
        &[
            "sys.settrace",
            "sys.setprofile",
            "sys.addaudithook",
            "sys.monitoring.register_callback",
            "sys.monitoring.use_tool_id",
            "sys.call_tracing",
            "threading.settrace",
            "threading.setprofile",
            "threading.settrace_all_threads",
            "threading.setprofile_all_threads",
            "sys.remote_exec",
            "gc.callbacks.append",
        ],
        called,
    ),
};

pub(super) static NATIVE: Rule = Rule {
    id: "native-code",
    class: Class::Capability,
    name: "native-code",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 695,
    summary: "native code or memory is reached",
    why: "There no rule of Python holds, and nothing that is said here.",
    help: "use a module that does it in Python",
    fires: "import ctypes\nctypes.CDLL(None)\n",
    silent: "import struct\nstruct.pack(\"i\", 1)\n",
    differs: None,
    check: Check::Use(
        &[
            "ctypes",
            "ctypes.CDLL",
            "ctypes.PyDLL",
            "ctypes.cdll.*",
            "ctypes.pythonapi.*",
            "ctypes.memmove",
            "ctypes.CFUNCTYPE",
            "ctypes.string_at",
            "ctypes.cast",
            "ctypes.util",
            "ctypes.WinDLL",
            "ctypes.windll.*",
            "_ctypes",
            "_ctypes.dlopen",
            "_ctypes.call_function",
            "cffi",
            "cffi.FFI",
            "cffi.FFI.dlopen",
            "_cffi_backend",
            "_posixsubprocess",
            "_posixsubprocess.fork_exec",
            "os.memfd_create",
            "mmap.PROT_EXEC",
            "termios.TIOCSTI",
            "imp.load_dynamic",
            "_imp.create_dynamic",
            "_imp.exec_dynamic",
            "importlib.machinery.ExtensionFileLoader",
            "sys.setdlopenflags",
            "_testcapi",
            "_testinternalcapi",
            "_xxsubinterpreters",
            "_interpreters",
            "numpy.ctypeslib.load_library",
            "llvmlite.binding",
            "unicorn",
            "pwn",
            "keystone",
            "faulthandler._sigsegv",
        ],
        reached,
    ),
};

pub(super) static PTY: Rule = Rule {
    id: "pty",
    class: Class::Capability,
    name: "pty",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 78,
    summary: "a program is given a terminal",
    why: "That is how a shell is offered to somebody.",
    help: "start the program with `subprocess`",
    fires: "import pty\npty.spawn(\"sh\")\n",
    silent: "import subprocess\nsubprocess.run([\"ls\"])\n",
    differs: None,
    check: Check::Use(
        &[
            "pty.spawn",
            "pty.fork",
            "pty.openpty",
            "os.forkpty",
            "os.openpty",
            "os.login_tty",
            "pexpect.spawn",
            "ptyprocess.PtyProcess.spawn",
        ],
        called,
    ),
};

pub(super) static IMPORT_HOOK: Rule = Rule {
    id: "import-hook",
    class: Class::Capability,
    name: "import-hook",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 913,
    summary: "what `import` does is changed",
    why: "Every later import may then bring something else.",
    help: "import what is needed by its name",
    fires: "import sys\nsys.meta_path.insert(0, x)\n",
    silent: "import sys\nprint(sys.meta_path)\n",
    differs: None,
    check: Check::Sight(import_hook),
};

pub(super) static STARTS: Rule = Rule {
    id: "starts-program",
    class: Class::Capability,
    name: "starts-program",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 78,
    summary: "a program is started",
    why: "What it does is not part of the script.",
    help: "do it in Python; or write out which program",
    fires: "import asyncio\nasyncio.create_subprocess_shell(x)\n",
    silent: "import asyncio\nasyncio.run(x)\n",
    differs: None,
    check: Check::Use(
        &[
            "asyncio.create_subprocess_shell",
            "asyncio.create_subprocess_exec",
            "asyncio.subprocess.create_subprocess_shell",
            "asyncio.subprocess.create_subprocess_exec",
            "asyncio.get_event_loop.subprocess_shell",
            "asyncio.get_event_loop.subprocess_exec",
            "asyncio.get_running_loop.subprocess_exec",
            "asyncio.get_running_loop.subprocess_shell",
            "os.posix_spawn",
            "os.posix_spawnp",
            "webbrowser.open",
            "IPython.get_ipython.system",
            "IPython.get_ipython.getoutput",
            "IPython.get_ipython.run_cell",
            "IPython.get_ipython.run_line_magic",
            "sh.*",
            "tkinter.Tk.tk.eval",
            "tkinter.Tk.tk.call",
            "tkinter.Tk.eval",
            "tkinter.Tcl.eval",
            "tkinter.Tcl.call",
            "tkinter.Tcl.tk.eval",
            "tkinter.Tcl.tk.call",
            "webbrowser.open_new",
            "webbrowser.open_new_tab",
            "webbrowser.get",
            "antigravity",
            "trio.run_process",
            "anyio.run_process",
            "anyio.open_process",
            "sh.Command",
            "plumbum.local",
            "invoke.run",
            "fabric.Connection.run",
            "pydoc.pipepager",
            "pydoc.tempfilepager",
            "multiprocessing.util.spawnv_passfds",
            "multiprocessing.set_executable",
            "multiprocessing.spawn.set_executable",
            "platform.popen",
            "mailcap.findmatch",
            "imaplib.IMAP4_stream",
            "venv.create",
            "venv.EnvBuilder.create",
            "ensurepip.bootstrap",
            "pip.main",
            "pip._internal.main",
            "pip._internal.cli.main.main",
        ],
        reached_by_name,
    ),
};

pub(super) static UNPICKLES: Rule = Rule {
    id: "unpickles",
    class: Class::Capability,
    name: "unpickles",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 502,
    summary: "data is read that may say which code is run",
    why: "Whoever wrote the data decides what is run.",
    help: "use a format that holds only data, such as JSON",
    fires: "import joblib\njoblib.load(path)\n",
    silent: "import json\njson.load(file)\n",
    differs: None,
    check: Check::Use(
        &[
            "joblib.load",
            "cloudpickle.load",
            "cloudpickle.loads",
            "pickle._load",
            "pickle._loads",
            "pickle._Unpickler",
            "numpy.load",
            "yaml.unsafe_load",
            "yaml.full_load",
            "yaml.unsafe_load_all",
            "yaml.full_load_all",
            "jsonpickle.loads",
            "dill.load_session",
            "dill.load_module",
            "multiprocessing.connection.Listener",
            "multiprocessing.managers.BaseManager",
            "xmlrpc.server.SimpleXMLRPCServer.register_instance",
            "torch.hub.load",
            "keras.models.load_model",
            "tensorflow.keras.models.load_model",
            "sklearn.externals.joblib.load",
            "pandas.read_hdf",
            "copyreg.constructor",
            "klepto.load",
            "sqlite3.Connection.load_extension",
            "sqlite3.connect.load_extension",
            "readline.read_init_file",
        ],
        unpickles,
    ),
};

fn reached_by_name<'a>(used: &Used<'a>, sight: &Sight<'a, '_>) -> Option<Found> {
    match used.kind {
        UseKind::Reference => None,
        UseKind::Import if &*used.name != "antigravity" => None,
        _ => reached(used, sight),
    }
}

fn unpickles<'a>(used: &Used<'a>, sight: &Sight<'a, '_>) -> Option<Found> {
    used.call()?;
    // Data alone, unless it is said that there may be objects.
    if &*used.name == "numpy.load" {
        let allowed = sight.given(used, usize::MAX, "allow_pickle");
        if !matches!(allowed.as_slice(), [Meaning::Bool(true)]) {
            return None;
        }
    }
    called(used, sight)
}

fn import_hook<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    const LISTS: &[&str] = &["sys.meta_path", "sys.path_hooks", "sys.path_importer_cache"];
    for used in &sight.uses {
        let changes = [
            ".append",
            ".insert",
            ".extend",
            ".__setitem__",
            ".clear",
            ".remove",
            ".pop",
            ".update",
            ".setdefault",
        ];
        let list = changes.iter().find_map(|change| used.name.strip_suffix(change));
        let is_hook = list.is_some_and(|list| LISTS.contains(&list))
            || matches!(
                &*used.name,
                "codecs.register" | "codecs.register_error" | "site.addsitedir" | "importlib.util.set_loader"
            );
        if is_hook && used.call().is_some() {
            tell(
                Found::at(&used.range)
                    .message(format!("`{}` changes what is imported or decoded", used.name)),
            );
        }
    }
    for &(target, _, scope) in sight.names.stores() {
        let (of, name) = match target {
            Expr::Attribute(attribute) => (&*attribute.value, attribute.attr.as_str()),
            Expr::Subscript(subscript) => (&*subscript.value, "[]"),
            _ => continue,
        };
        for value in sight.values(of, scope) {
            let Meaning::Name(of, _) = value else { continue };
            let is_hook = match &*of {
                "builtins" => name != "_",
                "sys" => matches!(
                    name,
                    "meta_path" | "path_hooks" | "path_importer_cache" | "modules" | "breakpointhook"
                ),
                "sys.meta_path" | "sys.path_hooks" => name == "[]",
                "importlib" | "importlib._bootstrap" => true,
                _ => false,
            };
            if is_hook {
                tell(Found::at(target).message(format!("a member of `{of}` is exchanged")));
            }
        }
    }
}
