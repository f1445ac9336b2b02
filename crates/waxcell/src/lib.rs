//! Waxcell, the library: what a policy says, and (in later modules) judging, planning, running and recording.
//!
//! Rules of this crate: it does not print, is not async, has no `unsafe`, and takes clock and environment as
//! arguments.

pub mod interpreter;
pub mod policy;
