//! The transparency log as data: trees, tiles, signed notes, checkpoints, cosignatures, proofs. Nothing here opens files.
//!
//! A log of the form that [C2SP](https://c2sp.org) specifies can be read and proved by software that nobody here wrote.
//! What is implemented, as of its commit 5ba5ee8: `tlog-tiles`, `signed-note`, `tlog-checkpoint`, `tlog-cosignature`
//! (Ed25519 only), `tlog-proof`, `tlog-policy`, the bodies of `tlog-witness`; below them RFC 6962 and RFC 9162; beside them RFC 8785. Each file names what it follows.
//!
//! Bytes from outside are read with bounds and without trust: no function here panics on them, and what is written
//! from a value that was read is what was read, byte for byte.

pub(crate) mod base64;
mod bundle;
mod canonical;
mod checkpoint;
mod cosignature;
mod dsse;
mod frontier;
mod key;
mod note;
mod policy;
mod proof;
pub(crate) mod submission;
mod tile;
mod tile_reader;
mod tree;

pub use bundle::{BundleError, MAX_ENTRY, decode_bundle, encode_bundle};
pub use canonical::{CanonicalError, MAX_WHOLE, from_canonical, is_canonical, to_canonical};
pub use checkpoint::{Checkpoint, CheckpointError, Line, OpenCheckpointError, SignedCheckpoint};
pub use cosignature::cosign;
pub use dsse::dsse_envelope;
pub use frontier::{Frontier, FrontierError};
pub use key::{KeyError, KeyKind, KeyName, PrivateKey, VerifierKey};
pub use note::{MAX_NOTE, MAX_SIGNATURES, Note, NoteError, Opened, Signature, SignatureFault, Verified};
pub use policy::{Log, MAX_LINES, MAX_POLICY, Policy, PolicyError, PolicyFault, QuorumError, Witness};
pub use proof::{MAX_PROOF, Proof, ProofFileError, VerifyProofError};
pub use submission::{MAX_SUBMISSION, Submission, SubmissionError};
pub(crate) use tile::tile_of;
pub use tile::{Kind, TILE_WIDTH, Tile, tiles_of, tiles_that_grow};
pub use tile_reader::{TileError, TileReader};
pub use tree::{
    Hash, MAX_SIZE, Node, ProofError, consistency_proof, empty_root, inclusion_proof, leaf_hash, node_hash,
    root, verify_consistency, verify_inclusion,
};

#[cfg(test)]
mod tests;
