//! Parsers of XML that do what a hostile document tells them. One rule for each module of the standard library.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};

const PARSER: Rule = Rule {
    id: "",
    class: Class::Hygiene,
    name: "",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 20,
    summary: "this parser of XML can be made to use all memory or to read other files",
    why: "Entities in a document expand to gigabytes, or are fetched from wherever it says.",
    help: "parse documents of others with `defusedxml`",
    fires: "",
    silent: "import defusedxml.ElementTree\ndefusedxml.ElementTree.fromstring(text)\n",
    differs: None,
    check: Check::Called(&[]),
};

pub(super) static C_ELEMENT_TREE: Rule = Rule {
    id: "B313",
    class: Class::Hygiene,
    name: "xml_bad_cElementTree",
    fires: "import xml.etree.cElementTree\nxml.etree.cElementTree.parse(text)\n",
    check: Check::Called(&[
        "xml.etree.cElementTree.parse",
        "xml.etree.cElementTree.iterparse",
        "xml.etree.cElementTree.fromstring",
        "xml.etree.cElementTree.XMLParser",
    ]),
    ..PARSER
};

pub(super) static ELEMENT_TREE: Rule = Rule {
    id: "B314",
    class: Class::Hygiene,
    name: "xml_bad_ElementTree",
    fires: "import xml.etree.ElementTree\nxml.etree.ElementTree.parse(text)\n",
    check: Check::Called(&[
        "xml.etree.ElementTree.parse",
        "xml.etree.ElementTree.iterparse",
        "xml.etree.ElementTree.fromstring",
        "xml.etree.ElementTree.XMLParser",
    ]),
    ..PARSER
};

pub(super) static EXPAT_READER: Rule = Rule {
    id: "B315",
    class: Class::Hygiene,
    name: "xml_bad_expatreader",
    fires: "import xml.sax.expatreader\nxml.sax.expatreader.create_parser(text)\n",
    check: Check::Called(&["xml.sax.expatreader.create_parser"]),
    ..PARSER
};

pub(super) static EXPAT_BUILDER: Rule = Rule {
    id: "B316",
    class: Class::Hygiene,
    name: "xml_bad_expatbuilder",
    fires: "import xml.dom.expatbuilder\nxml.dom.expatbuilder.parse(text)\n",
    check: Check::Called(&["xml.dom.expatbuilder.parse", "xml.dom.expatbuilder.parseString"]),
    ..PARSER
};

pub(super) static SAX: Rule = Rule {
    id: "B317",
    class: Class::Hygiene,
    name: "xml_bad_sax",
    fires: "import xml.sax\nxml.sax.parse(text)\n",
    check: Check::Called(&["xml.sax.parse", "xml.sax.parseString", "xml.sax.make_parser"]),
    ..PARSER
};

pub(super) static MINIDOM: Rule = Rule {
    id: "B318",
    class: Class::Hygiene,
    name: "xml_bad_minidom",
    fires: "import xml.dom.minidom\nxml.dom.minidom.parse(text)\n",
    check: Check::Called(&["xml.dom.minidom.parse", "xml.dom.minidom.parseString"]),
    ..PARSER
};

pub(super) static PULLDOM: Rule = Rule {
    id: "B319",
    class: Class::Hygiene,
    name: "xml_bad_pulldom",
    fires: "import xml.dom.pulldom\nxml.dom.pulldom.parse(text)\n",
    check: Check::Called(&["xml.dom.pulldom.parse", "xml.dom.pulldom.parseString"]),
    ..PARSER
};
