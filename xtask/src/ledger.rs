//! `cargo xtask ledger`: writes `attacks/LEDGER.md` from the catalogue and the cases.

use std::fs;

use crate::shell::{Done, at, root};

pub(crate) fn ledger() -> Done {
    let folder = root().join("attacks");
    let read = |name: &str| {
        let path = folder.join(name);
        at(&path, fs::read_to_string(&path))
    };
    let told = |error: &dyn std::error::Error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let catalogue =
        waxcell_attack::Catalogue::read(&read("catalogue.toml")?).map_err(|error| told(&error))?;
    let cases = waxcell_attack::of_folder(&folder).map_err(|error| told(&error))?;
    let text = catalogue.ledger(&cases, &read("without-case.toml")?).map_err(|error| told(&error))?;
    let path = folder.join("LEDGER.md");
    at(&path, fs::write(&path, text))
}
