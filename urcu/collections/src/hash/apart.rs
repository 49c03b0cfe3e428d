//! A map whose entries are not stored in its buckets.

use core::hash::{BuildHasher, Hash};

use super::DefaultHashBuilder;
#[cfg(doc)]
use super::HashMap;

/// A hasher for maps that change all the time: with it, a [`HashMap`] allocates its entries one by one, whatever
/// their types. It hashes as `S` does.
///
/// Without it, small keys and values are stored in the buckets themselves: that takes half the memory, and fewer
/// cache misses in large maps. But a slot that was emptied is filled again only after a grace period. If entries are
/// inserted, updated and removed many times within a millisecond, most slots wait, and lookups follow lists instead.
/// An entry of its own waits outside the bucket, and its slot is free at once.
///
/// With `u64` keys and values, this type was faster from about one change in fifty operations on. For other types,
/// entries are allocated one by one in any case. The layout is chosen at compile time, so lookups do not pay for the
/// choice.
///
/// ```
/// use urcu_collections::{Apart, HashMap};
///
/// let counts: HashMap<u32, u64, Apart> = HashMap::builder().entries_apart().build();
/// for number in 0..1000u32 {
///     counts.pin().update_or_insert(number % 7, |count| count + 1, 1);
/// }
/// assert_eq!(counts.get_copied(&3), Some(143));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Apart<S = DefaultHashBuilder>(pub S);

impl<S: BuildHasher> BuildHasher for Apart<S> {
    type Hasher = S::Hasher;

    #[inline(always)]
    fn build_hasher(&self) -> S::Hasher {
        self.0.build_hasher()
    }

    #[inline(always)]
    fn hash_one<T: Hash>(&self, value: T) -> u64 {
        self.0.hash_one(value)
    }
}
