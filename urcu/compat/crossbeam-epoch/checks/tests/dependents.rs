//! What depends on crossbeam-epoch, at work. `.ci/crossbeam` runs this on the face.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use congee::Congee;
use moka::sync::Cache;
use rayon::prelude::*;

/// Counts the values of it that are alive.
struct Alive(Arc<AtomicUsize>, u64);

impl Alive {
    fn new(count: &Arc<AtomicUsize>, value: u64) -> Self {
        count.fetch_add(1, SeqCst);
        Alive(Arc::clone(count), value)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// moka#383: what is evicted is dropped, and not only when the process is busy.
#[test]
fn what_moka_evicts_is_dropped_before_long() {
    const ROOM: u64 = 100;
    let alive = Arc::new(AtomicUsize::new(0));
    let cache: Cache<u64, Arc<Alive>> = Cache::new(ROOM);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, alive) = (&cache, &alive);
            scope.spawn(move || {
                for key in (0..5000).map(|number| number * 4 + thread) {
                    cache.insert(key, Arc::new(Alive::new(alive, key)));
                    if let Some(value) = cache.get(&key) {
                        assert_eq!(value.1, key);
                    }
                }
            });
        }
    });
    cache.run_pending_tasks();
    // Nobody uses the cache any more.
    while alive.load(SeqCst) as u64 > cache.entry_count() {
        thread::yield_now();
    }
    assert!(cache.entry_count() <= ROOM);
    cache.invalidate_all();
    drop(cache);
    while alive.load(SeqCst) != 0 {
        thread::yield_now();
    }
}

#[test]
fn congee_finds_what_was_inserted_while_others_insert_and_remove() {
    let tree = Congee::<usize, usize>::default();
    thread::scope(|scope| {
        for thread in 0..4 {
            let tree = &tree;
            scope.spawn(move || {
                for number in 0..20_000 {
                    let guard = tree.pin();
                    let key = number * 4 + thread;
                    tree.insert(key, key + 1, &guard).expect("memory");
                    assert_eq!(tree.get(&key, &guard), Some(key + 1));
                    if number % 3 == 0 {
                        assert_eq!(tree.remove(&key, &guard), Some(key + 1));
                    }
                }
            });
        }
    });
    let guard = tree.pin();
    for key in 0..80_000 {
        let removed = (key / 4) % 3 == 0;
        assert_eq!(
            tree.get(&key, &guard),
            (!removed).then_some(key + 1),
            "{key}"
        );
    }
}

#[test]
fn rayon_sorts_and_sums() {
    let mut numbers: Vec<u64> = (0..200_000_u64)
        .map(|n| n.wrapping_mul(0x9e37_79b9) % 100_003)
        .collect();
    let sum: u64 = numbers.iter().sum();
    for _ in 0..5 {
        numbers.par_sort_unstable_by(|one, other| other.cmp(one));
        assert!(numbers.is_sorted_by(|one, other| one >= other));
        numbers.par_sort();
        assert!(numbers.is_sorted());
        assert_eq!(numbers.par_iter().sum::<u64>(), sum);
    }
    fn fibonacci(number: u64) -> u64 {
        if number < 2 {
            return number;
        }
        let (one, other) = rayon::join(|| fibonacci(number - 1), || fibonacci(number - 2));
        one + other
    }
    assert_eq!(fibonacci(22), 17_711);
}

/// The patch has put the face there, if it should be.
#[test]
fn this_is_on_the_face_if_it_should_be() {
    let wanted = std::env::var("EXPECT_FACE").is_ok_and(|value| value == "1");
    let before = urcu_threads();
    crossbeam_epoch::pin().defer(|| ());
    while wanted && urcu_threads() == 0 {
        thread::yield_now();
    }
    assert!(wanted || before == 0);
}

/// Returns how many threads bear the name of those that run callbacks.
fn urcu_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim() == "urcu-callbacks")
        .count()
}
