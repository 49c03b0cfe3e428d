//! Programs in C and C++ against the header and the libraries. Without a C compiler they are skipped, and
//! say so.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

#[macro_use]
extern crate test_deadline;
// So that cargo builds the libraries.
use urcu_percpu as _;

mod compiler;
mod installed;
mod programs;
mod steps;
mod symbols;
