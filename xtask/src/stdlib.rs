//! `cargo xtask stdlib`: the tables of `docs/compatibility.md`. The comparison itself is a test of `waxcell-cli`.

use crate::shell::{Done, cargo, run};

pub(crate) fn stdlib(modules: &[&str]) -> Done {
    let asked = match modules {
        [] => "short".to_owned(),
        ["--all"] => "all".to_owned(),
        names => names.join(","),
    };
    let test = ["test", "--package", "waxcell-cli", "--test", "stdlib", "--", "--nocapture"];
    run(cargo(&test).env("WAXCELL_STDLIB", asked))
}
