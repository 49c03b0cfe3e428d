//! Iterators.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::bucket::Node;
use super::map::{HashMap, Section};
use super::pair::Pair;
use super::plain::kind;
use super::raw_iter::RawIter;

/// An iterator over the entries of a [`HashMap`](crate::HashMap), in no particular order.
///
/// Other threads may change and resize the map meanwhile. An entry that nobody touches is met exactly once. An
/// entry that is inserted, replaced or removed meanwhile is met in one of its states, or not at all. A key that is
/// removed and inserted again may be met twice.
///
/// It can be sent to other threads if keys and values are `Sync`.
pub struct Iter<'g, K, V> {
    raw: RawIter<'g>,
    pairs: PhantomData<&'g Pair<K, V>>,
}

impl<'g, K, V> Iter<'g, K, V> {
    /// # Safety
    /// The entries are pairs of these types, and are not freed within `'g` once they were found.
    #[inline]
    pub(super) unsafe fn new(raw: RawIter<'g>, _: Section<'g>) -> Self {
        Iter {
            raw,
            pairs: PhantomData,
        }
    }

    /// Splits off the second half of the remaining entries, if there is one.
    #[cfg(feature = "rayon")]
    pub(super) fn split(&mut self) -> Option<Self> {
        Some(Iter {
            raw: self.raw.split()?,
            pairs: PhantomData,
        })
    }
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Iter {
            raw: self.raw.clone(),
            pairs: PhantomData,
        }
    }
}

impl<'g, K, V> Iterator for Iter<'g, K, V> {
    type Item = (&'g K, &'g V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let node = self.raw.next()?;
        // SAFETY: the node is such a pair, and not freed within `'g`, as `new` requires.
        let pair = unsafe { Pair::of(node) };
        Some((pair.key, pair.value))
    }
}

impl<K, V> FusedIterator for Iter<'_, K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// An iterator over the keys of a [`HashMap`](crate::HashMap): see [`Iter`].
#[derive(Clone)]
pub struct Keys<'g, K, V>(pub(super) Iter<'g, K, V>);

impl<'g, K, V> Iterator for Keys<'g, K, V> {
    type Item = &'g K;

    #[inline]
    fn next(&mut self) -> Option<&'g K> {
        self.0.next().map(|(key, _)| key)
    }
}

impl<K, V> FusedIterator for Keys<'_, K, V> {}

impl<K: fmt::Debug, V> fmt::Debug for Keys<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = Keys(self.0.clone());
        f.debug_list().entries(keys).finish()
    }
}

/// An iterator over the values of a [`HashMap`](crate::HashMap): see [`Iter`].
#[derive(Clone)]
pub struct Values<'g, K, V>(pub(super) Iter<'g, K, V>);

impl<'g, K, V> Iterator for Values<'g, K, V> {
    type Item = &'g V;

    #[inline]
    fn next(&mut self) -> Option<&'g V> {
        self.0.next().map(|(_, value)| value)
    }
}

impl<K, V> FusedIterator for Values<'_, K, V> {}

impl<K, V: fmt::Debug> fmt::Debug for Values<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = Values(self.0.clone());
        f.debug_list().entries(values).finish()
    }
}

/// The remaining entries of a map, each of which is met once.
type Nodes<'m> = Box<dyn Iterator<Item = NonNull<Node>> + 'm>;

/// An iterator over the entries of a [`HashMap`](crate::HashMap), with mutable references to the values: see
/// [`HashMap::iter_mut`](crate::HashMap::iter_mut).
pub struct IterMut<'m, K, V> {
    nodes: Nodes<'m>,
    pairs: PhantomData<&'m mut Pair<K, V>>,
}

// SAFETY: nobody else uses the entries, and any thread may read the map's buckets.
unsafe impl<K: Send, V: Send> Send for IterMut<'_, K, V> {}
// SAFETY: a shared iterator gives access to nothing.
unsafe impl<K: Sync, V: Sync> Sync for IterMut<'_, K, V> {}

impl<'m, K, V> Iterator for IterMut<'m, K, V> {
    type Item = (&'m K, &'m mut V);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.nodes.next()?;
        let pair = node.cast::<Pair<K, V>>().as_ptr();
        // SAFETY: the node is a pair of these types and is met once; the map is borrowed mutably. Only the key and
        // the value are accessed, not what lies before the key.
        unsafe { Some((&(*pair).key, &mut (*pair).value)) }
    }
}

impl<K, V> fmt::Debug for IterMut<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterMut").finish_non_exhaustive()
    }
}

/// An owning iterator over the entries of a [`HashMap`](crate::HashMap).
///
/// Entries that were not yielded are dropped with the iterator.
pub struct IntoIter<K, V> {
    left: Left<K, V>,
    owns: PhantomData<Box<Pair<K, V>>>,
}

enum Left<K, V> {
    Apart(std::vec::IntoIter<NonNull<Pair<K, V>>>),
    /// Copies of pairs that were in buckets.
    Inline(std::vec::IntoIter<(K, V)>),
}

// SAFETY: the iterator owns its pairs.
unsafe impl<K: Send, V: Send> Send for IntoIter<K, V> {}
// SAFETY: a shared iterator gives access to nothing.
unsafe impl<K: Sync, V: Sync> Sync for IntoIter<K, V> {}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        let pair = match &mut self.left {
            Left::Apart(left) => left.next()?,
            Left::Inline(left) => return left.next(),
        };
        // SAFETY: the pair is from a box, ours since the map was taken apart, and met once.
        let Pair { key, value, .. } = *unsafe { Box::from_raw(pair.as_ptr()) };
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.left {
            Left::Apart(left) => left.size_hint(),
            Left::Inline(left) => left.size_hint(),
        }
    }
}

impl<K, V> ExactSizeIterator for IntoIter<K, V> {}
impl<K, V> FusedIterator for IntoIter<K, V> {}

impl<K, V> Drop for IntoIter<K, V> {
    fn drop(&mut self) {
        /// Drops the rest even if a destructor panics.
        struct Rest<'a, K, V>(&'a mut IntoIter<K, V>);
        impl<K, V> Drop for Rest<'_, K, V> {
            fn drop(&mut self) {
                self.0.for_each(drop);
            }
        }
        let rest = Rest(self);
        rest.0.for_each(drop);
    }
}

impl<K, V> fmt::Debug for IntoIter<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter")
            .field("left", &self.len())
            .finish_non_exhaustive()
    }
}

impl<K, V, S, D> HashMap<K, V, S, D> {
    /// Returns an iterator over the entries, with mutable references to the values.
    ///
    /// ```
    /// let mut map = urcu_collections::HashMap::from([("a", 1), ("b", 2)]);
    /// for (_, value) in map.iter_mut() {
    ///     *value *= 10;
    /// }
    /// assert_eq!(map.get_copied("b"), Some(20));
    /// ```
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        IterMut {
            nodes: Box::new(self.raw.exclusive().nodes()),
            pairs: PhantomData,
        }
    }
}

impl<'m, K, V, S, D> IntoIterator for &'m mut HashMap<K, V, S, D> {
    type Item = (&'m K, &'m mut V);
    type IntoIter = IterMut<'m, K, V>;

    fn into_iter(self) -> IterMut<'m, K, V> {
        self.iter_mut()
    }
}

impl<K, V, S, D> IntoIterator for HashMap<K, V, S, D> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    /// Returns an owning iterator over the entries.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::from([("a", 1)]);
    /// assert_eq!(map.into_iter().collect::<Vec<_>>(), [("a", 1)]);
    /// ```
    fn into_iter(mut self) -> IntoIter<K, V> {
        let nodes = self.raw.exclusive().nodes();
        let left = if kind::<K, V, S>().is_inline() {
            // SAFETY: these are pairs of these types, which may be copied byte by byte and have no destructors;
            // nobody else uses the map.
            let copy = |node| unsafe {
                let pair = Pair::<K, V>::of(node);
                (ptr::read(pair.key), ptr::read(pair.value))
            };
            Left::Inline(nodes.map(copy).collect::<Vec<_>>().into_iter())
        } else {
            let pairs = nodes.map(NonNull::cast::<Pair<K, V>>).collect::<Vec<_>>();
            Left::Apart(pairs.into_iter())
        };
        self.raw.forget_entries();
        IntoIter {
            left,
            owns: PhantomData,
        }
    }
}
