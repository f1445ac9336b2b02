//! Dependencies of scripts: which there are, and which of them are known to be vulnerable.
//!
//! Rule of this crate: it is pure and total, and everything it reads is hostile. Texts and bytes in, a judgement out; it
//! opens no file, knows no clock, and reaches no network. What it cannot read or compare is said to be
//! [not audited](Status::NotAudited), which is never the same as clean.

mod archive;
mod audit;
mod block;
mod cvss;
mod database;
mod installed;
mod lists;
mod lock;
mod marker;
mod name;
mod osv;
mod range;
mod requirement;
mod resolve;
mod specifier;
mod standard;
mod version;
mod wanted;

pub use archive::{Archive, ArchiveError, Member};
pub use audit::{Audit, Data, Entry, Status};
pub use block::{Block, block};
pub use cvss::{Level, base_score};
pub use database::{Collector, Database, Fault, MAX_ENTRIES, MAX_ENTRY, MAX_TOTAL, Matches, Vulnerability};
pub use installed::{Distribution, Installed, Metadata};
pub use lists::requirements;
pub use lock::Lock;
pub use marker::{Applies, Environment};
pub use name::Name;
pub use requirement::Requirement;
pub use resolve::{Place, Resolver, Source};
pub use specifier::Specifiers;
pub use standard::is_standard;
pub use version::Version;
pub use wanted::{Ask, Wanted};
