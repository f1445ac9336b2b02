//! A database of vulnerabilities, read from a folder or an archive, on all processors.

use std::collections::HashSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use waxcell_dependencies::{Archive, Collector, Database, MAX_ENTRIES, MAX_ENTRY, MAX_TOTAL, Name};

use super::bounded;

/// The largest archive that is read, in bytes.
const MAX_ARCHIVE: u64 = 1 << 30;

/// So many entries are taken at once by a thread.
const AT_ONCE: usize = 64;

/// Reads what a database says about these packages; an error if it cannot be read at all.
pub(super) fn read(path: &Path, wanted: &HashSet<Name>, now: SystemTime) -> Result<Database, String> {
    let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if meta.is_dir() { folder(path, wanted, now) } else { archive(path, wanted, now) }
}

fn archive(path: &Path, wanted: &HashSet<Name>, now: SystemTime) -> Result<Database, String> {
    let bytes = bounded(path, MAX_ARCHIVE)?;
    let archive = Archive::open(&bytes).map_err(|error| error.to_string())?;
    Ok(collect(archive.members(), wanted, now, &|member, collector, buffer| {
        if member.is_again {
            collector.fault(&member.name, "another file of the archive has the same name".to_owned());
        }
        match archive.read(member, buffer) {
            Ok(bytes) => collector.add(&member.name, bytes),
            Err(why) => collector.fault(&member.name, why),
        }
    }))
}

fn folder(path: &Path, wanted: &HashSet<Name>, now: SystemTime) -> Result<Database, String> {
    let files = files(path)?;
    let total = AtomicU64::new(0);
    Ok(collect(&files, wanted, now, &|file, collector, _| {
        let name = || file.strip_prefix(path).unwrap_or(file).to_string_lossy();
        if file.extension().is_none_or(|end| end != "json") {
            return collector.fault(&name(), "it is YAML; entries are read as JSON".to_owned());
        }
        let room = MAX_TOTAL.saturating_sub(total.load(Ordering::Relaxed)).min(MAX_ENTRY as u64);
        match bounded(file, room) {
            Ok(bytes) => {
                total.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                collector.add(&name(), &bytes);
            }
            Err(why) => collector.fault(&name(), why),
        }
    }))
}

/// The files below a folder that are entries, or would be in another format. Links are not followed, so that there is an
/// end; hidden folders are those of version control.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let (mut files, mut ahead) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = ahead.pop() {
        let failed = |error: std::io::Error| format!("`{}`: {error}", next.display());
        for entry in std::fs::read_dir(&next).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (kind, path) = (entry.file_type().map_err(failed)?, entry.path());
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let is_entry = path.extension().is_some_and(|end| end == "json" || end == "yaml" || end == "yml");
            if kind.is_dir() && !is_hidden {
                ahead.push(path);
            } else if kind.is_file() && is_entry && !is_hidden {
                files.push(path);
            }
            if files.len() > MAX_ENTRIES || ahead.len() > MAX_ENTRIES {
                return Err(format!("it has more than {MAX_ENTRIES} files"));
            }
        }
    }
    Ok(files)
}

/// Does this with each of them, on all processors.
fn collect<T: Sync>(
    items: &[T],
    wanted: &HashSet<Name>,
    now: SystemTime,
    take: &(dyn Fn(&T, &mut Collector<'_>, &mut Vec<u8>) + Sync),
) -> Database {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut collector, mut buffer) = (Collector::new(wanted, now), Vec::new());
        loop {
            let at = next.fetch_add(AT_ONCE, Ordering::Relaxed);
            let Some(some) = items.get(at..).filter(|some| !some.is_empty()) else { return collector };
            some.iter().take(AT_ONCE).for_each(|item| take(item, &mut collector, &mut buffer));
        }
    };
    let threads =
        std::thread::available_parallelism().map_or(1, NonZero::get).min(items.len().div_ceil(AT_ONCE));
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        // A thread ends only by a panic without its part, which would be a database without it.
        let others = others
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        Database::of(std::iter::once(own).chain(others))
    })
}
