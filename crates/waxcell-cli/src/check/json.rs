//! All that is known, for programs.

use serde_json::{Value, json};

use waxcell::dependencies::Audit;

use super::Checked;

pub(super) fn render(checked: &[Checked], capabilities: bool, audit: Option<&Audit>) -> String {
    let files: Vec<Value> = checked.iter().map(|checked| file(checked, capabilities)).collect();
    let mut report = json!({ "version": 1, "tool": env!("CARGO_PKG_VERSION"), "files": files });
    if let Some(audit) = audit {
        report["dependencies"] = serde_json::to_value(audit).unwrap_or_default();
        report["dependencies"]["complete"] = audit.is_complete().into();
    }
    in_ascii(&report) + "\n"
}

/// JSON in which characters beyond ASCII are escaped, as Bandit writes it: nothing in it changes how a terminal shows the rest.
pub(super) fn in_ascii(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && c != '\x7f' {
            escaped.push(c);
        } else {
            let units = c.encode_utf16(&mut [0; 2]).to_vec();
            escaped.extend(units.into_iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

fn file(file: &Checked, capabilities: bool) -> Value {
    let findings: Vec<Value> = file
        .findings
        .iter()
        .map(|told| {
            let mut value = serde_json::to_value(&told.finding).unwrap_or_default();
            value["blocks"] = told.finding.blocks().into();
            value["fingerprint"] = told.fingerprint.as_str().into();
            value["known"] = told.known.into();
            value
        })
        .collect();
    let mut value = json!({ "path": file.path.to_string_lossy(), "lines": file.lines, "error": file.unread, "silenced": file.silenced, "findings": findings });
    if capabilities {
        value["capabilities"] = serde_json::to_value(&file.capabilities).unwrap_or_default();
    }
    value
}
