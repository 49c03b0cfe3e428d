//! The sequences on the real kernel.

#[cfg(sequences)]
mod append;
mod copy;
mod counts;
#[cfg(sequences)]
mod descriptors;
#[cfg(all(sequences, not(miri)))]
mod lookup;
mod lookup_inline;
mod outcomes;
#[cfg(sequences)]
mod single_step;
mod stress;
