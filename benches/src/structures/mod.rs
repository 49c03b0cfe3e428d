//! Concurrent structures, ours and others', and their measured operations. All maps use one hasher.

pub mod hash;
pub mod keys;
#[cfg(have_liburcu_cds)]
mod liburcu;
mod line;
pub mod ordered;
pub mod queues;

pub use crate::subject::version;

/// A kind of structure, and its description for tables.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Its name in tables and in JSON.
    pub name: &'static str,
    /// The package on the registry, or the library; behind it the first number of its version, if several are
    /// built in.
    pub package: &'static str,
    /// The way in which it is used here.
    pub how: &'static str,
}
