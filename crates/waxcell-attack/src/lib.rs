//! The attack corpus: what has broken sandboxes, tried again and judged from outside.
//!
//! Rule of this crate: it depends on no other crate of ours and asks nobody inside. It knows commands, files, sockets and
//! `/proc`, so that it cannot share a mistake with what it judges, and can judge other sandboxes by the same measure. Cases
//! are data (`attacks/`); a new one needs no code.
//!
//! ```text
//! Case -- run(against) --> attempt, control --> CaseReport
//! ```

mod attempt;
mod case;
mod catalogue;
mod corpus;
mod layer;
mod need;
mod outcome;
mod output;
mod place;
mod plant;
mod process;
mod record;
mod snapshot;
mod subject;
mod world;

pub use case::Case;
pub use catalogue::{Catalogue, CatalogueError, Class};
pub use corpus::{CorpusError, built_in, of_folder};
pub use layer::Layer;
pub use need::Host;
pub use outcome::{Against, CaseReport, Outcome, run};
pub use subject::{Tools, runs_nothing, words};
pub use world::World;
