//! Where data comes from that the script does not hold itself.

use super::bindings::Names;
use super::meaning::{MAX_DEPTH, Meaning, NOWHERE, Piece, Source, SourceKind, Values, whole};
use ruff_python_ast::ExprCall;
use ruff_text_size::Ranged;

use super::scope::ScopeId;

/// Dotted names, what begins with which is data from outside.
const SOURCES: &[(&str, SourceKind)] = &[
    ("sys.argv", SourceKind::Arguments),
    ("sys.orig_argv", SourceKind::Arguments),
    ("argparse.ArgumentParser.parse_args", SourceKind::Arguments),
    ("argparse.ArgumentParser.parse_known_args", SourceKind::Arguments),
    ("optparse.OptionParser.parse_args", SourceKind::Arguments),
    ("getopt.getopt", SourceKind::Arguments),
    ("input", SourceKind::Input),
    ("raw_input", SourceKind::Input),
    ("sys.stdin", SourceKind::Input),
    ("getpass.getpass", SourceKind::Input),
    ("fileinput.input", SourceKind::Input),
    ("os.getenv", SourceKind::Variable),
    ("os.environ.get", SourceKind::Variable),
    ("os.environ.pop", SourceKind::Variable),
    ("os.environ.setdefault", SourceKind::Variable),
    ("os.environ", SourceKind::Environment),
    ("os.environb", SourceKind::Environment),
    ("open", SourceKind::File),
    ("io.open", SourceKind::File),
    ("codecs.open", SourceKind::File),
    ("gzip.open", SourceKind::File),
    ("os.read", SourceKind::File),
    ("pathlib.Path.read_text", SourceKind::File),
    ("pathlib.Path.read_bytes", SourceKind::File),
    ("pathlib.Path.open", SourceKind::File),
    ("urllib.request.urlopen", SourceKind::Network),
    ("urllib.request.build_opener", SourceKind::Network),
    ("urllib.request.OpenerDirector", SourceKind::Network),
    ("urllib2.urlopen", SourceKind::Network),
    ("urllib.urlopen", SourceKind::Network),
    ("urllib3.PoolManager", SourceKind::Network),
    ("urllib3.request", SourceKind::Network),
    ("http.client.HTTPConnection", SourceKind::Network),
    ("http.client.HTTPSConnection", SourceKind::Network),
    ("requests.get", SourceKind::Network),
    ("requests.post", SourceKind::Network),
    ("requests.put", SourceKind::Network),
    ("requests.request", SourceKind::Network),
    ("requests.Session", SourceKind::Network),
    ("requests.session", SourceKind::Network),
    ("httpx.get", SourceKind::Network),
    ("httpx.post", SourceKind::Network),
    ("httpx.Client", SourceKind::Network),
    ("httpx.AsyncClient", SourceKind::Network),
    ("aiohttp.ClientSession", SourceKind::Network),
    ("socket.socket", SourceKind::Network),
    ("socket.create_connection", SourceKind::Network),
    ("socket.socketpair", SourceKind::Network),
    ("asyncio.open_connection", SourceKind::Network),
    ("websocket.create_connection", SourceKind::Network),
    ("websockets.connect", SourceKind::Network),
    ("ftplib.FTP", SourceKind::Network),
    ("telnetlib.Telnet", SourceKind::Network),
    ("imaplib.IMAP4", SourceKind::Network),
    ("poplib.POP3", SourceKind::Network),
    ("smtplib.SMTP", SourceKind::Network),
    ("xmlrpc.client.ServerProxy", SourceKind::Network),
    ("flask.request", SourceKind::Network),
];

/// Of what is done with data of a source, what has no data in it.
const CLEAN: &[&str] = &[
    "shlex.quote",
    "pipes.quote",
    "int",
    "float",
    "len",
    "bool",
    "hash",
    "id",
    "isinstance",
    "hasattr",
    "type",
    "shlex.split",
    "ord",
    "range",
    "print",
    "os.path.exists",
    "os.path.isfile",
    "os.path.isdir",
    "hashlib.sha256",
    "hashlib.md5",
    "hashlib.sha1",
    "uuid.UUID",
    "enumerate",
];

/// Files that hold keys, passwords or sessions: parts of their paths.
const SECRETS: &[&str] = &[
    "/.ssh/",
    ".ssh/id_",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "id_dsa",
    ".aws/credentials",
    ".aws/config",
    "/.netrc",
    "~/.netrc",
    "/etc/shadow",
    "/etc/passwd",
    ".mozilla/firefox",
    "/etc/gshadow",
    ".kube/config",
    ".docker/config.json",
    ".gnupg/",
    ".pypirc",
    ".npmrc",
    ".git-credentials",
    ".config/gcloud",
    ".azure/",
    "login data",
    "logins.json",
    "key4.db",
    "cookies.sqlite",
    "/cookies",
    "wallet.dat",
    ".bitcoin/",
    ".ethereum/keystore",
    ".electrum/",
    "leveldb",
    "/etc/sudoers",
    "/proc/1/environ",
    "/proc/self/environ",
    ".pgpass",
    ".my.cnf",
    ".bash_history",
    ".zsh_history",
    "/etc/ssl/private",
    "local state",
    "keychain-db",
    "web data",
    "/etc/krb5.keytab",
    ".config/gh/hosts",
    ".password-store",
    "/run/secrets",
    "serviceaccount/token",
];

/// Whether this is the path of a file with credentials.
pub(crate) fn is_secret(path: &str) -> bool {
    if path.len() > 500 {
        return false;
    }
    let path = path.replace('\\', "/").to_ascii_lowercase();
    let path = path.trim_end();
    let is_there = |part: &str| match path.find(part) {
        // `id_rsa`, but not `valid_rsa`.
        Some(at) if part.starts_with("id_") => !path[..at].ends_with(|c: char| c.is_ascii_alphanumeric()),
        found => found.is_some(),
    };
    (SECRETS.iter().any(|part| is_there(part)) || path.ends_with("/.ssh"))
        && !path.ends_with(".pub")
        && !path.contains("known_hosts")
}

impl<'a> Names<'a> {
    /// Where a value comes from, if it comes from outside.
    pub(super) fn source_of(&self, value: &Meaning<'a>) -> Option<Source> {
        match value {
            Meaning::Unknown(source) => *source,
            Meaning::Pattern(pieces) | Meaning::Path(pieces) => pieces.iter().find_map(|piece| match piece {
                Piece::Gap(source) => *source,
                Piece::Text(_) => None,
            }),
            Meaning::Name(name, _) => match by_name(name)? {
                // Only where it is read is it data.
                SourceKind::Arguments => Some(Source { kind: SourceKind::Arguments, at: NOWHERE }),
                kind @ SourceKind::Environment => Some(Source { kind, at: NOWHERE }),
                _ => None,
            },
            Meaning::Result(name, call, scope) => self.source_of_call(name, call, *scope),
            Meaning::Members(of) | Meaning::Method(of, _) => self.source_of(of),
            Meaning::List(list) => list.iter().take(64).find_map(|values| self.source(values)),
            Meaning::Dict(items) => {
                items.iter().take(64).find_map(|(key, value)| self.source(value).or_else(|| self.source(key)))
            }
            _ => None,
        }
    }

    /// Where what a call returns comes from: from what is called, or from what it is given.
    fn source_of_call(&self, name: &str, call: &'a ExprCall, scope: ScopeId) -> Option<Source> {
        if CLEAN.contains(&name) || self.depth.get() >= MAX_DEPTH {
            return None;
        }
        if let Some(kind) = by_name(name) {
            let kind = match kind {
                SourceKind::File if self.reads_secret(call, scope) => SourceKind::Secret,
                _ => kind,
            };
            return Some(Source { kind, at: call.start() });
        }
        let key = (std::ptr::from_ref(call).addr() | 1, scope);
        let values = self.once(key, || {
            let arguments =
                call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|one| &one.value));
            let mut source = None;
            for argument in arguments.take(16) {
                source = source.or_else(|| self.source(&self.eval(argument, scope)));
            }
            // A method of something that has a source: `open(path).read()` goes by its name, this by what it is of.
            if source.is_none()
                && let ruff_python_ast::Expr::Attribute(attribute) = &*call.func
            {
                source = self.source(&self.eval(&attribute.value, scope));
            }
            source.map(|source| Meaning::Unknown(Some(source))).into_iter().collect()
        });
        match values.as_slice() {
            [Meaning::Unknown(source)] => *source,
            _ => None,
        }
    }

    fn reads_secret(&self, call: &'a ExprCall, scope: ScopeId) -> bool {
        let mut values: Values<'a> = Values::new();
        // What is opened, or the path whose method is called; of `open(path).read()`, the call within.
        let mut at = call;
        for _ in 0..4 {
            if let Some(first) = at.arguments.args.first() {
                values.extend(self.eval(first, scope));
            }
            let ruff_python_ast::Expr::Attribute(attribute) = &*at.func else { break };
            values.extend(self.eval(&attribute.value, scope));
            let ruff_python_ast::Expr::Call(inner) = &*attribute.value else { break };
            at = inner;
        }
        for _ in 0..4 {
            if values.iter().any(|value| path_of(value).is_some_and(|path| is_secret(&path))) {
                return true;
            }
            // `f = open(path)`, and then `f.read()`.
            values = values
                .into_iter()
                .filter_map(|value| match value {
                    Meaning::Result(_, call, scope) => Some(self.eval(call.arguments.args.first()?, scope)),
                    _ => None,
                })
                .flatten()
                .collect();
        }
        false
    }
}

/// The text of a path, its gaps as `*`.
pub(crate) fn path_of(value: &Meaning<'_>) -> Option<String> {
    match value {
        Meaning::Text(text, _) => Some(text.to_string()),
        Meaning::Bytes(bytes, _) => String::from_utf8(bytes.to_vec()).ok(),
        Meaning::Path(pieces) | Meaning::Pattern(pieces) => {
            let text = |piece: &Piece| match piece {
                Piece::Text(text) => text.to_string(),
                Piece::Gap(_) => "*".to_owned(),
            };
            whole(pieces).map(|text| text.to_string()).or_else(|| Some(pieces.iter().map(text).collect()))
        }
        _ => None,
    }
}

fn by_name(name: &str) -> Option<SourceKind> {
    let is_of =
        |begin: &str| name.strip_prefix(begin).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    SOURCES.iter().find(|(begin, _)| is_of(begin)).map(|(_, kind)| *kind)
}
