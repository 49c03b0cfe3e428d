//! The sequences on the real kernel.

#[cfg(sequences)]
mod append;
mod copy;
mod counts;
#[cfg(sequences)]
mod descriptors;
mod outcomes;
#[cfg(sequences)]
mod single_step;
mod stress;
