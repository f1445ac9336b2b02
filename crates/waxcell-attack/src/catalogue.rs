//! The catalogue of known attacks, and the ledger: which of them the corpus has a case for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Deserialize;

use crate::case::Case;

/// A class of attacks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// What it is about.
    pub title: String,
    /// Each id and what is tried.
    pub ids: BTreeMap<String, String>,
}

/// All classes, by their letter.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Catalogue {
    /// See there.
    pub classes: BTreeMap<String, Class>,
}

/// Why catalogue and cases do not fit.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The text is not as it should be.
    #[error("{file} is not understood")]
    Text {
        /// Which file.
        file: &'static str,
        /// Why, with its place.
        source: toml::de::Error,
    },
    /// A case or a reason names an id that is in no class.
    #[error("there is no `{id}` in the catalogue, and {who} names it")]
    Stranger {
        /// The id.
        id: String,
        /// Who names it.
        who: String,
    },
    /// An id has a case, and a reason why it has none.
    #[error("`{0}` has a case, and without-case.toml says that it gets none")]
    Both(String),
}

impl Catalogue {
    /// Reads `attacks/catalogue.toml`.
    pub fn read(text: &str) -> Result<Catalogue, CatalogueError> {
        toml::from_str(text).map_err(|source| CatalogueError::Text { file: "catalogue.toml", source })
    }

    /// The one that was built in.
    pub fn built_in() -> Result<Catalogue, CatalogueError> {
        Catalogue::read(crate::corpus::built_in_file("catalogue.toml"))
    }

    /// The title of a class; empty for a letter that is none.
    pub fn title(&self, letter: char) -> &str {
        self.classes.get(&letter.to_string()).map_or("", |class| &class.title)
    }

    /// The text of `LEDGER.md`: every id with its cases, or why it has none. `without` is that of `without-case.toml`.
    pub fn ledger(&self, cases: &[Case], without: &str) -> Result<String, CatalogueError> {
        let without: BTreeMap<String, String> = toml::from_str(without)
            .map_err(|source| CatalogueError::Text { file: "without-case.toml", source })?;
        self.check(cases, &without)?;
        let mut whole = Count::default();
        let (mut summary, mut tables) = (String::new(), String::new());
        for (letter, class) in &self.classes {
            let mut count = Count::default();
            let _ = write!(
                tables,
                "\n## {letter}. {}\n\n| id | attack | case | stopped by |\n|---|---|---|---|\n",
                class.title
            );
            for (id, text) in &class.ids {
                let own: Vec<&Case> = cases.iter().filter(|case| case.told.id == *id).collect();
                let (what, by) = match without.get(id) {
                    _ if !own.is_empty() => {
                        count.with += 1;
                        (links(letter, &own), layers(&own))
                    }
                    Some(why) => {
                        count.not_applicable += 1;
                        (format!("not applicable: {}", cell(why)), String::new())
                    }
                    None => {
                        count.open += 1;
                        ("open".to_owned(), String::new())
                    }
                };
                let _ = writeln!(tables, "| {id} | {} | {what} | {by} |", cell(text));
            }
            let own = cases.iter().filter(|case| case.told.id.starts_with(letter.as_str())).count();
            count.cases = own;
            let _ = writeln!(summary, "| {letter} | {} | {} |", class.title, count.row());
            whole.add(&count);
        }
        Ok(format!("{HEAD}{summary}| | all | {} |\n{tables}", whole.row()))
    }

    fn check(&self, cases: &[Case], without: &BTreeMap<String, String>) -> Result<(), CatalogueError> {
        let known: BTreeSet<&String> = self.classes.values().flat_map(|class| class.ids.keys()).collect();
        let strange = |id: &String, who: String| match known.contains(id) {
            true => Ok(()),
            false => Err(CatalogueError::Stranger { id: id.clone(), who }),
        };
        for case in cases {
            strange(&case.told.id, format!("the case `{}`", case.name))?;
            if without.contains_key(&case.told.id) {
                return Err(CatalogueError::Both(case.told.id.clone()));
            }
        }
        without.keys().try_for_each(|id| strange(id, "without-case.toml".to_owned()))
    }
}

const HEAD: &str = "\
# The ledger

Every attack of the [catalogue](catalogue.toml), with the cases that stand for it. Written by `cargo xtask ledger`; a test
holds it to the catalogue and to the cases. How the corpus works: [README.md](README.md).

| class | | ids | with a case | cases | not applicable | open |
|---|---|---|---|---|---|---|
";

#[derive(Default)]
struct Count {
    with: usize,
    cases: usize,
    not_applicable: usize,
    open: usize,
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.with += other.with;
        self.cases += other.cases;
        self.not_applicable += other.not_applicable;
        self.open += other.open;
    }

    fn row(&self) -> String {
        let ids = self.with + self.not_applicable + self.open;
        format!("{ids} | {} | {} | {} | {}", self.with, self.cases, self.not_applicable, self.open)
    }
}

fn links(letter: &str, cases: &[&Case]) -> String {
    let links = cases.iter().map(|case| format!("[{0}]({letter}/{0}/case.toml)", case.name));
    links.collect::<Vec<_>>().join("<br>")
}

fn layers(cases: &[&Case]) -> String {
    let layers: BTreeSet<_> = cases.iter().flat_map(|case| &case.told.layers).collect();
    layers.iter().map(|layer| layer.to_string()).collect::<Vec<_>>().join(", ")
}

/// Text that does not end a cell, and is no markup but between backticks.
fn cell(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(at, part)| match at % 2 {
        0 => part.replace('<', "&lt;").replace('*', "\\*").replace('_', "\\_"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`").replace('|', "\\|")
}
