//! The ring: what was reserved is delivered whole and in order, or counted.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::support::alone;
use crate::support::disturbed::disturbed;
use rseq_ops::percpu::{Mode, Record, ReserveError, Ring, Totals};

fn all(ring: &Ring) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    ring.consumer()
        .unwrap()
        .poll(|record| all.push(record.bytes.to_vec()));
    all
}

#[test]
fn records_of_every_length_arrive_as_they_were_written() {
    let ring = Ring::new(Mode::Discard, 1 << 20).unwrap();
    let record =
        |length: usize| -> Vec<u8> { (0..length).map(|n| (n * 7 + length) as u8).collect() };
    for length in 0..300 {
        let bytes = record(length);
        let mut reservation = ring.reserve(length).unwrap();
        assert_eq!(reservation.length(), length);
        // In pieces of all kinds.
        for piece in bytes.chunks(1 + length % 11) {
            reservation.write(piece);
        }
        reservation.commit();
    }
    let mut found = all(&ring);
    found.sort_by_key(Vec::len);
    assert_eq!(found, (0..300).map(record).collect::<Vec<_>>());
    assert_eq!(ring.totals().consumed, 300);
}

#[test]
fn what_is_not_written_is_zero_and_what_is_not_committed_is_not_delivered() {
    let ring = Ring::new(Mode::Overwrite, 4096).unwrap();
    for _ in 0..1000 {
        ring.write(&[0xFF; 100]).unwrap();
    }
    all(&ring);
    let mut reservation = ring.reserve(20).unwrap();
    reservation.write(&[1, 2, 3]);
    reservation.commit();
    drop(ring.reserve(20).unwrap());
    let mut expected = vec![0; 20];
    expected[..3].copy_from_slice(&[1, 2, 3]);
    assert_eq!(all(&ring), [expected]);
    let mut reservation = ring.reserve(2).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| reservation.write(&[0; 3]))).unwrap_err();
    assert!(
        panic
            .downcast_ref::<String>()
            .unwrap()
            .contains("of 2 reserved")
    );
}

#[test]
fn a_full_ring_drops_the_new_ones_and_counts_them() {
    let ring = Ring::new(Mode::Discard, 4096).unwrap();
    assert_eq!(
        ring.reserve(481).unwrap_err(),
        ReserveError::TooLong {
            asked: 481,
            most: 480
        }
    );
    let written = (0..10_000u32)
        .filter(|n| ring.write(&n.to_ne_bytes()).is_ok())
        .count();
    assert!((100..10_000).contains(&written), "{written}");
    assert_eq!(ring.totals().dropped, 10_000 - written);
    let found = all(&ring);
    assert_eq!(found.len(), written);
    // There is room again.
    ring.write(b"again").unwrap();
    assert_eq!(all(&ring), [b"again"]);
}

#[test]
fn a_full_ring_overwrites_the_oldest_and_the_consumer_counts_them() {
    let ring = Ring::new(Mode::Overwrite, 4096).unwrap();
    for n in 0..10_000u32 {
        ring.write(&n.to_ne_bytes()).unwrap();
    }
    let found = all(&ring);
    let last = found
        .iter()
        .map(|r| u32::from_ne_bytes(r[..].try_into().unwrap()))
        .max();
    assert_eq!(last, Some(9999), "the newest is there");
    let totals = ring.totals();
    assert_eq!(totals.consumed, found.len());
    assert_eq!(totals.consumed + totals.overwritten, 10_000);
    assert_eq!(totals.dropped, 0);
}

#[test]
fn the_consumer_waits_for_a_record_that_is_being_written() {
    let ring = Ring::new(Mode::Discard, 4096).unwrap();
    let cpu = urcu_host::affinity::cpus()[0];
    urcu_host::affinity::run_on(&[cpu]);
    let outer = ring.reserve(5).unwrap();
    // As a signal handler would.
    ring.write(b"inner").unwrap();
    assert_eq!(all(&ring).len(), 0);
    let committed = std::thread::scope(|scope| {
        scope
            .spawn(move || {
                let mut outer = outer;
                outer.write(b"outer");
                outer.commit();
            })
            .join()
    });
    committed.unwrap();
    assert_eq!(all(&ring), [b"outer", b"inner"]);
}

#[test]
fn there_is_one_consumer_and_a_panic_costs_it_nothing() {
    let ring = Ring::new(Mode::Discard, 4096).unwrap();
    ring.write(b"once").unwrap();
    let mut consumer = ring.consumer().unwrap();
    assert!(ring.consumer().is_none());
    let panicked = catch_unwind(AssertUnwindSafe(|| consumer.poll(|_| panic!("made up"))));
    assert!(panicked.is_err());
    drop(consumer);
    assert_eq!(all(&ring), [b"once"]);
    assert!(Ring::new(Mode::Discard, 1 << 40).is_err());
}

/// A record's payload: writer, number, and a tail that both determine.
fn payload(writer: u64, number: u64) -> Vec<u8> {
    let mut bytes = [writer.to_ne_bytes(), number.to_ne_bytes()].concat();
    let tail = (writer * 31 + number * 17) % 90;
    bytes.extend((0..tail).map(|n| (writer + number + n) as u8));
    bytes
}

#[derive(Default)]
struct Check {
    /// The last number of each writer in each ring, and the last time in each ring.
    last: HashMap<(u64, usize), u64>,
    times: HashMap<usize, u64>,
    seen: u64,
}

impl Check {
    fn record(&mut self, record: Record<'_>) {
        let word = |n: usize| u64::from_ne_bytes(record.bytes[n * 8..][..8].try_into().unwrap());
        let (writer, number) = (word(0), word(1));
        assert_eq!(record.bytes, payload(writer, number), "torn");
        if writer < HANDLERS {
            let last = self.last.insert((writer, record.ring), number);
            assert!(last.is_none_or(|last| last < number), "out of order");
        }
        let time = self.times.insert(record.ring, record.time);
        assert!(
            time.is_none_or(|time| time <= record.time),
            "time goes back"
        );
        self.seen += 1;
    }
}

/// Numbers of writers in signal handlers begin here: their records have no order.
const HANDLERS: u64 = 100;

fn stress(mode: Mode, size: usize) -> Totals {
    static RING: AtomicPtr<Ring> = AtomicPtr::new(std::ptr::null_mut());
    static FROM_HANDLERS: AtomicU64 = AtomicU64::new(0);
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    static REFUSED_HANDLERS: AtomicUsize = AtomicUsize::new(0);
    fn handler() {
        let ring = RING.load(Relaxed);
        if ring.is_null() {
            return;
        }
        let number = FROM_HANDLERS.fetch_add(1, Relaxed);
        // No allocation here.
        let mut bytes = [0; 16 + 90];
        let tail = (HANDLERS * 31 + number * 17) % 90;
        bytes[..8].copy_from_slice(&HANDLERS.to_ne_bytes());
        bytes[8..16].copy_from_slice(&number.to_ne_bytes());
        for n in 0..tail {
            bytes[16 + n as usize] = (HANDLERS + number + n) as u8;
        }
        // SAFETY: the ring lives until the handler is switched off.
        let ring = unsafe { &*ring };
        if ring.write(&bytes[..16 + tail as usize]).is_err() {
            REFUSED_HANDLERS.fetch_add(1, Relaxed);
        }
    }
    let _alone = alone();
    let ring = Ring::new(mode, size).unwrap();
    FROM_HANDLERS.store(0, Relaxed);
    REFUSED.store(0, Relaxed);
    REFUSED_HANDLERS.store(0, Relaxed);
    RING.store((&raw const ring).cast_mut(), Relaxed);
    let check = Mutex::new(Check::default());
    let written = AtomicUsize::new(0);
    let unwanted = AtomicUsize::new(0);
    disturbed(4, Some(handler), |thread, running| {
        let mut number = 0;
        while running() {
            if thread == 0 {
                let mut check = check.lock().unwrap();
                ring.consumer().unwrap().poll(|record| check.record(record));
                std::thread::yield_now();
                continue;
            }
            number += 1;
            let bytes = payload(thread as u64, number);
            let Ok(mut reservation) = ring.reserve(bytes.len()) else {
                REFUSED.fetch_add(1, Relaxed);
                continue;
            };
            let (one, two) = bytes.split_at(number as usize % 16);
            reservation.write(one);
            reservation.write(two);
            if number % 50 == 0 {
                unwanted.fetch_add(1, Relaxed);
                drop(reservation);
            } else {
                reservation.commit();
                written.fetch_add(1, Relaxed);
            }
        }
    });
    RING.store(std::ptr::null_mut(), Relaxed);
    let mut check = check.into_inner().unwrap();
    ring.consumer().unwrap().poll(|record| check.record(record));
    let totals = ring.totals();
    let refused = REFUSED_HANDLERS.load(Relaxed);
    let handlers = FROM_HANDLERS.load(Relaxed) as usize - refused;
    let reserved = written.load(Relaxed) + unwanted.load(Relaxed) + handlers;
    assert_eq!(totals.dropped, REFUSED.load(Relaxed) + refused);
    assert_eq!(totals.consumed + totals.overwritten, reserved);
    if mode == Mode::Discard {
        assert_eq!(totals.overwritten, 0);
        assert_eq!(check.seen as usize, reserved - unwanted.load(Relaxed));
    }
    assert!(check.seen > 0);
    totals
}

#[test]
fn nothing_that_was_reserved_is_lost_when_new_ones_are_dropped() {
    stress(Mode::Discard, 1 << 16);
}

#[test]
fn everything_is_delivered_or_counted_when_old_ones_are_overwritten() {
    // Small enough to be overtaken, and to overtake a reader in the middle of a copy.
    // A machine that lets the writers hardly run takes more than one attempt.
    let overtaken = (0..30).any(|_| stress(Mode::Overwrite, 4096).overwritten > 0);
    assert!(overtaken, "no writer got ahead of the reader");
}
