//! What the probe is started by: waxcell, another sandbox, or nothing at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::case::Case;
use crate::layer::Layer;
use crate::place::{Place, token};
use crate::world::{Started, World};

/// Where things are on this host.
#[derive(Debug)]
pub struct Tools {
    /// The waxcell under test.
    pub waxcell: PathBuf,
    /// The interpreter of the controls, and of other sandboxes.
    pub python: PathBuf,
    /// The search path that everything is started with.
    pub path: String,
    /// A folder that everybody can enter, for what is made on the way. Not below `/tmp` and the like: what lies there is
    /// hidden by a run's scratch space, so that nobody attempts anything, and may be written to as far as Landlock goes.
    pub place: PathBuf,
    /// The host of the cases that need another one.
    pub world: World,
}

/// Who holds the probe.
#[derive(Clone, Debug)]
pub(crate) enum Subject<'a> {
    /// Waxcell, with a policy or the built-in default; in a test build, without the layers that a variable of this name is
    /// set to.
    Waxcell { policy: Option<&'a str>, without: Option<(&'a str, &'a [Layer])> },
    /// Another sandbox's command line, in words.
    Other(&'a [String]),
    /// Nobody.
    Nothing,
}

impl Subject<'_> {
    /// Puts probe and policy into the place.
    pub(crate) fn prepare(&self, case: &Case, place: &Place) -> io::Result<()> {
        fs::write(place.project().join("probe.py"), &case.probe)?;
        let Subject::Waxcell { policy, .. } = self else { return Ok(()) };
        let policy = at_the_kernel(&place.fill(policy.unwrap_or_default()));
        fs::write(place.project().join("security_policy.yml"), policy)
    }

    /// The command that runs the probe, in a world or on this host, with pipes or nothing for its streams.
    #[expect(
        clippy::disallowed_methods,
        reason = "the corpus starts what it judges as anybody else would, from outside"
    )]
    pub(crate) fn command(
        &self,
        tools: &Tools,
        world: Option<&Started>,
        place: &Place,
        args: &[String],
    ) -> Command {
        let start = |program: &Path| match world {
            Some(world) => world.enter(&place.project(), program),
            None => Command::new(program),
        };
        let probe = place.project().join("probe.py").display().to_string();
        let args: Vec<String> = args.iter().map(|arg| place.fill(arg)).collect();
        let mut command = match self {
            Subject::Waxcell { .. } => {
                let mut command = start(&tools.waxcell);
                command.arg("run").arg("--report").arg(report(place)).arg(&probe).args(args);
                command.env_clear().env("WAXCELL_STATE", place.root().join("state"));
                if let Some((variable, without)) = self.without() {
                    command.env(variable, without);
                }
                command
            }
            Subject::Nothing => {
                let mut command = start(&tools.python);
                command.arg(&probe).args(args).env_clear();
                // What it leaves behind goes with the place, and meets nobody else's.
                command.env("TMPDIR", place.root().join("home"));
                command
            }
            Subject::Other(words) => {
                let python = tools.python.display().to_string();
                let project = place.project().display().to_string();
                let words = other(words, &[("python", &python), ("project", &project), ("probe", &probe)]);
                let (program, rest) = words.split_first().map_or(("", &[][..]), |(p, r)| (p.as_str(), r));
                let mut command = start(Path::new(program));
                command.args(rest).args(args).env_clear();
                command
            }
        };
        command.env("PATH", &tools.path).env("LANG", "C.UTF-8").env("HOME", place.root().join("home"));
        command
            .current_dir(place.project())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The variable by which layers are switched off, and its value.
    pub(crate) fn without(&self) -> Option<(String, String)> {
        let Subject::Waxcell { without: Some((variable, layers)), .. } = self else { return None };
        let names: Vec<String> = layers.iter().map(Layer::to_string).collect();
        Some(((*variable).to_owned(), names.join(",")))
    }

    /// The binary that is no process of the script's.
    pub(crate) fn binary<'a>(&'a self, tools: &'a Tools) -> Option<&'a Path> {
        match self {
            Subject::Waxcell { .. } => Some(&tools.waxcell),
            Subject::Other(words) => words.first().map(Path::new),
            Subject::Nothing => None,
        }
    }
}

/// A policy with which the gate reports what it finds and refuses nothing: what is tried is what holds a script that runs. A
/// policy that says something about the gate keeps its word.
fn at_the_kernel(policy: &str) -> String {
    let asks_the_gate = policy.lines().any(|line| line.starts_with("analysis:"));
    let end = if policy.is_empty() || policy.ends_with('\n') { "" } else { "\n" };
    match asks_the_gate {
        true => policy.to_owned(),
        false => format!(
            "{policy}{end}analysis: {{capabilities: report, threats: report, dynamic_code: report}}\n"
        ),
    }
}

/// Why another sandbox's command line runs no script at all, if so: then every attack would fail.
pub fn runs_nothing(words: &[String], tools: &Tools) -> io::Result<Option<String>> {
    let place = Place::new(&tools.place, "runs")?;
    let word = token()?;
    fs::write(place.project().join("probe.py"), format!("print('{word}')"))?;
    let done = Subject::Other(words).command(tools, None, &place, &[]).output()?;
    let told = String::from_utf8_lossy(&done.stderr);
    let ran = String::from_utf8_lossy(&done.stdout).contains(&word);
    Ok((!ran).then(|| format!("it does not run a script that prints a word: {}", told.trim())))
}

/// Where waxcell's report goes.
pub(crate) fn report(place: &Place) -> PathBuf {
    place.root().join("report.json")
}

/// Fills in what stands in braces; without any, interpreter and probe are appended.
fn other(words: &[String], names: &[(&str, &str)]) -> Vec<String> {
    let mut filled: Vec<String> = words.to_vec();
    for (name, meaning) in names {
        filled.iter_mut().for_each(|word| *word = word.replace(&format!("{{{name}}}"), meaning));
    }
    if filled == words {
        let appended = names.iter().filter(|(name, _)| *name != "project");
        filled.extend(appended.map(|(_, meaning)| (*meaning).to_owned()));
    }
    filled
}

/// Splits a command line into words as a shell does: blanks, quotes and backslashes, and nothing else. Nothing is
/// expanded.
pub fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\\' => {
                let next = letters.next().ok_or("the line ends in a backslash")?;
                word.get_or_insert_default().push(next);
            }
            quote @ ('\'' | '"') => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or_else(|| format!("a {quote} is not closed"))? {
                        letter if letter == quote => break,
                        '\\' if quote == '"' => {
                            let next = letters.next().ok_or("the line ends in a backslash")?;
                            if !matches!(next, '"' | '\\' | '$' | '`') {
                                word.push('\\');
                            }
                            word.push(next);
                        }
                        letter => word.push(letter),
                    }
                }
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_a_shell_would() {
        let check =
            |line: &str, expected: &[&str]| assert_eq!(words(line).expect("words"), expected, "{line}");
        check("bwrap  --ro-bind / /", &["bwrap", "--ro-bind", "/", "/"]);
        check(r#"a 'b c' "d \" \x" e\ f '' g"h"i"#, &["a", "b c", "d \" \\x", "e f", "", "ghi"]);
        assert!(words("a 'b").is_err() && words("a \\").is_err());
    }

    #[test]
    fn what_is_not_placed_is_appended() {
        let names = [("python", "/p"), ("project", "/x"), ("probe", "/x/probe.py")];
        let check = |line: &str, expected: &str| {
            assert_eq!(other(&words(line).expect("words"), &names).join(" "), expected);
        };
        check("nsjail -q --", "nsjail -q -- /p /x/probe.py");
        check("bwrap --bind {project} {project} {python} {probe}", "bwrap --bind /x /x /p /x/probe.py");
    }
}
