//! One read-side section of the library and of each peer.

#![allow(missing_docs)] // of the functions that criterion's macros write

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use urcu_benches::{memb, subjects};

fn read_side(criterion: &mut Criterion) {
    let _registration = memb::register();
    let mut group = criterion.benchmark_group("read_side");
    group.throughput(Throughput::Elements(1));
    for kind in subjects::all() {
        let subject = kind.make(42);
        group.bench_function(kind.name, |bencher| {
            bencher.iter_custom(|count| subject.time(count).0);
        });
    }
    group.finish();
}

criterion_group!(benches, read_side);
criterion_main!(benches);
