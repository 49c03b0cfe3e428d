//! Appending records to buffers: every record is in one buffer once, whoever migrates, is interrupted
//! or delayed, while full buffers are exchanged and part-full ones taken from afar.

use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::support::alone;
use crate::support::disturbed::disturbed;
use rseq_ops::ops::{self, Appended, Outcome, Record};
use rseq_ops::percpu::{Allocator, PerCpu, Zeroed, possible_cpus};
use rseq_ops::{Handle, current_thread, membarrier};

/// One CPU's two words, for the two phases, and behind each, at [`OFFSET`], its buffer's end.
#[repr(C, align(64))]
struct Slot {
    unused: [AtomicU64; 2],
    ends: [AtomicUsize; 2],
}

// SAFETY: atomic integers may be 0.
unsafe impl Zeroed for Slot {}

const SHIFT: u32 = PerCpu::<Slot>::SHIFT;
const OFFSET: usize = std::mem::offset_of!(Slot, ends);
const PHASE_BIT: usize = size_of::<AtomicU64>();
/// Bytes of a buffer: small, so that many are exchanged.
const SIZE: usize = 512;
const RECORD: usize = size_of::<Record>();

/// A record that shows whether it is whole.
fn record(number: u64) -> Record {
    [number, !number, number.rotate_left(13), number ^ 0x5151].map(MaybeUninit::new)
}

fn number(record: &Record) -> u64 {
    // SAFETY: whoever calls this was told that a record is there.
    let words = record.map(|word| unsafe { word.assume_init() });
    let whole = record_words(words[0]);
    assert_eq!(words, whole, "a record in parts");
    words[0]
}

fn record_words(number: u64) -> [u64; 4] {
    // SAFETY: all four were set.
    record(number).map(|word| unsafe { word.assume_init() })
}

#[repr(align(512))]
struct Buffer(#[expect(dead_code, reason = "addressed")] [MaybeUninit<u8>; SIZE]);

const _: () = assert!(align_of::<Buffer>() == SIZE);

/// A new buffer's start, with room for `records`.
fn buffer(records: usize) -> usize {
    let buffer = Box::leak(Box::new(Buffer([MaybeUninit::uninit(); SIZE])));
    assert!(records < SIZE / RECORD, "the start must not look full");
    (&raw mut *buffer).expose_provenance() + SIZE - records * RECORD
}

/// The numbers in a buffer with that end, which had room for `records`. It is freed.
///
/// # Safety
/// From [`buffer`], and nobody else has it.
unsafe fn take(end: usize, records: usize) -> Vec<u64> {
    let base = (end - 1) & !(SIZE - 1);
    let start = base + SIZE - records * RECORD;
    let count = (end - start) / RECORD;
    let first = std::ptr::with_exposed_provenance::<Record>(start);
    // SAFETY: the buffer is from `buffer` and nobody else has it; so many records were appended between
    // start and end.
    let numbers = (0..count)
        .map(|at| number(unsafe { &*first.add(at) }))
        .collect();
    let buffer = std::ptr::with_exposed_provenance_mut::<Buffer>(base);
    // SAFETY: a leaked box.
    drop(unsafe { Box::from_raw(buffer) });
    numbers
}

struct World {
    slots: PerCpu<'static, Slot>,
    phase: AtomicUsize,
}

impl World {
    fn new() -> Self {
        let slots = PerCpu::<Slot>::zeroed(Allocator::global()).unwrap();
        let phase = AtomicUsize::new(slots.base().expose_provenance());
        World { slots, phase }
    }

    fn append(&self, handle: Handle, number: u64) -> Appended {
        let record = record(number);
        // SAFETY: this thread's handle; the words hold 0 or ends of buffers with free room.
        unsafe { ops::append_through::<SHIFT, OFFSET, SIZE>(handle, self.phase.as_ptr(), &record) }
    }

    fn replace(&self, handle: Handle, expected: usize, new: usize) -> Outcome {
        // SAFETY: this thread's handle; the words hold 0 or ends of buffers with free room, and `new` is a
        // buffer's start.
        unsafe { ops::replace_through::<SHIFT, OFFSET>(handle, self.phase.as_ptr(), expected, new) }
    }

    fn ends(&self, phase: usize) -> impl Iterator<Item = &AtomicUsize> {
        let which = usize::from(phase & PHASE_BIT != 0);
        let base = self.slots.base().expose_provenance();
        (0..possible_cpus()).map(move |slot| {
            let slot = std::ptr::with_exposed_provenance::<Slot>(base + (slot << SHIFT));
            // SAFETY: one for every possible CPU, as long as `self` lives.
            unsafe { &(*slot).ends[which] }
        })
    }

    /// Flips, restarts and takes what the old phase's words hold.
    fn collect(&self, mut took: impl FnMut(usize)) {
        let old = self.phase.load(Ordering::Relaxed);
        self.phase.store(old ^ PHASE_BIT, Ordering::Release);
        membarrier::restart().unwrap();
        for end in self.ends(old) {
            let taken = end.swap(0, Ordering::Relaxed);
            if taken != 0 {
                took(taken);
            }
        }
    }
}

fn handle() -> Option<Handle> {
    let handle = current_thread().filter(|_| membarrier::register().is_ok());
    if handle.is_none() {
        println!("skipped: no sequences in this process");
    }
    handle
}

/// Tries until nothing was interrupted.
fn calmly<T: PartialEq>(aborted: T, mut sequence: impl FnMut() -> T) -> T {
    loop {
        let outcome = sequence();
        if outcome != aborted {
            return outcome;
        }
    }
}

#[test]
fn a_buffer_fills_up_and_is_replaced() {
    let Some(handle) = handle() else { return };
    let world = World::new();
    // The index may change at any time: so the same word for all, of which one changes.
    let all_are = |value| {
        let phase = world.phase.load(Ordering::Relaxed);
        world
            .ends(phase)
            .for_each(|end| end.store(value, Ordering::Relaxed));
    };
    let found = |value| {
        let phase = world.phase.load(Ordering::Relaxed);
        let is = |end: &&AtomicUsize| end.load(Ordering::Relaxed) == value;
        world.ends(phase).filter(is).count()
    };
    let slots = possible_cpus();
    let append = |number| calmly(Appended::Aborted, || world.append(handle, number));
    let replace = |old, new| calmly(Outcome::Aborted, || world.replace(handle, old, new));
    let first = buffer(3);
    let full = first + 3 * RECORD;
    assert_eq!(append(0), Appended::Full(0));
    assert_eq!(replace(1, first), Outcome::Mismatch);
    assert_eq!(found(0), slots);
    assert_eq!(replace(0, first), Outcome::Committed);
    assert_eq!((found(0), found(first)), (slots - 1, 1));
    for number in 0..3 {
        let end = first + number * RECORD;
        all_are(end);
        assert_eq!(append(number as u64), Appended::At(end + RECORD));
        assert_eq!((found(end), found(end + RECORD)), (slots - 1, 1));
    }
    all_are(full);
    assert_eq!(append(3), Appended::Full(full));
    assert_eq!(replace(0, first), Outcome::Mismatch);
    assert_eq!(found(full), slots);
    // The other phase has words of its own.
    let mut ends = Vec::new();
    world.collect(|end| ends.push(end));
    assert_eq!(ends, vec![full; slots]);
    assert_eq!(append(4), Appended::Full(0));
    // SAFETY: taken out above.
    assert_eq!(unsafe { take(full, 3) }, [0, 1, 2]);
}

#[test]
fn without_a_registration_nothing_is_written() {
    let world = World::new();
    let Some(unregistered) = current_thread().map(rseq_ops::Handle::unregistered) else {
        return println!("skipped: no sequences in this process");
    };
    let new = buffer(1);
    world
        .ends(0)
        .for_each(|end| end.store(new, Ordering::Relaxed));
    assert_eq!(world.append(unregistered, 1), Appended::Aborted);
    assert_eq!(world.replace(unregistered, new, 0), Outcome::Aborted);
    assert!(
        world
            .ends(0)
            .all(|end| end.swap(0, Ordering::Relaxed) == new)
    );
    // SAFETY: taken out.
    assert!(unsafe { take(new, 1) }.is_empty());
}

/// The number of records for which a buffer of the stress has room.
const ROOM: usize = SIZE / RECORD - 1;

#[test]
fn every_record_arrives_once() {
    if handle().is_none() {
        return;
    }
    let _alone = alone();
    let world = World::new();
    const THREADS: usize = 5;
    // By thread, and the last one is the collector.
    let taken: [Mutex<Vec<u64>>; THREADS] = Default::default();
    let appended: [AtomicU64; THREADS] = Default::default();
    let [exchanged, collected] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    disturbed(THREADS, Some(|| ()), |thread, running| {
        let handle = current_thread().unwrap();
        let took = |end| {
            // SAFETY: this thread has taken it out of its word.
            taken[thread]
                .lock()
                .unwrap()
                .extend(unsafe { take(end, ROOM) });
        };
        let mut number = 0;
        while running() {
            if thread == 0 {
                world.collect(|end| {
                    collected.fetch_add(1, Ordering::Relaxed);
                    took(end);
                });
                std::thread::yield_now();
                continue;
            }
            match world.append(handle, (thread as u64) << 48 | number) {
                Appended::At(end) => {
                    number += 1;
                    assert_eq!(end % RECORD, 0);
                }
                Appended::Full(end) => {
                    let new = buffer(ROOM);
                    match world.replace(handle, end, new) {
                        Outcome::Committed if end != 0 => {
                            exchanged.fetch_add(1, Ordering::Relaxed);
                            took(end);
                        }
                        Outcome::Committed => {}
                        // SAFETY: it stayed here.
                        _ => assert!(unsafe { take(new, ROOM) }.is_empty()),
                    }
                }
                Appended::Aborted => {}
            }
        }
        appended[thread].store(number, Ordering::Relaxed);
    });
    let mut all: Vec<u64> = taken
        .into_iter()
        .flat_map(|of| of.into_inner().unwrap())
        .collect();
    // Both phases.
    for _ in 0..2 {
        // SAFETY: nobody else is left.
        world.collect(|end| all.extend(unsafe { take(end, ROOM) }));
    }
    println!(
        "{} records, {exchanged:?} full, {collected:?} collected",
        all.len()
    );
    assert!(exchanged.into_inner() > 0 && collected.into_inner() > 0);
    all.sort_unstable();
    let expected = appended.iter().enumerate().flat_map(|(thread, count)| {
        (0..count.load(Ordering::Relaxed)).map(move |number| (thread as u64) << 48 | number)
    });
    assert!(
        all.into_iter().eq(expected),
        "a record was lost or came twice"
    );
}
