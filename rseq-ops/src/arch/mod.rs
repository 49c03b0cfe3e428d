//! One file per processor, each the same short list of sequences; `portable` stands beside them.

#[cfg(sequences)]
mod x86_64;
#[cfg(sequences)]
pub(crate) use x86_64::*;

#[cfg(not(sequences))]
mod portable;
#[cfg(not(sequences))]
pub(crate) use portable::*;
