//! The traits of the standard library.

use core::fmt;
use core::hash::{BuildHasher, Hash};

use urcu::{Global, InDomain};

use super::HashMap;

impl<K, V, S: Default, D: InDomain + Default> Default for HashMap<K, V, S, D> {
    fn default() -> Self {
        HashMap::with_capacity_and_hasher_in(0, S::default(), D::default())
    }
}

impl<K, V, S, D> PartialEq for HashMap<K, V, S, D>
where
    K: Hash + Eq,
    V: PartialEq,
    S: BuildHasher,
    D: InDomain,
{
    fn eq(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.pin(), other.pin());
        mine.len() == theirs.len()
            && mine
                .iter()
                .all(|(key, value)| theirs.get(key).is_some_and(|other| value == other))
    }
}

impl<K, V, S, D> Eq for HashMap<K, V, S, D>
where
    K: Hash + Eq,
    V: Eq,
    S: BuildHasher,
    D: InDomain,
{
}

impl<K, V, S, D> Extend<(K, V)> for &HashMap<K, V, S, D>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, pairs: T) {
        let pairs = pairs.into_iter();
        let expected = pairs.size_hint().0;
        let mut pinned = self.pin();
        // Some of the keys may be there already, unless the map is empty.
        pinned.reserve(if pinned.is_empty() {
            expected
        } else {
            expected.div_ceil(2)
        });
        for (key, value) in pairs {
            pinned.insert(key, value);
            pinned.refresh();
        }
    }
}

impl<'a, K, V, S, D> Extend<(&'a K, &'a V)> for &HashMap<K, V, S, D>
where
    K: Copy + Hash + Eq + Send + 'static,
    V: Copy + Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    fn extend<T: IntoIterator<Item = (&'a K, &'a V)>>(&mut self, pairs: T) {
        self.extend(pairs.into_iter().map(|(&key, &value)| (key, value)));
    }
}

impl<K, V, S, D, P> Extend<P> for HashMap<K, V, S, D>
where
    for<'m> &'m HashMap<K, V, S, D>: Extend<P>,
{
    fn extend<T: IntoIterator<Item = P>>(&mut self, pairs: T) {
        (&*self).extend(pairs);
    }
}

impl<K, V, const N: usize> From<[(K, V); N]> for HashMap<K, V>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
{
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K, V, S> FromIterator<(K, V)> for HashMap<K, V, S>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher + Default,
{
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let map = HashMap::<K, V, S, Global>::default();
        (&map).extend(pairs);
        map
    }
}

impl<K, V, S, D> Clone for HashMap<K, V, S, D>
where
    K: Clone + Hash + Eq + Send + 'static,
    V: Clone + Send + 'static,
    S: BuildHasher + Clone,
    D: InDomain + Clone,
{
    /// Copies the entries that an iteration meets.
    fn clone(&self) -> Self {
        let copy = HashMap::with_capacity_and_hasher_in(
            self.len(),
            self.hasher.clone(),
            self.domain.clone(),
        );
        let pairs = self.pin();
        let pinned = copy.pin();
        for (key, value) in &pairs {
            pinned.insert(key.clone(), value.clone());
        }
        drop(pinned);
        copy
    }
}

impl<K, V, S, D: InDomain> fmt::Debug for HashMap<K, V, S, D>
where
    K: fmt::Debug,
    V: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guard = self.guard();
        f.debug_map().entries(self.iter(&guard)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_hasher_is_seeded_for_each_map() {
        let maps = [HashMap::<u64, ()>::new(), HashMap::new()];
        let [first, second] = maps.map(|map| map.hasher().hash_one(7u64));
        assert_ne!(first, second);
    }
}
