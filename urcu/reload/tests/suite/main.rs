//! Configurations that reload themselves, with real files.

#[macro_use]
extern crate test_deadline;

mod errors;
mod files;
mod hooks;
mod scratch;
mod ways;
