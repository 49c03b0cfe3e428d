//! Forces what otherwise happens once in a million records: another writer or the consumer acts between two
//! steps of a reservation, or a reservation is interrupted right before its commit.

use core::sync::atomic::Ordering;
use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

use super::layout::{Control, HEAD, PARTS, SHARED, SMALLEST, START, busy_header, whole, word};
use super::*;

/// The payload of a record. Two such records and the start of a part fill a part of the smallest ring.
const HALF: usize = 232;
const RECORDS: usize = 2 * PARTS;

/// What the clock does once, between the load of the end and the plan.
type Meanwhile = Box<dyn FnOnce() + Send>;

std::thread_local! {
    static MEANWHILE: core::cell::RefCell<Option<Meanwhile>> =
        const { core::cell::RefCell::new(None) };
}

fn clock() -> u64 {
    if let Some(meanwhile) = MEANWHILE.take() {
        meanwhile();
    }
    0
}

/// A ring that is never freed. All of its records are this thread's, on one CPU.
fn ring(mode: Mode) -> &'static Ring {
    #[cfg(target_os = "linux")]
    // SAFETY: sets of CPUs are plain memory, which the calls read and write.
    unsafe {
        let mut allowed: libc::cpu_set_t = core::mem::zeroed();
        let size = size_of_val(&allowed);
        libc::sched_getaffinity(0, size, &raw mut allowed);
        let first = (0..libc::CPU_SETSIZE as usize).find(|cpu| libc::CPU_ISSET(*cpu, &allowed));
        libc::CPU_ZERO(&mut allowed);
        libc::CPU_SET(first.unwrap(), &mut allowed);
        libc::sched_setaffinity(0, size, &raw const allowed);
    }
    let ring = Box::leak(Box::new(Ring::with_clock(mode, SMALLEST, clock).unwrap()));
    assert_eq!(HEAD + 2 * whole(HALF), ring.rings.part);
    ring
}

fn write(ring: &Ring, number: usize) -> Result<(), ReserveError> {
    let mut bytes = [0; HALF];
    bytes[..8].copy_from_slice(&number.to_ne_bytes());
    ring.write(&bytes)
}

/// Returns the numbers in the records that the consumer gets.
fn consume(ring: &Ring) -> Vec<usize> {
    let mut numbers = Vec::new();
    ring.consumer().unwrap().poll(|record| {
        numbers.push(usize::from_ne_bytes(record.bytes[..8].try_into().unwrap()));
    });
    numbers
}

/// Returns the ring that has the records.
fn in_use(ring: &Ring) -> &Control {
    let of_them = |n: &usize| ring.rings.control(*n).reserved.load(Ordering::Relaxed) != 0;
    let used: Vec<usize> = (0..ring.rings.count()).filter(of_them).collect();
    assert_eq!(used.len(), 1, "the thread is on one CPU");
    ring.rings.control(used[0])
}

fn totals(ring: &Ring) -> (usize, usize, usize) {
    let Totals {
        consumed,
        overwritten,
        dropped,
    } = ring.totals();
    (consumed, overwritten, dropped)
}

#[test]
fn who_sees_too_late_that_the_ring_moved_on_drops_nothing() {
    static HELD: Mutex<Option<Reservation<'static>>> = Mutex::new(None);
    let ring = ring(Mode::Overwrite);
    (0..RECORDS).for_each(|number| write(ring, number).unwrap());
    // Our writer has loaded the end, where the oldest part is to be overwritten; another one enters
    // the part first, and is still writing there.
    MEANWHILE.set(Some(Box::new(move || {
        *HELD.lock().unwrap() = Some(ring.reserve(HALF).unwrap());
    })));
    write(ring, 100).unwrap();
    assert!(MEANWHILE.take().is_none(), "it happened");
    assert_eq!(totals(ring).2, 0, "there is room behind the other's record");
    drop(HELD.lock().unwrap().take());
    assert_eq!(consume(ring).last(), Some(&100));
    // The other writer's record was discarded, so it counts as consumed. Without sequences that writer found
    // our ring locked and took another ring, so it made us overwrite no part.
    let overwritten = if crate::current_thread().is_some() {
        4
    } else {
        2
    };
    assert_eq!(totals(ring), (RECORDS + 2 - overwritten, overwritten, 0));
}

#[test]
fn a_part_that_somebody_writes_to_still_drops_the_record_and_counts_it() {
    let ring = ring(Mode::Overwrite);
    let mut held = Some(ring.reserve(HALF).unwrap());
    (1..RECORDS).for_each(|number| write(ring, number).unwrap());
    for _ in 0..3 {
        assert_eq!(write(ring, 100), Err(ReserveError::Dropped));
    }
    assert_eq!(totals(ring), (0, 0, 3));
    held.take().unwrap().commit();
    write(ring, 101).unwrap();
    assert_eq!(consume(ring).last(), Some(&101));
    assert_eq!(totals(ring), (RECORDS - 2 + 1, 2, 3));
}

#[test]
fn a_consumer_that_comes_in_between_makes_room() {
    let ring = ring(Mode::Discard);
    (0..RECORDS).for_each(|number| write(ring, number).unwrap());
    MEANWHILE.set(Some(Box::new(move || {
        assert_eq!(consume(ring), (0..RECORDS).collect::<Vec<_>>());
    })));
    write(ring, 100).unwrap();
    assert_eq!(consume(ring), [100]);
    assert_eq!(totals(ring), (RECORDS + 1, 0, 0));
}

#[test]
fn a_full_ring_gives_room_a_part_at_a_time_and_counts_exactly() {
    let ring = ring(Mode::Discard);
    (0..RECORDS).for_each(|number| write(ring, number).unwrap());
    assert_eq!(write(ring, 100), Err(ReserveError::Dropped));
    // The consumer has left all but the last record: seven parts, and half of the eighth.
    let mut seen = 0;
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        ring.consumer().unwrap().poll(|_| {
            seen += 1;
            assert!(seen < RECORDS, "made up");
        });
    }));
    assert!(stopped.is_err());
    let room = (0..)
        .take_while(|number| write(ring, *number).is_ok())
        .count();
    assert_eq!(room, RECORDS - 2, "seven parts");
    assert_eq!(totals(ring), (RECORDS - 1, 0, 2));
}

#[test]
fn a_consumer_that_is_exactly_one_ring_behind_loses_one_part_and_no_more() {
    let ring = ring(Mode::Overwrite);
    (0..RECORDS).for_each(|number| write(ring, number).unwrap());
    // Nobody has entered the first part again, but somebody may be about to.
    let control = in_use(ring);
    assert_eq!(control.reserved.load(Ordering::Relaxed), ring.rings.size);
    assert_eq!(consume(ring), (2..RECORDS).collect::<Vec<_>>());
    assert_eq!(totals(ring), (RECORDS - 2, 2, 0));
    // The consumer is one record less than a ring behind, so nothing is lost.
    (0..RECORDS - 1).for_each(|number| write(ring, number).unwrap());
    assert_eq!(consume(ring), (0..RECORDS - 1).collect::<Vec<_>>());
    assert_eq!(totals(ring), (2 * RECORDS - 3, 2, 0));
}

#[test]
fn a_part_that_somebody_is_entering_is_not_taken_for_the_old_one() {
    let ring = ring(Mode::Overwrite);
    (0..RECORDS).for_each(|number| write(ring, number).unwrap());
    // A writer enters the first part again, and is interrupted right before its commit: its words are stored,
    // but the end has not moved.
    let control = in_use(ring);
    for (n, value) in [START | HEAD, RECORDS].into_iter().enumerate() {
        // SAFETY: the first two words of the ring.
        unsafe { word(ring.rings.at(control, 0).wrapping_add(n)) }.store(value, Ordering::Relaxed);
    }
    assert_eq!(consume(ring), (2..RECORDS).collect::<Vec<_>>());
    assert_eq!(totals(ring), (RECORDS - 2, 2, 0), "not one ring more");
    // The writer tries again.
    write(ring, 100).unwrap();
    assert_eq!(consume(ring), [100]);
    assert_eq!(totals(ring), (RECORDS - 1, 2, 0));
}

#[test]
fn a_consumer_many_rings_behind_finds_the_newest_and_counts_the_others() {
    for written in [RECORDS + 1, RECORDS + 2, 3 * RECORDS, 10 * RECORDS + 7] {
        let ring = ring(Mode::Overwrite);
        (0..written).for_each(|number| write(ring, number).unwrap());
        // Seven whole parts, or six of them and what the eighth has so far.
        let kept = if written % 2 == 0 {
            RECORDS - 2
        } else {
            RECORDS - 1
        };
        assert_eq!(consume(ring), (written - kept..written).collect::<Vec<_>>());
        assert_eq!(totals(ring), (kept, written - kept, 0));
    }
}

#[test]
fn who_finds_all_shared_rings_locked_drops_the_record_and_counts_it() {
    let ring = ring(Mode::Discard);
    let cpus = ring.rings.area.cpus();
    let mut locks: Vec<_> = (0..SHARED)
        .map(|n| ring.rings.control(cpus + n).lock.try_lock())
        .collect();
    assert!(locks.iter().all(Option::is_some));
    for dropped in 1..4 {
        assert_eq!(ring.writer().claim_shared(HALF), None);
        assert_eq!(totals(ring), (0, 0, dropped));
    }
    // Either one is enough.
    for (n, lock) in locks.iter_mut().enumerate() {
        *lock = None;
        let record = ring.writer().claim_shared(HALF).expect("a ring is free");
        drop(Reservation::new(record, busy_header(HALF)));
        assert!(consume(ring).is_empty(), "it was not wanted");
        *lock = ring.rings.control(cpus + n).lock.try_lock();
    }
    assert_eq!(totals(ring), (SHARED, 0, 3));
}
