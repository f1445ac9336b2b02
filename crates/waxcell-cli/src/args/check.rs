//! Arguments of `waxcell check`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use waxcell_analysis::{Class, Confidence, ParseVersionError, PythonVersion, Severity};

const OF_CHECK: &str = "\
Examples:
  waxcell check scripts
  waxcell check --format sarif --output findings.sarif .
  waxcell check --capabilities scripts/tally.py
  waxcell check --osv-db pypi.zip --requirements requirements.txt scripts
  waxcell check --json . > known.json       and from then on: waxcell check --baseline known.json .

Exit codes: 0 nothing found, or nothing that the baseline has not; 1 findings; 3 something could not be read,
analysed or audited; 2 wrong usage.";

#[derive(Args, Debug)]
#[command(after_help = OF_CHECK)]
pub(crate) struct Check {
    /// Scripts, and folders of which every *.py and *.pyw is looked at
    #[arg(required_unless_present = "requirements", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// What is printed; --json is --format json
    #[arg(long, value_enum, default_value_t = CheckFormat::Text, value_name = "FORMAT")]
    pub(crate) format: CheckFormat,
    /// Write it into this file and not to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Tell what the scripts can use (modules, files, hosts, programs, ...) in place of what is wrong with them; with JSON beside it
    #[arg(long)]
    pub(crate) capabilities: bool,
    /// Only these rules, as B602,B605
    #[arg(long, short = 't', visible_alias = "tests", value_name = "RULES", value_delimiter = ',')]
    pub(crate) select: Vec<String>,
    /// Only rules of these classes; `threat,dynamic,capability` leaves out what only could be done better
    #[arg(long, value_enum, value_name = "CLASSES", value_delimiter = ',', conflicts_with = "select")]
    pub(crate) class: Vec<OfClass>,
    /// Not these rules
    #[arg(long, short = 's', visible_alias = "skip", value_name = "RULES", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,
    /// Only findings of at least this severity
    #[arg(long, value_enum, default_value_t = AtLeast::Low, value_name = "LEVEL")]
    pub(crate) severity: AtLeast,
    /// Only findings of at least this confidence
    #[arg(long, value_enum, default_value_t = AtLeast::Low, value_name = "LEVEL")]
    pub(crate) confidence: AtLeast,
    /// Only findings of at least low (-l), medium (-ll) or high (-lll) severity
    #[arg(short = 'l', action = ArgAction::Count)]
    pub(crate) severity_count: u8,
    /// Only findings of at least low (-i), medium (-ii) or high (-iii) confidence
    #[arg(short = 'i', action = ArgAction::Count)]
    pub(crate) confidence_count: u8,
    /// Look below folders, as is done without it
    #[arg(long, short = 'r', hide = true)]
    pub(crate) recursive: bool,
    /// Tell also what `# nosec` comments silence
    #[arg(long)]
    pub(crate) ignore_nosec: bool,
    /// Not this folder or file: by its path, or by its name wherever it is
    #[arg(long, value_name = "PATH")]
    pub(crate) exclude: Vec<PathBuf>,
    /// Not what lies in these folders, fits these patterns, or has these words in its path
    #[arg(short = 'x', value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) exclude_patterns: Vec<String>,
    /// Settings as Bandit has them: YAML, or [tool.bandit] of a pyproject.toml
    #[arg(long, short = 'c', visible_alias = "configfile", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The .bandit file, in place of the one in a folder that is looked at
    #[arg(long, value_name = "FILE")]
    pub(crate) ini: Option<PathBuf>,
    /// Tell of comments that silence nothing
    #[arg(long)]
    pub(crate) unused_nosec: bool,
    /// Tell only what an earlier report (JSON, SARIF or Bandit's) does not have
    #[arg(long, short = 'b', value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Read scripts as this Python does, as 3.11 [default: the one that `run` would take, else 3.14]
    #[arg(long, value_name = "VERSION", value_parser = supported)]
    pub(crate) python: Option<PythonVersion>,
    /// Tell which dependencies are known to be vulnerable, by a database in the OSV format: a folder of JSON files, or a
    /// zip archive of them
    #[arg(long, value_name = "PATH")]
    pub(crate) osv_db: Option<PathBuf>,
    /// The database is too old if nothing of it was changed in so many days
    #[arg(long, value_name = "DAYS", requires = "osv_db")]
    pub(crate) osv_max_age: Option<u64>,
    /// Audit also what this file asks for: requirements as pip reads them, or a lock file (uv, Poetry, PDM, Pipenv,
    /// pylock.toml)
    #[arg(long, value_name = "FILE", requires = "osv_db")]
    pub(crate) requirements: Vec<PathBuf>,
}

/// For whom findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people, with the lines of the script
    Text,
    /// For programs, and as a baseline
    Json,
    /// SARIF 2.1.0, for hosts of code and editors
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// The JSON that Bandit writes
    Bandit,
}

/// Which rules are asked. Those about what cannot be read always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OfClass {
    Hygiene,
    Capability,
    Threat,
    Dynamic,
}

impl From<OfClass> for Class {
    fn from(class: OfClass) -> Class {
        match class {
            OfClass::Hygiene => Class::Hygiene,
            OfClass::Capability => Class::Capability,
            OfClass::Threat => Class::Threat,
            OfClass::Dynamic => Class::Dynamic,
        }
    }
}

/// From which level on findings are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AtLeast {
    Low,
    Medium,
    High,
}

impl From<AtLeast> for Severity {
    fn from(level: AtLeast) -> Severity {
        match level {
            AtLeast::Low => Severity::Low,
            AtLeast::Medium => Severity::Medium,
            AtLeast::High => Severity::High,
        }
    }
}

impl From<AtLeast> for Confidence {
    fn from(level: AtLeast) -> Confidence {
        match level {
            AtLeast::Low => Confidence::Low,
            AtLeast::Medium => Confidence::Medium,
            AtLeast::High => Confidence::High,
        }
    }
}

fn supported(text: &str) -> Result<PythonVersion, String> {
    let version: PythonVersion = text.parse().map_err(|error: ParseVersionError| error.to_string())?;
    let (oldest, newest) = (PythonVersion::OLDEST, PythonVersion::NEWEST);
    let is_supported = (oldest..=newest).contains(&version);
    is_supported.then_some(version).ok_or_else(|| format!("expected {oldest} to {newest}"))
}
