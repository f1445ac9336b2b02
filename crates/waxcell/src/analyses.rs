//! What was said of a script before: analyses that the state directory remembers, so that the same bytes are read once.
//!
//! An analysis depends on the bytes, their name, the version of Python, what is looked for, and on this program; each of them is in the
//! key. What a policy makes of it is no part of it. Whoever may write into the state directory decides what is on record as well,
//! so nothing here is signed; a file that others could have written counts for nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use waxcell_analysis::{Analysis, Profile, PythonVersion};

use crate::analyst::Analyst;
use crate::own_files;
use crate::record::{self, hex};
use crate::script::Script;
use crate::secrets::Secrets;

/// How many scripts are remembered. Each has its place by its key, and takes it from another.
const PLACES: u32 = 256;
/// An analysis that is longer is not remembered, in bytes.
const LONGEST: usize = 256 * 1024;

/// The analyses of one script, and who makes those that are not known.
#[derive(Debug)]
pub(crate) struct Analyses<'a> {
    name: String,
    script: &'a Script,
    target: PythonVersion,
    file: PathBuf,
    kept: Kept,
    /// Where nothing was known, somebody gets ready from the beginning.
    analyst: Option<Analyst>,
    is_new: bool,
}

/// What is in a file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    key: String,
    /// By what was looked for.
    analyses: BTreeMap<String, Analysis>,
}

impl<'a> Analyses<'a> {
    /// Those that `cache` has of a script; `program` is the hash of this one, without which nothing is remembered.
    pub(crate) fn of(
        script: &'a Script,
        target: PythonVersion,
        cache: &Path,
        program: Option<&str>,
    ) -> Analyses<'a> {
        let name = script.given.to_string_lossy().into_owned();
        let mut hash = Sha256::new();
        let target_text = target.to_string();
        for part in
            [program.unwrap_or_default().as_bytes(), &script.sha256, target_text.as_bytes(), name.as_bytes()]
        {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let place = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]) % PLACES;
        let file = cache.join("analyses").join(format!("{place}.json"));
        let key = hex(&hash);
        let known = program.and_then(|_| read(&file)).filter(|kept| kept.key == key);
        let analyst = known.is_none().then(Analyst::start);
        let is_kept = program.is_some();
        let kept =
            known.unwrap_or(Kept { key: if is_kept { key } else { String::new() }, ..Kept::default() });
        Analyses { name, script, target, file, kept, analyst, is_new: false }
    }

    /// What [`Analyst::analyse`] says, or has said.
    pub(crate) fn analyse(&mut self, profile: &Profile) -> Analysis {
        let profile_key =
            serde_json::to_vec(profile).map(|text| hex(&Sha256::digest(text))).unwrap_or_default();
        if let Some(known) = self.kept.analyses.get(&profile_key) {
            return known.clone();
        }
        let analyst = self.analyst.get_or_insert_with(Analyst::start);
        let analysis = analyst.analyse(&self.name, &self.script.bytes, self.target, profile);
        // One that has ended may not end the next time.
        if !analysis.has_ended() && !self.kept.key.is_empty() {
            self.kept.analyses.insert(profile_key, analysis.clone());
            self.is_new = true;
        }
        analysis
    }

    /// Keeps what is new, unless it quotes a secret: that is to stay nowhere. If it cannot be kept, the next run analyses
    /// again.
    pub(crate) fn keep(self, secrets: &Secrets) {
        if self.is_new {
            let _ = self.write(secrets);
        }
    }

    fn write(&self, secrets: &Secrets) -> io::Result<()> {
        let (kept, sealed) = record::seal(serde_json::to_value(&self.kept)?, secrets);
        if !sealed.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_vec(&kept)?;
        if text.len() > LONGEST { Ok(()) } else { own_files::replace(&self.file, &text) }
    }
}

/// What a file has, if it is ours alone and says what makes sense.
fn read(file: &Path) -> Option<Kept> {
    let meta = fs::symlink_metadata(file).ok()?;
    let is_ours = meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0;
    let is_short = meta.len() <= LONGEST as u64;
    let bytes = (is_ours && is_short).then(|| own_files::read(file).ok()).flatten()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::Analyses;
    use crate::script::Script;
    use crate::secrets::Secrets;
    use waxcell_analysis::{Profile, PythonVersion};

    const TARGET: PythonVersion = PythonVersion::NEWEST;

    /// Whether somebody had to be asked.
    fn is_asked(script: &Script, target: PythonVersion, cache: &std::path::Path, profile: &Profile) -> bool {
        let mut analyses = Analyses::of(script, target, cache, Some("program"));
        let found = analyses.analyse(profile).findings;
        assert_eq!(found.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["B101"]);
        let asked = analyses.analyst.is_some();
        analyses.keep(&Secrets::default());
        asked
    }

    #[test]
    fn the_same_is_not_asked_twice_and_what_is_not_ours_counts_for_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.py");
        fs::write(&path, "assert x\n").unwrap();
        let script = Script::read(&path, place.path()).unwrap();
        let (cache, profile) = (place.path().join("cache"), Profile::default());
        let asked = |target, profile: &Profile| is_asked(&script, target, &cache, profile);
        assert!(asked(TARGET, &profile) && !asked(TARGET, &profile) && !asked(TARGET, &profile));
        // Another question, another program, another version.
        let other = Profile { nosec: false, ..Profile::default() };
        assert!(asked(TARGET, &other) && !asked(TARGET, &other) && !asked(TARGET, &profile));
        assert!(asked(PythonVersion::OLDEST, &profile));
        assert!(Analyses::of(&script, TARGET, &cache, Some("another")).analyst.is_some());
        assert!(Analyses::of(&script, TARGET, &cache, None).analyst.is_some());

        // What quotes a secret is not remembered.
        let path = place.path().join("told.py");
        fs::write(&path, "assert x\nopen('ghp_0123456789abcdefghijABCDEFGHIJ012345')\n").unwrap();
        let script = &Script::read(&path, place.path()).unwrap();
        let told = Profile { capabilities: true, ..Profile::default() };
        let asked_of = |profile| is_asked(script, TARGET, &cache, profile);
        assert!(asked_of(&told) && asked_of(&told));
        assert!(asked_of(&profile) && !asked_of(&profile));

        let files = || fs::read_dir(cache.join("analyses")).unwrap().map(|entry| entry.unwrap().path());
        let spoil = |how: &dyn Fn(&std::path::Path)| {
            assert!(!asked(TARGET, &profile));
            files().for_each(|file| how(&file));
            assert!(asked(TARGET, &profile), "a spoilt file was believed");
        };
        spoil(&|file| fs::write(file, "{").unwrap());
        spoil(&|file| fs::write(file, fs::read_to_string(file).unwrap().replace("B101", "B999")).unwrap());
        spoil(&|file| fs::set_permissions(file, fs::Permissions::from_mode(0o620)).unwrap());
        spoil(&|file| {
            let elsewhere = place.path().join(file.file_name().unwrap());
            fs::rename(file, &elsewhere).unwrap();
            std::os::unix::fs::symlink(&elsewhere, file).unwrap();
        });
        assert!(files().all(|file| file.extension().unwrap() == "json"));
    }
}
