//! Calls that make objects from data: whoever wrote the data decides what is run.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};

pub(super) static PICKLE: Rule = Rule {
    id: "B301",
    class: Class::Hygiene,
    name: "pickle",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 502,
    summary: "reading a pickle can run any code",
    why: "A pickle says which functions are called to rebuild its objects. Whoever can change it runs code here.",
    help: "use a format that holds only data, such as JSON, or check a signature before reading",
    fires: "import pickle\npickle.loads(data)\n",
    silent: "import json\njson.loads(data)\n",
    differs: None,
    check: Check::Called(&[
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "dill.load",
        "dill.loads",
        "dill.Unpickler",
        "shelve.open",
        "shelve.DbfilenameShelf",
        "jsonpickle.decode",
        "jsonpickle.unpickler.decode",
        "jsonpickle.unpickler.Unpickler",
        "pandas.read_pickle",
    ]),
};

pub(super) static MARSHAL: Rule = Rule {
    id: "B302",
    class: Class::Hygiene,
    name: "marshal",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 502,
    summary: "marshal is not made for data of others",
    why: "It holds code objects, and malformed input can crash the interpreter.",
    help: "use a format that holds only data, such as JSON",
    fires: "import marshal\nmarshal.loads(data)\n",
    silent: "import marshal\nmarshal.dumps(data)\n",
    differs: None,
    check: Check::Called(&["marshal.load", "marshal.loads"]),
};

pub(super) static EVAL: Rule = Rule {
    id: "B307",
    class: Class::Hygiene,
    name: "eval",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 78,
    summary: "text is evaluated as code",
    why: "Whoever can change the text decides what the script does.",
    help: "read literals with `ast.literal_eval`, everything else with a parser of its own",
    fires: "eval(text)\n",
    silent: "import ast\nast.literal_eval(text)\n",
    differs: None,
    check: Check::Called(&["eval"]),
};

pub(super) static MARK_SAFE: Rule = Rule {
    id: "B308",
    class: Class::Hygiene,
    name: "mark_safe",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 79,
    summary: "text is declared to be safe markup",
    why: "What is marked as safe is not escaped: text of a user becomes part of the page.",
    help: "build the markup with `format_html`, which escapes its arguments",
    fires: "from django.utils.safestring import mark_safe\nmark_safe(text)\n",
    silent: "from django.utils.html import format_html\nformat_html('<b>{}</b>', text)\n",
    differs: None,
    check: Check::Called(&["django.utils.safestring.mark_safe"]),
};

pub(super) static MKTEMP: Rule = Rule {
    id: "B306",
    class: Class::Hygiene,
    name: "mktemp_q",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 377,
    summary: "the name of a temporary file can be taken by somebody else before the file is made",
    why: "Between choosing a name and opening it, another user can put a link there.",
    help: "use `tempfile.mkstemp` or `tempfile.NamedTemporaryFile`, which make the file at once",
    fires: "import tempfile\ntempfile.mktemp()\n",
    silent: "import tempfile\ntempfile.mkstemp()\n",
    differs: None,
    check: Check::Called(&["tempfile.mktemp"]),
};
