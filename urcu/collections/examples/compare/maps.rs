//! Hash maps.

use std::hint::black_box;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use crate::bytes::BYTES;
use crate::numbers::{Random, forget, key};
use crate::peers::{Peer, peers};
use crate::table::{Row, Subject, side_by_side, wanted};

fn row(name: String, maps: &[Box<dyn Peer>], operations: usize, work: impl Fn(&dyn Peer)) {
    let work = &work;
    let mut subjects: Vec<Subject<'_>> = Vec::new();
    for map in maps {
        subjects.push((map.name(), map.is_ours(), Box::new(move || work(&**map))));
    }
    side_by_side(&name, operations, &subjects);
}

/// The mixed load: `writes` of a hundred operations are insertions and removals, in equal parts.
fn mixed(map: &dyn Peer, keys: u64, writes: u64, operations: usize, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..operations {
        let drawn = random.next();
        let number = key((drawn >> 20) % (2 * keys));
        match drawn % 100 {
            kind if kind >= writes => forget(black_box(map.get(number))),
            kind if kind % 2 == 0 => map.insert(number, drawn),
            _ => map.remove(number),
        }
    }
}

pub(crate) fn measure() {
    print!("{:<34}", "least of 9 rounds, ns");
    for make in peers() {
        let map = make();
        let width = if map.is_ours() { 14 } else { 9 };
        print!(
            " {:>width$}",
            map.name().chars().take(width).collect::<String>()
        );
    }
    println!();
    for entries in [16u64, 1000, 65_536, 1 << 20, 4 << 20] {
        let asked = std::env::args().nth(1).unwrap_or_default();
        let asks_for = asked
            .split(':')
            .next()
            .and_then(|entries| entries.parse::<u64>().ok());
        if asked == "growing" || asks_for.is_some_and(|asked| asked != entries) {
            continue;
        }
        let mut bytes = Vec::new();
        let maps: Vec<_> = peers()
            .iter()
            .map(|make| {
                let before = BYTES.load(Relaxed);
                let map = make();
                (0..entries).for_each(|number| map.insert(key(number), number));
                urcu::barrier();
                let took = BYTES.load(Relaxed) - before;
                bytes.push((map.name(), map.is_ours(), took as f64 / entries as f64));
                map
            })
            .collect();
        let mut random = Random(entries);
        let operations = 200_000usize;
        let hits: Vec<_> = (0..operations)
            .map(|_| key(random.next() % entries))
            .collect();
        let misses: Vec<_> = (0..operations)
            .map(|_| key(random.next() | 1 << 63))
            .collect();
        let look = |keys: &[u64], map: &dyn Peer| {
            for &key in keys {
                black_box(map.get(key));
            }
        };
        row(
            format!("{entries}: hit, guard each"),
            &maps,
            operations,
            |map| look(&hits, map),
        );
        row(
            format!("{entries}: miss, guard each"),
            &maps,
            operations,
            |map| look(&misses, map),
        );
        row(
            format!("{entries}: hit, one guard"),
            &maps,
            operations,
            |map| {
                black_box(map.get_all(&hits));
            },
        );
        for writes in [1, 10, 50] {
            row(
                format!("{entries}: {writes} % writes, 2 threads"),
                &maps,
                operations,
                |map| {
                    thread::scope(|scope| {
                        for seed in [1, 2] {
                            scope.spawn(move || mixed(map, entries, writes, operations / 2, seed));
                        }
                    });
                },
            );
        }
        row(
            format!("{entries}: insert + remove"),
            &maps,
            operations / 4,
            |map| {
                for number in 0..operations as u64 / 4 {
                    map.insert(key(number | 1 << 60), number);
                    map.remove(key(number | 1 << 60));
                }
            },
        );
        if wanted("bytes") {
            Row {
                name: format!("{entries}: bytes an entry"),
                results: bytes,
            }
            .print();
        }
    }
    for entries in [1u64 << 20] {
        let name = format!("{entries}: insert, growing from empty");
        if wanted(&name) {
            let mut least = vec![f64::MAX; peers().len()];
            let mut names = Vec::new();
            for _ in 0..3 {
                names.clear();
                for (make, least) in peers().iter().zip(&mut least) {
                    let map = make();
                    let start = Instant::now();
                    (0..entries).for_each(|number| map.insert(key(number), number));
                    *least = least.min(start.elapsed().as_secs_f64() * 1e9 / entries as f64);
                    names.push((map.name(), map.is_ours()));
                }
            }
            let results = names
                .into_iter()
                .zip(least)
                .map(|((name, ours), least)| (name, ours, least));
            Row {
                name,
                results: results.collect(),
            }
            .print();
        }
    }
}
