//! Configurations that reload themselves, with real files.

#[macro_use]
extern crate test_deadline;

mod errors;
mod files;
mod hooks;
#[cfg(target_os = "linux")]
mod limits;
mod scratch;
mod torn;
mod ways;
#[cfg(target_os = "linux")]
mod writers;
