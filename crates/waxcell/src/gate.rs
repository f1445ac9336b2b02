//! The gate: what is asked of a script before anything of it runs, and what comes of it.

mod outside;

pub use outside::{Outside, Seen, outside};
