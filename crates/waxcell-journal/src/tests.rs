//! Tests that need the inside: ordered faults, torn bytes, the bytes of the specification.

mod damage;
mod faults;
mod model;
mod power;
mod room;
mod shared;
mod support;
mod vectors;
