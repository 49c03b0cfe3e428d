//! Programs on the collections, beside the standard ones: four bytes for each step. Values are counted, and all
//! of them are dropped in the end, once.

use std::collections::{BTreeMap as Ordered, HashMap as Hashed, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

use urcu::Domain;
use urcu_collections::{BTreeMap, Compute, HashMap, List, Operation, Queue, Stack, WfcQueue};

/// The number of values that there are.
static LIVE: AtomicI64 = AtomicI64::new(0);

/// A value on the heap, so that sanitizers see who uses it too late.
#[derive(Debug, PartialEq)]
struct Value(Box<u16>);

impl Value {
    fn new(number: u16) -> Self {
        LIVE.fetch_add(1, Relaxed);
        Value(Box::new(number))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

/// Leaves some bits of keys, so that many have one hash, or one bucket, or none.
#[derive(Clone, Copy)]
struct Bits(u64);

struct BitsHasher(u64, u64);

impl BuildHasher for Bits {
    type Hasher = BitsHasher;
    fn build_hasher(&self) -> BitsHasher {
        BitsHasher(self.0, 0)
    }
}

impl Hasher for BitsHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.1 = self.1 << 8 | u64::from(*byte);
        }
    }
    fn finish(&self) -> u64 {
        (self.1 & self.0).wrapping_mul(0x0100_0000_0000_0001)
    }
}

struct World<'d> {
    domain: &'d Domain,
    map: HashMap<u16, Value, Bits, &'d Domain>,
    map_too: Hashed<u16, u16>,
    copies: HashMap<u64, u64, Bits, &'d Domain>,
    copies_too: Hashed<u64, u64>,
    tree: BTreeMap<u16, Value, &'d Domain>,
    tree_too: Ordered<u16, u16>,
    queue: Queue<Value, &'d Domain>,
    batches: WfcQueue<Value>,
    queue_too: VecDeque<u16>,
    batches_too: VecDeque<u16>,
    stack: Stack<Value, &'d Domain>,
    stack_too: Vec<u16>,
    list: List<Value, &'d Domain>,
    list_too: VecDeque<u16>,
}

/// Runs the program that the bytes stand for. Panics if something is wrong.
pub fn run(data: &[u8]) {
    let Some((&first, steps)) = data.split_first() else {
        return;
    };
    let before = LIVE.load(Relaxed);
    let domain = Domain::new();
    let domain_of: &'static Domain = {
        // SAFETY: all that has it is dropped below, before the domain.
        unsafe { &*std::ptr::from_ref(&domain) }
    };
    let bits = Bits([0, 3, 0xff, u64::MAX][usize::from(first % 4)]);
    let mut world = World {
        domain: domain_of,
        map: HashMap::with_capacity_and_hasher_in(0, bits, domain_of),
        map_too: Hashed::new(),
        copies: HashMap::with_capacity_and_hasher_in(0, bits, domain_of),
        copies_too: Hashed::new(),
        tree: BTreeMap::new_in(domain_of),
        tree_too: Ordered::new(),
        queue: Queue::new_in(domain_of),
        batches: WfcQueue::new(),
        queue_too: VecDeque::new(),
        batches_too: VecDeque::new(),
        stack: Stack::new_in(domain_of),
        stack_too: Vec::new(),
        list: List::new_in(domain_of),
        list_too: VecDeque::new(),
    };
    for step in steps.chunks_exact(4) {
        let key = u16::from_le_bytes([step[1], step[2] & 3]);
        world.step(step[0], key, u16::from(step[3]));
    }
    world.end();
    drop(domain);
    assert_eq!(LIVE.load(Relaxed), before, "values that were never dropped");
}

fn number(value: Option<&Value>) -> Option<u16> {
    value.map(|value| *value.0)
}

fn taken(value: Option<Value>) -> Option<u16> {
    value.map(|value| *value.0)
}

impl World<'_> {
    fn step(&mut self, what: u8, key: u16, value: u16) {
        match what % 64 {
            0..20 => self.map_step(what % 64, key, value),
            20..26 => self.copies_step(what % 64 - 20, u64::from(key), u64::from(value)),
            26..38 => self.tree_step(what % 64 - 26, key, value),
            38..44 => self.queue_step(what % 64 - 38, value),
            44..50 => self.stack_step(what % 64 - 44, value),
            50..56 => self.batches_step(what % 64 - 50, value),
            _ => self.list_step(what % 64 - 56, key, value),
        }
    }

    fn map_step(&mut self, what: u8, key: u16, value: u16) {
        let guard = self.domain.read_lock();
        let (map, too) = (&self.map, &mut self.map_too);
        match what {
            0..5 => {
                let old = number(map.insert(key, Value::new(value), &guard));
                assert_eq!(old, too.insert(key, value));
            }
            5..8 => assert_eq!(number(map.remove(&key, &guard)), too.remove(&key)),
            8..10 => assert_eq!(number(map.get(&key, &guard)), too.get(&key).copied()),
            10 => {
                let updated = map.update(key, |old| Value::new(*old.0 ^ 1), &guard);
                let expected = too.get_mut(&key).map(|old| {
                    *old ^= 1;
                    *old
                });
                assert_eq!(number(updated), expected);
            }
            11 => {
                let there = map.get_or_insert_with(key, || Value::new(value), &guard);
                assert_eq!(*there.0, *too.entry(key).or_insert(value));
            }
            12 => {
                let found = too.get(&key).copied();
                let computed = map.compute(
                    key,
                    |entry| match entry {
                        Some((_, old)) if *old.0 % 2 == 0 => Operation::Remove,
                        Some(_) => Operation::Abort(()),
                        None => Operation::Insert(Value::new(value)),
                    },
                    &guard,
                );
                match found {
                    Some(old) if old % 2 == 0 => {
                        assert!(matches!(computed, Compute::Removed(..)));
                        too.remove(&key);
                    }
                    Some(_) => assert!(matches!(computed, Compute::Aborted(()))),
                    None => {
                        assert!(matches!(computed, Compute::Inserted(..)));
                        too.insert(key, value);
                    }
                }
            }
            13 => {
                map.retain(|key, _| key % 7 != value % 7, &guard);
                too.retain(|key, _| key % 7 != value % 7);
            }
            14 => map.shrink_to_fit(&guard),
            15 => map.reserve(usize::from(value) * 4, &guard),
            16 if value == 0 => {
                map.clear(&guard);
                too.clear();
            }
            17 => {
                drop(guard);
                for (_, there) in self.map.iter_mut() {
                    *there.0 ^= 2;
                }
                too.values_mut().for_each(|there| *there ^= 2);
            }
            18 if value < 8 => self.domain.domain_barrier(guard),
            _ => {
                let mut met: Vec<_> = map.iter(&guard).map(|(key, at)| (*key, *at.0)).collect();
                met.sort_unstable();
                let mut expected: Vec<_> = too.iter().map(|(key, at)| (*key, *at)).collect();
                expected.sort_unstable();
                assert_eq!(met, expected);
                assert_eq!(map.len(), too.len());
            }
        }
    }

    fn copies_step(&mut self, what: u8, key: u64, value: u64) {
        let (map, too) = (&self.copies, &mut self.copies_too);
        match what {
            0 | 1 => {
                let old = map.pin().insert(key, value).copied();
                assert_eq!(old, too.insert(key, value));
            }
            2 => assert_eq!(map.pin().remove(&key).copied(), too.remove(&key)),
            _ => assert_eq!(map.get_copied(&key), too.get(&key).copied()),
        }
    }

    fn tree_step(&mut self, what: u8, key: u16, value: u16) {
        let guard = self.domain.read_lock();
        let (tree, too) = (&self.tree, &mut self.tree_too);
        match what {
            0..4 => {
                let old = number(tree.insert(key, Value::new(value), &guard));
                assert_eq!(old, too.insert(key, value));
            }
            4..6 => assert_eq!(number(tree.remove(&key, &guard)), too.remove(&key)),
            6 => assert_eq!(number(tree.get(&key, &guard)), too.get(&key).copied()),
            7 => {
                let first = tree.pop_first(&guard).map(|(key, at)| (*key, *at.0));
                assert_eq!(first, too.pop_first());
            }
            8 => {
                let last = tree.pop_last(&guard).map(|(key, at)| (*key, *at.0));
                assert_eq!(last, too.pop_last());
            }
            9 if value == 0 => {
                tree.clear(&guard);
                too.clear();
            }
            _ => {
                let bounds = key..key.saturating_add(value);
                let range = tree.range(bounds.clone(), &guard);
                // What is removed in the middle is seen all the same.
                let middle = tree.remove(&(key + value / 2), &guard).is_some();
                let expected: Vec<_> = too.range(bounds).map(|(key, at)| (*key, *at)).collect();
                let ahead: Vec<_> = range.clone().map(|(key, at)| (*key, *at.0)).collect();
                let mut back: Vec<_> = range.rev().map(|(key, at)| (*key, *at.0)).collect();
                back.reverse();
                assert_eq!((&ahead, &back), (&expected, &expected));
                assert_eq!(middle, too.remove(&(key + value / 2)).is_some());
                assert_eq!(tree.len(), too.len());
            }
        }
    }

    fn queue_step(&mut self, what: u8, value: u16) {
        match what {
            0..3 => {
                self.queue.push(Value::new(value));
                self.queue_too.push_back(value);
            }
            3 | 4 => assert_eq!(taken(self.queue.pop()), self.queue_too.pop_front()),
            _ => assert_eq!(self.queue.len(), self.queue_too.len()),
        }
    }

    fn stack_step(&mut self, what: u8, value: u16) {
        match what {
            0..3 => {
                self.stack.push(Value::new(value));
                self.stack_too.push(value);
            }
            3 | 4 => assert_eq!(taken(self.stack.pop()), self.stack_too.pop()),
            _ if value < 32 => {
                // The rest is dropped.
                let some = self.stack.take_all().take(usize::from(value) % 4);
                let some: Vec<_> = some.map(|value| *value.0).collect();
                let expected = self.stack_too.drain(..).rev().take(some.len());
                assert_eq!(some, expected.collect::<Vec<_>>());
            }
            _ => assert_eq!(self.stack.is_empty(), self.stack_too.is_empty()),
        }
    }

    fn batches_step(&mut self, what: u8, value: u16) {
        match what {
            0..3 => {
                let was_there = self.batches.enqueue(Value::new(value));
                assert_eq!(was_there, !self.batches_too.is_empty());
                self.batches_too.push_back(value);
            }
            3 => {
                let first = taken(self.batches.consumer().dequeue());
                assert_eq!(first, self.batches_too.pop_front());
            }
            4 => {
                let other = WfcQueue::new();
                other.enqueue(Value::new(value));
                let was_there = other.append(self.batches.consumer().take_all());
                assert!(was_there);
                self.batches.append(other.consumer().take_all());
                self.batches_too.push_front(value);
            }
            _ => assert_eq!(self.batches.is_empty(), self.batches_too.is_empty()),
        }
    }

    fn list_step(&mut self, what: u8, key: u16, value: u16) {
        let guard = self.domain.read_lock();
        let (list, too) = (&self.list, &mut self.list_too);
        let place = usize::from(key) % (too.len() + 1);
        let at = list.positions(&guard).nth(place);
        assert_eq!(at.map(|at| *at.get().0), too.get(place).copied());
        match (what, at) {
            (0, _) => {
                list.push_front(Value::new(value), &guard);
                too.push_front(value);
            }
            (1, _) => {
                list.push_back(Value::new(value), &guard);
                too.push_back(value);
            }
            (2, Some(at)) => {
                assert!(list.insert_before(at, Value::new(value)).is_ok());
                too.insert(place, value);
            }
            (3, Some(at)) => {
                assert!(list.move_to_front(at));
                let moved = too.remove(place).expect("a value");
                too.push_front(moved);
            }
            (4, Some(at)) => {
                assert!(list.move_to_back(at));
                let moved = too.remove(place).expect("a value");
                too.push_back(moved);
            }
            (5, Some(at)) => {
                assert!(list.remove(at).is_some());
                assert!(list.remove(at).is_none());
                too.remove(place);
            }
            (6, _) => assert_eq!(number(list.pop_back(&guard)), too.pop_back()),
            _ => {
                assert!(list.iter(&guard).map(|at| *at.0).eq(too.iter().copied()));
                let back = list.iter(&guard).rev().map(|at| *at.0);
                assert!(back.eq(too.iter().rev().copied()));
                assert_eq!(list.len(), too.len());
            }
        }
    }

    /// Takes some of it apart, and drops the rest.
    fn end(self) {
        let mut all: Vec<_> = self.map.into_iter().map(|(key, at)| (key, *at.0)).collect();
        all.sort_unstable();
        let mut expected: Vec<_> = self.map_too.into_iter().collect();
        expected.sort_unstable();
        assert_eq!(all, expected);
        assert!(self.queue.into_iter().map(|at| *at.0).eq(self.queue_too));
    }
}

/// A barrier, outside of a section.
trait Barrier {
    fn domain_barrier(&self, guard: urcu::ReadGuard<'_>);
}

impl Barrier for Domain {
    fn domain_barrier(&self, guard: urcu::ReadGuard<'_>) {
        drop(guard);
        self.barrier();
    }
}
