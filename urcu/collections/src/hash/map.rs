//! `HashMap`: construction and reading.

use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;
use core::ptr::NonNull;

use equivalent::Equivalent;
use urcu::{Global, InDomain, ReadGuard};

use super::bucket::Node;
use super::builder::HashMapBuilder;
use super::iter::{Iter, Keys, Values};
use super::pair::{Found, Pair};
use super::pinned::HashMapRef;
use super::plain::kind;
use super::raw::{RawMap, SHARE};
use super::raw_iter::RawIter;
use super::restartable::sequence_key;
use super::{DefaultHashBuilder, Entry};

/// A concurrent hash map for data that is read far more often than it is written.
///
/// Lookups are wait-free: they take no lock, write nothing that other threads read, and never wait for a resize. A
/// change of a key locks one bucket for a few stores. User code (`Hash`, `Eq`, closures, destructors) never runs
/// under a lock, so it may panic or use the same map. Writers resize the table, a few buckets each.
///
/// References to entries borrow the map and a read-side section of its [`Domain`](urcu::Domain). Take a handle
/// ([`HashMap::pin`]), which has the map's methods without the guard argument; or a guard ([`HashMap::guard`],
/// [`urcu::read_lock`]), which may serve many maps. Copies ([`HashMap::get_copied`]) need no guard. Handles and
/// guards may be sent to other threads and held across an `.await`.
///
/// ```
/// use urcu_collections::HashMap;
///
/// let map = HashMap::new();
/// map.pin().insert("one", 1);
///
/// let pinned = map.pin();
/// assert_eq!(pinned.get("one"), Some(&1));
/// pinned.update("one", |value| value + 10);
/// assert_eq!(map.get_copied("one"), Some(11));
/// assert_eq!(pinned.remove("one"), Some(&11));
/// assert!(map.is_empty());
/// ```
///
/// # Values are replaced, not changed
/// An entry never changes: an update publishes a new one, and the old one is dropped after a grace period, as the
/// domain's [`Runner`](urcu::Runner) says. A value that must change in place has to be an atomic or contain a lock.
/// Readers may still see entries that were removed, so changing a map requires `K: Send + 'static` and `V: Send +
/// 'static`.
///
/// # Cost
/// A hit touches two cache lines, a bucket and the entry. An entry takes an allocation for the hash, the
/// key and the value, and 64 bytes of table for two to four entries. Pairs of integers and the like, of at most
/// 8 bytes each, lie in the buckets instead, if the hasher is the default one or that of the standard library.
/// The guard of a section costs about a nanosecond.
///
/// # Async-signal safety
/// Reading is safe in signal handlers if the key's `Hash` and `Eq` are. Changing is not.
///
/// # Forks
/// A forked child may use the map, with its own guards. Entries that the parent had removed, and whose grace period
/// was not over at the fork, are not dropped in the child.
pub struct HashMap<K, V, S = DefaultHashBuilder, D = Global> {
    pub(super) raw: RawMap,
    pub(super) hasher: S,
    pub(super) domain: D,
    /// The map owns pairs, is invariant, and is `Send` and `Sync` only as said below.
    pairs: PhantomData<*mut Pair<K, V>>,
}

// SAFETY: the map owns its keys and values. Those that were retired are `Send` and `'static`, by the bounds of the
// methods that retire.
unsafe impl<K: Send, V: Send, S: Send, D: Send> Send for HashMap<K, V, S, D> {}
// SAFETY: a shared map hands out shared references to keys and values, and takes and drops keys and values on any
// thread.
unsafe impl<K: Send + Sync, V: Send + Sync, S: Sync, D: Sync> Sync for HashMap<K, V, S, D> {}

/// A section of the map's domain that is open as long as `'g`.
#[derive(Clone, Copy)]
pub(super) struct Section<'g>(PhantomData<&'g ()>);

impl<'g> Section<'g> {
    /// # Safety
    /// The guard belongs to the domain of the map with which the section is used.
    #[inline(always)]
    pub(super) unsafe fn new(_: &'g ReadGuard<'_>) -> Self {
        Section(PhantomData)
    }
}

impl<K, V> HashMap<K, V> {
    /// Creates an empty map. Allocates nothing until something is inserted.
    ///
    /// ```
    /// let map: urcu_collections::HashMap<&str, i32> = urcu_collections::HashMap::new();
    /// assert!(map.is_empty());
    /// ```
    pub fn new() -> Self {
        HashMap::with_capacity(0)
    }

    /// Creates an empty map with room for `capacity` entries. The map does not shrink below that by itself.
    pub fn with_capacity(capacity: usize) -> Self {
        HashMap::with_capacity_and_hasher(capacity, DefaultHashBuilder::default())
    }

    /// Returns a builder for the options that are seldom needed.
    ///
    /// ```
    /// use urcu_collections::{HashMap, ResizeMode};
    /// let map: HashMap<u32, u32> = HashMap::builder()
    ///     .capacity(2048)
    ///     .resize_mode(ResizeMode::Blocking)
    ///     .build();
    /// # assert!(map.is_empty());
    /// ```
    pub fn builder() -> HashMapBuilder<K, V> {
        HashMapBuilder::new()
    }
}

impl<K, V, S> HashMap<K, V, S> {
    /// Creates an empty map with a hasher.
    pub fn with_hasher(hash_builder: S) -> Self {
        HashMap::with_capacity_and_hasher(0, hash_builder)
    }

    /// Creates an empty map with a hasher and with room for `capacity` entries.
    pub fn with_capacity_and_hasher(capacity: usize, hash_builder: S) -> Self {
        HashMap::with_capacity_and_hasher_in(capacity, hash_builder, Global)
    }
}

impl<K, V, D: InDomain> HashMap<K, V, DefaultHashBuilder, D> {
    /// Creates an empty map in the given domain. Sections of the map then do not delay the grace periods of other
    /// domains, however long they last.
    ///
    /// ```
    /// static SESSIONS: urcu::Domain = urcu::Domain::named("sessions");
    /// let map = urcu_collections::HashMap::new_in(&SESSIONS);
    /// map.pin().insert(1, "first");
    /// assert_eq!(map.get(&1, &SESSIONS.read_lock()), Some(&"first"));
    /// ```
    pub fn new_in(domain: D) -> Self {
        HashMap::with_capacity_and_hasher_in(0, DefaultHashBuilder::default(), domain)
    }
}

impl<K, V, S, D: InDomain> HashMap<K, V, S, D> {
    /// Creates an empty map with the given capacity, hasher and domain.
    pub fn with_capacity_and_hasher_in(capacity: usize, hash_builder: S, domain: D) -> Self {
        HashMap::build(
            RawMap::new(capacity, SHARE, kind::<K, V, S>()),
            hash_builder,
            domain,
        )
    }

    pub(super) fn build(raw: RawMap, hasher: S, domain: D) -> Self {
        HashMap {
            raw,
            hasher,
            domain,
            pairs: PhantomData,
        }
    }

    /// Returns a handle that holds a guard: it has the map's methods, without the guard argument.
    #[inline(always)]
    #[track_caller]
    pub fn pin(&self) -> HashMapRef<'_, K, V, S, D> {
        HashMapRef::new(self)
    }

    /// Returns the same as [`HashMap::pin`]: all handles can be sent to other threads.
    #[inline(always)]
    #[track_caller]
    pub fn pin_owned(&self) -> HashMapRef<'_, K, V, S, D> {
        self.pin()
    }

    /// Returns a guard of the map's domain. It serves all maps of that domain.
    #[inline(always)]
    #[track_caller]
    pub fn guard(&self) -> ReadGuard<'_> {
        self.domain.domain().read_lock()
    }

    /// Returns the same as [`HashMap::guard`]: all guards can be sent to other threads.
    #[inline(always)]
    #[track_caller]
    pub fn owned_guard(&self) -> ReadGuard<'_> {
        self.guard()
    }

    /// Returns the domain whose grace periods removed entries wait for.
    pub fn domain(&self) -> &urcu::Domain {
        self.domain.domain()
    }

    /// Returns the hasher.
    pub fn hasher(&self) -> &S {
        &self.hasher
    }

    /// Returns the number of entries. It is exact if nobody changes the map meanwhile.
    ///
    /// # Cost
    /// One cache miss for each CPU that has counted since the last call.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Returns whether there are no entries; see [`HashMap::len`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns approximately how many entries the map can hold without a resize.
    pub fn capacity(&self) -> usize {
        let _section = self.guard();
        self.raw.capacity()
    }

    /// Returns how many bytes the map takes on the heap: its tables and entries, without the memory that keys and
    /// values own and without the allocator's overhead.
    ///
    /// # Cost
    /// Visits every bucket.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::<u64, u64>::new();
    /// assert_eq!(map.memory_usage(), 0);
    /// map.pin().insert(1, 2);
    /// assert!(map.memory_usage() >= 3 * 8 + 64);
    /// ```
    pub fn memory_usage(&self) -> usize {
        let _section = self.guard();
        let apart = if kind::<K, V, S>().is_inline() {
            0
        } else {
            self.len() * size_of::<Pair<K, V>>()
        };
        self.raw.table_bytes() + apart
    }

    /// # Panics
    /// If the guard belongs to another domain.
    #[inline(always)]
    #[track_caller]
    pub(super) fn section<'g>(&self, guard: &'g ReadGuard<'_>) -> Section<'g> {
        self.domain.domain().check(guard);
        // SAFETY: the guard's domain was just checked.
        unsafe { Section::new(guard) }
    }

    /// # Safety
    /// The node was found in this map, in the section.
    #[inline(always)]
    pub(super) unsafe fn pair<'g>(
        &'g self,
        node: NonNull<Node>,
        _: Section<'g>,
    ) -> Found<'g, K, V> {
        // SAFETY: all nodes of this map are pairs of these types, which do not change. A pair that was found in a
        // section is freed, or its slot used again, only after the section, or by an owner of the whole map; `'g`
        // ends before both.
        unsafe { Pair::of(node) }
    }

    /// Finds an entry, inside a section.
    #[inline(always)]
    pub(super) fn find_node(
        &self,
        hash: u64,
        is: impl FnMut(NonNull<Node>) -> bool,
    ) -> Option<NonNull<Node>> {
        if kind::<K, V, S>().is_inline() {
            self.raw.find_inline(hash, is)
        } else {
            self.raw.find(hash, is)
        }
    }

    /// Returns an iterator over the entries. [`Iter`] says what it meets while others change the map.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain; so do all methods that take one.
    #[track_caller]
    pub fn iter<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Iter<'g, K, V> {
        self.iter_in(self.section(guard))
    }

    #[inline]
    pub(super) fn iter_in<'g>(&'g self, section: Section<'g>) -> Iter<'g, K, V> {
        // SAFETY: the entries are pairs of these types, and are found in the section.
        unsafe { Iter::new(RawIter::new(self.raw.root(), self), section) }
    }

    /// Returns an iterator over the keys.
    #[track_caller]
    pub fn keys<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Keys<'g, K, V> {
        Keys(self.iter(guard))
    }

    /// Returns an iterator over the values.
    #[track_caller]
    pub fn values<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Values<'g, K, V> {
        Values(self.iter(guard))
    }
}

impl<K, V, S, D> HashMap<K, V, S, D>
where
    K: Hash + Eq,
    S: BuildHasher,
    D: InDomain,
{
    #[inline(always)]
    pub(super) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Returns whether a node has the given key.
    #[inline(always)]
    pub(super) fn is<'a, Q>(
        &'a self,
        key: &'a Q,
        section: Section<'a>,
    ) -> impl Fn(NonNull<Node>) -> bool + 'a
    where
        Q: Equivalent<K> + ?Sized,
    {
        move |node| {
            // SAFETY: `RawMap::find` has found the node in the section.
            key.equivalent(unsafe { self.pair(node, section) }.key)
        }
    }

    #[inline(always)]
    pub(super) fn find<'g, Q>(&'g self, key: &Q, section: Section<'g>) -> Option<Found<'g, K, V>>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let node = self.find_node(self.hash(key), |node| {
            // SAFETY: the node was found in the section.
            key.equivalent(unsafe { self.pair(node, section) }.key)
        });
        // SAFETY: the node was found in the section.
        node.map(|node| unsafe { self.pair(node, section) })
    }

    /// Returns the value of a key.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::from([("a", 1)]);
    /// let guard = map.guard();
    /// assert_eq!(map.get("a", &guard), Some(&1));
    /// assert_eq!(map.get("b", &guard), None);
    /// ```
    ///
    /// The result borrows the guard and the map:
    /// ```compile_fail,E0505
    /// let map = urcu_collections::HashMap::from([("a", 1)]);
    /// let guard = urcu::read_lock();
    /// let found = map.get("a", &guard);
    /// drop(map);
    /// assert_eq!(found, Some(&1));
    /// ```
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain; so do all methods that take one.
    #[inline]
    #[track_caller]
    pub fn get<'g, Q>(&'g self, key: &Q, guard: &'g ReadGuard<'_>) -> Option<&'g V>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.find(key, self.section(guard)).map(|pair| pair.value)
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
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let found = self.find(key, self.section(guard));
        found.map(|pair| (pair.key, pair.value))
    }

    /// Returns whether the map has a key.
    #[inline]
    #[track_caller]
    pub fn contains_key<Q>(&self, key: &Q, guard: &ReadGuard<'_>) -> bool
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.get(key, guard).is_some()
    }

    /// Returns a copy of a key's value. Takes no guard.
    ///
    /// This is one restartable sequence, the fastest kind of lookup, if the key is an integer, an IP address or an
    /// array of integers with 4, 8 or 16 bytes, and the value has 1, 2, 4, 8 or 16 bytes. Otherwise, and if the
    /// bucket has overflowed or was just moved, the method takes a guard inside.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::from([(1, 10)]);
    /// assert_eq!(map.get_copied(&1), Some(10));
    /// ```
    #[inline]
    pub fn get_copied<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Equivalent<K> + Hash + ?Sized,
        V: Copy,
    {
        if let Some(key) = sequence_key::<K, V, S, Q>(key)
            && let Some(answer) = self.look_up(key)
        {
            return answer;
        }
        self.copy_by_guard(key)
    }

    #[cold]
    #[inline(never)]
    fn copy_by_guard<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Equivalent<K> + Hash + ?Sized,
        V: Copy,
    {
        self.read(key, |value| *value)
    }

    /// Returns the result of a function of a key's value. The function runs inside a section of its own, so the
    /// caller needs no guard.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::from([(1, String::from("one"))]);
    /// assert_eq!(map.read(&1, |value| value.len()), Some(3));
    /// ```
    #[inline]
    pub fn read<Q, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let guard = self.guard();
        // SAFETY: the guard is of the map's domain.
        let section = unsafe { Section::new(&guard) };
        self.find(key, section).map(|pair| read(pair.value))
    }

    /// Returns the values of several keys. Their memory is prefetched together, so the cache misses overlap, which
    /// makes lookups in large maps a few times faster.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::from([(1, 10), (2, 20)]);
    /// assert_eq!(map.get_many([&2, &3, &1], &map.guard()), [Some(&20), None, Some(&10)]);
    /// ```
    #[track_caller]
    pub fn get_many<'g, Q, const N: usize>(
        &'g self,
        keys: [&Q; N],
        guard: &'g ReadGuard<'_>,
    ) -> [Option<&'g V>; N]
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.get_many_in(keys, self.section(guard))
    }

    /// Returns the entry of a key, present or not, to read and to change it.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::new();
    /// let guard = map.guard();
    /// assert_eq!(map.entry("a", &guard).or_insert(1), &1);
    /// assert_eq!(map.entry("a", &guard).and_modify(|value| value + 1).or_insert(1), &2);
    /// ```
    #[track_caller]
    pub fn entry<'g>(&'g self, key: K, guard: &'g ReadGuard<'_>) -> Entry<'g, K, V, S, D> {
        Entry::new(self, key, self.section(guard))
    }
}
