//! The key table as a JSON Schema, so that editors complete and check a policy while it is written.
//!
//! The schema cannot say all that the decoder checks (contradictions, what a key means on a host); whatever it refuses
//! the decoder refuses as well.

use serde_json::{Map, Value, json};

use super::diagnostic::Diagnostics;
use super::document::{self, Node, Value as Yaml};
use super::gate::Level;
use super::keys::{self, Key, Kind};
use super::numbers;
use super::operations::{self, Blockable};
use super::settings::WRAPPER;
use waxcell_analysis::RULES;
use waxcell_operations::Operation;

const PATH: &str = r"^(?!\s*$)(?!~)(?!/[/.]*$)(?!(.*/)?\.\.(/|$))(?!/+(proc|sys|dev)(/|$))(?!.*://)(?![A-Za-z]:[/\\])[^$*?\[\]{}\u0000-\u001f\u007f]+$";
/// The two of which a run has its own.
const PRIVATE: &str = r"^/+(var/+)?tmp(/+\.?)*$";
/// Names in ASCII as they have to be; of other alphabets only what is in no name at all is left out.
const DOMAIN: &str = r"^(?![\s\S]*\s)(?!(.*\.)?[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]\.?$)(?!(.*\.)?[0-9]+\.?$)(\*\.(?=[^.]+\.[^.]))?[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$|^(\*\.)?[A-Za-z0-9_.-]*[^\u0000-\u007f][^\u0000-,/:-@\[-\^`{-\u007f]*$";
/// Addresses and networks of version 4 with 8 to 32 bits of prefix, and of version 6 with 32 to 128, loopback and `0.`
/// left out. That no bit is set behind the prefix is for the decoder.
const ADDRESS: &str = r"^(?![\s\S]*\s)(?!127\.|0\.)(?!::[01]?(/|$))(?!::[Ff]{4}:)(((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(?=[0-9])|(?![0-9.]))){4}(/([89]|[12][0-9]|3[0-2]))?|(?=.*:)[0-9A-Fa-f:.]+(/(3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-8]))?)$";
/// A pattern of paths below the project root.
const PATTERN: &str = r"^(?!\s*$)(?![/~])(?!\./+([/~]|\s*$))(?!(.*/)?\.\.(/|$))[^\u0000-\u001f\u007f]+$";
/// That a month has so many days is for the decoder.
const DAY: &str = r"^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";
const VARIABLE: &str = r"^(?![\s\S]*\s)[A-Za-z_][A-Za-z0-9_]*$";

/// The JSON Schema (draft 2020-12) of a policy, in both forms: nested under `security:` and flat.
pub fn schema() -> Value {
    let nested = json!({
        "type": "object",
        "properties": { WRAPPER: {
            "anyOf": [{ "$ref": "#/$defs/policy" }, { "type": "null" }],
            "description": "The whole policy, nested.",
        }},
        "required": [WRAPPER],
        "additionalProperties": false,
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Waxcell policy",
        "description": "What a script may do. Nested under `security:` or flat.",
        "anyOf": [{ "$ref": "#/$defs/policy" }, nested],
        "$defs": {
            "policy": policy(),
            "path": { "type": "string", "pattern": PATH, "maxLength": 4095 },
            "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
            "ports": { "type": "array", "items": { "$ref": "#/$defs/port" } },
            "domain": { "type": "string", "pattern": DOMAIN, "maxLength": 255 },
            "address": { "type": "string", "pattern": ADDRESS },
            "rule": { "enum": rules() },
            "variable": { "type": "string", "pattern": VARIABLE },
        },
    })
}

/// A whole policy is not nothing, as a section may be.
fn policy() -> Value {
    let mut policy = object_of("");
    policy["type"] = json!("object");
    policy
}

fn object_of(section: &str) -> Value {
    let properties: Map<String, Value> = keys::below(section)
        .filter(|key| key.is_enforced())
        .map(|key| (key.name().to_owned(), property(key)))
        .collect();
    // A section with nothing below it is `null` to YAML.
    json!({ "type": ["object", "null"], "properties": properties, "additionalProperties": false })
}

fn property(key: &Key) -> Value {
    let mut property = match key.kind {
        Kind::Section => object_of(key.path),
        Kind::Number { unit, min, max } => {
            let kind = if unit.has_fractions() { "number" } else { "integer" };
            json!({ "type": kind, "minimum": number(min), "maximum": number(max) })
        }
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
        // The one path of the table is a program, which is never looked up on `PATH`.
        Kind::Path => json!({ "$ref": "#/$defs/path", "pattern": "/" }),
        Kind::Paths => list(json!({ "anyOf": [{ "$ref": "#/$defs/path" }, path_rule()] })),
        Kind::Operations => list(json!({ "enum": blockable_names() })),
        Kind::Domains => list(destination("name", "domain")),
        Kind::Addresses => list(destination("address", "address")),
        Kind::Ports => json!({ "$ref": "#/$defs/ports" }),
        Kind::Names => list(json!({ "$ref": "#/$defs/variable" })),
        Kind::Secrets => list(json!({ "type": "string", "pattern": "([^*].*){4}" })),
        Kind::Variables => json!({
            "type": "object",
            "propertyNames": { "$ref": "#/$defs/variable" },
            "additionalProperties": { "type": ["string", "number", "boolean"], "pattern": r"^[^\u0000]*$" },
        }),
        Kind::Words(words) => list(json!({ "enum": words })),
        Kind::File => json!({ "$ref": "#/$defs/path" }),
        Kind::RuleLevels => json!({
            "type": "object",
            "propertyNames": { "$ref": "#/$defs/rule" },
            "additionalProperties": { "enum": Level::OF_RULES },
        }),
        Kind::Suppressions => list(suppression()),
        Kind::Later => json!(false),
    };
    property["description"] = json!(format!("{}.", key.summary));
    if let Some(default) = value_of(key.default) {
        property["default"] = default;
    }
    if let Some(example) = value_of(key.example) {
        property["examples"] = json!([example]);
    }
    property
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn long_form(required: &str, properties: Value) -> Value {
    json!({ "type": "object", "properties": properties, "required": [required], "additionalProperties": false })
}

/// `{path, access, shared}`, with what the three have to do with each other.
fn path_rule() -> Value {
    let is_private = json!({ "properties": { "path": { "pattern": PRIVATE } } });
    let is_shared = json!({ "properties": { "shared": { "const": true } }, "required": ["shared"] });
    let is_read = json!({ "properties": { "access": { "const": "read" } }, "required": ["access"] });
    let mut form = long_form(
        "path",
        json!({
            "path": { "$ref": "#/$defs/path" },
            "access": { "enum": ["read", "write", "none"], "default": "write" },
            "shared": { "type": "boolean", "default": false, "description": "Only for `/tmp` and `/var/tmp`." },
            "execute": { "type": "boolean", "default": false, "description": "Only with `access: write`: programs there can be executed." },
        }),
    );
    form["allOf"] = json!([
        { "if": { "required": ["shared"] }, "then": is_private },
        { "if": { "allOf": [is_private, is_read] }, "then": is_shared },
        { "if": is_shared, "then": { "properties": { "access": { "not": { "const": "none" } } } } },
        { "if": { "required": ["execute"] }, "then": { "properties": { "access": { "const": "write" } } } },
    ]);
    form
}

/// The rules that a policy can say something about.
fn rules() -> Vec<&'static str> {
    RULES.iter().filter(|rule| !rule.blocks()).map(|rule| rule.id).collect()
}

fn suppression() -> Value {
    let mut form = long_form(
        "reason",
        json!({
            "rule": { "$ref": "#/$defs/rule" },
            "path": { "type": "string", "pattern": PATTERN },
            "fingerprint": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
            "reason": { "type": "string", "pattern": r"\S" },
            "until": { "type": "string", "pattern": DAY, "format": "date" },
        }),
    );
    form["anyOf"] = json!([{ "required": ["rule"] }, { "required": ["fingerprint"] }]);
    form
}

fn destination(name: &str, definition: &str) -> Value {
    let reference = json!({ "$ref": format!("#/$defs/{definition}") });
    let ports = json!({ "$ref": "#/$defs/ports", "minItems": 1 });
    json!({ "anyOf": [reference, long_form(name, json!({ name: reference, "ports": ports }))] })
}

fn blockable_names() -> Vec<&'static str> {
    operations::names()
        .filter(|name| {
            Operation::parse(name)
                .is_some_and(|operation| !matches!(operations::blockable(operation), Blockable::Otherwise(_)))
        })
        .collect()
}

/// Whole numbers without `.0`.
fn number(value: f64) -> Value {
    match value.fract() == 0.0 {
        true => json!(value as u64),
        false => json!(value),
    }
}

/// A value of the key table, which is YAML, as JSON; `None` for an empty one.
fn value_of(yaml: &str) -> Option<Value> {
    document::parse(yaml, &mut Diagnostics::new(yaml)).as_ref().map(json_of)
}

fn json_of(node: &Node) -> Value {
    match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Seq(items) => items.iter().map(json_of).collect(),
        Yaml::Map(entries) => entries.iter().map(|(key, node)| (key.text.clone(), json_of(node))).collect(),
        Yaml::Scalar { text, quoted: true } => json!(text),
        Yaml::Scalar { text, .. } => match (text.as_str(), numbers::parse(text)) {
            ("true", _) => json!(true),
            ("false", _) => json!(false),
            (_, Ok(decimal)) => number(decimal.approximate()),
            (_, Err(_)) => json!(text),
        },
    }
}
