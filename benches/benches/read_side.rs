//! One read-side section of the library and of each peer.

#![allow(missing_docs)] // of the functions that criterion's macros write

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use urcu_benches::memb;
use urcu_benches::sections::{self, Data};

fn read_side(criterion: &mut Criterion) {
    let data = Data::new(42);
    let _registration = memb::register();
    let mut group = criterion.benchmark_group("read_side");
    group.throughput(Throughput::Elements(1));
    for section in sections::all() {
        group.bench_function(section.name, |bencher| {
            bencher.iter_custom(|count| section.time(&data, count).0);
        });
    }
    group.finish();
}

criterion_group!(benches, read_side);
criterion_main!(benches);
