//! Calls that talk to the network without protection.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};

pub(super) static URLOPEN: Rule = Rule {
    id: "B310",
    class: Class::Hygiene,
    name: "urllib_urlopen",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 22,
    summary: "what opens this address opens files as well",
    why: "`urllib` follows `file:` and every scheme that was registered, so an address from outside can read local files.",
    help: "check that the address begins with `https:` before it is opened",
    fires: "import urllib.request\nurllib.request.urlopen(address)\n",
    silent: "import urllib.parse\nurllib.parse.urlsplit(address)\n",
    differs: None,
    check: Check::Called(&[
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "urllib.request.URLopener",
        "urllib.request.FancyURLopener",
        "six.moves.urllib.request.urlopen",
        "six.moves.urllib.request.urlretrieve",
        "six.moves.urllib.request.URLopener",
        "six.moves.urllib.request.FancyURLopener",
    ]),
};

pub(super) static TELNET: Rule = Rule {
    id: "B312",
    class: Class::Hygiene,
    name: "telnetlib",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 319,
    summary: "Telnet sends everything, passwords included, as plain text",
    why: "Whoever sits on the way reads and changes it.",
    help: "use SSH",
    fires: "import telnetlib\ntelnetlib.Telnet('host')\n",
    silent: "import telnetlib3\ntelnetlib3.open_connection('host')\n",
    differs: None,
    check: Check::Called(&["telnetlib.Telnet"]),
};

pub(super) static FTP: Rule = Rule {
    id: "B321",
    class: Class::Hygiene,
    name: "ftplib",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 319,
    summary: "FTP sends everything, passwords included, as plain text",
    why: "Whoever sits on the way reads and changes it.",
    help: "use SFTP, or `ftplib.FTP_TLS`",
    fires: "import ftplib\nftplib.FTP('host')\n",
    silent: "import ftplib\nftplib.FTP_TLS('host')\n",
    differs: None,
    check: Check::Called(&["ftplib.FTP"]),
};

pub(super) static UNVERIFIED_CONTEXT: Rule = Rule {
    id: "B323",
    class: Class::Hygiene,
    name: "unverified_context",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 295,
    summary: "the other side's certificate is not checked",
    why: "Anybody on the way can answer in the other side's name.",
    help: "use `ssl.create_default_context`, with a certificate authority of your own where needed",
    fires: "import ssl\nssl._create_unverified_context()\n",
    silent: "import ssl\nssl.create_default_context()\n",
    differs: None,
    check: Check::Called(&["ssl._create_unverified_context"]),
};
