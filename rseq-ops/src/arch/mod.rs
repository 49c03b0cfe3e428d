//! One file per processor, each the same short list of sequences; `portable` stands beside them.
//!
//! `data_*` has sequences made for one structure of `percpu` each, `append_*` those of buffers that
//! each CPU fills.

#[cfg(all(sequences, target_arch = "x86_64"))]
#[macro_use]
mod x86_64;
#[cfg(all(sequences, target_arch = "x86_64"))]
mod append_x86_64;
#[cfg(all(sequences, target_arch = "x86_64"))]
mod data_x86_64;
#[cfg(all(sequences, target_arch = "x86_64"))]
pub(crate) use append_x86_64::*;
#[cfg(all(sequences, target_arch = "x86_64"))]
pub(crate) use data_x86_64::*;
#[cfg(all(sequences, target_arch = "x86_64"))]
pub(crate) use x86_64::*;

#[cfg(all(sequences, target_arch = "aarch64"))]
#[macro_use]
mod aarch64;
#[cfg(all(sequences, target_arch = "aarch64"))]
mod append_aarch64;
#[cfg(all(sequences, target_arch = "aarch64"))]
mod data_aarch64;
#[cfg(all(sequences, target_arch = "aarch64"))]
pub(crate) use aarch64::*;
#[cfg(all(sequences, target_arch = "aarch64"))]
pub(crate) use append_aarch64::*;
#[cfg(all(sequences, target_arch = "aarch64"))]
pub(crate) use data_aarch64::*;

#[cfg(all(sequences, target_arch = "riscv64"))]
#[macro_use]
mod riscv64;
#[cfg(all(sequences, target_arch = "riscv64"))]
mod append_riscv64;
#[cfg(all(sequences, target_arch = "riscv64"))]
mod data_riscv64;
#[cfg(all(sequences, target_arch = "riscv64"))]
pub(crate) use append_riscv64::*;
#[cfg(all(sequences, target_arch = "riscv64"))]
pub(crate) use data_riscv64::*;
#[cfg(all(sequences, target_arch = "riscv64"))]
pub(crate) use riscv64::*;

#[cfg(not(sequences))]
mod append_portable;
#[cfg(not(sequences))]
mod data_portable;
#[cfg(not(sequences))]
mod portable;
#[cfg(not(sequences))]
pub(crate) use append_portable::*;
#[cfg(not(sequences))]
pub(crate) use data_portable::*;
#[cfg(not(sequences))]
pub(crate) use portable::*;

#[cfg(all(test, sequences))]
mod area_tests;
#[cfg(all(test, sequences))]
mod tests;
