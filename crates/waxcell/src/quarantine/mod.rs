//! What runs wrote to layers of their own (`write_mode: overlay`), until somebody commits or discards it.
//!
//! ```text
//! Layers::begin -> run -> Layers::seal -> show() -> commit()
//!                                               \-> discard()
//! ```
//!
//! Each run has a folder below the state directory: a note of what it is, its layers, and, once it is over, the list of
//! what they say. From then on nothing of it changes; whatever is done is done by that list. All of it is in the hands of
//! a script that may be hostile, so every step goes by descriptors and follows no link.

mod base;
mod commit;
mod copy;
mod diff;
mod error;
mod layers;
mod looked;
mod name;
mod note;
mod place;
mod recover;
mod sealed;
mod show;
mod store;
mod survey;
#[cfg(test)]
mod tests;
mod unit;

pub use commit::{Done, commit};
pub use diff::Line;
pub use error::{Blocker, QuarantineError};
pub use layers::LayerError;
pub(crate) use layers::{Layers, Left};
pub(crate) use note::Note;
pub use recover::discard;
use recover::recover;
pub(crate) use recover::settle;
pub use sealed::{Deed, Head};
pub use show::{Change, Standing, Waiting, list, show};
