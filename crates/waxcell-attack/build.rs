//! Puts the corpus into the crate: an installed binary has no checkout beside it. A few lines instead of a macro crate,
//! since a macro cannot tell cargo that a new folder means building again.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script by a variable where to write")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../attacks").canonicalize()?;
    println!("cargo:rerun-if-changed={}", corpus.display());
    let mut files = Vec::new();
    gather(&corpus, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&corpus).unwrap_or(file);
        let _ = writeln!(list, "    ({:?}, include_str!({:?})),", name.display(), file.display());
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(out.join("corpus.rs"), list)
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ours = path.extension().is_some_and(|end| ["toml", "py", "yml"].iter().any(|ours| end == *ours));
        if path.is_dir() {
            gather(&path, files)?;
        } else if ours {
            files.push(path);
        }
    }
    Ok(())
}
