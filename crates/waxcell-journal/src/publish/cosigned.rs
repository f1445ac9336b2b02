//! Having the checkpoint cosigned: what witnesses are asked, what becomes of their answers, and what is demanded of them.
//! Who speaks to them is elsewhere.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::count::Cosigned;
use super::silence::{self, Silence};
use super::{Head, PublishError, Publisher, evidence};
use crate::lock::{Held, Lock};
use crate::log::{MAX_CHECKPOINT, SEALS};
use crate::tlog::{
    Hash, Note, Proof, Signature, SignedCheckpoint, Submission, TileError, TileReader, VerifierKey, Witness,
    consistency_proof, root,
};
use crate::whole;
use crate::witness::hash_of;
use crate::witnesses::Witnesses;

/// The last checkpoint that a quorum cosigned.
pub(crate) const COSIGNED: &str = "cosigned";
/// Held by whoever asks the witnesses.
const LOCK: &str = "witness.lock";
/// Longer is no note here: it has to fit into a slot of the head, beside the tree.
const MOST_BYTES: usize = 6000;
/// So many epochs are looked back for seals that a witness has not signed.
const EPOCHS: usize = 16;

/// What is to be thought of a witness that says something else than this journal.
#[derive(Debug)]
pub enum Claim {
    /// What it shows goes together with this journal.
    Harmless,
    /// It shows nothing that the log or the witness signed: whoever is on the way could say the same.
    Unproved,
    /// There is another log with this name and key: both checkpoints are in this file, and nothing more is signed.
    Proved(PathBuf),
}

/// How long somebody waits for witnesses, and for which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// At most so long.
    pub longest: Duration,
    /// Also for those that did not answer in time lately.
    pub insists: bool,
}

/// A checkpoint that a witness is to sign, of one [`Asking`]: the end of an epoch, or the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(usize);

/// A checkpoint with the signatures that have come.
#[derive(Debug)]
struct Target {
    size: u64,
    note: Note,
    has_come: bool,
    /// The epoch that ends with it.
    epoch: Option<u64>,
}

/// The newest checkpoint on its way through the witnesses, with the ends of epochs before it; one process at a time asks them.
#[derive(Debug)]
pub struct Asking<'a> {
    publisher: &'a Publisher,
    witnesses: Witnesses,
    keys: Vec<VerifierKey>,
    head: Head,
    /// In the order of the records, the newest last.
    targets: Vec<Target>,
    silence: Silence,
    insists: bool,
    /// What a quorum signed last.
    last: Option<SignedCheckpoint>,
    _held: Held,
}

impl Publisher {
    /// Begins to have the newest checkpoint cosigned; waits for others who do so, but not longer than `patience`. Nothing
    /// when nobody is to be asked, nothing was signed yet, all have cosigned it or were silent lately, or others ask for that
    /// long.
    ///
    /// # Errors
    ///
    /// When the witnesses or the head cannot be read, or there is evidence.
    pub fn ask(&self, patience: Patience) -> Result<Option<Asking<'_>>, PublishError> {
        let Some(witnesses) = Witnesses::of(&self.path)? else { return Ok(None) };
        evidence::none(&self.path)?;
        let lock = Lock::open(&self.directory, LOCK)?;
        let until = Instant::now() + patience.longest;
        let held = loop {
            match lock.try_hold()? {
                Some(held) => break held,
                None if Instant::now() >= until => return Ok(None),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let Some(head) = self.head.read()? else { return Ok(None) };
        let newest = Note::parse(head.note.as_bytes())?;
        let keys = self.keys()?;
        let last = self.cosigned(&witnesses, &keys)?;
        let seals = self.log().seals()?;
        let mut targets: Vec<Target> = seals[seals.len().saturating_sub(EPOCHS)..]
            .iter()
            .filter(|seal| seal.note.text() != newest.text())
            .map(|seal| {
                let (size, note, epoch) = (seal.size, seal.note.clone(), Some(seal.epoch));
                Target { size, note, has_come: false, epoch }
            })
            .collect();
        targets.push(Target { size: head.size(), note: newest, has_come: false, epoch: None });
        let (silence, insists) = (Silence::read(&self.directory)?, patience.insists);
        let publisher = self;
        let asking =
            Asking { publisher, witnesses, keys, head, targets, silence, insists, last, _held: held };
        Ok((!asking.open().is_empty()).then_some(asking))
    }

    /// Makes sure that what is on record was seen by a quorum lately, if the owner asks for that. `records` is how many
    /// there are, `now` the time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// When it was not, when there is evidence, or when nothing of that can be known.
    pub fn demand_witnesses(&self, records: u64, now: u64) -> Result<(), PublishError> {
        evidence::none(&self.path)?;
        let Some(witnesses) = Witnesses::of(&self.path)? else { return Ok(()) };
        let Some(within) = witnesses.within.filter(|_| records > 0) else { return Ok(()) };
        let last = self.cosigned(&witnesses, &self.keys()?)?;
        let seen = last.map(|last| (last.checkpoint.size(), witnesses.count(&last).time.unwrap_or(0)));
        match seen {
            Some((size, time)) if size >= records || now.saturating_sub(time) <= within => Ok(()),
            Some((size, time)) => {
                Err(PublishError::Unseen { records: records - size, seconds: now - time, within })
            }
            None => Err(PublishError::NeverSeen { within }),
        }
    }

    /// The newest checkpoint as it is kept, and how many witnesses signed it; nothing when nothing was signed, and no
    /// number where there are no witnesses.
    ///
    /// # Errors
    ///
    /// When it or the witnesses cannot be read.
    pub fn newest(&self) -> Result<Option<(String, Option<Cosigned>)>, PublishError> {
        let Some(head) = self.head.read()? else { return Ok(None) };
        let cosigned = match Witnesses::of(&self.path)? {
            None => None,
            Some(witnesses) => {
                let keys = witnesses.policy.witness_keys();
                let signed = SignedCheckpoint::open(head.note.as_bytes(), &self.keys()?, &keys)?;
                Some(witnesses.count(&signed))
            }
        };
        Ok(Some((head.note, cosigned)))
    }

    /// How many records a quorum has cosigned; nothing where no quorum is asked for.
    ///
    /// # Errors
    ///
    /// When it or the witnesses cannot be read.
    pub fn cosigned_records(&self) -> Result<Option<u64>, PublishError> {
        match Witnesses::of(&self.path)?.filter(|witnesses| witnesses.policy.has_quorum()) {
            None => Ok(None),
            Some(witnesses) => {
                let last = self.cosigned(&witnesses, &self.log().keys()?)?;
                Ok(Some(last.map_or(0, |last| last.checkpoint.size())))
            }
        }
    }

    /// What a quorum of these witnesses signed last.
    fn cosigned(
        &self,
        witnesses: &Witnesses,
        keys: &[VerifierKey],
    ) -> Result<Option<SignedCheckpoint>, PublishError> {
        let note = whole::read(&self.directory, COSIGNED, MAX_CHECKPOINT)?.unwrap_or_default();
        let signed = SignedCheckpoint::open(&note, keys, &witnesses.policy.witness_keys()).ok();
        // What other witnesses signed, before these were set, is nothing to rely on.
        Ok(signed.filter(|signed| witnesses.count(signed).quorum))
    }
}

impl Asking<'_> {
    /// Who can be asked and has not signed the newest one yet.
    #[must_use]
    pub fn open(&self) -> Vec<Witness> {
        let Some(newest) = self.targets.last() else { return Vec::new() };
        let now = silence::now();
        let is_left_alone = |key| !self.insists && self.silence.is_left_alone(key, now);
        let all = self.witnesses.policy.witnesses();
        all.filter(|one| one.url.is_some() && !newest.has(&one.key) && !is_left_alone(&one.key))
            .cloned()
            .collect()
    }

    /// How many records the newest checkpoint has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.head.size()
    }

    fn origin(&self) -> &str {
        self.head.note.split('\n').next().unwrap_or_default()
    }

    /// The SHA-256 of the log's origin, as paths of witnesses have it.
    #[must_use]
    pub fn origin_hash(&self) -> String {
        hash_of(self.origin())
    }

    /// What a witness has most likely signed last. It knows better, and says so.
    #[must_use]
    pub fn last_of(&self, witness: &Witness) -> u64 {
        let signed = self.last.as_ref();
        let by = signed.filter(|last| last.cosignatures.iter().any(|one| one.key == witness.key));
        let seal = self.targets.iter().rev().find(|target| target.has(&witness.key));
        by.map_or(0, |last| last.checkpoint.size()).max(seal.map_or(0, |target| target.size))
    }

    /// The next checkpoint that a witness is to sign who has signed `last` records: the end of an epoch that it has not
    /// signed, or the newest one. An end that it has gone past it cannot sign any more.
    #[must_use]
    pub fn next_for(&self, witness: &Witness, last: u64, after: Option<Step>) -> Option<Step> {
        let first = after.map_or(0, |Step(step)| step + 1);
        let is_next = |at: &usize| {
            let target = &self.targets[*at];
            target.epoch.is_none() || (target.size >= last && !target.has(&witness.key))
        };
        (first..self.targets.len()).find(is_next).map(Step)
    }

    /// The newest checkpoint.
    #[must_use]
    pub fn newest(&self) -> Step {
        Step(self.targets.len() - 1)
    }

    /// How many records the checkpoint of a step has.
    #[must_use]
    pub fn size_of(&self, Step(step): Step) -> u64 {
        self.targets[step].size
    }

    /// Whether a step is for the newest checkpoint.
    #[must_use]
    pub fn is_newest(&self, Step(step): Step) -> bool {
        self.targets[step].epoch.is_none()
    }

    /// What to send to a witness that signed `old` records last.
    ///
    /// # Errors
    ///
    /// When tiles are missing, or the disk refuses.
    pub fn submission(&self, Step(step): Step, old: u64) -> Result<Submission, PublishError> {
        let Target { size, note, .. } = &self.targets[step];
        let proof = self.with_tiles(|mut read| consistency_proof(old, *size, &mut read))?;
        Ok(Submission { old, proof, checkpoint: note.only(&self.keys) })
    }

    /// What shows a witness, which has signed the end of the epoch before that of a step, that the log has changed its key
    /// then. Nothing where that is no end of an epoch.
    ///
    /// # Errors
    ///
    /// When tiles are missing, or the disk refuses.
    pub fn change_of_keys(&self, Step(step): Step) -> Result<Option<Proof>, PublishError> {
        let Some(seal) = self.targets[..step].last() else { return Ok(None) };
        let _held = self.publisher.lock.hold()?;
        let size = self.publisher.head.read()?.map_or(0, |head| head.size());
        Ok(Some(self.publisher.log().prove_in(
            seal.size - 1,
            seal.size,
            &seal.note.only(&self.keys),
            size,
        )?))
    }

    /// Takes in what a witness answered: whether its right signature is in it. Anything else in it is left out.
    pub fn take(&mut self, Step(step): Step, witness: &Witness, answer: &str) -> bool {
        let target = &mut self.targets[step];
        let own = |line| {
            let signature = Signature::parse(line).ok()?;
            let mut alone = Note::new(target.note.text()).ok()?;
            alone.add(signature.clone());
            alone.open(std::slice::from_ref(&witness.key)).is_ok().then_some(signature)
        };
        let Some(signature) = answer.lines().find_map(own) else { return false };
        let mut note = target.note.clone();
        note.add(signature);
        let fits = note.to_string().len() <= MOST_BYTES;
        if fits {
            (target.note, target.has_come) = (note, true);
        }
        fits
    }

    /// Notes whether a witness has said anything in time.
    pub fn heard(&mut self, witness: &Witness, answered: bool) {
        match answered {
            true => self.silence.remove(&witness.key),
            false => self.silence.add(&witness.key, silence::now()),
        }
    }

    /// Judges what a witness showed as the last checkpoint of this log that it has signed.
    ///
    /// # Errors
    ///
    /// When tiles are missing, or the disk refuses.
    pub fn judge(&self, witness: &Witness, shown: &[u8]) -> Result<Claim, PublishError> {
        let Ok(note) = Note::parse(shown) else { return Ok(Claim::Unproved) };
        // Signed by the log, or by the witness, which answers for it: nobody else can have made it.
        let trusted = [self.keys.as_slice(), std::slice::from_ref(&witness.key)].concat();
        let (Ok(_), Ok(theirs)) = (note.open(&trusted), note.text().parse::<crate::tlog::Checkpoint>())
        else {
            return Ok(Claim::Unproved);
        };
        if theirs.origin() != self.origin() {
            return Ok(Claim::Unproved);
        }
        let size = theirs.size();
        if size <= self.head.size() && self.root_of(size)? == *theirs.root() {
            return Ok(Claim::Harmless);
        }
        let what = if size > self.head.size() { "rollback" } else { "split-view" };
        let text = format!(
            "{what} of {}, told by {} at {}\n\nsigned here:\n{}\nshown by the witness:\n{}",
            theirs.origin(),
            witness.key,
            witness.url.as_deref().unwrap_or("no address"),
            self.head.note,
            note.only(&trusted),
        );
        let name = format!("{what}-{}", &hash_of(note.text())[..16]);
        Ok(Claim::Proved(evidence::keep(&self.publisher.path, &name, &text)?))
    }

    fn root_of(&self, size: u64) -> Result<Hash, PublishError> {
        self.with_tiles(|mut read| root(size, &mut read))
    }

    /// Reads nodes of the tree, which may have grown since: then the tiles are those of the larger one.
    fn with_tiles<T>(
        &self,
        read: impl FnOnce(&mut dyn FnMut(crate::tlog::Node) -> Result<Hash, Missing>) -> Result<T, Missing>,
    ) -> Result<T, PublishError> {
        let _held = self.publisher.lock.hold()?;
        let size = self.publisher.head.read()?.map_or(0, |head| head.size());
        let mut tiles = TileReader::new(size, |path| self.publisher.public.read(path, 1 << 16));
        read(&mut |node| tiles.node(node)).map_err(|error| PublishError::Tile(error.to_string()))
    }

    /// Puts the signatures that came into the checkpoint, and keeps them.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn finish(mut self) -> Result<Cosigned, PublishError> {
        if self.silence != Silence::read(&self.publisher.directory)? {
            self.silence.keep(&self.publisher.directory)?;
        }
        let newest = self.targets.pop();
        let text = newest.as_ref().map_or(self.head.note.clone(), |newest| newest.note.to_string());
        let witnesses = self.witnesses.policy.witness_keys();
        let signed = SignedCheckpoint::open(text.as_bytes(), &self.keys, &witnesses)?;
        let cosigned = self.witnesses.count(&signed);
        let has_come = text != self.head.note;
        if has_come && cosigned.quorum {
            // A crash here leaves it out of the checkpoint until the witnesses are asked again.
            whole::place(&self.publisher.directory, COSIGNED, text.as_bytes())?;
        }
        let _held = self.publisher.lock.hold()?;
        // The end of an epoch is kept for good, and is what its records are proved by.
        let of_newest =
            self.publisher.log().seals()?.into_iter().filter(|seal| seal.note.text() == signed.note.text());
        let of_newest: Vec<u64> = of_newest.filter(|_| has_come).map(|seal| seal.epoch).collect();
        let before = self.targets.iter().filter(|target| target.has_come);
        let seals = before.filter_map(|target| Some((target.epoch?, target.note.to_string())));
        for (epoch, note) in seals.chain(of_newest.into_iter().map(|epoch| (epoch, text.clone()))) {
            self.publisher.public.place(&format!("{SEALS}/{epoch}"), note.as_bytes(), true)?;
        }
        // A crash here leaves the head without them, and the witnesses are asked again.
        let newest = self.publisher.head.read()?;
        // Where others have signed more meanwhile, theirs is the checkpoint to be shown.
        if has_come && newest.as_ref() == Some(&self.head) {
            let head = Head { note: text, ..self.head.clone() };
            self.publisher.head.replace(newest.as_ref(), &head)?;
            self.publisher.show(&head)?;
        }
        Ok(cosigned)
    }
}

impl Target {
    fn has(&self, key: &VerifierKey) -> bool {
        !self.note.only(std::slice::from_ref(key)).signatures().is_empty()
    }
}

type Missing = TileError<crate::disk::DiskError>;
