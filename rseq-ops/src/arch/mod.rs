//! One file per processor, each the same short list of sequences; `portable` stands beside them.

#[cfg(all(sequences, target_arch = "x86_64"))]
mod x86_64;
#[cfg(all(sequences, target_arch = "x86_64"))]
pub(crate) use x86_64::*;

#[cfg(all(sequences, target_arch = "aarch64"))]
mod aarch64;
#[cfg(all(sequences, target_arch = "aarch64"))]
pub(crate) use aarch64::*;

#[cfg(all(sequences, target_arch = "riscv64"))]
mod riscv64;
#[cfg(all(sequences, target_arch = "riscv64"))]
pub(crate) use riscv64::*;

#[cfg(not(sequences))]
mod portable;
#[cfg(not(sequences))]
pub(crate) use portable::*;
