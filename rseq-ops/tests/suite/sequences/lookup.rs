//! Lookups as one sequence: every answer, by all sizes of keys and values, and under pressure.

use std::hint::spin_loop;
use std::mem::{MaybeUninit, offset_of};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};

use rseq_ops::delay::{self, Point};
use rseq_ops::ops::{self, Lookup, Place};
use rseq_ops::{current_thread, membarrier};

use crate::support::disturbed::disturbed;
use crate::support::indexes::{Random, interrupt, nothing_to_test, on_signal, thread_id};
use crate::support::{alone, migrate};

const SLOTS: usize = 6;
const MOVED: u64 = 2;

#[derive(Debug)]
#[repr(C, align(64))]
struct Bucket {
    header: AtomicU64,
    slots: [AtomicUsize; SLOTS],
    next: AtomicUsize,
}

impl Bucket {
    const fn new() -> Self {
        Bucket {
            header: AtomicU64::new(0),
            slots: [const { AtomicUsize::new(0) }; SLOTS],
            next: AtomicUsize::new(0),
        }
    }

    fn set_tag(&self, slot: usize, tag: u64) {
        let shift = 16 + 8 * slot;
        let header = self.header.load(Relaxed) & !(0xff << shift);
        self.header.store(header | tag << shift, Release);
    }

    fn put(&self, slot: usize, hash: u64, entry: usize) {
        self.set_tag(slot, tag(hash));
        self.slots[slot].store(entry, Release);
    }
}

#[derive(Debug)]
#[repr(C, align(64))]
struct Table<const BUCKETS: usize> {
    mask: usize,
    _rest: [usize; 7],
    buckets: [Bucket; BUCKETS],
}

impl<const BUCKETS: usize> Table<BUCKETS> {
    fn new() -> Box<Self> {
        Box::new(Table {
            mask: (BUCKETS - 1) * 64,
            _rest: [0; 7],
            buckets: [const { Bucket::new() }; BUCKETS],
        })
    }
}

fn tag(hash: u64) -> u64 {
    (hash >> 56).max(2)
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Entry<K, V> {
    hash: u64,
    key: K,
    value: V,
}

impl<K, V> Entry<K, V> {
    fn address(&self) -> usize {
        ptr::from_ref(self).expose_provenance()
    }
}

/// Looks up as `lookup` does, until that is not aborted.
fn look<K, V: Copy>(root: *const *const u8, hash: u64, key: &K, before: V) -> (Lookup, V) {
    let mut value = MaybeUninit::new(before);
    let offset = offset_of!(Entry<K, V>, value);
    let place = Place { root, hash, offset };
    for _ in 0..1_000_000 {
        let handle = current_thread().expect("a registration");
        // SAFETY: this thread's handle, a table whose parts live as long as the test.
        let answer = unsafe { ops::lookup(handle, &place, key, value.as_mut_ptr()) };
        if answer != Lookup::Aborted {
            // SAFETY: it was initialised.
            return (answer, unsafe { value.assume_init() });
        }
    }
    panic!("a million aborts in a row");
}

/// A bucket full of keys with one tag, and a key that is none of them.
fn check_sizes<K: Copy + PartialEq, V: Copy + PartialEq + std::fmt::Debug>(
    keys: [K; SLOTS + 1],
    values: [V; SLOTS + 1],
) {
    let hash = 0x9A00_0000_0000_0003_u64;
    let table = Table::<4>::new();
    let bucket = &table.buckets[3];
    let entries: Vec<_> = (0..SLOTS)
        .map(|n| Entry {
            hash,
            key: keys[n],
            value: values[n],
        })
        .collect();
    for (slot, entry) in entries.iter().enumerate() {
        bucket.put(slot, hash, entry.address());
    }
    let root = ptr::from_ref(&*table).cast::<u8>();
    let other = values[SLOTS];
    for n in 0..SLOTS {
        assert_eq!(
            look(&root, hash, &keys[n], other),
            (Lookup::Found, values[n])
        );
    }
    // Whatever is missing leaves the target alone.
    assert_eq!(
        look(&root, hash, &keys[SLOTS], other),
        (Lookup::Missing, other)
    );
    // Of another bucket, and of another tag.
    assert_eq!(
        look(&root, hash - 1, &keys[0], other),
        (Lookup::Missing, other)
    );
    let hash_of_none = hash ^ 1 << 56;
    assert_eq!(
        look(&root, hash_of_none, &keys[0], other),
        (Lookup::Missing, other)
    );
    bucket.next.store(64, Relaxed);
    assert_eq!(
        look(&root, hash, &keys[0], other),
        (Lookup::Found, values[0])
    );
    assert_eq!(
        look(&root, hash, &keys[SLOTS], other).0,
        Lookup::Inconclusive
    );
    bucket.header.fetch_or(MOVED, Relaxed);
    assert_eq!(
        look(&root, hash, &keys[0], other),
        (Lookup::Inconclusive, other)
    );
}

fn check_values<K: Copy + PartialEq>(keys: [K; SLOTS + 1]) {
    check_sizes(keys, [1u8, 2, 0x80, 0xff, 5, 6, 7]);
    check_sizes(keys, [1u16, 0x8000, 3, 0xffff, 5, 6, 7]);
    check_sizes(keys, [1u32, 0x8000_0000, 3, u32::MAX, 5, 6, 7]);
    check_sizes(keys, [1u64, 1 << 63, 3, u64::MAX, 0, 6, 7]);
    check_sizes(
        keys,
        [1u128, 1 << 127, 1 << 64, u128::MAX, 0, 6, 7].map(u128::to_ne_bytes),
    );
}

#[test]
fn keys_and_values_of_all_sizes_are_found_in_every_slot_and_no_others_are() {
    if nothing_to_test() {
        return;
    }
    check_values([1u32, 0x8000_0000, 3, u32::MAX, 0, 6, 7]);
    check_values([1u64, 1 << 63, 1 << 32, u64::MAX, 0, 6, 7]);
    check_values([1u128, 1 << 64, 1 << 127, u128::MAX, 0, 1 | 1 << 64, 7].map(u128::to_ne_bytes));
    // Two that differ beyond the first word, or in it alone.
    check_values([[1u64, 1], [1, 2], [2, 1], [2, 2], [0, 0], [0, 1], [0, 2]]);
}

/// Random headers, tags that are there before and after their entries, tags next to each other that
/// differ by one, by a lookup that is not one sequence.
#[test]
fn a_lookup_answers_what_a_plain_one_does() {
    if nothing_to_test() {
        return;
    }
    let mut random = Random(99);
    let mut counts = [0; 3];
    for _ in 0..20_000 {
        let bucket = Bucket::new();
        let table = Table::<1> {
            mask: 0,
            _rest: [0; 7],
            buckets: [bucket],
        };
        let bucket = &table.buckets[0];
        let tags: [u64; SLOTS] =
            std::array::from_fn(|_| [0, 1, 2, 0x80, 0x81, 0xff, 0x7f][random.below(7)]);
        // One key has one hash, and so one tag.
        let entries = tags.map(|tag| {
            let value = random.below(1 << 30) as u32;
            let key = tag << 2 | random.below(3) as u64;
            Entry {
                hash: 0,
                key,
                value,
            }
        });
        for slot in 0..SLOTS {
            bucket.set_tag(slot, tags[slot]);
            if random.below(3) > 0 {
                bucket.slots[slot].store(entries[slot].address(), Relaxed);
            }
        }
        bucket
            .header
            .fetch_or(random.below(1 << 16) as u64 & !MOVED, Relaxed);
        bucket.next.store(random.below(2) * 64, Relaxed);
        let hash = [0u64, 1, 2, 0x80, 0x81, 0xff, 0x7f][random.below(7)] << 56 | 12;
        let key = tag(hash) << 2 | random.below(3) as u64;
        let found = (0..SLOTS).find(|slot| {
            let filled = bucket.slots[*slot].load(Relaxed) != 0;
            tags[*slot] == tag(hash) && filled && entries[*slot].key == key
        });
        let root = ptr::from_ref(&table).cast::<u8>();
        let (answer, value) = look(&root, hash, &key, u32::MAX);
        let expected = match (found, bucket.next.load(Relaxed)) {
            (Some(slot), _) => (Lookup::Found, entries[slot].value),
            (None, 0) => (Lookup::Missing, u32::MAX),
            (None, _) => (Lookup::Inconclusive, u32::MAX),
        };
        assert_eq!((answer, value), expected);
        counts[answer as usize] += 1;
    }
    assert!(counts.iter().all(|count| *count > 1000), "{counts:?}");
}

/// The entry of one key, for ever: a value that shows whether it is whole, and is never reclaimed
/// while somebody may copy it.
type Stamped = Entry<u64, [u64; 2]>;

const KEYS: u64 = 8;
const GONE: u64 = 0xDDDD_DDDD_DDDD_DDDD;

fn hash(key: u64) -> u64 {
    // Two keys share a tag; two buckets.
    (key / 2 + 1) << 56 | key
}

fn stamp(key: u64, version: u64) -> Stamped {
    let stamp = key << 32 | version;
    Entry {
        hash: hash(key),
        key,
        value: [stamp, !stamp],
    }
}

/// The map, and what is not in it any more and will be used again.
struct Map {
    root: AtomicPtr<u8>,
}

impl Map {
    fn table(&self) -> &Table<2> {
        // SAFETY: the tables live as long as the test.
        unsafe { &*self.root.load(Acquire).cast() }
    }
}

/// Looks every key up once. Returns how many were found, how many lookups were aborted or open, and
/// whether all was well.
fn read(root: *const *const u8, key: u64) -> Result<Lookup, [u64; 2]> {
    let mut value = [0; 2];
    let offset = offset_of!(Stamped, value);
    let place = Place {
        root,
        hash: hash(key),
        offset,
    };
    let Some(handle) = current_thread() else {
        return Ok(Lookup::Aborted);
    };
    // SAFETY: this thread's handle; tables and entries are overwritten after a restart alone.
    let answer = unsafe { ops::lookup(handle, &place, &key, &raw mut value) };
    let good = value[0] == !value[1] && value[0] >> 32 == key;
    if answer == Lookup::Found && !good {
        Err(value)
    } else {
        Ok(answer)
    }
}

/// The keys below 4 are always there, those above come and go, all of their entries are replaced, and
/// the table is. Whatever was taken out is overwritten after a restart.
#[test]
fn no_lookup_sees_what_was_reclaimed_or_misses_what_is_there() {
    static ROOT: AtomicUsize = AtomicUsize::new(0);
    static WRONG: AtomicUsize = AtomicUsize::new(0);
    static ANSWERS: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];
    fn one(key: u64) {
        let root = ROOT.load(Acquire);
        if root == 0 {
            return;
        }
        match read(ptr::with_exposed_provenance(root), key) {
            Ok(Lookup::Missing) if key < KEYS / 2 => drop(WRONG.fetch_add(1, Relaxed)),
            Ok(answer) => drop(ANSWERS[answer as usize].fetch_add(1, Relaxed)),
            Err(_) => drop(WRONG.fetch_add(1, Relaxed)),
        }
    }
    if nothing_to_test() || membarrier::register().is_err() {
        return println!("skipped: no sequences, or nothing that restarts them");
    }
    let _alone = alone();
    // Two of everything: one that is in use, and one that is overwritten after the restart.
    let tables = [Table::<2>::new(), Table::<2>::new()];
    let entries: [[Box<[AtomicU64; 4]>; KEYS as usize]; 2] =
        std::array::from_fn(|_| std::array::from_fn(|_| Box::default()));
    let fill = |which: usize, key: u64, version: u64| {
        let words = &entries[which][key as usize];
        let Entry {
            hash,
            key,
            value: [first, second],
        } = stamp(key, version);
        for (word, value) in words.iter().zip([hash, key, first, second]) {
            word.store(value, Relaxed);
        }
        words.as_ptr().expose_provenance()
    };
    let slot = |key: u64| key as usize / 2;
    let in_use: [AtomicUsize; KEYS as usize] = Default::default();
    let map = Map {
        root: AtomicPtr::new(ptr::from_ref(&*tables[0]).cast_mut().cast()),
    };
    for key in 0..KEYS {
        let address = fill(0, key, 0);
        map.table().buckets[key as usize % 2].put(slot(key), hash(key), address);
    }
    ROOT.store(map.root.as_ptr().expose_provenance(), Release);
    let versions = AtomicU64::new(1);
    disturbed(4, Some(|| (0..KEYS).for_each(one)), |thread, running| {
        let mut random = Random(thread as u64 + 1);
        while running() {
            if thread > 0 {
                one(random.below(KEYS as usize) as u64);
                continue;
            }
            let version = versions.fetch_add(1, Relaxed);
            // Longer than a restart takes, so that most of them fall into lookups.
            for point in [Point::LookupBucket, Point::LookupEntry] {
                delay::set(point, 150_000);
            }
            let key = random.below(KEYS as usize) as u64;
            let (now, at) = (map.table(), key as usize);
            if version.is_multiple_of(8) {
                // To the other table.
                let other = tables
                    .iter()
                    .find(|table| !ptr::eq(&***table, now))
                    .unwrap();
                for (from, to) in now.buckets.iter().zip(&other.buckets) {
                    for n in 0..SLOTS {
                        to.slots[n].store(from.slots[n].load(Relaxed), Relaxed);
                    }
                    to.header.store(from.header.load(Relaxed) & !MOVED, Relaxed);
                    from.header.fetch_or(MOVED, Release);
                }
                map.root
                    .store(ptr::from_ref(&**other).cast_mut().cast(), Release);
                membarrier::restart().unwrap();
                for bucket in &now.buckets {
                    bucket.header.store(0, Relaxed);
                    bucket.slots.iter().for_each(|slot| slot.store(0, Relaxed));
                }
                continue;
            }
            let bucket = &now.buckets[at % 2];
            let old = in_use[at].load(Relaxed);
            if key >= KEYS / 2 && version.is_multiple_of(3) {
                bucket.slots[slot(key)].store(0, Release);
                bucket.set_tag(slot(key), 0);
            } else {
                let address = fill(1 - old, key, version);
                in_use[at].store(1 - old, Relaxed);
                bucket.put(slot(key), hash(key), address);
                membarrier::restart().unwrap();
                for word in &*entries[old][at] {
                    word.store(GONE, Relaxed);
                }
                continue;
            }
            membarrier::restart().unwrap();
            for word in &*entries[old][at] {
                word.store(GONE, Relaxed);
            }
        }
    });
    ROOT.store(0, Release);
    let answers = ANSWERS.each_ref().map(|count| count.load(Relaxed));
    println!("found, missing, inconclusive, aborted: {answers:?}, versions {versions:?}");
    assert_eq!(WRONG.load(Relaxed), 0, "reclaimed, or missed");
    assert!(answers[Lookup::Found as usize] > 1000 && answers[Lookup::Missing as usize] > 0);
}

/// A delay of a second at a point, and a signal or a move in the middle of it.
#[test]
fn a_lookup_that_is_interrupted_is_aborted_and_copies_nothing() {
    extern "C" fn nothing(_: i32) {}
    if nothing_to_test() || !delay::set(Point::LookupEntry, 0) {
        return println!("no delays compiled in");
    }
    let _alone = alone();
    on_signal(nothing);
    let table = Table::<1>::new();
    let entry = Entry {
        hash: hash(5),
        key: 5u64,
        value: 7u64,
    };
    table.buckets[0].put(4, hash(5), entry.address());
    let root = ptr::from_ref(&*table).cast::<u8>();
    let offset = offset_of!(Entry<u64, u64>, value);
    let place = Place {
        root: &root,
        hash: hash(5),
        offset,
    };
    for point in [Point::LookupBucket, Point::LookupEntry] {
        let (over, thread, mut value) = (AtomicUsize::new(0), thread_id(), 1u64);
        std::thread::scope(|scope| {
            delay::set(point, 1_000_000_000);
            scope.spawn(|| {
                while over.load(SeqCst) == 0 {
                    std::thread::sleep(std::time::Duration::from_micros(300));
                    interrupt(thread);
                }
            });
            // SAFETY: this thread's handle; a table that nobody changes.
            let answer =
                unsafe { ops::lookup(current_thread().unwrap(), &place, &5u64, &raw mut value) };
            over.store(1, SeqCst);
            delay::set(point, 0);
            assert_eq!((answer, value), (Lookup::Aborted, 1), "{point:?}");
        });
    }
    // Nothing but an interruption aborts: it is found wherever the thread runs.
    for turn in 0..100 {
        migrate(turn);
        assert_eq!(look(&root, hash(5), &5u64, 0u64), (Lookup::Found, 7));
        spin_loop();
    }
}
