//! The sequences on the real kernel.

#[cfg(sequences)]
mod append;
mod copy;
mod counts;
#[cfg(sequences)]
mod descriptors;
#[cfg(all(sequences, not(miri)))]
mod lookup;
#[cfg(not(miri))]
mod lookup_inline;
mod outcomes;
#[cfg(sequences)]
mod single_step;
mod stress;
