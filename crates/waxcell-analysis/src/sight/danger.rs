//! What is dangerous, by dotted name.

/// What comes of it when something is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Danger {
    /// A text is run as code.
    Code,
    /// A program is started.
    Program,
    /// Code of the machine, or memory, is reached.
    Native,
}

impl Danger {
    /// In a sentence: `os.system, which starts programs`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Danger::Code => "which runs text as code",
            Danger::Program => "which starts programs",
            Danger::Native => "which reaches native code",
        }
    }
}

/// The danger of calling something.
pub(crate) fn danger(name: &str) -> Option<Danger> {
    let (of, last) = name.rsplit_once('.').unwrap_or(("", name));
    Some(match of {
        "" => match last {
            "exec" | "eval" | "execfile" | "__import__" | "breakpoint" => Danger::Code,
            _ => return None,
        },
        "os" => match last {
            "system" | "popen" | "popen2" | "popen3" | "popen4" | "startfile" | "posix_spawn"
            | "posix_spawnp" => Danger::Program,
            _ if last.starts_with("exec") || last.starts_with("spawn") => Danger::Program,
            _ => return None,
        },
        "subprocess" => match last {
            "run" | "call" | "Popen" | "check_call" | "check_output" | "getoutput" | "getstatusoutput" => {
                Danger::Program
            }
            _ => return None,
        },
        "pty" if matches!(last, "spawn" | "fork") => Danger::Program,
        "commands" | "popen2" => Danger::Program,
        "asyncio" | "asyncio.subprocess" if last.starts_with("create_subprocess") => Danger::Program,
        "_posixsubprocess" if last == "fork_exec" => Danger::Program,
        "pexpect" if matches!(last, "spawn" | "run") => Danger::Program,
        "ctypes"
            if matches!(
                last,
                "CDLL" | "PyDLL" | "cdll" | "pythonapi" | "CFUNCTYPE" | "memmove" | "WinDLL" | "windll"
            ) =>
        {
            Danger::Native
        }
        "ctypes.cdll" | "ctypes.util" | "ctypes.pythonapi" => Danger::Native,
        "_ctypes" if matches!(last, "dlopen" | "call_function" | "dlsym") => Danger::Native,
        "code" if matches!(last, "interact" | "InteractiveInterpreter" | "InteractiveConsole") => {
            Danger::Code
        }
        "runpy" if last.starts_with("run_") => Danger::Code,
        "importlib" if matches!(last, "import_module" | "__import__") => Danger::Code,
        "types" if matches!(last, "FunctionType" | "CodeType" | "LambdaType") => Danger::Code,
        "marshal" if matches!(last, "load" | "loads") => Danger::Code,
        "pickle" if matches!(last, "load" | "loads") => Danger::Code,
        "timeit" if last == "timeit" => Danger::Code,
        "_xxsubinterpreters" | "_interpreters" if last.starts_with("run") => Danger::Code,
        _ => return None,
    })
}

/// Modules of which a member is only reached by a text that was put together if somebody hides it.
pub(crate) fn is_sensitive(module: &str) -> bool {
    matches!(
        module,
        "os" | "sys"
            | "subprocess"
            | "builtins"
            | "importlib"
            | "ctypes"
            | "_ctypes"
            | "socket"
            | "pty"
            | "shutil"
            | "marshal"
            | "pickle"
            | "code"
            | "runpy"
            | "types"
            | "_posixsubprocess"
            | "urllib"
            | "requests"
            | "http"
            | "commands"
            | "platform"
            | "gc"
            | "inspect"
            | "multiprocessing"
            | "asyncio"
            | "threading"
            | "signal"
            | "base64"
            | "zlib"
            | "binascii"
            | "codecs"
            | "cffi"
            | "mmap"
            | "ssl"
            | "smtplib"
            | "ftplib"
            | "telnetlib"
            | "paramiko"
    )
}

/// Words that nobody puts together from parts but to hide them.
pub(crate) fn is_telling_word(word: &str) -> bool {
    is_inner(word)
        || matches!(
            word,
            "os" | "sys"
                | "subprocess"
                | "builtins"
                | "importlib"
                | "ctypes"
                | "system"
                | "popen"
                | "Popen"
                | "exec"
                | "eval"
                | "compile"
                | "__import__"
                | "import_module"
                | "execve"
                | "spawn"
                | "pty"
                | "socket"
                | "marshal"
                | "pickle"
                | "getattr"
                | "globals"
                | "check_output"
                | "os.system"
                | "__builtins__"
                | "__class__"
                | "__base__"
                | "__init__"
                | "posix"
                | "CDLL"
                | "loads"
                | "b64decode"
                | "exec("
                | "eval("
        )
}

/// Names whose bare mention matters, not only their call.
pub(crate) fn is_telling(name: &str) -> bool {
    match name.len() {
        4 => matches!(name, "exec" | "eval"),
        7 => matches!(name, "compile" | "getattr"),
        8 => name == "execfile",
        10 => name == "__import__",
        12 => name == "__builtins__",
        _ => !name.is_ascii(),
    }
}

/// Attributes by which one gets inside of an object, and from there to everything else.
pub(crate) fn is_inner(name: &str) -> bool {
    match name.as_bytes() {
        [b'_', b'_', ..] => matches!(
            name,
            "__subclasses__"
                | "__globals__"
                | "__builtins__"
                | "__bases__"
                | "__base__"
                | "__mro__"
                | "__code__"
                | "__closure__"
                | "__getattribute__"
                | "__self__"
                | "__loader__"
                | "__reduce_ex__"
                | "__reduce__"
                | "__traceback__"
                | "__func__"
                | "__kwdefaults__"
                | "__defaults__"
                | "__wrapped__"
                | "__import__"
                | "__dict__"
                | "__class__"
                | "__spec__"
        ),
        [b'f', b'_', ..] => matches!(name, "f_globals" | "f_builtins" | "f_locals" | "f_back" | "f_code"),
        [b'g' | b'c' | b'a', ..] => {
            matches!(
                name,
                "gi_frame"
                    | "gi_code"
                    | "cr_frame"
                    | "cr_code"
                    | "ag_frame"
                    | "ag_code"
                    | "co_code"
                    | "co_consts"
                    | "cell_contents"
                    | "cr_await"
                    | "gi_yieldfrom"
            )
        }
        [b't', b'b', b'_', ..] => matches!(name, "tb_frame" | "tb_next"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Danger, danger};

    #[test]
    fn dangers_have_names() {
        assert_eq!(danger("os.execvpe"), Some(Danger::Program));
        assert_eq!(danger("exec"), Some(Danger::Code));
        assert_eq!(danger("os.path.join"), None);
        assert_eq!(danger("re.compile"), None);
    }
}
