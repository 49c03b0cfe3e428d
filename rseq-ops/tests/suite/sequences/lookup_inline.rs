//! Lookups among pairs that lie in their buckets: every answer, by all sizes of keys and values, and while
//! slots are used again.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};

use rseq_ops::delay::{self, Point};
use rseq_ops::ops::{self, Lookup, Place};
use rseq_ops::{current_thread, membarrier};

use crate::support::alone;
use crate::support::disturbed::disturbed;
use crate::support::indexes::{Random, interrupt, nothing_to_test, on_signal, thread_id};

const SLOTS: usize = 6;
const MOVED: u64 = 2;

/// A pair that found no room: the next one, and the two words of the pair.
type Outside = [AtomicU64; 3];

#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Bucket {
    header: AtomicU64,
    list: AtomicUsize,
    slots: [[AtomicU64; 2]; SLOTS],
    stamps: [u64; 2],
}

impl Bucket {
    fn set_tag(&self, slot: usize, tag: u64) {
        let shift = 16 + 8 * slot;
        let header = self.header.load(Relaxed) & !(0xff << shift);
        self.header.store(header | tag << shift, Release);
    }

    fn put(&self, slot: usize, hash: u64, words: [u64; 2]) {
        for (place, word) in self.slots[slot].iter().zip(words) {
            place.store(word, Relaxed);
        }
        self.set_tag(slot, tag(hash));
    }
}

#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Table {
    before: [u64; 8],
    mask: usize,
    rest: [usize; 7],
    buckets: [Bucket; 2],
}

impl Table {
    fn new() -> Box<Self> {
        Box::new(Table {
            mask: 128,
            ..Table::default()
        })
    }

    /// The address of the head, which the buckets follow.
    fn head(&self) -> *const u8 {
        ptr::from_ref(self).cast::<u8>().wrapping_add(64)
    }
}

fn tag(hash: u64) -> u64 {
    (hash >> 56).max(2)
}

fn outside(next: usize, words: [u64; 2]) -> Outside {
    [next as u64, words[0], words[1]].map(AtomicU64::new)
}

fn address(outside: &Outside) -> usize {
    outside.as_ptr().expose_provenance()
}

/// The words of a pair: the value lies where C would put it behind a key.
fn pair<K: Copy, V: Copy>(key: K, value: V) -> [u64; 2] {
    let mut words = [0u64; 2];
    let start = words.as_mut_ptr().cast::<u8>();
    // SAFETY: both fit, as the offset is that of a struct of two words.
    unsafe {
        start.cast::<K>().write_unaligned(key);
        start
            .add(offset::<K, V>() - 8)
            .cast::<V>()
            .write_unaligned(value);
    }
    words
}

const fn offset<K, V>() -> usize {
    8 + size_of::<K>().next_multiple_of(align_of::<V>())
}

/// Looks up as `lookup_inline` does, until that is not aborted.
fn look<K, V: Copy>(root: *const *const u8, hash: u64, key: &K, before: V) -> (Lookup, V) {
    let mut value = MaybeUninit::new(before);
    let offset = offset::<K, V>();
    let place = Place { root, hash, offset };
    for _ in 0..1_000_000 {
        let handle = current_thread().expect("a registration");
        // SAFETY: this thread's handle, a table whose parts live as long as the test.
        let answer = unsafe { ops::lookup_inline(handle, &place, key, value.as_mut_ptr()) };
        if answer != Lookup::Aborted {
            // SAFETY: it was initialised.
            return (answer, unsafe { value.assume_init() });
        }
    }
    panic!("a million aborts in a row");
}

/// A bucket full of keys with one tag, two keys that found no room, and a key that is none of them.
fn check_sizes<K: Copy, V: Copy + PartialEq + std::fmt::Debug>(keys: [K; 9], values: [V; 9]) {
    let hash = 0x9A00_0000_0000_0001_u64;
    let table = Table::new();
    let bucket = &table.buckets[1];
    for slot in 0..SLOTS {
        bucket.put(slot, hash, pair(keys[slot], values[slot]));
    }
    let (root, other) = (table.head(), values[8]);
    assert_eq!(look(&root, hash, &keys[6], other), (Lookup::Missing, other));
    let second = outside(0, pair(keys[7], values[7]));
    let first = outside(address(&second), pair(keys[6], values[6]));
    bucket.list.store(address(&first), Relaxed);
    for n in 0..8 {
        assert_eq!(
            look(&root, hash, &keys[n], other),
            (Lookup::Found, values[n])
        );
    }
    let missing = [(hash, 8), (hash - 1, 0), (hash ^ 1 << 56, 0)];
    for (hash, key) in missing {
        let found = look(&root, hash, &keys[key], other);
        assert_eq!(found, (Lookup::Missing, other));
    }
    bucket.set_tag(3, 0);
    assert_eq!(look(&root, hash, &keys[3], other), (Lookup::Missing, other));
    bucket.header.fetch_or(MOVED, Relaxed);
    assert_eq!(
        look(&root, hash, &keys[0], other),
        (Lookup::Inconclusive, other)
    );
}

#[test]
fn pairs_of_all_sizes_are_found_in_every_slot_and_outside_and_no_others_are() {
    if nothing_to_test() {
        return;
    }
    fn check_values<K: Copy>(keys: [K; 9]) {
        check_sizes(keys, [1u8, 2, 0x80, 0xff, 5, 6, 7, 8, 9]);
        check_sizes(keys, [1u16, 0x8000, 3, 0xffff, 5, 6, 7, 8, 9]);
        check_sizes(keys, [1u32, 0x8000_0000, 3, u32::MAX, 5, 6, 7, 8, 9]);
        check_sizes(keys, [1u64, 1 << 63, 3, u64::MAX, 0, 6, 7, 8, 9]);
    }
    check_values([1u32, 0x8000_0000, 3, u32::MAX, 0, 6, 7, 8, 9]);
    check_values([1u64, 1 << 63, 1 << 32, u64::MAX, 0, 6, 7, 8, 9]);
}

/// Random headers, by a lookup that is not one sequence: of slots without a tag nothing counts, whatever is in
/// them, and whatever tags are beside them.
#[test]
fn a_slot_counts_if_it_has_the_tag_and_no_other_one_does() {
    if nothing_to_test() {
        return;
    }
    const TAGS: [u64; 6] = [0, 2, 3, 0x80, 0x81, 0xff];
    let mut random = Random(99);
    let mut counts = [0; 2];
    for round in 0..20_000 {
        let table = Table::new();
        let bucket = &table.buckets[0];
        let hash = TAGS[random.below(6)] << 56 | 12;
        let mut expected = None;
        for slot in 0..SLOTS {
            // A key is in one slot with a tag at most, and then that is its tag; but stale in any without one.
            let tag_here = TAGS[random.below(6)];
            let is_it = random.below(3) == 0 && (tag_here == 0 || expected.is_none());
            let tag_here = if is_it && tag_here != 0 {
                tag(hash)
            } else {
                tag_here
            };
            let key = if is_it { 7 } else { 1000 + slot as u64 };
            for (place, word) in bucket.slots[slot]
                .iter()
                .zip([key, round << 8 | slot as u64])
            {
                place.store(word, Relaxed);
            }
            bucket.set_tag(slot, tag_here);
            if is_it && tag_here != 0 {
                expected = Some(round << 8 | slot as u64);
            }
        }
        let noise = random.below(1 << 16) as u64 & !MOVED;
        bucket.header.fetch_or(noise, Relaxed);
        let found = look(&table.head(), hash, &7u64, u64::MAX);
        let expected = expected.map_or((Lookup::Missing, u64::MAX), |value| (Lookup::Found, value));
        assert_eq!(found, expected, "{bucket:?}");
        counts[usize::from(expected.0 == Lookup::Found)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 1000), "{counts:?}");
}

/// A key that is always there goes from slot to slot, and to the list and back as if it were removed; a slot is
/// filled again, with another key of the same tag, after a restart alone.
#[test]
fn no_lookup_sees_a_slot_that_is_used_again_or_misses_a_pair_that_moves() {
    static ROOT: AtomicUsize = AtomicUsize::new(0);
    static WRONG: AtomicUsize = AtomicUsize::new(0);
    static FOUND: AtomicUsize = AtomicUsize::new(0);
    const KEY: u64 = 5;
    const OTHER: u64 = 6;
    const HASH: u64 = 7 << 56;
    fn one(key: u64) {
        let root = ROOT.load(Acquire);
        let Some(handle) = current_thread().filter(|_| root != 0) else {
            return;
        };
        let root = ptr::with_exposed_provenance::<*const u8>(root);
        let (mut value, place) = (
            0u64,
            Place {
                root,
                hash: HASH,
                offset: 16,
            },
        );
        // SAFETY: this thread's handle; a table that lives as long as the test, whose slots are used again after
        // a restart.
        match unsafe { ops::lookup_inline(handle, &place, &key, &raw mut value) } {
            Lookup::Found if value >> 32 == key => drop(FOUND.fetch_add(1, Relaxed)),
            Lookup::Missing if key == OTHER => {}
            Lookup::Aborted => {}
            _ => drop(WRONG.fetch_add(1, Relaxed)),
        }
    }
    if nothing_to_test() || membarrier::register().is_err() {
        return println!("skipped: no sequences, or nothing that restarts them");
    }
    let _alone = alone();
    let table = Table::new();
    let bucket = &table.buckets[0];
    let spare = outside(0, [0; 2]);
    let root = table.head();
    bucket.put(0, HASH, [KEY, KEY << 32]);
    ROOT.store((&raw const root).expose_provenance(), Release);
    let mut at = 0;
    let version = AtomicU64::new(1);
    let state = std::sync::Mutex::new(&mut at);
    let both = || [KEY, OTHER].into_iter().for_each(one);
    disturbed(4, Some(both), |thread, running| {
        let mut random = Random(thread as u64 + 1);
        while running() {
            if thread > 0 {
                one([KEY, OTHER][random.below(2)]);
                continue;
            }
            for point in [Point::LookupBucket, Point::LookupEntry] {
                delay::set(point, 150_000);
            }
            let mut at = state.lock().unwrap();
            let value = KEY << 32 | version.fetch_add(1, Relaxed) & 0xffff_ffff;
            let next = random.below(SLOTS + 1);
            if next == SLOTS {
                // To the list, and, when it is gone from its slot, the slot to another key.
                spare[1].store(KEY, Relaxed);
                spare[2].store(value, Relaxed);
                bucket.list.store(address(&spare), Release);
                bucket.set_tag(**at, 0);
                membarrier::restart().unwrap();
                bucket.put(**at, HASH, [OTHER, OTHER << 32]);
                membarrier::restart().unwrap();
                bucket.set_tag(**at, 0);
                membarrier::restart().unwrap();
                // Back, as no map does: so both are there for a while.
                bucket.put(**at, HASH, [KEY, value]);
                membarrier::restart().unwrap();
                bucket.list.store(0, Release);
                membarrier::restart().unwrap();
            } else if next != **at {
                for (place, word) in bucket.slots[next].iter().zip([KEY, value]) {
                    place.store(word, Relaxed);
                }
                let header = bucket.header.load(Relaxed) & !(0xff << (16 + 8 * **at));
                bucket
                    .header
                    .store(header | tag(HASH) << (16 + 8 * next), Release);
                membarrier::restart().unwrap();
                bucket.put(**at, HASH, [OTHER, OTHER << 32]);
                membarrier::restart().unwrap();
                bucket.set_tag(**at, 0);
                membarrier::restart().unwrap();
                **at = next;
            }
        }
    });
    ROOT.store(0, Release);
    println!("found {}, versions {version:?}", FOUND.load(Relaxed));
    assert_eq!(WRONG.load(Relaxed), 0, "another key's, or missed");
    assert!(FOUND.load(Relaxed) > 1000);
}

/// A delay of a second at a point, and a signal in the middle of it.
#[test]
fn a_lookup_of_a_pair_that_is_interrupted_is_aborted_and_copies_nothing() {
    extern "C" fn nothing(_: i32) {}
    if nothing_to_test() || !delay::set(Point::LookupEntry, 0) {
        return println!("no delays compiled in");
    }
    let _alone = alone();
    on_signal(nothing);
    let table = Table::new();
    table.buckets[1].put(4, 1, [5, 7]);
    let root = table.head();
    let place = Place {
        root: &root,
        hash: 1,
        offset: 16,
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
            let handle = current_thread().unwrap();
            // SAFETY: this thread's handle; a table that nobody changes.
            let answer = unsafe { ops::lookup_inline(handle, &place, &5u64, &raw mut value) };
            over.store(1, SeqCst);
            delay::set(point, 0);
            assert_eq!((answer, value), (Lookup::Aborted, 1), "{point:?}");
        });
    }
    assert_eq!(look(&root, 1, &5u64, 0u64), (Lookup::Found, 7));
}
