//! The traits of the standard library.

use core::fmt;

use urcu::{Global, InDomain};

use super::fresh::Fresh;
use super::map::BTreeMap;
use super::tree::bulk;

impl<K, V, D: Default> Default for BTreeMap<K, V, D> {
    fn default() -> Self {
        BTreeMap::new_in(D::default())
    }
}

impl<K: fmt::Debug + Ord, V: fmt::Debug, D: InDomain> fmt::Debug for BTreeMap<K, V, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guard = self.guard();
        f.debug_map().entries(self.iter(&guard)).finish()
    }
}

impl<K, V> FromIterator<(K, V)> for BTreeMap<K, V>
where
    K: Ord + Send + 'static,
    V: Send + 'static,
{
    /// Sorts the entries and makes the tree in one go. Of equal keys the last one is kept.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        // Sorted by the standard library's map, which is fast, and safe whatever `Ord` does.
        let sorted = std::collections::BTreeMap::from_iter(pairs);
        let fresh = sorted
            .into_iter()
            .map(|(key, value)| Fresh::new(key, value));
        let pairs: Vec<_> = fresh.map(Fresh::release).collect();
        // SAFETY: the pairs were just made, so they are alive and nobody else's.
        let root = unsafe { bulk(&pairs) };
        BTreeMap::with_root(root, pairs.len(), Global)
    }
}

impl<K, V, const N: usize> From<[(K, V); N]> for BTreeMap<K, V>
where
    K: Ord + Send + 'static,
    V: Send + 'static,
{
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K, V, D> Extend<(K, V)> for &BTreeMap<K, V, D>
where
    K: Ord + Send + 'static,
    V: Send + 'static,
    D: InDomain,
{
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        let mut guard = self.guard();
        for (key, value) in pairs {
            self.insert(key, value, &guard);
            guard.refresh();
        }
    }
}

impl<K, V, D> Clone for BTreeMap<K, V, D>
where
    K: Clone + Ord,
    V: Clone,
    D: InDomain + Clone,
{
    /// Copies the entries that [`iter`](BTreeMap::iter) meets. If others change the map meanwhile, it may never have
    /// had just these.
    fn clone(&self) -> Self {
        let guard = self.guard();
        let copies = self
            .iter(&guard)
            .map(|(key, value)| Fresh::new(key.clone(), value.clone()));
        // All copies first, because one of them may panic.
        let copies: Vec<_> = copies.collect();
        let pairs: Vec<_> = copies.into_iter().map(Fresh::release).collect();
        // SAFETY: the pairs were just made, so they are alive and nobody else's.
        let root = unsafe { bulk(&pairs) };
        BTreeMap::with_root(root, pairs.len(), self.domain.clone())
    }
}

impl<K: Ord, V: PartialEq, D: InDomain> PartialEq for BTreeMap<K, V, D> {
    fn eq(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.pin(), other.pin());
        mine.iter().eq(theirs.iter())
    }
}

impl<K: Ord, V: Eq, D: InDomain> Eq for BTreeMap<K, V, D> {}
