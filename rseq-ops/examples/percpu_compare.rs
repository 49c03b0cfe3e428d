//! Compares the per-CPU structures with the obvious alternatives, on one thread without contention:
//! nanoseconds of one operation, medians of interleaved rounds, and the ratio of each round's pair.
//!
//! ```text
//! cargo run --release -p rseq-ops --example percpu_compare
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rseq_ops::percpu::{Counter, Mode, Node, Pool, Ring, Stack};

const ROUNDS: usize = 61;
const OPERATIONS: u32 = 100_000;

/// A comparison: ours, the alternative, and the ratio that is wanted.
struct Pair<'a> {
    name: &'a str,
    wanted: f64,
    ours: Box<dyn Fn() + 'a>,
    other: Box<dyn Fn() + 'a>,
}

fn time(run: &dyn Fn()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64() * 1e9 / f64::from(OPERATIONS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn malloc() -> *mut libc::c_void {
    // SAFETY: any size will do.
    unsafe { libc::malloc(64) }
}

fn free(memory: *mut libc::c_void) {
    // SAFETY: every caller's comes from `malloc`, and is used once.
    unsafe { libc::free(memory) };
}

fn main() {
    println!("{:?}", rseq_ops::process());
    let counter = Counter::new().expect("memory");
    let word = AtomicU64::new(0);
    let pool = Pool::<MaybeUninit<[u64; 8]>>::new().expect("memory");
    let burst = 16;
    let mut node = Node::new(0u64);
    let slot = RefCell::new(Some(&mut node));
    let stack = Stack::new().expect("memory");
    let mutex = Mutex::new(Vec::with_capacity(16));
    // First without a clock on either side: a call of the usual one takes longer than the rest.
    let ring = Ring::with_clock(Mode::Overwrite, 1 << 16, || 0).expect("memory");
    let queue = Mutex::new(VecDeque::with_capacity(1000));
    let timed_ring = Ring::new(Mode::Overwrite, 1 << 16).expect("memory");
    let timed_queue = Mutex::new(VecDeque::with_capacity(1000));
    let pairs = [
        Pair {
            name: "Counter::add / AtomicU64::fetch_add",
            wanted: 0.25,
            ours: Box::new(|| (0..OPERATIONS).for_each(|_| black_box(&counter).add(1))),
            other: Box::new(|| {
                (0..OPERATIONS).for_each(|_| {
                    black_box(&word).fetch_add(1, Ordering::Relaxed);
                });
            }),
        },
        Pair {
            name: "Pool alloc+free of 64 bytes / malloc+free",
            wanted: 0.6,
            ours: Box::new(|| {
                (0..OPERATIONS)
                    .for_each(|_| drop(black_box(black_box(&pool).alloc(MaybeUninit::uninit()))));
            }),
            other: Box::new(|| (0..OPERATIONS).for_each(|_| free(black_box(malloc())))),
        },
        Pair {
            name: "the same, 16 at a time",
            wanted: 0.6,
            ours: Box::new(|| {
                let mut held = [const { None }; 16];
                for _ in 0..OPERATIONS / burst {
                    held.iter_mut()
                        .for_each(|h| *h = Some(black_box(&pool).alloc(MaybeUninit::uninit())));
                    black_box(&mut held);
                    held.iter_mut().for_each(|h| *h = None);
                }
            }),
            other: Box::new(|| {
                let mut held = [std::ptr::null_mut(); 16];
                for _ in 0..OPERATIONS / burst {
                    held.iter_mut().for_each(|h| *h = malloc());
                    black_box(&mut held);
                    held.iter().for_each(|h| free(*h));
                }
            }),
        },
        Pair {
            name: "Stack push+pop / Mutex<Vec> push+pop",
            wanted: f64::NAN,
            ours: Box::new(|| {
                let mut slot = slot.borrow_mut();
                for _ in 0..OPERATIONS {
                    if let Some(node) = slot.take() {
                        black_box(&stack).push(node);
                    }
                    // None where the thread has just moved; then from wherever it is.
                    *slot = stack.pop().or_else(|| stack.take_all().ok()?.next());
                }
            }),
            other: Box::new(|| {
                for n in 0..OPERATIONS {
                    black_box(&mutex).lock().expect("alive").push(n);
                    black_box(mutex.lock().expect("alive").pop());
                }
            }),
        },
        Pair {
            name: "Ring::write of 24 bytes / Mutex<VecDeque> push, pop",
            wanted: f64::NAN,
            ours: Box::new(|| {
                (0..OPERATIONS).for_each(|n| {
                    let _ = black_box(&ring).write(&[n as u8; 24]);
                });
            }),
            other: Box::new(|| {
                for n in 0..OPERATIONS {
                    let mut queue = black_box(&queue).lock().expect("alive");
                    if queue.len() == 1000 {
                        queue.pop_front();
                    }
                    queue.push_back((0u64, [n as u8; 24]));
                }
            }),
        },
        Pair {
            name: "the same, with the usual clock on both sides",
            wanted: f64::NAN,
            ours: Box::new(|| {
                (0..OPERATIONS).for_each(|n| {
                    let _ = black_box(&timed_ring).write(&[n as u8; 24]);
                });
            }),
            other: Box::new(|| {
                for n in 0..OPERATIONS {
                    let mut queue = black_box(&timed_queue).lock().expect("alive");
                    if queue.len() == 1000 {
                        queue.pop_front();
                    }
                    queue.push_back((Instant::now(), [n as u8; 24]));
                }
            }),
        },
    ];
    let mut series = vec![(Vec::new(), Vec::new()); pairs.len()];
    for round in 0..ROUNDS + 2 {
        for (pair, series) in pairs.iter().zip(&mut series) {
            let (ours, other) = if round % 2 == 0 {
                let ours = time(&pair.ours);
                (ours, time(&pair.other))
            } else {
                let other = time(&pair.other);
                (time(&pair.ours), other)
            };
            if round >= 2 {
                series.0.push(ours);
                series.1.push(other);
            }
        }
    }
    println!(
        "{:55} {:>8} {:>8} {:>6} {:>6}",
        "", "ours ns", "other ns", "ratio", "wanted"
    );
    for (pair, (ours, other)) in pairs.iter().zip(series) {
        let ratio = median(ours.iter().zip(&other).map(|(a, b)| a / b).collect());
        println!(
            "{:55} {:8.2} {:8.2} {ratio:6.2} {:6.2}",
            pair.name,
            median(ours),
            median(other),
            pair.wanted
        );
    }
}
