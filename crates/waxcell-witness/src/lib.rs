//! How logs and their witnesses speak to each other: plain HTTP/1.1 with bounds in bytes, connections and time, in threads.
//! Beside it, the socket of a [`waxcell_journal::Signer`].
//!
//! What is said is the journal's: [`waxcell_journal::Witness`] judges what is sent to a witness, and
//! [`waxcell_journal::Publisher::ask`] what a witness answers. Nothing here is trusted by either, and nothing has to be kept
//! secret: checkpoints are public, and a cosignature carries its own proof.

mod ask;
mod http;
mod reply;
mod server;
mod signer;
mod url;

pub use ask::{Round, ask};
pub use server::{Bounds, serve};
pub use signer::serve_signer;
pub use url::{Url, UrlError};
