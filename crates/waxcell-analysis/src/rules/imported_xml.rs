//! Imports of parsers of XML that do what a hostile document tells them.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};

const PARSER: Rule = Rule {
    id: "",
    class: Class::Hygiene,
    name: "",
    severity: Severity::Low,
    confidence: Confidence::High,
    cwe: 20,
    summary: "a parser of XML is imported that trusts what it reads",
    why: "Entities in a document expand to gigabytes, or are fetched from wherever it says.",
    help: "parse documents of others with `defusedxml`",
    fires: "",
    silent: "import defusedxml.ElementTree\n",
    differs: Some(super::EVERY_MODULE),
    check: Check::Imported(&[]),
};

pub(super) static ETREE: Rule = Rule {
    id: "B405",
    class: Class::Hygiene,
    name: "import_xml_etree",
    fires: "import xml.etree.cElementTree\n",
    check: Check::Imported(&["xml.etree.cElementTree", "xml.etree.ElementTree"]),
    ..PARSER
};

pub(super) static SAX: Rule = Rule {
    id: "B406",
    class: Class::Hygiene,
    name: "import_xml_sax",
    fires: "import xml.sax\n",
    check: Check::Imported(&["xml.sax"]),
    ..PARSER
};

pub(super) static EXPAT: Rule = Rule {
    id: "B407",
    class: Class::Hygiene,
    name: "import_xml_expat",
    fires: "import xml.dom.expatbuilder\n",
    check: Check::Imported(&["xml.dom.expatbuilder"]),
    ..PARSER
};

pub(super) static MINIDOM: Rule = Rule {
    id: "B408",
    class: Class::Hygiene,
    name: "import_xml_minidom",
    fires: "import xml.dom.minidom\n",
    check: Check::Imported(&["xml.dom.minidom"]),
    ..PARSER
};

pub(super) static PULLDOM: Rule = Rule {
    id: "B409",
    class: Class::Hygiene,
    name: "import_xml_pulldom",
    fires: "import xml.dom.pulldom\n",
    check: Check::Imported(&["xml.dom.pulldom"]),
    ..PARSER
};
