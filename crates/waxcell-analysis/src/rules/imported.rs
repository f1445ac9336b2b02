//! Imports of modules that make a script worth a second look.

use super::{Check, EVERY_MODULE, Rule};
use crate::finding::{Class, Confidence, Severity};

pub(super) static TELNET: Rule = Rule {
    id: "B401",
    class: Class::Hygiene,
    name: "import_telnetlib",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 319,
    summary: "Telnet sends everything, passwords included, as plain text",
    why: "Whoever sits on the way reads and changes it.",
    help: "use SSH",
    fires: "import telnetlib\n",
    silent: "import asyncssh\n",
    differs: Some(EVERY_MODULE),
    check: Check::Imported(&["telnetlib"]),
};

pub(super) static FTP: Rule = Rule {
    id: "B402",
    class: Class::Hygiene,
    name: "import_ftplib",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 319,
    summary: "FTP sends everything, passwords included, as plain text",
    why: "Whoever sits on the way reads and changes it.",
    help: "use SFTP",
    fires: "from ftplib import FTP\n",
    silent: "import asyncssh\n",
    differs: Some(EVERY_MODULE),
    check: Check::Imported(&["ftplib"]),
};

pub(super) static PICKLE: Rule = Rule {
    id: "B403",
    class: Class::Hygiene,
    name: "import_pickle",
    severity: Severity::Low,
    confidence: Confidence::High,
    cwe: 502,
    summary: "a module is imported that runs what the data says",
    why: "What it reads must come from the script itself, or be signed.",
    help: "use a format that holds only data, such as JSON",
    fires: "import pickle\n",
    silent: "import json\n",
    differs: Some(EVERY_MODULE),
    check: Check::Imported(&["pickle", "cPickle", "dill", "shelve"]),
};

pub(super) static SUBPROCESS: Rule = Rule {
    id: "B404",
    class: Class::Hygiene,
    name: "import_subprocess",
    severity: Severity::Low,
    confidence: Confidence::High,
    cwe: 78,
    summary: "a module is imported that starts programs",
    why: "What programs are started with must not come from outside unchecked.",
    help: "start programs by their whole path, with a list of arguments",
    fires: "import subprocess\n",
    silent: "import multiprocessing\n",
    differs: Some(EVERY_MODULE),
    check: Check::Imported(&["subprocess"]),
};

pub(super) static XMLRPC: Rule = Rule {
    id: "B411",
    class: Class::Hygiene,
    name: "import_xmlrpclib",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 20,
    summary: "XML-RPC parses the XML of whoever sends it",
    why: "Entities in a document expand to gigabytes, or are fetched from wherever it says.",
    help: "call `defusedxml.xmlrpc.monkey_patch` first, or use JSON",
    fires: "import xmlrpc.client\n",
    silent: "import json\n",
    differs: Some(EVERY_MODULE),
    check: Check::Imported(&["xmlrpc"]),
};

pub(super) static HTTPOXY: Rule = Rule {
    id: "B412",
    class: Class::Hygiene,
    name: "import_httpoxy",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 284,
    summary: "CGI turns a header of the request into the variable `HTTP_PROXY`",
    why: "A client can send the requests that the script makes through a server of its own.",
    help: "serve through WSGI or ASGI, or remove the header `Proxy` in front",
    fires: "from wsgiref.handlers import CGIHandler\n",
    silent: "from wsgiref.simple_server import make_server\n",
    differs: Some(EVERY_MODULE),
    check: Check::Imported(&[
        "wsgiref.handlers.CGIHandler",
        "twisted.web.twcgi.CGIScript",
        "twisted.web.twcgi.CGIDirectory",
    ]),
};

pub(super) static PYCRYPTO: Rule = Rule {
    id: "B413",
    class: Class::Hygiene,
    name: "import_pycrypto",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 327,
    summary: "pyCrypto has had no corrections since 2013",
    why: "Its known faults stay, among them one that runs code.",
    help: "use `cryptography`, or `Cryptodome` of PyCryptodome",
    fires: "import Crypto.Cipher\n",
    silent: "import cryptography\n",
    differs: Some(EVERY_MODULE),
    check: Check::Imported(&[
        "Crypto.Cipher",
        "Crypto.Hash",
        "Crypto.IO",
        "Crypto.Protocol",
        "Crypto.PublicKey",
        "Crypto.Random",
        "Crypto.Signature",
        "Crypto.Util",
    ]),
};

pub(super) static PYGHMI: Rule = Rule {
    id: "B415",
    class: Class::Hygiene,
    name: "import_pyghmi",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 319,
    summary: "IPMI hands out the hash of a password to whoever asks",
    why: "Its protection is that of the last century.",
    help: "keep it to a network of its own, or use Redfish over TLS",
    fires: "import pyghmi.ipmi\n",
    silent: "import redfish\n",
    differs: Some(EVERY_MODULE),
    check: Check::Imported(&["pyghmi"]),
};
