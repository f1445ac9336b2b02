//! `waxcell attack`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use waxcell_attack::{Against, Case, CaseReport, Catalogue, Host, Layer, Outcome, Tools, World};

use crate::args::{Attack, Common, VERSION};
use crate::edge;
use crate::exit::Exit;

pub(crate) fn run(arguments: &Attack, common: &Common) -> Exit {
    match judge(arguments, common) {
        Ok(exit) => exit,
        Err(message) => {
            edge::complain(&message);
            Exit::FAILED
        }
    }
}

fn judge(arguments: &Attack, common: &Common) -> Result<Exit, String> {
    let mut cases = chosen(arguments)?;
    cases.iter_mut().for_each(|case| case.wait_longer(arguments.patience));
    if arguments.list {
        let lines = cases.iter().map(|case| format!("{:<40} {}\n", case.name, case.told.title));
        return Ok(edge::print(&lines.collect::<String>(), Exit::SUCCESS));
    }
    let begun = Instant::now();
    let room = Room::new()?;
    let tools = room.tools(arguments.corpus.as_deref())?;
    let facts = waxcell_sandbox::HostFeatures::quick();
    let host = Host {
        root: facts.root,
        user_namespaces: facts.user_namespaces,
        landlock_abi: facts.landlock_abi,
        limits_by: serde_json::to_value(facts.rung)
            .ok()
            .and_then(|rung| Some(rung.as_str()?.to_owned()))
            .unwrap_or_default(),
        path: tools.path.clone(),
    };
    let words = arguments.against.as_deref().map(waxcell_attack::words).transpose();
    let words = words.map_err(|error| format!("--against: {error}"))?;
    if let Some(words) = &words {
        let fault = waxcell_attack::runs_nothing(words, &tools).map_err(|error| error.to_string());
        if let Some(why) = fault.unwrap_or_else(Some) {
            return Err(format!("--against: {why}"));
        }
    }
    let against = match &words {
        Some(words) => Against::Other(words),
        None if arguments.without_layers() => Against::WaxcellWithoutLayers(edge::SWITCHES),
        None => Against::Waxcell,
    };
    let mut reports = Vec::new();
    for case in &cases {
        let report = waxcell_attack::run(case, against, &host, &tools);
        if !common.quiet && !common.json {
            say(&report, arguments.without_layers());
        }
        reports.push(report);
    }
    let wanted = if arguments.without_layers() { Outcome::Escaped } else { Outcome::Contained };
    let whole = Whole::of(arguments, &facts, &reports, wanted, begun)?;
    let text = if common.json {
        serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
    } else {
        whole.render()
    };
    let good = |report: &CaseReport| [wanted, Outcome::NotHoldable].contains(&report.outcome);
    let exit = if reports.iter().all(good) { Exit::SUCCESS } else { Exit::FOUND };
    Ok(edge::print(&text, exit))
}

/// The cases that were asked for.
fn chosen(arguments: &Attack) -> Result<Vec<Case>, String> {
    let cases = match &arguments.corpus {
        Some(folder) => waxcell_attack::of_folder(folder),
        None => waxcell_attack::built_in(),
    };
    let mut cases = cases.map_err(|error| edge::with_causes(&error))?;
    if !arguments.class.is_empty() {
        let classes: Vec<char> = arguments.class.iter().map(char::to_ascii_uppercase).collect();
        cases.retain(|case| classes.contains(&case.class()));
    }
    if !arguments.case.is_empty() {
        cases.retain(|case| arguments.case.iter().any(|name| case.name.starts_with(name.as_str())));
    }
    if cases.is_empty() {
        Err("there is no such case; `waxcell attack --list` has them all".to_owned())
    } else {
        Ok(cases)
    }
}

/// A line for a case that is not as it should be, as soon as that is known.
fn say(report: &CaseReport, without_layers: bool) {
    let outcome = match report.outcome {
        Outcome::Contained if without_layers => "contained with its layers switched off",
        Outcome::Escaped if without_layers => return,
        Outcome::Contained => return,
        Outcome::Escaped => "ESCAPED",
        Outcome::ControlFailed => "control failed",
        Outcome::RecordWrong => "contained, record wrong",
        Outcome::NotHoldable => "cannot be shown here",
        Outcome::LayerWrong => "names a layer that does not stop it",
        Outcome::Broken => "broken",
    };
    eprintln!("waxcell: {}: {outcome}: {}", report.name, edge::printable(&report.why.join("; ")));
}

/// A folder for what is made on the way, which everybody can enter, since root's script is somebody else. Gone when
/// dropped.
struct Room(PathBuf);

impl Room {
    /// Where projects may lie. In `/tmp`, which is scratch space to a run, nothing would be as it is for a project.
    fn new() -> Result<Room, String> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = if rustix::process::geteuid().is_root() {
            Some(PathBuf::from("/var/cache"))
        } else {
            variable("XDG_CACHE_HOME").or_else(|| Some(edge::home()?.join(".cache")))
        };
        let cache = cache.ok_or("there is no place for the cases: set HOME or XDG_CACHE_HOME")?;
        let folder = cache.join(format!("waxcell-attack-{}", std::process::id()));
        let made = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)))
            .and_then(|()| folder.canonicalize());
        let room = made.map(Room).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
        match ["/tmp", "/var/tmp", "/dev/shm"].iter().find(|scratch| room.0.starts_with(scratch)) {
            Some(scratch) => Err(format!(
                "`{}` lies in {scratch}, which is scratch space to a run: set XDG_CACHE_HOME to another folder",
                cache.display()
            )),
            None => Ok(room),
        }
    }

    fn tools(&self, corpus: Option<&Path>) -> Result<Tools, String> {
        let waxcell =
            std::env::current_exe().map_err(|error| format!("cannot tell where waxcell is: {error}"))?;
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let found = path.split(':').map(|folder| PathBuf::from(folder).join("python3"));
        let python = found.into_iter().find(|file| file.is_absolute() && file.is_file());
        let python = python.ok_or("there is no `python3` on PATH, and the probes are written in Python")?;
        Ok(Tools { waxcell, python, path, place: self.0.clone(), world: World::of(corpus) })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What cannot be removed stays.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The whole report.
#[derive(Serialize)]
struct Whole<'a> {
    waxcell: &'static str,
    kernel: String,
    machine: &'static str,
    against: Option<&'a str>,
    without_layers: bool,
    host: &'a waxcell_sandbox::HostFeatures,
    seconds: f64,
    /// How many cases came out how.
    outcomes: BTreeMap<Outcome, usize>,
    classes: BTreeMap<char, Class>,
    /// The same by layer: of the cases that name it as what stops them in waxcell. Several may name one case.
    layers: BTreeMap<Layer, ByLayer>,
    cases: &'a [CaseReport],
    #[serde(skip)]
    wanted: Outcome,
}

/// A class of the catalogue.
#[derive(Default, Serialize)]
struct Class {
    title: String,
    /// Cases that this host can show.
    cases: usize,
    /// Of which came out as they should.
    contained: usize,
    /// Of which each layer stops so many; several may stop one.
    layers: BTreeMap<String, usize>,
    not_holdable: usize,
}

/// A layer of waxcell.
#[derive(Default, Serialize)]
struct ByLayer {
    /// Cases that this host can show.
    cases: usize,
    /// Of which came out as they should.
    contained: usize,
}

impl<'a> Whole<'a> {
    fn of(
        arguments: &'a Attack,
        host: &'a waxcell_sandbox::HostFeatures,
        cases: &'a [CaseReport],
        wanted: Outcome,
        begun: Instant,
    ) -> Result<Whole<'a>, String> {
        let catalogue = Catalogue::built_in().map_err(|error| edge::with_causes(&error))?;
        let mut outcomes = BTreeMap::new();
        let mut classes: BTreeMap<char, Class> = BTreeMap::new();
        let mut layers: BTreeMap<Layer, ByLayer> = BTreeMap::new();
        for case in cases {
            *outcomes.entry(case.outcome).or_default() += 1;
            let letter = case.id.chars().next().unwrap_or('?');
            let class = classes.entry(letter).or_default();
            class.title = catalogue.title(letter).to_owned();
            if case.outcome == Outcome::NotHoldable {
                class.not_holdable += 1;
                continue;
            }
            class.cases += 1;
            for layer in &case.layers {
                let layer = layers.entry(*layer).or_default();
                layer.cases += 1;
                layer.contained += usize::from(case.outcome == wanted);
            }
            if case.outcome == wanted {
                class.contained += 1;
                case.layers.iter().for_each(|layer| *class.layers.entry(layer.to_string()).or_default() += 1);
            }
        }
        Ok(Whole {
            waxcell: VERSION,
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            machine: std::env::consts::ARCH,
            against: arguments.against.as_deref(),
            without_layers: arguments.without_layers(),
            host,
            seconds: begun.elapsed().as_secs_f64(),
            outcomes,
            classes,
            layers,
            cases,
            wanted,
        })
    }

    fn render(&self) -> String {
        let done = if self.wanted == Outcome::Escaped { "red" } else { "contained" };
        let mut text = String::new();
        for (letter, class) in &self.classes {
            let layers: Vec<String> =
                class.layers.iter().map(|(name, count)| format!("{name} {count}")).collect();
            let by = if self.against.is_none() { format!("  {}", layers.join(", ")) } else { String::new() };
            let (contained, cases) = (class.contained, class.cases);
            text += &format!("{letter}  {:<33} {contained:>3} of {cases:>3} {done}{by}\n", class.title);
        }
        if self.against.is_some() {
            text += "what waxcell stops by\n";
            for (layer, ByLayer { cases, contained }) in &self.layers {
                text += &format!("   {:<33} {contained:>3} of {cases:>3} {done}\n", layer.to_string());
            }
        }
        let count = |outcome| self.outcomes.get(&outcome).copied().unwrap_or(0);
        let here = self.cases.len() - count(Outcome::NotHoldable);
        let who =
            self.against.map_or_else(|| format!("waxcell {}", self.waxcell), |words| format!("`{words}`"));
        text += &format!(
            "{} of {here} {done}: {who}, Linux {}, {}, as {}, in {:.0} s\n",
            count(self.wanted),
            self.kernel,
            self.machine,
            if self.host.root { "root" } else { "an ordinary user" },
            self.seconds,
        );
        for (outcome, words) in [
            (Outcome::NotHoldable, "cannot be shown on this host"),
            (Outcome::RecordWrong, "contained with a wrong record"),
            (Outcome::ControlFailed, "without a working control"),
            (Outcome::LayerWrong, "name a layer that does not stop them"),
            (Outcome::Broken, "could not be tried"),
        ] {
            if count(outcome) > 0 {
                text += &format!("{} {words}\n", count(outcome));
            }
        }
        let to_come = self.cases.iter().filter(|case| !case.to_come.is_empty()).count();
        if to_come > 0 {
            text += &format!("{to_come} contained with violations that are not on record yet\n");
        }
        text
    }
}
