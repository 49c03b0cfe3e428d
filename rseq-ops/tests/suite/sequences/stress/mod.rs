//! Every operation under pressure, by every kind of index and with both commits: up to six threads
//! for each CPU, delays inside the sequences (`--cfg rseq_ops_delay_injection`, without which
//! this proves little), signals whose handlers work on the same words, forced migrations, yields, and threads
//! that end and are replaced in the middle. All totals are exact. Each test also runs in a process
//! of its own that is killed in the middle.
//!
//! | | operations | what holds |
//! |---|---|---|
//! | spinlock | `compare_store` | one holder |
//! | list | `compare_store`, `pop` | every node once |
//! | buffer | `compare_store_store`, `compare_two_store` | every item once |
//! | memcpy buffer | `compare_copy_store` | every record once, and whole |
//! | increments | `add_at`, `add`, `add_through`, `add_through_offset`, `sub_if_current` | the sum |
//! | membarrier | `add_through_offset`, `add_through`, `copy_through` | old pointers are not used |
//!
//! `add`, `add_through`, `sub_if_current` and `copy_through` have one commit each, and the last
//! has no index. What they and the sequences of `percpu` do is also tested in `ops` (`counts`,
//! `copies`) and `percpu_*`, under signals, migration and delays.
//!
//! `RSEQ_OPS_STRESS_MS` is the time for each combination, 300 ms by default.

mod additions;
mod pressure;

use std::cell::UnsafeCell;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::indexes::{Items, Kind, PerIndex, Random, kinds, nothing_to_test};
use additions::{additions, fast_additions, restarts};
use pressure::{dawdle, stress};
use rseq_ops::membarrier;
use rseq_ops::ops::{self, Commit, Outcome, Popped, Relaxed, Release};

/// A test for each kind of index and commit.
macro_rules! stress_tests {
    ($($(#[$doc:meta])* $name:ident: $test:ident;)+) => { $(
        $(#[$doc])*
        #[test]
        fn $name() {
            if nothing_to_test() {
                return;
            }
            for kind in kinds() {
                $test(kind, Relaxed);
                $test(kind, Release);
            }
        }
    )+
        /// All of them.
        const TESTS: &[&str] = &[$(stringify!($name)),+];
    };
}

stress_tests! {
    /// `compare_store` takes, an atomic store releases, wherever the holder is by then.
    a_lock_for_each_index_has_one_holder: locks;
    /// `compare_store` pushes, `pop` pops; two nodes return in the wrong order.
    lists_lose_and_double_no_node: lists;
    /// `compare_store_store` pushes, `compare_two_store` pops.
    buffers_lose_and_double_no_item: buffers;
    /// `compare_copy_store` pushes and pops.
    buffers_of_records_tear_none: records;
    /// `add_at`, `add`, `add_through`, `add_through_offset`, `sub_if_current`.
    no_addition_is_lost_or_doubled: additions;
    /// `add_at` and `add_through_offset` as fast as they go: two additions of one instruction each
    /// that should not have met lose one only if they meet within nanoseconds.
    additions_at_full_speed_are_exact: fast_additions;
    /// `add_through_offset`, `add_through` and `copy_through` against `membarrier::restart`.
    after_a_restart_nobody_uses_the_old_pointer: restarts;
}

/// A process that is killed in the middle of its sequences dies of that and of nothing else, and
/// leaves nothing behind that anybody waits for.
#[test]
fn a_process_can_be_killed_at_any_time() {
    if nothing_to_test() {
        return;
    }
    let mut random = Random(3);
    // Without the means to restart sequences, the test of that is over at once.
    let restarts = membarrier::register().is_ok();
    for test in TESTS
        .iter()
        .filter(|test| restarts || !test.contains("restart"))
    {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                &format!("sequences::stress::{test}"),
                "--exact",
                "--nocapture",
            ])
            .env("RSEQ_OPS_STRESS_MS", "1000000")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(50 + random.below(100) as u64));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.signal(),
            Some(libc::SIGKILL),
            "{test}: {said}"
        );
    }
}

fn locks(kind: Kind, commit: impl Commit + Sync) {
    let slots = PerIndex::new();
    let taken = AtomicUsize::new(0);
    stress(&|random| {
        let (handle, index) = kind.here();
        dawdle(random);
        // SAFETY: this thread's handle; only these sequences store to a lock that is free.
        let outcome =
            unsafe { ops::compare_store(handle, index, slots.word(index, 0), 0, 1, commit) };
        if outcome == Outcome::Committed {
            let count = slots.at(index, 1).load(Ordering::Relaxed);
            dawdle(random);
            slots.at(index, 1).store(count + 1, Ordering::Relaxed);
            slots.at(index, 0).store(0, Ordering::Release);
            taken.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(taken.load(Ordering::Relaxed) > 0);
    assert_eq!(slots.sum(1), taken.load(Ordering::Relaxed));
}

fn lists(kind: Kind, commit: impl Commit + Sync) {
    struct Node {
        _other: usize,
        next: AtomicUsize,
    }
    let items = Items::new();
    let nodes: Vec<_> = (0..Items::COUNT)
        .map(|_| Node {
            _other: 0,
            next: AtomicUsize::new(0),
        })
        .collect();
    let first = nodes.as_ptr().expose_provenance();
    let address = |item: usize| first + item * size_of::<Node>();
    let item = |address: usize| (address.wrapping_sub(first)) / size_of::<Node>();
    let slots = PerIndex::new();

    let pop = |random: &mut Random| {
        let (handle, index) = kind.here();
        let offset = std::mem::offset_of!(Node, next);
        dawdle(random);
        // SAFETY: this thread's handle; the list is changed by these sequences alone, and the
        // nodes live as long as the list.
        let popped = unsafe { ops::pop(handle, index, slots.word(index, 0), 0, offset, commit) };
        match popped {
            Popped::Committed(node) => Some(item(node)).filter(|item| items.take(*item)),
            _ => None,
        }
    };
    let push = |item: usize, random: &mut Random| {
        items.put(item);
        items.until_committed(|| {
            let (handle, index) = kind.here();
            let head = slots.at(index, 0).load(Ordering::Relaxed);
            nodes[item].next.store(head, Ordering::Relaxed);
            dawdle(random);
            // SAFETY: this thread's handle; the list is changed by these sequences alone.
            unsafe {
                let word = slots.word(index, 0);
                ops::compare_store(handle, index, word, head, address(item), commit)
            }
        });
    };
    let mut random = Random(1);
    (0..Items::COUNT).for_each(|item| push(item, &mut random));
    stress(&|random| {
        let popped = [pop(random), pop(random)];
        dawdle(random);
        popped
            .into_iter()
            .flatten()
            .for_each(|item| push(item, random));
    });
    let mut found = Vec::new();
    for index in 0..rseq_ops::percpu::possible_cpus() {
        let mut node = slots.at(index as u32, 0).load(Ordering::SeqCst);
        while node != 0 && found.len() <= Items::COUNT {
            found.push(item(node));
            node = nodes[item(node)].next.load(Ordering::SeqCst);
        }
    }
    items.check(found);
}

/// In each slot word 0 is the length, word `n` the `n`th item.
fn buffers(kind: Kind, commit: impl Commit + Sync) {
    let items = Items::new();
    let slots = PerIndex::new();
    let pop = |random: &mut Random| {
        let (handle, index) = kind.here();
        let length = slots.at(index, 0).load(Ordering::Relaxed);
        if length == 0 {
            return None;
        }
        let item = slots.at(index, length).load(Ordering::Relaxed);
        dawdle(random);
        // SAFETY: this thread's handle; the buffer is changed by these sequences alone.
        let outcome = unsafe {
            ops::compare_two_store(
                handle,
                index,
                (slots.word(index, 0), length),
                (slots.word(index, length), item),
                length - 1,
                commit,
            )
        };
        (outcome == Outcome::Committed && items.take(item)).then_some(item)
    };
    let push = |item: usize, random: &mut Random| {
        items.put(item);
        items.until_committed(|| {
            let (handle, index) = kind.here();
            let length = slots.at(index, 0).load(Ordering::Relaxed).min(Items::COUNT);
            dawdle(random);
            // SAFETY: this thread's handle; the buffer is changed by these sequences alone.
            unsafe {
                ops::compare_store_store(
                    handle,
                    index,
                    (slots.word(index, 0), length),
                    (slots.word(index, length + 1), item),
                    length + 1,
                    commit,
                )
            }
        });
    };
    let mut random = Random(1);
    (0..Items::COUNT).for_each(|item| push(item, &mut random));
    stress(&|random| {
        let popped = [pop(random), pop(random)];
        popped
            .into_iter()
            .flatten()
            .for_each(|item| push(item, random));
    });
    let mut found = Vec::new();
    for index in 0..rseq_ops::percpu::possible_cpus() as u32 {
        let length = slots.at(index, 0).load(Ordering::SeqCst);
        found.extend((1..=length).map(|n| slots.at(index, n).load(Ordering::SeqCst)));
    }
    items.check(found);
}

fn records(kind: Kind, commit: impl Commit + Sync) {
    const SIZE: usize = 29;
    type Record = [u8; SIZE];
    struct Buffer(UnsafeCell<[Record; Items::COUNT + 1]>);
    // SAFETY: read and written by sequences on their index alone.
    unsafe impl Sync for Buffer {}

    fn record(item: usize) -> Record {
        std::array::from_fn(|n| (item * 17 + n) as u8)
    }

    let items = Items::new();
    let slots = PerIndex::new(); // Word 0 is the length.
    let buffers: Vec<_> = (0..rseq_ops::percpu::possible_cpus())
        .map(|_| Buffer(UnsafeCell::new([[0; SIZE]; Items::COUNT + 1])))
        .collect();
    let at = |index: u32, n: usize| {
        let buffer = buffers[index as usize].0.get().cast::<u8>();
        buffer.wrapping_add(n.min(Items::COUNT) * SIZE)
    };
    let pop = |random: &mut Random| {
        let (handle, index) = kind.here();
        let length = slots.at(index, 0).load(Ordering::Relaxed);
        if length == 0 {
            return None;
        }
        dawdle(random);
        let mut popped = [0; SIZE];
        let copy = (
            at(index, length - 1).cast_const(),
            popped.as_mut_ptr(),
            SIZE,
        );
        let word = slots.word(index, 0);
        // SAFETY: this thread's handle; the buffer is changed by these sequences alone.
        let outcome = unsafe {
            ops::compare_copy_store(handle, index, (word, length), copy, length - 1, commit)
        };
        if outcome != Outcome::Committed {
            return None;
        }
        let item = (0..Items::COUNT)
            .find(|item| record(*item) == popped)
            .unwrap_or(usize::MAX);
        items.take(item).then_some(item)
    };
    let push = |item: usize, random: &mut Random| {
        items.put(item);
        let record = record(item);
        items.until_committed(|| {
            let (handle, index) = kind.here();
            let length = slots.at(index, 0).load(Ordering::Relaxed);
            dawdle(random);
            let copy = (record.as_ptr(), at(index, length), SIZE);
            let word = slots.word(index, 0);
            // SAFETY: this thread's handle; the buffer is changed by these sequences alone, and has room
            // for all items.
            unsafe {
                ops::compare_copy_store(handle, index, (word, length), copy, length + 1, commit)
            }
        });
    };
    let mut random = Random(1);
    (0..Items::COUNT).for_each(|item| push(item, &mut random));
    stress(&|random| {
        let popped = [pop(random), pop(random)];
        popped
            .into_iter()
            .flatten()
            .for_each(|item| push(item, random));
    });
    let mut found = Vec::new();
    while found.len() <= Items::COUNT {
        let before = found.len();
        for index in 0..rseq_ops::percpu::possible_cpus() as u32 {
            let length = slots.at(index, 0).load(Ordering::SeqCst);
            if length > 0 {
                slots.at(index, 0).store(length - 1, Ordering::SeqCst);
                // SAFETY: within the buffer; nobody else is left.
                let last = unsafe { at(index, length - 1).cast::<Record>().read() };
                found.extend((0..Items::COUNT).find(|item| record(*item) == last));
            }
        }
        if found.len() == before {
            break;
        }
    }
    items.check(found);
}
