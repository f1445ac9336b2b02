//! Tests that need the inside: ordered faults, torn bytes, the bytes of the specification.

mod cosigned;
mod damage;
mod epoch;
mod faults;
mod follow;
mod log;
mod lot;
mod model;
mod power;
mod publish;
mod room;
mod shared;
mod support;
mod vectors;
mod witness;
