//! The registry of rules: what is fixed about each, and what it looks at. A rule is one file below `rules/`, or one row
//! of a table there, and one name in `RULES`.

mod assert_used;
mod autostart;
mod bad_file_permissions;
mod bind_all_interfaces;
mod called_crypto;
mod called_data;
mod called_network;
mod called_xml;
mod dependency;
mod django_sql;
mod dynamic_code;
mod dynamic_import;
mod exec_used;
mod flask_debug;
mod format_walk;
mod hardcoded_tmp_directory;
mod hashlib;
mod hidden_code;
mod hidden_name;
mod imported;
mod imported_xml;
mod inner_member;
mod logging_listen;
mod machine_learning;
mod mark_safe;
mod passwords;
mod reached;
mod reduce_payload;
mod requests;
mod secrets;
mod shell;
mod shells;
mod snmp;
mod sql;
mod ssh;
mod tainted;
mod tarfile_members;
mod templates;
mod tls;
mod trojan_source;
mod try_except;
mod unicode_name;
mod unreadable;
mod weak_key;
mod wildcard;
mod yaml_load;

use ruff_python_ast::{ExceptHandlerExceptHandler, StmtAssert, StmtFunctionDef};

use sha2::{Digest, Sha256};

use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::sight::{Sight, Used};
use crate::text::Text;

pub(crate) use dynamic_code::RULE as DYNAMIC_CODE;
pub(crate) use hidden_code::{HIDDEN as HIDDEN_CODE, IN_TEXT as CODE_IN_TEXT};
pub(crate) use unreadable::{
    ANALYSIS_ENDED, NUL_BYTE, SYNTAX_ERROR, TOO_DEEP, TOO_LARGE, UNDECODABLE, UNSUPPORTED_SYNTAX,
};

/// What is fixed about a rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The name that policies, reports and documents use. Those of the form `B101` are Bandit's.
    pub id: &'static str,
    /// What kind of thing it says.
    pub class: Class,
    /// A longer name, which `# nosec` understands as well; Bandit's where it has one.
    pub name: &'static str,
    /// How bad a finding of this rule is, unless the finding says otherwise.
    pub severity: Severity,
    /// How sure it is, unless the finding says otherwise.
    pub confidence: Confidence,
    /// The number of the weakness in the list of common ones (CWE), 0 if it is none.
    pub cwe: u16,
    /// What it means, in one line without a full stop.
    pub summary: &'static str,
    /// Why that matters, in a sentence or two.
    pub why: &'static str,
    /// What to do about it, in one line without a full stop.
    pub help: &'static str,
    /// A script that it finds fault with.
    pub fires: &'static str,
    /// The same done well, with which it does not.
    pub silent: &'static str,
    /// Where it differs from Bandit's rule of the same id on purpose, and why.
    pub differs: Option<&'static str>,
    pub(crate) check: Check,
}

/// What a rule looks at. Each function says at most one thing about what it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// Nothing: reading the script finds it.
    Reading,
    /// Nothing in the script: another part of waxcell finds it.
    Elsewhere,
    Assert(fn(&StmtAssert, &Context<'_>) -> Option<Found>),
    Call(for<'a> fn(&Call<'a>, &Context<'a>) -> Option<Found>),
    /// Calls of one of these qualified names.
    Called(&'static [&'static str]),
    /// The text as a whole.
    File(fn(&Context<'_>) -> Option<Found>),
    /// A function; like Bandit's, never one that is asynchronous.
    Function(fn(&StmtFunctionDef, &Context<'_>) -> Option<Found>),
    Handler(fn(&ExceptHandlerExceptHandler, &Context<'_>) -> Option<Found>),
    /// Imports of what begins with one of these, in whatever way.
    Imported(&'static [&'static str]),
    /// What is seen of the script when all of it has been read.
    Sight(for<'a, 'n> fn(&Sight<'a, 'n>, &mut dyn FnMut(Found))),
    Text(for<'a> fn(&Text<'a>, &Context<'a>) -> Option<Found>),
    /// Uses of what has one of these names, however the script comes by it; `x.*` is everything below `x`, and itself.
    Use(&'static [&'static str], for<'a, 'n> fn(&Used<'a>, &Sight<'a, 'n>) -> Option<Found>),
}

impl Rule {
    /// Whether one finding of this rule keeps the script from being run, whatever a policy says: the interpreter
    /// could not read it either, or we could not analyse it.
    pub fn blocks(&self) -> bool {
        matches!(self.check, Check::Reading)
    }

    /// Whether it is a list of names that are called or imported.
    pub fn is_list(&self) -> bool {
        matches!(self.check, Check::Called(_) | Check::Imported(_))
    }

    /// Whether it looks at texts, and not at the statements and expressions in which they stand.
    pub fn is_about_texts(&self) -> bool {
        matches!(self.check, Check::Text(_))
    }
}

/// Every rule, in the order of its id.
pub static RULES: &[&Rule] = &[
    &assert_used::RULE,
    &exec_used::RULE,
    &bad_file_permissions::RULE,
    &bind_all_interfaces::RULE,
    &passwords::STRING,
    &passwords::ARGUMENT,
    &passwords::DEFAULT,
    &hardcoded_tmp_directory::RULE,
    &try_except::PASS,
    &try_except::CONTINUE,
    &requests::NO_TIMEOUT,
    &flask_debug::RULE,
    &tarfile_members::RULE,
    &called_data::PICKLE,
    &called_data::MARSHAL,
    &called_crypto::HASHES,
    &called_crypto::CIPHERS,
    &called_crypto::CIPHER_MODES,
    &called_data::MKTEMP,
    &called_data::EVAL,
    &called_data::MARK_SAFE,
    &called_network::URLOPEN,
    &called_crypto::RANDOM,
    &called_network::TELNET,
    &called_xml::C_ELEMENT_TREE,
    &called_xml::ELEMENT_TREE,
    &called_xml::EXPAT_READER,
    &called_xml::EXPAT_BUILDER,
    &called_xml::SAX,
    &called_xml::MINIDOM,
    &called_xml::PULLDOM,
    &called_network::FTP,
    &called_network::UNVERIFIED_CONTEXT,
    &hashlib::RULE,
    &imported::TELNET,
    &imported::FTP,
    &imported::PICKLE,
    &imported::SUBPROCESS,
    &imported_xml::ETREE,
    &imported_xml::SAX,
    &imported_xml::EXPAT,
    &imported_xml::MINIDOM,
    &imported_xml::PULLDOM,
    &imported::XMLRPC,
    &imported::HTTPOXY,
    &imported::PYCRYPTO,
    &imported::PYGHMI,
    &requests::NO_VERIFICATION,
    &tls::VERSION,
    &tls::DEFAULT,
    &tls::NO_VERSION,
    &weak_key::RULE,
    &yaml_load::RULE,
    &ssh::HOST_KEYS,
    &snmp::VERSION,
    &snmp::PRIVACY,
    &ssh::COMMAND,
    &shell::SHELL_TRUE,
    &shell::SHELL_FALSE,
    &shell::OTHER_SHELL_TRUE,
    &shell::SHELL,
    &shell::NO_SHELL,
    &shell::PARTIAL_PATH,
    &sql::RULE,
    &wildcard::RULE,
    &django_sql::EXTRA,
    &django_sql::RAW_SQL,
    &logging_listen::RULE,
    &trojan_source::RULE,
    &machine_learning::PYTORCH,
    &machine_learning::HUGGING_FACE,
    &templates::JINJA2,
    &templates::MAKO,
    &mark_safe::RULE,
    &templates::MARKUP,
    &unreadable::ANALYSIS_ENDED,
    &autostart::AUTOSTART,
    &hidden_code::IN_TEXT,
    &inner_member::CODE_OBJECT,
    &secrets::READ,
    &shells::DOWNLOAD,
    &secrets::DROP,
    &inner_member::WALK,
    &dynamic_code::RULE,
    &dynamic_import::RULE,
    &secrets::SEND,
    &format_walk::RULE,
    &inner_member::FRAME,
    &hidden_code::HIDDEN,
    &hidden_name::HIDDEN,
    &reached::IMPORT_HOOK,
    &hidden_name::INDIRECT,
    &inner_member::INNER,
    &autostart::ENVIRONMENT,
    &reached::NATIVE,
    &unreadable::NUL_BYTE,
    &reached::PTY,
    &reduce_payload::RULE,
    &shells::REVERSE,
    &reached::STARTS,
    &unreadable::SYNTAX_ERROR,
    &tainted::COMMAND,
    &tainted::PATH,
    &tainted::QUERY,
    &unreadable::TOO_DEEP,
    &unreadable::TOO_LARGE,
    &reached::TRACING,
    &dependency::UNAUDITED,
    &unreadable::UNDECODABLE,
    &unicode_name::RULE,
    &reached::UNPICKLES,
    &unreadable::UNSUPPORTED_SYNTAX,
    &dependency::VULNERABLE,
    &autostart::WRITES_CODE,
];

/// Where imports are compared with Bandit.
const EVERY_MODULE: &str = "Bandit tells at most one finding of all rules about imports for a statement, so that of `import pickle, subprocess` only one is found.";

pub(crate) fn find(id: &str) -> Option<&'static Rule> {
    RULES.binary_search_by_key(&id, |rule| rule.id).ok().map(|at| RULES[at])
}

/// A hash that stands for the set of rules: of the version of this crate, and of id, class and levels of each rule. What
/// was said about a script under another one may be said otherwise under this one.
pub fn rules_sha256() -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    for rule in RULES {
        let Rule { id, class, severity, confidence, .. } = rule;
        hash.update(format!("\n{id} {class} {severity} {confidence}"));
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::{RULES, find};

    #[test]
    fn ids_are_unique_and_in_order() {
        assert!(RULES.is_sorted_by(|a, b| a.id < b.id));
        assert!(RULES.iter().all(|rule| find(rule.id).is_some_and(|found| found.name == rule.name)));
    }

    #[test]
    fn what_rules_say_is_in_our_form() {
        for rule in RULES {
            for line in [rule.summary, rule.help] {
                assert!(!line.is_empty() && !line.ends_with('.'), "{}: {line}", rule.id);
            }
            assert!(rule.why.ends_with('.'), "{}: {}", rule.id, rule.why);
        }
    }
}
