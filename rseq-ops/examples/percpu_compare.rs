//! Compares the per-CPU structures with the obvious alternatives, on one thread without contention:
//! nanoseconds of one operation, medians of interleaved rounds, and the ratio of each round's pair.
//!
//! ```text
//! cargo run --release -p rseq-ops --example percpu_compare
//! ```

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rseq_ops::percpu::Counter;

const ROUNDS: usize = 61;
const OPERATIONS: u32 = 100_000;

/// What is compared: ours, the alternative, and the ratio that is wanted.
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

fn main() {
    println!("{:?}", rseq_ops::process());
    let counter = Counter::new().expect("memory");
    let word = AtomicU64::new(0);
    let pairs = [Pair {
        name: "Counter::add / AtomicU64::fetch_add",
        wanted: 0.25,
        ours: Box::new(|| (0..OPERATIONS).for_each(|_| black_box(&counter).add(1))),
        other: Box::new(|| {
            (0..OPERATIONS).for_each(|_| {
                black_box(&word).fetch_add(1, Ordering::Relaxed);
            });
        }),
    }];
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
