//! The only code that talks to the network for a script: names, addresses, the heads of TLS and HTTP, quotas.
//!
//! Every packet of a run ends in its own network namespace. There, a local route makes the addresses that stand for names (and
//! those that the rules list) the run's own, and sockets that were made there and handed over accept what is sent to them.
//! [`serve`] decides who is called for whom, outside, and moves the bytes. It treats every byte, of the script and of
//! servers, as hostile. It is a process of its own, with one thread; nothing else in the project is asynchronous.
//!
//! [`Rules`] say what may be reached, [`Host`] how the host finds names and which addresses are its own, [`Sockets`] are those of the run's network, and
//! [`Report`]s, one JSON object a line, say what happened. Why it is as it is:
//! `docs/decisions/0022-egress-is-sockets-that-answer-for-every-name.md`.

mod address;
mod bucket;
mod connection;
mod dial;
mod dns;
mod fuzzing;
mod host;
mod http;
mod line;
mod lookup;
mod name;
mod own;
mod pipe;
mod places;
mod report;
mod resolver;
mod rules;
mod run;
mod serve;
mod synthetic;
mod tls;
mod witness;

pub use address::{Network, special};
#[doc(hidden)]
pub use fuzzing::{fuzz_dns, fuzz_http, fuzz_tls};
pub use host::{Host, HostFiles};
pub use name::{Name, NameProblem, Pattern, PatternProblem};
pub use report::{Attempt, Connection, Counters, End, Named, Refusal, Report, Rule};
pub use rules::{AddressRule, DomainRule, Limits, Rules};
pub use serve::{ServeError, Sockets, serve};
pub use synthetic::{SYNTHETIC_V4, SYNTHETIC_V6};
