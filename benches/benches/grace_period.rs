//! `synchronize` of the library and of liburcu-memb, and the plain `membarrier` call: idle and
//! with one busy reader.

#![allow(missing_docs)] // of the functions that criterion's macros write

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use urcu_benches::grace::Data;
use urcu_benches::grace::{self, IdleThreads};

fn grace_period(criterion: &mut Criterion) {
    let data = Arc::new(Data::new(42));
    // As in `rcu-compare`: the process has a second thread throughout.
    let (_company, _) = IdleThreads::spawn(1, None);
    let mut group = criterion.benchmark_group("grace_period");
    for library in grace::measured() {
        group.bench_function(format!("{}, idle", library.name), |bencher| {
            bencher.iter(library.synchronize);
        });
        group.bench_function(format!("{}, busy reader", library.name), |bencher| {
            let _reader = grace::busy_reader(library, &data);
            bencher.iter(library.synchronize);
        });
    }
    group.finish();
}

criterion_group!(benches, grace_period);
criterion_main!(benches);
