//! Tests of the sequences in `structures`, without the structures of `percpu` that use them. Those fall back
//! to a way that always ends, which would hide a sequence that never commits.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;
use std::{println, sync::Mutex};

use crate::delay::{self, Point};
use crate::handle::Handle;
use crate::outcome::Outcome;
use crate::percpu::Area;
use crate::registration::current_thread;
use crate::{arch, membarrier};

const SHIFT: u32 = 10;
/// Bytes from one bank to the other.
const BANK: usize = 1 << (SHIFT - 1);
/// Objects in a cache's array.
const MOST: usize = 4;

/// Two banks of words for each index, and the word that names the current one.
struct Banks {
    area: Area,
    current: AtomicUsize,
}

impl Banks {
    fn new() -> Self {
        let area = Area::new(0, 1 << SHIFT).unwrap();
        let current = AtomicUsize::new(area.base().as_ptr().expose_provenance());
        Banks { area, current }
    }

    fn source(&self) -> *const usize {
        self.current.as_ptr()
    }

    /// Returns the words of every index in a bank.
    fn slots(&self, bank: usize) -> impl Iterator<Item = &[AtomicUsize; 2 + MOST]> {
        let slot = move |index: usize| ptr::with_exposed_provenance(bank + (index << SHIFT));
        // SAFETY: within the area, which is aligned and lives as long as `self`.
        (0..self.area.cpus()).map(move |index| unsafe { &*slot(index) })
    }

    fn now(&self) -> impl Iterator<Item = &[AtomicUsize; 2 + MOST]> {
        self.slots(self.current.load(Relaxed))
    }

    /// The same words for every index.
    fn fill(&self, words: [usize; 2 + MOST]) {
        for slot in self.now() {
            for (word, value) in slot.iter().zip(words) {
                word.store(value, Relaxed);
            }
        }
    }

    /// Asserts that exactly one index has other words now than `before`, and that they are `after`.
    fn assert_one_changed(&self, before: [usize; 2 + MOST], after: [usize; 2 + MOST]) {
        let words = |slot: &[AtomicUsize; 2 + MOST]| slot.each_ref().map(|word| word.load(Relaxed));
        let changed: Vec<_> = self.now().map(words).filter(|now| *now != before).collect();
        assert_eq!(changed, [after]);
    }

    fn assert_none_changed(&self, before: [usize; 2 + MOST]) {
        let words = |slot: &[AtomicUsize; 2 + MOST]| slot.each_ref().map(|word| word.load(Relaxed));
        assert!(self.now().map(words).all(|now| now == before));
    }
}

/// An item that goes through lists and caches.
#[repr(C)]
#[derive(Default)]
struct Item {
    link: AtomicUsize,
    held: AtomicBool,
}

impl Item {
    fn address(&self) -> usize {
        ptr::from_ref(self).expose_provenance()
    }
}

const NAMES: [&str; 4] = ["push", "pop", "take", "put"];
const PUSH: usize = 0;
const POP: usize = 1;
const TAKE: usize = 2;
const PUT: usize = 3;

/// Repeats each operation until it is not aborted, and counts the aborts.
struct Driver {
    handle: Handle,
    commits: [usize; 4],
    aborts: [usize; 4],
}

impl Driver {
    fn new() -> Option<Self> {
        Some(Driver {
            handle: current_thread()?,
            commits: [0; 4],
            aborts: [0; 4],
        })
    }

    fn until<R>(&mut self, operation: usize, mut attempt: impl FnMut(Handle) -> Option<R>) -> R {
        for _ in 0..1_000_000 {
            if let Some(answer) = attempt(self.handle) {
                self.commits[operation] += 1;
                return answer;
            }
            self.aborts[operation] += 1;
        }
        panic!("{} is aborted for ever", NAMES[operation]);
    }

    fn push(&mut self, list: &Banks, item: &Item) {
        self.until(PUSH, |handle| {
            // SAFETY: here and below: this thread's handle, and the banks hold such words; items
            // live as long as the test.
            match unsafe { arch::push_through::<SHIFT>(handle, list.source(), item.address()) } {
                Outcome::Committed => Some(()),
                Outcome::Aborted => None,
                Outcome::Mismatch => panic!("a push has nothing to compare"),
            }
        });
    }

    fn pop(&mut self, list: &Banks) -> usize {
        self.until(POP, |handle| {
            // SAFETY: see `push`.
            let node = unsafe { arch::pop_through::<SHIFT>(handle, list.source()) };
            (node != arch::ABORTED).then_some(node)
        })
    }

    fn take(&mut self, cache: &Banks) -> usize {
        self.until(TAKE, |handle| {
            // SAFETY: see `push`.
            let object = unsafe { arch::cache_take_through::<SHIFT>(handle, cache.source()) };
            (object != arch::ABORTED).then_some(object)
        })
    }

    fn put(&mut self, cache: &Banks, object: usize) -> bool {
        self.until(PUT, |handle| {
            let source = cache.source();
            // SAFETY: see `push`.
            match unsafe { arch::cache_put_through::<SHIFT>(handle, source, object, MOST) } {
                Outcome::Committed => Some(true),
                Outcome::Mismatch => Some(false),
                Outcome::Aborted => None,
            }
        })
    }
}

#[test]
fn every_answer_and_what_it_changes() {
    let Some(mut driver) = Driver::new() else {
        return println!("no restartable sequences here");
    };
    let banks = Banks::new();
    let [first, second] = [Item::default(), Item::default()];
    let [a, b] = [first.address(), second.address()];
    let empty = [0; 2 + MOST];

    driver.push(&banks, &first);
    banks.assert_one_changed(empty, [a, 0, 0, 0, 0, 0]);
    assert_eq!(first.link.load(Relaxed), 0);
    let one = [a, 0, 0, 0, 0, 0];
    banks.fill(one);
    driver.push(&banks, &second);
    banks.assert_one_changed(one, [b, 0, 0, 0, 0, 0]);
    assert_eq!(second.link.load(Relaxed), a);
    let two = [b, 0, 0, 0, 0, 0];
    banks.fill(two);
    assert_eq!(driver.pop(&banks), b);
    banks.assert_one_changed(two, one);
    banks.fill(empty);
    assert_eq!(driver.pop(&banks), 0);
    banks.assert_none_changed(empty);

    assert_eq!(driver.take(&banks), 0);
    banks.assert_none_changed(empty);
    assert!(driver.put(&banks, 70));
    banks.assert_one_changed(empty, [70, 0, 0, 0, 0, 0]);
    for (before, after) in [
        ([70, 0, 0, 0, 0, 0], [70, 1, 80, 0, 0, 0]),
        ([70, 2, 71, 72, 0, 0], [70, 3, 71, 72, 80, 0]),
        ([70, 3, 71, 72, 73, 0], [70, 4, 71, 72, 73, 80]),
        ([0, 4, 71, 72, 73, 74], [80, 4, 71, 72, 73, 74]),
    ] {
        banks.fill(before);
        assert!(driver.put(&banks, 80));
        banks.assert_one_changed(before, after);
        banks.fill(after);
        assert_eq!(driver.take(&banks), after[0]);
        banks.assert_one_changed(after, [0, after[1], after[2], after[3], after[4], after[5]]);
    }
    let full = [70, 4, 71, 72, 73, 74];
    banks.fill(full);
    assert!(!driver.put(&banks, 80));
    banks.assert_none_changed(full);
    for (before, taken, after) in [
        ([0, 4, 71, 72, 73, 74], 74, [0, 3, 71, 72, 73, 74]),
        ([0, 1, 71, 0, 0, 0], 71, [0, 0, 71, 0, 0, 0]),
    ] {
        banks.fill(before);
        assert_eq!(driver.take(&banks), taken);
        banks.assert_one_changed(before, after);
    }

    let before = [a, 1, 71, 72, 73, 74];
    banks.fill(before);
    let handle = current_thread().expect("as for the driver").unregistered();
    let source = banks.source();
    // SAFETY: a handle whose bound is 0, with which all are aborted.
    unsafe {
        let aborted = Outcome::Aborted;
        assert_eq!(arch::push_through::<SHIFT>(handle, source, b), aborted);
        assert_eq!(arch::pop_through::<SHIFT>(handle, source), arch::ABORTED);
        let taken = arch::cache_take_through::<SHIFT>(handle, source);
        assert_eq!(taken, arch::ABORTED);
        let put = arch::cache_put_through::<SHIFT>(handle, source, 80, MOST);
        assert_eq!(put, aborted);
        let added = arch::add_in_turns::<SHIFT>(handle, banks.current.load(Relaxed), 1);
        assert_eq!(added, aborted);
    }
    banks.assert_none_changed(before);
}

#[test]
fn items_are_in_one_place_whatever_is_aborted() {
    if Driver::new().is_none() || membarrier::register().is_err() {
        return println!("no restartable sequences here");
    }
    let (list, cache) = (Banks::new(), Banks::new());
    let items: Vec<Item> = (0..40).map(|_| Item::default()).collect();
    let stop = AtomicBool::new(false);
    let totals = Mutex::new(([0; 4], [0; 4]));
    let wrong = AtomicUsize::new(0);
    // Items that were taken, for the threads to put somewhere again.
    let taken = Mutex::new(Vec::from_iter(&items));
    // The item at an address that an operation returned. Nobody else may have the item.
    let item = |address: usize| {
        let found = items.iter().find(|item| item.address() == address);
        if found.is_none_or(|item| item.held.swap(true, AcqRel)) {
            wrong.fetch_add(1, Relaxed);
        }
        found.inspect(|item| item.held.store(false, Release))
    };
    let work = || {
        let mut driver = Driver::new().unwrap();
        while !stop.load(Relaxed) {
            if let Some(item) = item_or_none(driver.pop(&list), &item)
                && !driver.put(&cache, item.address())
            {
                driver.push(&list, item);
            }
            let spare = taken.lock().unwrap().pop();
            if let Some(item) = spare.or_else(|| item_or_none(driver.take(&cache), &item)) {
                driver.push(&list, item);
            }
        }
        let mut totals = totals.lock().unwrap();
        for operation in 0..4 {
            totals.0[operation] += driver.commits[operation];
            totals.1[operation] += driver.aborts[operation];
        }
    };
    let delayed = Point::ALL[Point::StackPushCommit as usize..]
        .iter()
        .all(|point| delay::set(*point, 40_000));
    // Everything that lies in the banks that were in use before the flip.
    let take_all = || {
        let lists = list.current.fetch_xor(BANK, AcqRel);
        let caches = cache.current.fetch_xor(BANK, AcqRel);
        membarrier::restart().unwrap();
        let mut found = Vec::new();
        for slot in list.slots(lists) {
            let mut node = slot[0].swap(0, AcqRel);
            while let Some(item) = item_or_none(node, &item) {
                found.push(item);
                node = item.link.load(Relaxed);
                if found.len() > items.len() {
                    // A list that never ends would hang this test.
                    wrong.fetch_add(1, Relaxed);
                    break;
                }
            }
        }
        for [single, count, array @ ..] in cache.slots(caches) {
            let objects = array[..count.swap(0, AcqRel).min(MOST)].iter();
            for object in objects
                .map(|word| word.load(Relaxed))
                .chain([single.swap(0, AcqRel)])
            {
                found.extend(item_or_none(object, &item));
            }
        }
        found
    };
    let begin = Instant::now();
    let threads = 2 * thread::available_parallelism().map_or(2, |cpus| cpus.get());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
        while begin.elapsed() < Duration::from_millis(500) && wrong.load(Relaxed) == 0 {
            let found = take_all();
            taken.lock().unwrap().extend(found);
            thread::sleep(Duration::from_micros(500));
        }
        stop.store(true, Relaxed);
    });
    for point in Point::ALL {
        delay::set(point, 0);
    }
    let mut found = taken.into_inner().unwrap();
    found.extend(take_all());
    found.extend(take_all());
    let mut found: Vec<usize> = found.into_iter().map(Item::address).collect();
    found.sort_unstable();
    let all: Vec<usize> = items.iter().map(Item::address).collect();
    let (commits, aborts) = totals.into_inner().unwrap();
    println!("{NAMES:?}: commits {commits:?}, aborts {aborts:?}");
    assert_eq!((wrong.load(Relaxed), found), (0, all));
    assert!(!commits.contains(&0), "{commits:?}");
    assert!(!delayed || aborts.iter().sum::<usize>() > 0, "{aborts:?}");
}

/// No item for 0.
fn item_or_none<'i>(address: usize, item: &impl Fn(usize) -> Option<&'i Item>) -> Option<&'i Item> {
    if address == 0 { None } else { item(address) }
}
