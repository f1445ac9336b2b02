//! Dependencies of scripts: which there are, and which of them are known to be vulnerable.
//!
//! Rule of this crate: it is pure and total, and everything it reads is hostile. Texts and bytes in, a judgement out; it
//! opens no file, knows no clock, and reaches no network. What it cannot read or compare is said to be not audited, which
//! is never the same as clean.

mod archive;
mod cvss;
mod database;
mod marker;
mod name;
mod osv;
mod range;
mod requirement;
mod specifier;
mod version;

pub use archive::{Archive, ArchiveError, Entry};
pub use cvss::{Level, base_score};
pub use database::{Collector, Database, Fault, MAX_ENTRIES, MAX_ENTRY, MAX_TOTAL, Matches, Vulnerability};
pub use marker::{Applies, Environment};
pub use name::Name;
pub use requirement::Requirement;
pub use specifier::Specifiers;
pub use version::Version;
