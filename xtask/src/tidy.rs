//! `cargo xtask tidy`: the invariants of `ARCHITECTURE.md` that can be read off the source. What the compiler and
//! clippy hold (`unsafe_code`, `print_stdout`, `disallowed_methods`) is checked here once more on purpose: a lint can be
//! switched off in the file that breaks the rule, this cannot.

mod architecture;
mod crates;
mod effects;
mod form;
mod links;
mod source;
mod unsafety;

use std::fs;
use std::path::Path;

use crate::shell::{Done, at, root};
use source::Source;

/// One place that breaks a rule.
type Faults = Vec<String>;

/// All checks; every fault is told.
pub(crate) fn tidy() -> Done {
    let root = root();
    let (mut sources, mut pages) = (Vec::new(), Vec::new());
    read(&root, &root, &mut |path, text| match path.rsplit_once('.') {
        Some((_, "rs")) => sources.push(Source::new(path, text)),
        Some((_, "md")) => pages.push((path.to_owned(), text)),
        _ => {}
    })?;
    let metadata = crates::metadata()?;
    let architecture =
        pages.iter().find(|(path, _)| path == "ARCHITECTURE.md").map(|(_, text)| text.as_str());

    let checks: [(&str, Faults); 13] = [
        ("waxcell-journal depends on no crate of ours", crates::alone("waxcell-journal", &metadata)),
        ("waxcell-attack depends on no crate of ours", crates::alone("waxcell-attack", &metadata)),
        ("waxcell-egress depends on no crate of ours", crates::alone("waxcell-egress", &metadata)),
        ("only waxcell-egress is asynchronous", crates::only("tokio", "waxcell-egress", &metadata)),
        ("every dependency names a version", crates::versions(&metadata)),
        ("`unsafe` only in sys.rs of the sandbox, each block argued", unsafety::check(&sources)),
        ("only the edge prints", effects::printing(&sources)),
        ("only run.rs starts sandboxes", effects::spawning(&sources)),
        ("clock and environment are arguments", effects::ambient(&sources)),
        ("skipped tests are counted", form::skips(&sources)),
        ("files have a size and a first line", form::check(&sources)),
        ("links of the pages lead somewhere", links::check(&pages, &root)),
        ("ARCHITECTURE.md names the nine invariants", architecture::check(architecture)),
    ];
    let mut failed = 0;
    for (rule, faults) in &checks {
        println!("{} {rule}", if faults.is_empty() { "ok    " } else { "FAILED" });
        faults.iter().for_each(|fault| println!("         {fault}"));
        failed += usize::from(!faults.is_empty());
    }
    println!("{} files of source, {} pages", sources.len(), pages.len());
    if failed == 0 { Ok(()) } else { Err(format!("{failed} rules of {} are broken", checks.len())) }
}

/// Gives every text file of ours below a folder.
fn read(root: &Path, folder: &Path, take: &mut impl FnMut(&str, String)) -> Done {
    for entry in at(folder, fs::read_dir(folder))? {
        let path = at(folder, entry)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_symlink() || name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() {
            // The example's pages are material for its scripts, with links that are as real projects have them.
            if !path.ends_with("examples/hive") {
                read(root, &path, take)?;
            }
        } else if name.ends_with(".rs") || name.ends_with(".md") {
            let inside = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            take(&inside, at(&path, fs::read_to_string(&path))?);
        }
    }
    Ok(())
}
