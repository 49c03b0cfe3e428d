//! Replacing a boxed value of 24 bytes and retiring the old one, as the library and each peer do.

#![allow(missing_docs)] // of the functions that criterion's macros write

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use urcu_benches::results::updates;

fn update(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("updates");
    group.throughput(Throughput::Elements(1));
    for peer in updates::all() {
        group.bench_function(peer.name, |bencher| {
            bencher.iter_custom(|count| {
                // So short a stretch says nothing: its rate for so many is told.
                let stretch = (peer.run)(1, Duration::from_millis(20));
                (peer.drain)();
                Duration::from_nanos((stretch.ns_each() * count as f64) as u64)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, update);
criterion_main!(benches);
