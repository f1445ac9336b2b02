//! Who watches this journal's log, as its owner says: kept beside it, in the form of C2SP `tlog-policy`.

use std::io::Read;
use std::path::Path;

use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::{OpenError, ReadError};
use crate::publish::Cosigned;
use crate::tlog::{MAX_POLICY, Policy, PolicyError, SignedCheckpoint};
use crate::whole;

const NAME: &str = "witnesses";
/// Apart from the policy, whose form others have laid down.
const REQUIRED: &str = "witnesses.within";

/// The most witnesses that are asked: their lines have to fit into the checkpoint and into what is kept of it.
pub const MOST_ASKED: usize = 32;

/// The witnesses of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnesses {
    /// Who they are, where they are, and how many have to sign. Its logs play no part here.
    pub policy: Policy,
    /// The policy as it was written.
    pub text: String,
    /// Nothing may begin when there are records that the quorum has not seen for so many seconds.
    pub within: Option<u64>,
}

/// The witnesses cannot be known or set.
#[derive(Debug, thiserror::Error)]
pub enum WitnessesError {
    /// The policy is none.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policy is no text.
    #[error("the policy is not UTF-8")]
    NotText,
    /// There are more with an address than can be asked.
    #[error("{0} witnesses have an address; {MOST_ASKED} are the most")]
    TooMany(usize),
    /// Nobody can be asked, or nobody has to be.
    #[error("a bound in seconds needs a quorum, and witnesses with an address")]
    Nobody,
    /// The seconds are no number.
    #[error("`{}` does not hold a number of seconds", .0.display())]
    Seconds(std::path::PathBuf),
    /// The directory or a file in it cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The directory cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Witnesses {
    /// Takes the text of a policy.
    ///
    /// # Errors
    ///
    /// When it is none, or cannot be followed.
    pub fn new(text: &[u8], within: Option<u64>) -> Result<Witnesses, WitnessesError> {
        let policy = Policy::parse(text)?;
        let text = std::str::from_utf8(text).map_err(|_| WitnessesError::NotText)?.to_owned();
        let asked = policy.witnesses().filter(|witness| witness.url.is_some()).count();
        if asked > MOST_ASKED {
            return Err(WitnessesError::TooMany(asked));
        }
        if within.is_some() && (asked == 0 || !policy.has_quorum()) {
            return Err(WitnessesError::Nobody);
        }
        Ok(Witnesses { policy, text, within })
    }

    /// Those of the journal in a directory, which may be a copy; nothing where none were set.
    ///
    /// # Errors
    ///
    /// When the files cannot be read or understood.
    pub fn of(journal: &Path) -> Result<Option<Witnesses>, WitnessesError> {
        let directory = match Directory::to_read(journal) {
            Err(ReadError::NotAJournal(_)) => return Ok(None),
            directory => directory?,
        };
        let Some(text) = read(&directory, NAME)? else { return Ok(None) };
        let within = match read(&directory, REQUIRED)? {
            None => None,
            Some(number) => {
                let number = std::str::from_utf8(&number).ok().and_then(|text| text.trim_end().parse().ok());
                Some(number.ok_or_else(|| WitnessesError::Seconds(directory.path_of(REQUIRED)))?)
            }
        };
        Witnesses::new(&text, within).map(Some)
    }

    /// Makes these the witnesses of a journal from now on.
    ///
    /// # Errors
    ///
    /// When the directory is not ours alone, or the disk refuses.
    pub fn set(&self, journal: &Path) -> Result<(), WitnessesError> {
        let directory = Directory::private(journal)?;
        // A crash between the two leaves the stricter bound, which the same command takes away.
        if let Some(seconds) = self.within {
            whole::place(&directory, REQUIRED, format!("{seconds}\n").as_bytes())?;
        }
        whole::place(&directory, NAME, self.text.as_bytes())?;
        if self.within.is_none() { remove(&directory, REQUIRED) } else { Ok(()) }
    }

    /// A journal has no witnesses from now on.
    ///
    /// # Errors
    ///
    /// When the directory is not ours alone, or the disk refuses.
    pub fn none(journal: &Path) -> Result<(), WitnessesError> {
        let directory = Directory::private(journal)?;
        remove(&directory, NAME)?;
        remove(&directory, REQUIRED)
    }

    /// How many of them signed a checkpoint, which was opened with their keys.
    #[must_use]
    pub fn count(&self, signed: &SignedCheckpoint) -> Cosigned {
        Cosigned::of(&self.policy, signed)
    }
}

fn remove(directory: &Directory, name: &str) -> Result<(), WitnessesError> {
    if directory.has(name)? {
        disk::unlink(directory, name, &directory.path_of(name))?;
        directory.sync(false)?;
    }
    Ok(())
}

fn read(directory: &Directory, name: &str) -> Result<Option<Vec<u8>>, DiskError> {
    let Some(file) = directory.open_to_read(name)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let failed = |error| DiskError::new("read", &directory.path_of(name), error);
    file.take(MAX_POLICY as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}
