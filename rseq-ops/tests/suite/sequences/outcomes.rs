//! Every operation with an index, every way it can end, by both kinds of index and both commits.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::alone;
use crate::support::indexes::{
    Kind, Random, interrupt, kinds, nothing_to_test, on_signal, thread_id,
};
use rseq_ops::delay::{self, Point};
use rseq_ops::ops::{self, Commit, Outcome, Popped, Relaxed, Release};

/// The words of one attempt: everything that an operation may read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Words {
    word: usize,
    other: usize,
    copy: [u8; 40],
}

const START: Words = Words {
    word: 10,
    other: 20,
    copy: [0; 40],
};

/// An operation on `Words` that commits if `word` is 10 (and `other` is 20).
struct Case {
    name: &'static str,
    /// The points where delays can be.
    points: &'static [Point],
    run: fn(Kind, u32, &mut Words, bool) -> Outcome,
    /// The words that it makes of `START`.
    result: Words,
    /// Words that make it a mismatch.
    mismatch: &'static [Words],
    /// Clears the word that an attempt may change before it is given up.
    scratch: fn(&mut Words),
}

const WORD: Words = Words { word: 11, ..START };
const OTHER: Words = Words { other: 21, ..START };

macro_rules! run {
    (|$handle:ident, $index:ident, $words:ident, $commit:ident| $body:expr) => {
        |kind, away, $words, release| {
            fn one(kind: Kind, away: u32, $words: *mut Words, $commit: impl Commit) -> Outcome {
                let ($handle, $index) = kind.here();
                let $index = $index.wrapping_add(away);
                // SAFETY: this thread's handle; the words are the caller's alone.
                unsafe { $body }
            }
            if release {
                one(kind, away, $words, Release)
            } else {
                one(kind, away, $words, Relaxed)
            }
        }
    };
}

const fn copied(bytes: usize) -> [u8; 40] {
    let mut copy = [0; 40];
    let mut n = 0;
    while n < bytes {
        copy[n] = SOURCE[n];
        n += 1;
    }
    copy
}

const SOURCE: [u8; 40] = *b"Every byte of these forty is another one";

macro_rules! copy_case {
    ($size:literal) => {
        Case {
            name: concat!("compare_copy_store of ", $size, " bytes"),
            points: &[Point::CompareCopyStoreLoaded, Point::CompareCopyStoreCommit],
            run: run!(|handle, index, words, commit| {
                let copy = (SOURCE.as_ptr(), (&raw mut (*words).copy).cast(), $size);
                let compare = (&raw mut (*words).word, 10);
                ops::compare_copy_store(handle, index, compare, copy, 15, commit)
            }),
            result: Words {
                word: 15,
                other: 20,
                copy: copied($size),
            },
            mismatch: &[WORD],
            scratch: |words| words.copy = START.copy,
        }
    };
}

const CASES: &[Case] = &[
    Case {
        name: "compare_store",
        points: &[Point::CompareStoreLoaded, Point::CompareStoreCommit],
        run: run!(|handle, index, words, commit| {
            ops::compare_store(handle, index, &raw mut (*words).word, 10, 15, commit)
        }),
        result: Words { word: 15, ..START },
        mismatch: &[WORD],
        scratch: |_| {},
    },
    Case {
        name: "pop",
        points: &[Point::PopLoaded, Point::PopCommit],
        // The address in `word` is made of the 10: the end of the list is 11.
        run: run!(|handle, index, words, commit| {
            let head = [0, 15usize];
            let address = head.as_ptr().expose_provenance();
            let end = if (*words).word == 10 { 0 } else { address };
            let mut word = address;
            match ops::pop(handle, index, &raw mut word, end, 8, commit) {
                Popped::Committed(popped) => {
                    assert_eq!(popped, address);
                    (*words).word = word;
                    Outcome::Committed
                }
                Popped::Mismatch => {
                    assert_eq!(word, address);
                    Outcome::Mismatch
                }
                Popped::Aborted => {
                    assert_eq!(word, address);
                    Outcome::Aborted
                }
            }
        }),
        result: Words { word: 15, ..START },
        mismatch: &[WORD],
        scratch: |_| {},
    },
    Case {
        name: "add_at",
        points: &[Point::AddAtCommit],
        run: run!(|handle, index, words, commit| {
            ops::add_at(handle, index, &raw mut (*words).word, 5, commit)
        }),
        result: Words { word: 15, ..START },
        mismatch: &[],
        scratch: |_| {},
    },
    Case {
        name: "compare_two_store",
        points: &[Point::CompareTwoStoreLoaded, Point::CompareTwoStoreCommit],
        run: run!(|handle, index, words, commit| {
            let (word, other) = (&raw mut (*words).word, &raw const (*words).other);
            ops::compare_two_store(handle, index, (word, 10), (other, 20), 15, commit)
        }),
        result: Words { word: 15, ..START },
        mismatch: &[WORD, OTHER],
        scratch: |_| {},
    },
    Case {
        name: "compare_store_store",
        points: &[
            Point::CompareStoreStoreLoaded,
            Point::CompareStoreStoreCommit,
        ],
        run: run!(|handle, index, words, commit| {
            let (word, first) = (&raw mut (*words).word, &raw mut (*words).other);
            ops::compare_store_store(handle, index, (word, 10), (first, 25), 15, commit)
        }),
        result: Words {
            word: 15,
            other: 25,
            ..START
        },
        mismatch: &[WORD],
        scratch: |words| words.other = START.other,
    },
    copy_case!(0),
    copy_case!(1),
    copy_case!(7),
    copy_case!(8),
    copy_case!(24),
    copy_case!(39),
    Case {
        name: "add_through_offset",
        points: &[Point::AddThroughOffsetLoaded, Point::AddThroughOffsetCommit],
        run: run!(|handle, index, words, commit| {
            let table = [0, (&raw mut (*words).word).expose_provenance()];
            let source = table.as_ptr().expose_provenance();
            ops::add_through_offset(handle, index, &raw const source, 8, 5, commit)
        }),
        result: Words { word: 15, ..START },
        mismatch: &[],
        scratch: |_| {},
    },
];

fn each(mut test: impl FnMut(&Case, Kind, bool, &str)) {
    let _alone = alone();
    for kind in kinds() {
        for case in CASES {
            for release in [false, true] {
                let commit = if release { "release" } else { "relaxed" };
                let what = format!("{}, {} commit, by {}", case.name, commit, kind.0);
                test(case, kind, release, &what);
            }
        }
    }
}

#[test]
fn what_matches_commits_exactly_what_it_says() {
    if nothing_to_test() {
        return;
    }
    each(|case, kind, release, what| {
        let (mut words, mut outcome) = (START, Outcome::Aborted);
        // The machine may be busy; a hundred aborts in a row are not its fault.
        for _ in 0..100 {
            words = START;
            outcome = (case.run)(kind, 0, &mut words, release);
            if outcome != Outcome::Aborted {
                break;
            }
        }
        assert_eq!(outcome, Outcome::Committed, "{what}");
        assert_eq!(words, case.result, "{what}");
    });
}

#[test]
fn what_does_not_match_changes_nothing() {
    if nothing_to_test() {
        return;
    }
    each(|case, kind, release, what| {
        for before in case.mismatch {
            let mut words = *before;
            let outcome = ops::retry(|| (case.run)(kind, 0, &mut words, release));
            assert_eq!(outcome, Outcome::Mismatch, "{what}");
            assert_eq!(words, *before, "{what}");
        }
    });
}

#[test]
fn another_index_aborts_and_changes_nothing() {
    if nothing_to_test() {
        return;
    }
    each(|case, kind, release, what| {
        for before in [START, WORD, OTHER] {
            // So far away that no move of the thread makes it right.
            for away in [1 << 17, 1 << 31] {
                let mut words = before;
                let outcome = (case.run)(kind, away, &mut words, release);
                assert_eq!(outcome, Outcome::Aborted, "{what}");
                assert_eq!(words, before, "{what}");
            }
        }
    });
}

/// A delay of a second at one point, and a signal in the middle of it: no attempt survives that.
#[test]
fn a_signal_at_any_point_aborts() {
    extern "C" fn nothing(_: i32) {}
    if nothing_to_test() || !delay::set(Point::AddCommit, 0) {
        println!("no delays compiled in");
        return;
    }
    let mut random = Random(42);
    each(|case, kind, release, what| {
        on_signal(nothing);
        for point in case.points {
            let mut words = START;
            let over = AtomicBool::new(false);
            let thread = thread_id();
            let outcome = std::thread::scope(|scope| {
                delay::set(*point, 1_000_000_000);
                let pause = std::time::Duration::from_micros(200 + random.below(400) as u64);
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::SeqCst) {
                        std::thread::sleep(pause);
                        interrupt(thread);
                    }
                });
                let outcome = (case.run)(kind, 0, &mut words, release);
                over.store(true, Ordering::SeqCst);
                delay::set(*point, 0);
                outcome
            });
            assert_eq!(outcome, Outcome::Aborted, "{what}, at {point:?}");
            (case.scratch)(&mut words);
            assert_eq!(words, START, "{what}, at {point:?}");
        }
    });
}
