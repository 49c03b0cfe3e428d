//! Who registers threads, and what of those that nobody did.

mod environments;
#[cfg(sequences)]
mod kinds;
#[cfg(not(feature = "portable"))]
mod last_error;
mod own;
#[cfg(sequences)]
mod owners;
#[cfg(not(feature = "portable"))]
mod unknown_cpus;
