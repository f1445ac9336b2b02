//! Tests that need the inside: ordered faults, torn bytes, the bytes of the specification.

mod cosigned;
mod damage;
mod epoch;
mod faults;
mod follow;
mod log;
mod loss;
mod lot;
mod model;
mod power;
mod publish;
mod recovery;
mod retention;
mod room;
mod shared;
mod signer;
mod support;
mod vectors;
mod witness;
