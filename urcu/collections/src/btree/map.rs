//! `BTreeMap`.

use core::borrow::Borrow;
use core::marker::PhantomData;
use core::ops::RangeBounds;
use core::ptr::{self, NonNull};

use urcu::{Global, InDomain, ReadGuard};

use super::edit::{Edit, InLeaf};
use super::fresh::Fresh;
use super::iter::Range;
use super::node::{Item, Node, Pair};
use super::pinned::BTreeMapRef;
use super::search::{First, Last, Locate, Path, Wanted};
use super::tree::{Draft, for_all, settle};
use crate::count::Count;
use crate::reclaim;
use crate::sync::{AtomicPtr, Ordering};

/// A concurrent ordered map, for data that is read and scanned far more often than it is written.
///
/// Readers take no lock and never wait. A [range](BTreeMap::range) meets each key that is there all the time exactly
/// once, and in order, whatever other threads do meanwhile. For integers, strings and byte slices, the nodes store
/// eight bytes of each key side by side, so lookups are fast; other keys are compared one by one.
///
/// References to entries borrow the map and a read-side section, as with a [`HashMap`](crate::HashMap): the section
/// of a handle ([`BTreeMap::pin`]) or of a guard.
///
/// ```
/// use urcu_collections::BTreeMap;
///
/// let map = BTreeMap::from([(3, "c"), (1, "a"), (2, "b")]);
/// let pinned = map.pin();
/// assert_eq!(pinned.first_key_value(), Some((&1, &"a")));
/// assert_eq!(pinned.range(2..).map(|(key, _)| *key).collect::<Vec<_>>(), [2, 3]);
/// ```
///
/// # Cost
/// An insertion or removal copies one leaf, 264 bytes, and stores its address under the lock of the leaf's parent,
/// which has up to 32 children. Replacing a value is one store under that lock. About one change in ten copies the
/// nodes on the path from the root, too, and exchanges the root: a leaf is split or joined with a sibling, or the key
/// separates two leaves. No lock is held while memory is allocated or your code runs. Changes in different parts of
/// the map happen in parallel, except those of paths: of these one succeeds, and the others start over. A map of up to
/// 16 entries is a single leaf, so each change of it exchanges the root.
///
/// What is replaced waits for a grace period, half a kilobyte for each change. The grace period waits for writers
/// that are preempted inside their sections, so threads that do nothing but write, four to a processor, fill the
/// default [budget](urcu::Budget) of 16 MiB and then are held up, inside their sections, which makes the grace period
/// longer still. If that is your load, give the map a domain of its own ([`BTreeMap::new_in`]) whose budget has more
/// bytes, or less [patience](urcu::Budget::patience), and open a section for each change.
///
/// # Forks
/// A forked child may use the map, with its own guards. It finds each change of the parent's threads made, or not yet.
/// What the parent had replaced or removed, and whose grace period was not over at the fork, is not dropped in the
/// child; and [`len`](BTreeMap::len) does not count there what threads were about to count at the fork.
pub struct BTreeMap<K, V, D = Global> {
    pub(super) root: AtomicPtr<Node<K, V>>,
    count: Count,
    pub(super) domain: D,
    pairs: PhantomData<*mut Pair<K, V>>,
}

// SAFETY: the map owns its keys and values. Those that were retired are `Send` and `'static`.
unsafe impl<K: Send, V: Send, D: Send> Send for BTreeMap<K, V, D> {}
// SAFETY: a shared map hands out shared references to keys and values, and takes and drops keys and values on any
// thread.
unsafe impl<K: Send + Sync, V: Send + Sync, D: Sync> Sync for BTreeMap<K, V, D> {}

impl<K, V> BTreeMap<K, V> {
    /// Creates an empty map.
    pub fn new() -> Self {
        BTreeMap::new_in(Global)
    }
}

impl<K, V, D> BTreeMap<K, V, D> {
    pub(super) fn with_root(root: *mut Node<K, V>, entries: usize, domain: D) -> Self {
        let count = Count::new();
        count.add(entries.cast_signed());
        BTreeMap {
            root: AtomicPtr::new(root),
            count,
            domain,
            pairs: PhantomData,
        }
    }

    /// Creates an empty map in the given domain.
    pub fn new_in(domain: D) -> Self {
        BTreeMap::with_root(ptr::null_mut(), 0, domain)
    }

    /// Returns the number of entries. It is exact if nobody changes the map meanwhile.
    pub fn len(&self) -> usize {
        self.count.sum()
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.root.load(Ordering::Relaxed).is_null()
    }
}

impl<K, V, D: InDomain> BTreeMap<K, V, D> {
    /// Returns a handle that holds a guard: it has the map's methods, without the guard argument.
    #[inline(always)]
    #[track_caller]
    pub fn pin(&self) -> BTreeMapRef<'_, K, V, D> {
        BTreeMapRef::new(self)
    }

    /// Returns a guard of the map's domain.
    #[inline(always)]
    #[track_caller]
    pub fn guard(&self) -> ReadGuard<'_> {
        self.domain.domain().read_lock()
    }

    /// Returns the domain whose grace periods removed entries wait for.
    pub fn domain(&self) -> &urcu::Domain {
        self.domain.domain()
    }

    /// Returns the current root. The guard's section keeps its tree alive.
    #[inline(always)]
    fn root<'g>(&'g self, guard: &'g ReadGuard<'_>) -> *mut Node<K, V> {
        self.domain.domain().check(guard);
        // Acquire: pairs with the release in `Draft::publish`.
        self.root.load(Ordering::Acquire)
    }

    /// Returns all entries, in order: see [`range`](BTreeMap::range).
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain; so do all methods that take one.
    #[track_caller]
    pub fn iter<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Range<'g, K, V>
    where
        K: Ord,
    {
        self.range::<K, _>(.., guard)
    }

    /// Returns the entries between two bounds, in order.
    ///
    /// Keys that are inserted or removed meanwhile may be met or not, and of two changes by the same thread the range
    /// may see the second one alone. Every other key is met exactly once. The same holds of everything that is made
    /// of a range: clones, comparisons of whole maps, `Debug`. If you need the map as it was at one moment, keep a map
    /// of the standard library in an [`urcu::Rcu`].
    ///
    /// # Panics
    /// Panics if the range ends before it begins, or begins and ends at the same excluded bound.
    ///
    /// ```
    /// let map = urcu_collections::BTreeMap::from([("a", 1), ("b", 2), ("c", 3)]);
    /// let guard = map.guard();
    /// assert!(map.range("b"..="c", &guard).rev().map(|(_, value)| *value).eq([3, 2]));
    /// ```
    #[track_caller]
    pub fn range<'g, Q, R>(&'g self, range: R, guard: &'g ReadGuard<'_>) -> Range<'g, K, V>
    where
        K: Borrow<Q> + Ord,
        Q: Ord + ?Sized,
        R: RangeBounds<Q>,
    {
        let root = self.root(guard);
        // SAFETY: the root was loaded in the section, which keeps the tree and its entries alive as long as the
        // result.
        unsafe { Range::new(root, range.start_bound(), range.end_bound()) }
    }

    fn find<'g>(
        &'g self,
        place: &impl Locate<K>,
        guard: &'g ReadGuard<'_>,
    ) -> Option<(&'g K, &'g V)> {
        let root = self.root(guard);
        // SAFETY: the root was loaded in the section, which lasts as long as the result.
        let pair = unsafe { place.find(root)?.as_ref() };
        Some((&pair.key, &pair.value))
    }

    /// Returns the entry with the least key.
    #[track_caller]
    pub fn first_key_value<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<(&'g K, &'g V)> {
        self.find(&First, guard)
    }

    /// Returns the entry with the greatest key.
    #[track_caller]
    pub fn last_key_value<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<(&'g K, &'g V)> {
        self.find(&Last, guard)
    }

    /// Returns the key as it is stored in the map, and its value.
    #[inline]
    #[track_caller]
    pub fn get_key_value<'g, Q>(
        &'g self,
        key: &Q,
        guard: &'g ReadGuard<'_>,
    ) -> Option<(&'g K, &'g V)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.find(&Wanted::new(key), guard)
    }

    /// Returns the value of a key.
    ///
    /// ```
    /// let map = urcu_collections::BTreeMap::from([("a", 1)]);
    /// assert_eq!(map.get("a", &map.guard()), Some(&1));
    /// ```
    ///
    /// ```compile_fail,E0505
    /// let map = urcu_collections::BTreeMap::from([("a", 1)]);
    /// let guard = urcu::read_lock();
    /// let found = map.get("a", &guard);
    /// drop(map);
    /// assert_eq!(found, Some(&1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn get<'g, Q>(&'g self, key: &Q, guard: &'g ReadGuard<'_>) -> Option<&'g V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.get_key_value(key, guard).map(|(_, value)| value)
    }

    /// Returns whether the map has a key.
    #[inline]
    #[track_caller]
    pub fn contains_key<Q>(&self, key: &Q, guard: &ReadGuard<'_>) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.get(key, guard).is_some()
    }
}

impl<K, V, D> BTreeMap<K, V, D>
where
    K: Ord + Send + 'static,
    V: Send + 'static,
    D: InDomain,
{
    /// # Safety
    /// The caller has unlinked the entry, in this section.
    unsafe fn retire<'g>(
        &'g self,
        pair: NonNull<Pair<K, V>>,
        _: &'g ReadGuard<'_>,
    ) -> &'g Pair<K, V> {
        // SAFETY: the entry was unlinked in the section, which lasts as long as the result. The bounds of keys and
        // values allow any thread to drop them at any time.
        unsafe {
            reclaim::retire(self.domain.domain(), pair);
            pair.as_ref()
        }
    }

    /// Changes the tree that was loaded, at the place that was found. Returns the old entry; or an error if the tree
    /// has changed there meanwhile.
    ///
    /// # Safety
    /// The tree was loaded in the section, and the path was found in it. The caller owns the entry to be inserted.
    /// There is something to be removed, or inserted.
    unsafe fn change<'g>(
        &'g self,
        root: *mut Node<K, V>,
        path: &Path<K, V>,
        put: Option<&Fresh<K, V>>,
        guard: &'g ReadGuard<'_>,
    ) -> Result<Option<&'g Pair<K, V>>, ()> {
        let domain = self.domain.domain();
        // SAFETY: `fresh` is borrowed for this whole call, and owns the entry until it is published: nobody frees it
        // meanwhile.
        let edit = put.map_or(Edit::Remove, |fresh| unsafe {
            Edit::Put(Item::entry(fresh.pair))
        });
        // Retiring may panic if there is no memory. By then the entry is published.
        let give = |is_given| put.inspect(|fresh| fresh.is_given.set(is_given));
        give(true);
        let is_made = if let Some(in_leaf) = InLeaf::new(&self.root, root, path, &edit) {
            in_leaf.make(&edit, domain)
        } else {
            let mut draft = Draft::new(root);
            // SAFETY: the tree was loaded in the section, so it is alive.
            unsafe { draft.make(path, &edit) && draft.publish(&self.root, domain) }
        };
        if !is_made {
            give(false);
            return Err(());
        }
        let old = path.found;
        match (edit, old) {
            (Edit::Put(_), None) => self.count.add(1),
            (Edit::Remove, Some(_)) => self.count.add(-1),
            _ => {}
        }
        // SAFETY: we have just unlinked the entry.
        Ok(old.map(|old| unsafe { self.retire(old, guard) }))
    }

    /// Inserts a value, and returns the old one. The new key replaces the old one, too.
    ///
    /// ```
    /// let map = urcu_collections::BTreeMap::new();
    /// let guard = map.guard();
    /// assert_eq!(map.insert("a", 1, &guard), None);
    /// assert_eq!(map.insert("a", 2, &guard), Some(&1));
    /// ```
    #[track_caller]
    pub fn insert<'g>(&'g self, key: K, value: V, guard: &'g ReadGuard<'_>) -> Option<&'g V> {
        let fresh = Fresh::new(key, value);
        let mut path = Path::new();
        loop {
            let root = self.root(guard);
            let place = Wanted::<K, K>::new(fresh.key());
            // SAFETY: the root was loaded in the section.
            unsafe { path.find(root, &place) };
            // SAFETY: the path was found in the section; the entry is ours.
            if let Ok(old) = unsafe { self.change(root, &path, Some(&fresh), guard) } {
                fresh.release();
                return old.map(|old| &old.value);
            }
        }
    }

    /// Returns the value of a key. If the key is missing, inserts the result of a function.
    ///
    /// The function may have been called in vain if another thread inserts the key first.
    #[track_caller]
    pub fn get_or_insert_with<'g>(
        &'g self,
        key: K,
        make: impl FnOnce() -> V,
        guard: &'g ReadGuard<'_>,
    ) -> &'g V {
        if let Some(value) = self.get(&key, guard) {
            return value;
        }
        let fresh = Fresh::new(key, make());
        let mut path = Path::new();
        loop {
            let root = self.root(guard);
            let place = Wanted::<K, K>::new(fresh.key());
            // SAFETY: the root was loaded in the section.
            if let Some(there) = unsafe { path.find(root, &place) } {
                // SAFETY: found in the section.
                return &unsafe { there.as_ref() }.value;
            }
            // SAFETY: the path was found in the section; the entry is ours.
            if unsafe { self.change(root, &path, Some(&fresh), guard) }.is_ok() {
                // SAFETY: the entry was published in this section, which `guard` keeps open: whoever takes it out
                // of the map frees it only afterwards.
                return &unsafe { fresh.release().as_ref() }.value;
            }
        }
    }

    /// Replaces the value of a key by the result of a function, and returns the new value. Returns `None` if the
    /// key is missing.
    ///
    /// The function is called again if another thread has changed this part of the map meanwhile, so no update is
    /// lost.
    #[track_caller]
    pub fn update<'g>(
        &'g self,
        mut key: K,
        update: impl Fn(&V) -> V,
        guard: &'g ReadGuard<'_>,
    ) -> Option<&'g V> {
        let mut path = Path::new();
        loop {
            let root = self.root(guard);
            // SAFETY: the root was loaded in the section.
            let old = unsafe { path.find(root, &Wanted::<K, K>::new(&key))?.as_ref() };
            let fresh = Fresh::new(key, update(&old.value));
            // SAFETY: the path was found in the section; the entry is ours, and has the same key.
            if unsafe { self.change(root, &path, Some(&fresh), guard) }.is_ok() {
                // SAFETY: the entry was published in this section, which `guard` keeps open: whoever takes it out
                // of the map frees it only afterwards.
                return Some(&unsafe { fresh.release().as_ref() }.value);
            }
            key = fresh.into_key();
        }
    }

    fn remove_at<'g>(
        &'g self,
        place: &impl Locate<K>,
        guard: &'g ReadGuard<'_>,
    ) -> Option<(&'g K, &'g V)> {
        let mut path = Path::new();
        loop {
            let root = self.root(guard);
            // SAFETY: the root was loaded in the section.
            unsafe { path.find(root, place)? };
            // SAFETY: the path was found in the section, and so was the entry.
            if let Ok(old) = unsafe { self.change(root, &path, None, guard) } {
                return old.map(|old| (&old.key, &old.value));
            }
        }
    }

    /// Removes a key, and returns it with its value.
    #[track_caller]
    pub fn remove_entry<'g, Q>(
        &'g self,
        key: &Q,
        guard: &'g ReadGuard<'_>,
    ) -> Option<(&'g K, &'g V)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.remove_at(&Wanted::new(key), guard)
    }

    /// Removes a key, and returns its value.
    #[track_caller]
    pub fn remove<'g, Q>(&'g self, key: &Q, guard: &'g ReadGuard<'_>) -> Option<&'g V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.remove_entry(key, guard).map(|(_, value)| value)
    }

    /// Removes the entry with the least key, and returns it.
    #[track_caller]
    pub fn pop_first<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<(&'g K, &'g V)> {
        self.remove_at(&First, guard)
    }

    /// Removes the entry with the greatest key, and returns it.
    #[track_caller]
    pub fn pop_last<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<(&'g K, &'g V)> {
        self.remove_at(&Last, guard)
    }

    /// Removes all entries, atomically.
    #[track_caller]
    pub fn clear(&self, guard: &ReadGuard<'_>) {
        self.root(guard);
        // Acquire: the nodes and entries that others have published are retired here.
        let root = self.root.swap(ptr::null_mut(), Ordering::AcqRel);
        let domain = self.domain.domain();
        let mut entries = 0;
        // SAFETY: we have unlinked the whole tree. Threads that have loaded its root are inside sections, as we
        // are, and do not change the tree any more. Nodes have no destructors.
        unsafe {
            settle(root);
            for_all(
                root,
                &mut |pair| {
                    entries += 1;
                    reclaim::retire(domain, pair);
                },
                &mut |node| Node::retire(node, domain),
            );
        }
        self.count.add(-entries);
    }
}

impl<K, V, D> Drop for BTreeMap<K, V, D> {
    fn drop(&mut self) {
        /// Drops the rest even if a destructor panics.
        struct Rest<K, V>(Vec<NonNull<Pair<K, V>>>);
        impl<K, V> Drop for Rest<K, V> {
            fn drop(&mut self) {
                while let Some(pair) = self.0.pop() {
                    // SAFETY: each pair is from a box and is met once; nobody uses the map any more.
                    drop(unsafe { Box::from_raw(pair.as_ptr()) });
                }
            }
        }
        let mut rest = Rest(Vec::new());
        // SAFETY: nobody uses the map any more.
        unsafe {
            let root = *self.root.get_mut();
            for_all(root, &mut |pair| rest.0.push(pair), &mut |node| {
                Node::free(node)
            });
        }
        while let Some(pair) = rest.0.pop() {
            // SAFETY: each pair is in the tree once, from a box, and nobody uses the map any more.
            drop(unsafe { Box::from_raw(pair.as_ptr()) });
        }
    }
}
