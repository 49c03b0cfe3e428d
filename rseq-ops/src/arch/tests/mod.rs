//! Tests of what is below the public functions.

mod area;
mod structures;
