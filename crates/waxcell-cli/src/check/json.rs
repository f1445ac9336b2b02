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
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
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
