//! B508 and B509: SNMP in the clear.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::Value;

pub(super) static VERSION: Rule = Rule {
    id: "B508",
    class: Class::Hygiene,
    name: "snmp_insecure_version",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 319,
    summary: "versions 1 and 2 of SNMP send everything as plain text",
    why: "The community's name is all that protects the device, and it is in every packet.",
    help: "use version 3 with a user",
    fires: "from pysnmp.hlapi import CommunityData\nCommunityData('public', mpModel=0)\n",
    silent: "from pysnmp.hlapi import CommunityData\nCommunityData('public')\n",
    differs: None,
    check: Check::Call(version),
};

pub(super) static PRIVACY: Rule = Rule {
    id: "B509",
    class: Class::Hygiene,
    name: "snmp_weak_cryptography",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 319,
    summary: "the user of SNMP has no key for encryption",
    why: "Without both keys, messages can be read or forged on the way.",
    help: "pass a key for authentication and one for encryption",
    fires: "from pysnmp.hlapi import UsmUserData\nUsmUserData('me', 'key')\n",
    silent: "from pysnmp.hlapi import UsmUserData\nUsmUserData('me', 'key', 'other key')\n",
    differs: None,
    check: Check::Call(privacy),
};

fn version<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    if call.qualified != "pysnmp.hlapi.CommunityData" {
        return None;
    }
    let old = match call.value("mpModel")? {
        Value::Int(model) => model < 2,
        Value::Float(model) => model == 0.0 || model == 1.0,
        _ => false,
    };
    old.then(|| call.found())
}

fn privacy<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    (call.qualified == "pysnmp.hlapi.UsmUserData" && call.args().len() < 3).then(|| call.found())
}
