//! Parallel iterators.

use core::fmt;
use core::hash::{BuildHasher, Hash};

use rayon::iter::plumbing::{Folder, UnindexedConsumer, UnindexedProducer, bridge_unindexed};
use rayon::iter::{FromParallelIterator, IntoParallelIterator, ParallelExtend, ParallelIterator};
use urcu::{Global, InDomain, ReadGuard};

use super::{HashMap, HashMapRef, HashSet, Iter};

/// A parallel iterator over the entries of a map. It meets the same entries as [`Iter`].
pub struct ParIter<'g, K, V>(Iter<'g, K, V>);

impl<'g, K: Sync, V: Sync> ParallelIterator for ParIter<'g, K, V> {
    type Item = (&'g K, &'g V);

    fn drive_unindexed<C: UnindexedConsumer<Self::Item>>(self, consumer: C) -> C::Result {
        bridge_unindexed(Producer(self.0), consumer)
    }
}

impl<K, V> fmt::Debug for ParIter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParIter").finish_non_exhaustive()
    }
}

struct Producer<'g, K, V>(Iter<'g, K, V>);

impl<'g, K: Sync, V: Sync> UnindexedProducer for Producer<'g, K, V> {
    type Item = (&'g K, &'g V);

    fn split(mut self) -> (Self, Option<Self>) {
        let second = self.0.split().map(Producer);
        (self, second)
    }

    fn fold_with<F: Folder<Self::Item>>(self, folder: F) -> F {
        folder.consume_iter(self.0)
    }
}

impl<K: Sync, V: Sync, S, D: InDomain> HashMap<K, V, S, D> {
    /// Returns a parallel iterator over the entries.
    ///
    /// ```
    /// use rayon::iter::ParallelIterator;
    /// let map: urcu_collections::HashMap<_, _> = (0..1000u64).map(|n| (n, n)).collect();
    /// assert_eq!(map.par_iter(&map.guard()).map(|(_, n)| n).sum::<u64>(), 499_500);
    /// ```
    #[track_caller]
    pub fn par_iter<'g>(&'g self, guard: &'g ReadGuard<'_>) -> ParIter<'g, K, V> {
        ParIter(self.iter(guard))
    }
}

impl<'g, K: Sync, V: Sync, S, D: InDomain> IntoParallelIterator for &'g HashMapRef<'_, K, V, S, D> {
    type Item = (&'g K, &'g V);
    type Iter = ParIter<'g, K, V>;

    fn into_par_iter(self) -> ParIter<'g, K, V> {
        ParIter(self.iter())
    }
}

impl<K, V, S, D> ParallelExtend<(K, V)> for &HashMap<K, V, S, D>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Sync,
    D: InDomain + Sync,
{
    fn par_extend<I: IntoParallelIterator<Item = (K, V)>>(&mut self, pairs: I) {
        let map = *self;
        pairs.into_par_iter().for_each(|(key, value)| {
            map.pin().insert(key, value);
        });
    }
}

impl<K, V, S> FromParallelIterator<(K, V)> for HashMap<K, V, S, Global>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Default + Sync,
{
    fn from_par_iter<I: IntoParallelIterator<Item = (K, V)>>(pairs: I) -> Self {
        let map = HashMap::default();
        (&map).par_extend(pairs);
        map
    }
}

impl<K, S> FromParallelIterator<K> for HashSet<K, S, Global>
where
    K: Hash + Eq + Send + Sync + 'static,
    S: BuildHasher + Default + Sync,
{
    fn from_par_iter<I: IntoParallelIterator<Item = K>>(keys: I) -> Self {
        let keys = keys.into_par_iter().map(|key| (key, ()));
        HashMap::from_par_iter(keys).into()
    }
}
