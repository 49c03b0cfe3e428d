//! Numbers that the models choose smaller.

/// Bytes of a chunk of callbacks, and its alignment.
pub(crate) const CHUNK: usize = 4096;

/// The number of callbacks that are run at a time: not more than the objects of a size that allocators keep for a
/// thread (7 in glibc), so that what is freed is what is allocated next.
pub(crate) const INVOKE_BATCH: usize = 7;

/// The number of slots that a writer looks at before it sleeps: a few microseconds, however many CPUs.
pub(crate) const SPINS: u32 = 256;
