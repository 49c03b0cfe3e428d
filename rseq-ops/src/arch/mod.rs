//! One file per processor, each the same short list of sequences; `portable` stands beside them.
//!
//! `data_x86_64` has sequences made for one structure of `percpu` each. Other processors have none
//! of those yet. By `data_portable`, `Stack` and `Pool` take the way there that always ends, which
//! is atomics on other words; `Counter` and `Ring` have sequences everywhere.

#[cfg(all(sequences, target_arch = "x86_64"))]
#[macro_use]
mod x86_64;
#[cfg(all(sequences, target_arch = "x86_64"))]
mod data_x86_64;
#[cfg(all(sequences, target_arch = "x86_64"))]
pub(crate) use data_x86_64::*;
#[cfg(all(sequences, target_arch = "x86_64"))]
pub(crate) use x86_64::*;

#[cfg(all(sequences, target_arch = "aarch64"))]
mod aarch64;
#[cfg(all(sequences, target_arch = "aarch64"))]
pub(crate) use aarch64::*;

#[cfg(not(sequences))]
mod portable;
#[cfg(not(sequences))]
pub(crate) use portable::*;

#[cfg(not(all(sequences, target_arch = "x86_64")))]
mod data_portable;
#[cfg(not(all(sequences, target_arch = "x86_64")))]
pub(crate) use data_portable::*;

#[cfg(all(sequences, target_arch = "x86_64"))]
mod append_x86_64;
#[cfg(all(sequences, target_arch = "x86_64"))]
pub(crate) use append_x86_64::*;

#[cfg(not(all(sequences, target_arch = "x86_64")))]
mod append_portable;
#[cfg(not(all(sequences, target_arch = "x86_64")))]
pub(crate) use append_portable::*;
