//! Tests of the sequences on an rseq area that no kernel knows. A test can write any CPU number into it: that
//! of a thread that is not registered, or one beyond all words. Nothing restarts the sequences there, and
//! nobody else uses the words.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr;
use std::boxed::Box;
use std::vec::Vec;

use crate::handle::Handle;
use crate::ops::{self, Appended, Lookup, Outcome, Popped, Record};
use crate::{abi, arch};

const SHIFT: u32 = 7;
/// The number of indexes that have words, which is also the bound of the handles.
const SLOTS: usize = 4;
const BOUND: u32 = 2;
/// The offset of a slot's buffer, in words and bytes.
const BUFFER: usize = 8;
const OFFSET: usize = BUFFER * 8;
const SIZE: usize = 4096;
const WORD: usize = size_of::<usize>();
/// Objects in a cache's array.
const MOST: usize = 4;

/// The fields that the kernel would write, and nobody else may.
#[repr(C, align(64))]
struct Area(UnsafeCell<[u32; 32]>);

impl Area {
    fn new(cpu_id: i32, mm_cid: i32) -> Self {
        let mut words = [0xA5A5_A5A5; 32];
        words[abi::CPU_ID as usize / 4] = cpu_id as u32;
        words[abi::MM_CID as usize / 4] = mm_cid as u32;
        Area(UnsafeCell::new(words))
    }

    fn handle(&self, bound: u32, index: i32) -> Handle {
        let area = self.0.get().expose_provenance() as isize - arch::thread_pointer() as isize;
        Handle {
            cs: area + abi::RSEQ_CS,
            bound,
            index,
        }
    }

    /// Returns all words of the area except `rseq_cs`.
    fn words(&self) -> [u32; 32] {
        // SAFETY: no sequence runs now.
        let mut words = unsafe { self.0.get().read_volatile() };
        words[2] = 0;
        words[3] = 0;
        words
    }
}

/// The offset of the bound from the source.
const AFTER: i32 =
    core::mem::offset_of!(Memory, bound) as i32 - core::mem::offset_of!(Memory, source) as i32;

/// Words for each index. The value of each word makes every operation on it commit.
struct Memory {
    slots: Vec<[usize; 16]>,
    /// The item that a list's head, a cache's object and a link point to.
    item: Box<[usize; 2]>,
    source: usize,
    bound: u32,
    buffer: Vec<u8>,
}

impl Memory {
    fn new() -> Self {
        let mut memory = Memory {
            slots: Vec::from([[0; 16]; SLOTS + 1]),
            item: Box::new([0; 2]),
            source: 0,
            bound: 0,
            buffer: std::vec![0; 2 * SIZE],
        };
        let item = memory.item.as_mut_ptr().expose_provenance();
        memory.item[0] = item; // A list that never ends.
        let end = memory.end();
        for slot in &mut memory.slots {
            slot[0] = item;
            slot[BUFFER] = end;
        }
        memory.source = memory.slots.as_mut_ptr().expose_provenance();
        memory
    }

    /// An end in the middle of an aligned buffer.
    fn end(&mut self) -> usize {
        self.buffer
            .as_mut_ptr()
            .expose_provenance()
            .next_multiple_of(SIZE)
            + 32
    }
}

/// An operation that goes by the CPU number. Returns whether it was not aborted.
type ByStride = fn(Handle, &mut Memory) -> bool;

const BY_STRIDE: &[(&str, ByStride)] = &[
    // SAFETY: in all of these: an area and words of ours, which nobody else uses. They are kept in
    // line so that the table can be read.
    ("add_through", |handle, memory| unsafe {
        ops::add_through::<SHIFT>(handle, &raw const memory.source).is_some()
    }),
    // SAFETY: see above.
    ("sub_if_current", |handle, memory| unsafe {
        let (source, base) = (&raw const memory.source, memory.source);
        ops::sub_if_current::<SHIFT>(handle, source, base, 0) != Outcome::Aborted
    }),
    // SAFETY: see above; the bound is that of the handle.
    ("increment_through", |handle, memory| unsafe {
        memory.bound = handle.bound;
        let cs = handle.cs + 64;
        ops::increment_through::<SHIFT, 64, AFTER>(cs, &raw const memory.source).is_some()
    }),
    // SAFETY: see above.
    ("decrement_if_current", |handle, memory| unsafe {
        let (source, base) = (&raw const memory.source, memory.source);
        let (cs, bound) = (handle.cs + 64, handle.bound);
        ops::decrement_if_current::<SHIFT, 64>(cs, bound, source, base) != Outcome::Aborted
    }),
    // SAFETY: see above.
    ("add", |handle, memory| unsafe {
        ops::add::<SHIFT>(handle, memory.source, 1) != Outcome::Aborted
    }),
    // SAFETY: see above.
    ("add_in_turns", |handle, memory| unsafe {
        arch::add_in_turns::<SHIFT>(handle, memory.source, 1) != Outcome::Aborted
    }),
    // SAFETY: see above.
    ("push_through", |handle, memory| unsafe {
        let node = memory.item.as_mut_ptr().expose_provenance() + 8;
        let source = &raw const memory.source;
        arch::push_through::<SHIFT>(handle, source, node) != Outcome::Aborted
    }),
    // SAFETY: see above; the link is another one than the head, so that the pop can be seen.
    ("pop_through", |handle, memory| unsafe {
        memory.item[0] = 0;
        arch::pop_through::<SHIFT>(handle, &raw const memory.source) != arch::ABORTED
    }),
    // SAFETY: see above.
    ("append_through", |handle, memory| unsafe {
        let record: Record = [MaybeUninit::new(7); 4];
        let source = &raw const memory.source;
        ops::append_through::<SHIFT, OFFSET, SIZE>(handle, source, &record) != Appended::Aborted
    }),
    // SAFETY: see above.
    ("replace_through", |handle, memory| unsafe {
        let end = memory.end();
        let source = &raw const memory.source;
        ops::replace_through::<SHIFT, OFFSET>(handle, source, end, end + 32) != Outcome::Aborted
    }),
    #[cfg(feature = "alloc")]
    // SAFETY: see above.
    ("cache_take_through", |handle, memory| unsafe {
        let source = &raw const memory.source;
        arch::cache_take_through::<SHIFT>(handle, source) != arch::ABORTED
    }),
    #[cfg(feature = "alloc")]
    // SAFETY: see above.
    ("cache_put_through", |handle, memory| unsafe {
        let source = &raw const memory.source;
        arch::cache_put_through::<SHIFT>(handle, source, 80, MOST) != Outcome::Aborted
    }),
];

#[test]
fn indexes_below_the_bound_commit_and_no_others() {
    for (name, operation) in BY_STRIDE {
        let numbers = (0..SLOTS as i32).chain([-1, -2, i32::MIN, i32::MAX, 1 << 20]);
        for cpu in numbers {
            for bound in [0, BOUND] {
                let area = Area::new(cpu, 0);
                let mut memory = Memory::new();
                let (before, words) = (memory.slots.clone(), area.words());
                let committed = operation(area.handle(bound, Handle::CPU), &mut memory);
                let expected = (cpu as u32) < bound;
                assert_eq!(committed, expected, "{name}, CPU {cpu}, bound {bound}");
                let changed: Vec<usize> = (0..memory.slots.len())
                    .filter(|index| memory.slots[*index] != before[*index])
                    .collect();
                let of_the_cpu = Vec::from_iter(expected.then_some(cpu as usize));
                assert_eq!(changed, of_the_cpu, "{name}, CPU {cpu}, bound {bound}");
                assert_eq!(area.words(), words, "{name} writes what the kernel writes");
            }
        }
    }
}

#[test]
fn nothing_is_copied_on_a_thread_without_a_registration() {
    let value: [u8; 200] = core::array::from_fn(|n| n as u8);
    let source = value.as_ptr();
    for size in [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 65, 200] {
        for cpu in [0, 1, 70_000, i32::MAX, -1, -2, i32::MIN] {
            // `mm_cid` is 0 on such a thread.
            let area = Area::new(cpu, 0);
            let (words, mut target) = (area.words(), [0u8; 200]);
            let handle = area.handle(BOUND, Handle::CPU);
            // SAFETY: an area of ours; the source does not change, the target is large enough.
            let outcome =
                unsafe { ops::copy_through(handle, &raw const source, target.as_mut_ptr(), size) };
            let mut part = [0u8; 200];
            let begin = value.as_ptr().wrapping_sub(72);
            // SAFETY: the same source, at its offset.
            let of_part = unsafe {
                ops::copy_part_through(handle, &raw const begin, 72, part.as_mut_ptr(), size)
            };
            let (mut behind, outer) = ([0u8; 200], [0, begin.expose_provenance()]);
            let through = outer.as_ptr().cast::<u8>();
            // SAFETY: the same source, at its offset from where the second word of `outer` points.
            let of_behind = unsafe {
                let to = behind.as_mut_ptr();
                ops::copy_behind_through(handle, &raw const through, WORD, 72, to, size)
            };
            assert_eq!((of_behind, behind), (outcome, target), "{size} bytes");
            assert_eq!(
                (of_part, part),
                (outcome, target),
                "{size} bytes, CPU {cpu}"
            );
            let (expected, copied) = if cpu < 0 {
                (Outcome::Aborted, 0)
            } else {
                (Outcome::Committed, size)
            };
            assert_eq!(outcome, expected, "{size} bytes, CPU {cpu}");
            assert_eq!(target[..copied], value[..copied]);
            assert!(target[copied..].iter().all(|byte| *byte == 0));
            assert_eq!(area.words(), words, "{size} bytes");
        }
    }
}

#[test]
fn a_lookup_needs_a_registration_and_no_more_and_writes_nothing_that_the_kernel_writes() {
    let entry: [u64; 3] = [0, 1234, 5678];
    // A table of one bucket, whose first slot has the entry.
    #[repr(align(64))]
    struct Table([usize; 16]);
    let mut table = Table([0; 16]);
    table.0[8] = 0x77 << 16;
    table.0[9] = (&raw const entry).expose_provenance();
    let root = (&raw const table).cast::<u8>();
    let place = ops::Place {
        root: &raw const root,
        hash: 0x77 << 56,
        offset: 16,
    };
    for cpu in [0, BOUND as i32, 1 << 20, -1, -2, i32::MIN] {
        // `mm_cid` is 0 on such a thread.
        let area = Area::new(cpu, 0);
        let (words, mut value) = (area.words(), 0u64);
        let handle = area.handle(BOUND, Handle::CPU);
        // SAFETY: an area of ours; a table that does not change.
        let answer = unsafe { ops::lookup(handle, &place, &1234u64, &raw mut value) };
        let expected = if cpu < 0 {
            (Lookup::Aborted, 0)
        } else {
            (Lookup::Found, 5678)
        };
        assert_eq!((answer, value), expected, "CPU {cpu}");
        assert_eq!(area.words(), words);
    }
}

#[test]
fn an_index_is_told_where_the_thread_is_registered_and_there_is_memory() {
    for (cpu, cid, by_cpu, by_cid) in [
        (0, 1, Some(0), Some(1)),
        (1, 0, Some(1), Some(0)),
        (2, 1, None, Some(1)),
        (1, 2, Some(1), None),
        // The words that the kernel leaves at the end of a registration, and glibc's after a refused one.
        (-1, 0, None, None),
        (-2, 0, None, None),
    ] {
        let area = Area::new(cpu, cid);
        for (index, expected) in [(Handle::CPU, by_cpu), (Handle::CONCURRENCY_ID, by_cid)] {
            // SAFETY: an area of ours.
            let found = unsafe { area.handle(BOUND, index).current_index() };
            assert_eq!(found, expected, "CPU {cpu}, id {cid}");
        }
    }
}

#[test]
fn the_operations_with_an_index_write_nothing_that_the_kernel_writes() {
    for kind in [Handle::CPU, Handle::CONCURRENCY_ID] {
        let area = Area::new(1, 1);
        let (handle, before) = (area.handle(BOUND, kind), area.words());
        for index in [1, 0] {
            let mut words = [10usize, 20, 0, 0];
            let [word, other, ..] = words.each_mut().map(ptr::from_mut);
            let copy = (
                other.cast::<u8>().cast_const(),
                word.wrapping_add(2).cast(),
                8,
            );
            let (mut count, mut table) = (0_u64, [0_usize; 2]);
            table[1] = (&raw mut count).expose_provenance();
            let source = table.as_ptr().expose_provenance();
            let node = (other.expose_provenance(), 0);
            let mut head = node.0;
            // SAFETY: an area and words of ours.
            let outcomes = unsafe {
                [
                    ops::compare_store(handle, index, word, 10, 11, ops::Relaxed),
                    ops::compare_two_store(
                        handle,
                        index,
                        (word, 11),
                        (other, 20),
                        12,
                        ops::Release,
                    ),
                    ops::compare_store_store(
                        handle,
                        index,
                        (word, 12),
                        (other, 21),
                        13,
                        ops::Release,
                    ),
                    ops::compare_copy_store(handle, index, (word, 13), copy, 14, ops::Relaxed),
                    ops::add_at(handle, index, word, 1, ops::Relaxed),
                    ops::add_through_offset(handle, index, &raw const source, 8, 2, ops::Release),
                    match ops::pop(handle, index, &raw mut head, 0, 0, ops::Relaxed) {
                        Popped::Committed(_) => Outcome::Committed,
                        Popped::Mismatch => Outcome::Mismatch,
                        Popped::Aborted => Outcome::Aborted,
                    },
                ]
            };
            let (expected, after) = if index == 1 {
                (Outcome::Committed, (15, 2, 21))
            } else {
                (Outcome::Aborted, (10, 0, node.0))
            };
            assert_eq!(outcomes, [expected; 7], "index {index}");
            assert_eq!((words[0], count, head), after);
            assert_eq!(area.words(), before);
        }
    }
}
