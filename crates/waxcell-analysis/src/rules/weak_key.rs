//! B505: keys that are too short.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::options::WeakCryptographicKey;
use crate::value::Value;

pub(super) static RULE: Rule = Rule {
    id: "B505",
    class: Class::Hygiene,
    name: "weak_cryptographic_key",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 326,
    summary: "the key is so short that it can be worked out",
    why: "What is said of it depends on the kind of key. Keys of RSA and DSA below 1024 bits are of high severity, below 2048 of medium.",
    help: "use 3072 bits for RSA, or a curve of 256",
    fires: "from cryptography.hazmat.primitives.asymmetric import rsa\nrsa.generate_private_key(65537, 512)\n",
    silent: "from cryptography.hazmat.primitives.asymmetric import rsa\nrsa.generate_private_key(65537, 3072)\n",
    differs: None,
    check: Check::Call(check),
};

/// How many bits keys on a curve have.
const CURVES: [(&str, u64); 19] = [
    ("BrainpoolP256R1", 256),
    ("BrainpoolP384R1", 384),
    ("BrainpoolP512R1", 512),
    ("SECP192R1", 192),
    ("SECP224R1", 224),
    ("SECP256K1", 256),
    ("SECP256R1", 256),
    ("SECP384R1", 384),
    ("SECP521R1", 521),
    ("SECT163K1", 163),
    ("SECT163R2", 163),
    ("SECT233K1", 233),
    ("SECT233R1", 233),
    ("SECT283K1", 283),
    ("SECT283R1", 283),
    ("SECT409K1", 409),
    ("SECT409R1", 409),
    ("SECT571K1", 571),
    ("SECT571R1", 570),
];

#[derive(Clone, Copy)]
enum Kind {
    Dsa,
    Rsa,
    Ec,
}

fn check<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let (kind, keyword, position) = match call.qualified.as_str() {
        "cryptography.hazmat.primitives.asymmetric.dsa.generate_private_key" => (Kind::Dsa, "key_size", 0),
        "cryptography.hazmat.primitives.asymmetric.rsa.generate_private_key" => (Kind::Rsa, "key_size", 1),
        "cryptography.hazmat.primitives.asymmetric.ec.generate_private_key" => (Kind::Ec, "curve", 0),
        "Crypto.PublicKey.DSA.generate" | "Cryptodome.PublicKey.DSA.generate" => (Kind::Dsa, "bits", 0),
        "Crypto.PublicKey.RSA.generate" | "Cryptodome.PublicKey.RSA.generate" => (Kind::Rsa, "bits", 0),
        _ => return None,
    };
    let given = call.value(keyword).filter(Value::is_true);
    let given = given.or_else(|| call.arg(position).filter(Value::is_true));
    // A size that is not written out may be any: nothing is said about it.
    let bits = match (kind, given?) {
        (Kind::Ec, Value::Text(curve)) => CURVES.iter().find(|(name, _)| *name == curve)?.1,
        (Kind::Ec, _) => return None,
        (_, Value::Int(bits)) => bits,
        (_, Value::Float(bits)) => bits as u64,
        _ => return None,
    };
    let severity = severity(bits, kind, &context.options.weak_cryptographic_key)?;
    Some(call.found().severity(severity).message(format!("a key of {bits} bits can be worked out")))
}

fn severity(bits: u64, kind: Kind, bounds: &WeakCryptographicKey) -> Option<Severity> {
    let (high, medium) = match kind {
        Kind::Dsa => (bounds.weak_key_size_dsa_high, bounds.weak_key_size_dsa_medium),
        Kind::Rsa => (bounds.weak_key_size_rsa_high, bounds.weak_key_size_rsa_medium),
        Kind::Ec => (bounds.weak_key_size_ec_high, bounds.weak_key_size_ec_medium),
    };
    match bits {
        _ if bits < high => Some(Severity::High),
        _ if bits < medium => Some(Severity::Medium),
        _ => None,
    }
}
