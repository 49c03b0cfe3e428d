//! One file per processor, each the same short list of sequences; `portable` stands beside them.

#[cfg(sequences)]
#[macro_use]
mod x86_64;
#[cfg(sequences)]
mod data_x86_64;
#[cfg(sequences)]
pub(crate) use data_x86_64::*;
#[cfg(sequences)]
pub(crate) use x86_64::*;

#[cfg(not(sequences))]
mod portable;
#[cfg(not(sequences))]
pub(crate) use portable::*;
#[cfg(not(sequences))]
mod data_portable;
#[cfg(not(sequences))]
pub(crate) use data_portable::*;
