//! Lookups of many keys at once.

use core::hash::{BuildHasher, Hash};

use equivalent::Equivalent;
use urcu::InDomain;

use super::bucket::{MOVED, matches, slot_of, tag};
use super::map::{HashMap, Section};
use super::plain::kind;
use super::raw_iter::prefetch;
use crate::sync::Ordering;

impl<K, V, S, D> HashMap<K, V, S, D>
where
    K: Hash + Eq,
    S: BuildHasher,
    D: InDomain,
{
    pub(super) fn get_many_in<'g, Q, const N: usize>(
        &'g self,
        keys: [&Q; N],
        section: Section<'g>,
    ) -> [Option<&'g V>; N]
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let hashes = keys.map(|key| self.hash(key));
        let table = self.raw.root();
        let is_inline = kind::<K, V, S>().is_inline();
        for hash in hashes {
            if is_inline {
                // SAFETY: a map with pairs in its buckets has tables of pairs.
                let pairs = unsafe { table.pairs(hash) };
                prefetch(pairs);
                pairs.prefetch_rest();
            } else {
                prefetch(table.bucket::<false>(hash));
            }
        }
        for hash in hashes {
            if is_inline {
                break;
            }
            let bucket = table.bucket::<false>(hash);
            // Relaxed: for a hint.
            let header = bucket.header.load(Ordering::Relaxed);
            let mask = matches(header, tag(hash));
            if mask != 0 && header & MOVED == 0 {
                let slot = &bucket.slots[slot_of(mask)];
                prefetch(slot.load(Ordering::Relaxed));
            }
        }
        let mut numbers = 0..N;
        keys.map(|key| {
            let hash = hashes[numbers.next().expect("as many as keys")];
            let node = self.find_node(hash, self.is(key, section));
            // SAFETY: the node was found in the section.
            node.map(|node| unsafe { self.pair(node, section) }.value)
        })
    }
}
