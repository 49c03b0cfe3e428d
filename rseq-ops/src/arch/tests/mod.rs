//! Tests of what is below the public functions.

#![cfg(sequences)]

mod area;
mod structures;
