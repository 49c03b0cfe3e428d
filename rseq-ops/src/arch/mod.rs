//! The sequences. There is a folder for each processor, with the same files in each. Builds without sequences
//! use `portable`.
//!
//! | file | what is in it |
//! |---|---|
//! | `mod` | the shape of a sequence: its descriptor, its abort handler, its delay points |
//! | `thread` | the thread pointer, and words relative to it |
//! | `stride` | additions to the word that the CPU number leads to |
//! | `copy` | the copies that are read-side sections |
//! | `indexed` | sequences whose caller has prepared for an index |
//! | `lookup` | a lookup in a hash table |
//! | `lookup_inline` | the same, in a table whose buckets hold the pairs |
//! | `append` | buffers of records, one for each CPU |
//! | `structures` | sequences made for one structure of `percpu` each |

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

#[cfg(test)]
mod tests;
