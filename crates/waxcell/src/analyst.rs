//! Who analyses scripts: a process of its own that can do nothing else, since it reads every byte of a stranger. Whatever
//! becomes of it is a finding, one with which nothing is run.

use std::borrow::Cow;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use waxcell_analysis::{Analysis, Profile, PythonVersion, scan};
use waxcell_sandbox::{Worker, WorkerEnd, WorkerLimits, work_if_asked};

/// What one process may use: three times of what any script of the largest size was seen to take.
const LIMITS: WorkerLimits =
    WorkerLimits { memory: 3 << 30, cpu_seconds: 2 * PATIENCE.as_secs(), stack: 8 << 20 };

/// How long one script may take: far more than any of the largest size does.
const PATIENCE: Duration = Duration::from_secs(30);

/// Analyses one script after the other.
#[derive(Debug)]
pub struct Analyst {
    worker: Result<Worker, WorkerEnd>,
    /// What its process has used of its time, at most.
    spent: Duration,
}

/// What a worker is asked, without the bytes of the script.
#[derive(Serialize, Deserialize)]
struct Question<'a> {
    file: Cow<'a, str>,
    target: PythonVersion,
    profile: Profile,
}

impl Analyst {
    /// Has a process get ready beside. If there can be none, the first analysis says so.
    pub fn start() -> Analyst {
        Analyst { worker: Worker::start(LIMITS, work), spent: Duration::ZERO }
    }

    /// What [`scan`] says of a script; or why nobody can say anything, and then the next script is for another process.
    pub fn analyse(
        &mut self,
        file: &str,
        source: &[u8],
        target: PythonVersion,
        profile: &Profile,
    ) -> Analysis {
        if self.spent > PATIENCE {
            // Its time is for all scripts together.
            *self = Analyst::start();
        }
        let begun = Instant::now();
        let answer = self.ask(file, source, target, profile);
        self.spent += begun.elapsed();
        answer.unwrap_or_else(|why| {
            *self = Analyst::start();
            Analysis::ended(format!("the analysis of `{file}` {why}: what cannot be analysed is not run"))
        })
    }

    fn ask(
        &mut self,
        file: &str,
        source: &[u8],
        target: PythonVersion,
        profile: &Profile,
    ) -> Result<Analysis, String> {
        let worker = self.worker.as_mut().map_err(|end| end.to_string())?;
        let question = Question { file: file.into(), target, profile: profile.clone() };
        let question = serde_json::to_vec(&question).map_err(|error| error.to_string())?;
        let length = (question.len() as u64).to_le_bytes();
        let answer = worker.ask(&[&length, &question, source], PATIENCE).map_err(|end| end.to_string())?;
        serde_json::from_slice(&answer).map_err(|error| format!("gave an answer that is none: {error}"))
    }
}

/// To be called first in `main` of a program that has scripts analysed, as [`serve_if_asked`](crate::serve_if_asked) does.
pub(crate) fn analyse_if_asked(arguments: impl Iterator<Item = OsString>) {
    work_if_asked(arguments, work);
}

/// In the process.
fn work(question: &[u8]) -> Vec<u8> {
    if question.is_empty() {
        // Whatever is looked up once, is by now.
        let analysis = scan("", b"import this\n", PythonVersion::NEWEST, &Profile::default());
        return serde_json::to_vec(&analysis).unwrap_or_default();
    }
    // An answer that is none, if the question is none.
    answer(question).unwrap_or_default()
}

fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = question.split_first_chunk()?;
    let (question, source) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let Question { file, target, profile } = serde_json::from_slice(question).ok()?;
    serde_json::to_vec(&scan(&file, source, target, &profile)).ok()
}
