//! What keeps a script from being read, and so from being run. Reading finds these; they are no matter of taste.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};

const UNREADABLE: Rule = Rule {
    id: "",
    class: Class::Reading,
    name: "",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 0,
    summary: "",
    why: "What cannot be read cannot be judged, so it is not run.",
    help: "",
    fires: "",
    silent: "x = 1\n",
    differs: Some("Bandit leaves such a file out and ends with success."),
    check: Check::Reading,
};

/// Found by nobody in here: an analysis that has ended cannot say so itself.
pub(crate) static ANALYSIS_ENDED: Rule = Rule {
    id: "analysis-ended",
    name: "analysis-ended",
    summary: "the analysis of the script ended before it was done",
    help: "split the script, or report it: what ends the analysis is a mistake in it, or was made to",
    fires: "",
    ..UNREADABLE
};

pub(crate) static NUL_BYTE: Rule = Rule {
    id: "nul-byte",
    name: "nul-byte",
    summary: "the script holds a NUL byte, which no interpreter reads alike",
    help: "remove the byte; write it as `\\0` inside a string",
    fires: "x = '\0'\n",
    ..UNREADABLE
};

pub(crate) static SYNTAX_ERROR: Rule = Rule {
    id: "syntax-error",
    name: "syntax-error",
    summary: "the script is not valid Python",
    help: "correct the script; the interpreter does not read it either",
    fires: "x = (\n",
    ..UNREADABLE
};

pub(crate) static TOO_DEEP: Rule = Rule {
    id: "too-deep",
    name: "too-deep",
    summary: "brackets, blocks or operators are nested deeper than interpreters take",
    help: "split the expression or the block; data of this shape belongs in a file",
    fires: "",
    ..UNREADABLE
};

pub(crate) static TOO_LARGE: Rule = Rule {
    id: "too-large",
    name: "too-large",
    summary: "the script is larger than what is analysed",
    help: "move embedded data into a file that the script reads",
    fires: "",
    ..UNREADABLE
};

pub(crate) static UNDECODABLE: Rule = Rule {
    id: "undecodable",
    name: "undecodable",
    summary: "the bytes are not text in the encoding that the script declares",
    help: "save the file as UTF-8",
    fires: "# coding: no-such-codec\n",
    ..UNREADABLE
};

pub(crate) static UNSUPPORTED_SYNTAX: Rule = Rule {
    id: "unsupported-syntax",
    name: "unsupported-syntax",
    summary: "the script uses syntax that the interpreter's version does not have",
    help: "run it on another version of Python, or write it for the one that runs it",
    fires: "",
    ..UNREADABLE
};
