//! What depends on what, as cargo resolves it.

use serde_json::Value;

use super::Faults;
use crate::shell::{Done, cargo, output};

pub(crate) fn metadata() -> Done<Value> {
    let text = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// Invariant 1: an auditor can build this crate without any other of ours, for its tests as well.
pub(crate) fn alone(name: &str, metadata: &Value) -> Faults {
    let none = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&none);
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let Some(package) = packages.iter().find(|package| package["name"] == name) else {
        return vec![format!("there is no crate `{name}`")];
    };
    let dependencies = package["dependencies"].as_array().unwrap_or(&none);
    let names = dependencies.iter().filter_map(|dependency| dependency["name"].as_str());
    names.filter(|other| ours.contains(other)).map(|other| format!("`{name}` depends on `{other}`")).collect()
}

/// Invariant 6: who is asynchronous, for tests as well.
pub(crate) fn only(dependency: &str, user: &str, metadata: &Value) -> Faults {
    let none = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&none);
    let uses = |package: &&Value| {
        let dependencies = package["dependencies"].as_array().unwrap_or(&none);
        dependencies.iter().any(|entry| entry["name"] == dependency)
    };
    let others = packages.iter().filter(|package| package["name"] != user).filter(uses);
    others.map(|package| format!("{} depends on `{dependency}`", package["name"])).collect()
}

/// A dependency on any version is one on what somebody publishes tomorrow.
pub(crate) fn versions(metadata: &Value) -> Faults {
    let none = Vec::new();
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().unwrap_or(&none) {
        for dependency in package["dependencies"].as_array().unwrap_or(&none) {
            // What has no source is found by its path, in this very tree.
            if dependency["req"] == "*" && !dependency["source"].is_null() {
                faults.push(format!("{} depends on any version of {}", package["name"], dependency["name"]));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::{alone, only, versions};

    #[test]
    fn a_dependency_on_any_version_is_found() {
        let metadata = serde_json::json!({"packages": [{"name": "a", "dependencies": [
            {"name": "b", "req": "*", "source": "registry"},
            {"name": "c", "req": "*", "source": null},
            {"name": "d", "req": "^1", "source": "registry"},
        ]}]});
        assert_eq!(versions(&metadata), ["\"a\" depends on any version of \"b\""]);
    }

    #[test]
    fn a_second_asynchronous_crate_is_found() {
        let metadata = serde_json::json!({"packages": [
            {"name": "waxcell-egress", "dependencies": [{"name": "tokio"}]},
            {"name": "waxcell", "dependencies": [{"name": "serde"}, {"name": "tokio", "kind": "dev"}]},
        ]});
        assert_eq!(only("tokio", "waxcell-egress", &metadata), ["\"waxcell\" depends on `tokio`"]);
        assert_eq!(only("serde", "waxcell", &metadata), [""; 0]);
    }

    #[test]
    fn a_dependency_on_a_crate_of_ours_is_found() {
        let metadata = serde_json::json!({"packages": [
            {"name": "waxcell-journal", "dependencies": [{"name": "sha2"}, {"name": "waxcell", "kind": "dev"}]},
            {"name": "waxcell", "dependencies": [{"name": "waxcell-journal"}]},
            {"name": "waxcell-operations", "dependencies": []},
        ]});
        assert_eq!(alone("waxcell-journal", &metadata), ["`waxcell-journal` depends on `waxcell`"]);
        assert_eq!(alone("waxcell-operations", &metadata), [""; 0]);
        assert_eq!(alone("waxcell-ledger", &metadata), ["there is no crate `waxcell-ledger`"]);
    }
}
