//! Copies of parts of larger values.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use urcu::{Behind, Domain, Offset, Rcu, RcuArc, SNAPSHOT_MAX, part};

/// Larger than what is copied at once, and not `Copy`.
struct Whole {
    name: String,
    before: [u8; 5000],
    inner: Inner,
    last: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Inner {
    rate: u64,
    pair: (u16, f32),
    word: &'static str,
    nothing: (),
}

fn whole(number: u64) -> Whole {
    Whole {
        name: number.to_string(),
        before: [number as u8; 5000],
        inner: Inner {
            rate: number,
            pair: (number as u16, number as f32),
            word: ["even", "odd"][number as usize % 2],
            nothing: (),
        },
        last: number as u8,
    }
}

#[test]
fn every_part_is_that_of_the_current_value_whatever_its_size() {
    const RATE: Offset<Whole, u64> = part!(Whole, inner.rate);
    let (domain, boxed) = (Domain::new(), Rcu::new(whole(0)));
    let arc = RcuArc::new_in(Arc::new(whole(0)), &domain);
    for number in [1, 2, 255, 256, 70_000] {
        boxed.store(whole(number));
        arc.store(Arc::new(whole(number)));
        let expected = whole(number).inner;
        macro_rules! same {
            ($($($field:tt).+ => $value:expr;)*) => {$(
                assert_eq!(boxed.snapshot_of(part!(Whole, $($field).+)), $value);
                assert_eq!(arc.snapshot_of(part!(Whole, $($field).+)), $value);
            )*};
        }
        same! {
            inner.pair => expected.pair;
            inner.word => expected.word;
            inner.nothing => ();
            inner => expected;
            last => number as u8;
            before => [number as u8; 5000];
        }
        assert_eq!(boxed.snapshot_of(part!(Whole, inner.pair.0)), number as u16);
        assert_eq!(
            boxed.snapshot_of(part!(Whole, inner.pair.1,)),
            number as f32
        );
        assert_eq!(
            (boxed.snapshot_of(RATE), arc.snapshot_of(RATE)),
            (number, number)
        );
        assert_eq!(boxed.read().name, number.to_string());
    }
    // That one is copied inside a section.
    const { assert!(size_of::<[u8; 5000]>() > SNAPSHOT_MAX) };
}

#[test]
fn parts_of_generic_types_and_at_unusual_places() {
    #[repr(C, align(64))]
    struct Odd<T>(u8, T, [u8; 3]);
    fn second<T: Copy + Send + Sync + 'static>(cell: &Rcu<Odd<T>>) -> T {
        cell.snapshot_of(part!(Odd<T>, 1))
    }
    let cell = Rcu::new(Odd(1, 2_u128, [3, 4, 5]));
    assert_eq!(second(&cell), 2);
    assert_eq!(cell.snapshot_of(part!(Odd<u128>, 2)), [3, 4, 5]);
    assert_eq!(cell.snapshot_of(part!(Odd<u128>, 0)), 1);
    let third = part!(Odd<[u8; 7]>, 2);
    assert_eq!(format!("{third:?}"), "Offset(8)");
}

#[test]
fn a_part_is_of_one_version_while_values_are_replaced() {
    let cell = Rcu::new(whole(0));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !over.load(Ordering::Relaxed) || seen == 0 {
                let inner = cell.snapshot_of(part!(Whole, inner));
                assert_eq!(inner, whole(inner.rate).inner);
                seen += 1;
            }
        });
        let mut number = 0;
        while number < 2000 {
            number += 1;
            // The memory of the old one is the next one's.
            drop(cell.replace(whole(number)));
        }
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    urcu::barrier();
}

/// A value that has its parts behind pointers.
struct Owner<'a> {
    name: String,
    whole: Box<Whole>,
    pair: &'a (u64, [u16; 3]),
    rate: Box<u64>,
}

fn owner(number: u64, pair: &(u64, [u16; 3])) -> Owner<'_> {
    Owner {
        name: number.to_string(),
        whole: Box::new(whole(number)),
        pair,
        rate: Box::new(number),
    }
}

#[test]
fn a_part_behind_a_pointer_is_that_of_the_current_value_whatever_its_size() {
    type Of = Owner<'static>;
    const INNER: Behind<Of, Inner> = part!(Of, whole).then(part!(Whole, inner));
    static PAIRS: [(u64, [u16; 3]); 2] = [(1, [2, 3, 4]), (5, [6, 7, 8])];
    let pair = |number: u64| &PAIRS[number as usize % 2];
    let domain = Domain::new();
    let boxed = Rcu::new(owner(0, pair(0)));
    let arc = RcuArc::new_in(Arc::new(owner(0, pair(0))), &domain);
    for number in [1, 2, 255, 256, 70_000] {
        boxed.store(owner(number, pair(number)));
        arc.store(Arc::new(owner(number, pair(number))));
        let expected = whole(number).inner;
        assert_eq!(
            (boxed.snapshot_of(INNER), arc.snapshot_of(INNER)),
            (expected, expected)
        );
        macro_rules! same {
            ($($behind:expr => $value:expr;)*) => {$({
                let behind = $behind;
                let copies = (boxed.snapshot_of(behind), arc.snapshot_of(behind));
                assert_eq!(copies, ($value, $value));
            })*};
        }
        same! {
            part!(Of, whole).then(part!(Whole, inner.rate)) => expected.rate;
            part!(Of, whole).then(part!(Whole, inner.word)) => expected.word;
            part!(Of, whole).then(part!(Whole, inner.nothing)) => ();
            part!(Of, whole).then(part!(Whole, last)) => number as u8;
            part!(Of, whole).then(part!(Whole, before)) => [number as u8; 5000];
            part!(Of, rate).target() => number;
            part!(Of, pair).target() => *pair(number);
            part!(Of, pair).then(part!((u64, [u16; 3]), 1)) => pair(number).1;
        }
        assert_eq!(boxed.read().name, number.to_string());
    }
    let debug = format!("{:?}", part!((Box<[u64; 2]>,), 0).target());
    assert_eq!(debug, "Behind(0, 0)");
}

#[test]
fn what_is_behind_a_reference_need_not_live_for_ever() {
    fn second<'a>(cell: &Rcu<Owner<'a>>) -> [u16; 3] {
        cell.snapshot_of(part!(Owner<'a>, pair).then(part!((u64, [u16; 3]), 1)))
    }
    let pair = (7, [1, 2, 3]);
    let cell = Rcu::new(owner(1, &pair));
    assert_eq!(second(&cell), [1, 2, 3]);
    assert_eq!(cell.replace(owner(2, &pair)).name, "1");
}

#[test]
fn what_is_behind_a_pointer_is_of_one_version_while_values_are_replaced() {
    static PAIR: (u64, [u16; 3]) = (0, [0; 3]);
    let cell = Rcu::new(owner(0, &PAIR));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !over.load(Ordering::Relaxed) || seen == 0 {
                let inner = cell.snapshot_of(part!(Owner<'_>, whole).then(part!(Whole, inner)));
                assert_eq!(inner, whole(inner.rate).inner);
                seen += 1;
            }
        });
        for number in 1..1000 {
            // Both are given back, and are the next one's.
            drop(cell.replace(owner(number, &PAIR)));
        }
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    urcu::barrier();
}
