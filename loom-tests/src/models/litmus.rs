//! Litmus shapes between read-side sections and grace periods, as the tests of SRCU in the Linux
//! kernel memory model. Nothing but sections and grace periods orders the words. The rule: a cycle
//! with at least as many grace periods as sections is forbidden. What it does not forbid must be
//! seen, or the model would prove nothing.

use std::sync::Arc;

use loom::thread;

use super::{World, on, witness};
use crate::kernel::{ALL_THREADS, AtomicUsize, Ordering, step};

/// The words x, y and z.
pub(super) type Words = Arc<[AtomicUsize; 3]>;

pub(super) fn words() -> Words {
    Arc::new([0, 1, 2].map(|_| AtomicUsize::new(0)))
}

pub(super) fn set(words: &Words, word: usize) {
    words[word].store(1, Ordering::Relaxed);
}

pub(super) fn get(words: &Words, word: usize) -> usize {
    words[word].load(Ordering::Relaxed)
}

/// A section on a CPU that does two things, with room for an interrupt before, between and after.
fn section<A: 'static, B: 'static>(
    cpu: usize,
    world: &Arc<World>,
    words: &Words,
    first: impl FnOnce(&Words) -> A + 'static,
    second: impl FnOnce(&Words) -> B + 'static,
) -> thread::JoinHandle<(A, B)> {
    let (words, world) = (Arc::clone(words), Arc::clone(world));
    thread::spawn(move || {
        let running = crate::kernel::run_on(cpu);
        let token = world.enter();
        step();
        let first = first(&words);
        step();
        let second = second(&words);
        step();
        world.exit(token);
        drop(running);
        (first, second)
    })
}

/// Obligations 1 and 2, message passing, both ways round: who sees what came after a grace period
/// sees what came before.
pub(super) fn message_passing() {
    let world = World::new(ALL_THREADS);
    let words = words();
    let theirs = Arc::clone(&words);
    let reader = on(0, &world, move |world, _| {
        for order in [[0, 1], [1, 0]] {
            let token = world.enter();
            let mut seen = [0, 0];
            for word in order {
                step();
                seen[word] = get(&theirs, word);
            }
            world.exit(token);
            assert_ne!(seen, [0, 1], "the store after, not the one before");
            witness(0, seen == [0, 0]);
            witness(1, seen == [1, 0]);
            witness(2, seen == [1, 1]);
        }
    });
    set(&words, 0);
    world.synchronize();
    set(&words, 1);
    reader.join().expect("the reader");
}

/// Obligations 1 and 3, store buffering: a section and a grace period cannot both miss the other's
/// store.
pub(super) fn store_buffering() {
    let world = World::new(ALL_THREADS);
    let words = words();
    let reader = section(0, &world, &words, |w| set(w, 0), |w| get(w, 1));
    set(&words, 1);
    world.synchronize();
    let x = get(&words, 0);
    let ((), y) = reader.join().expect("the reader");
    assert_ne!((x, y), (0, 0), "both missed the other's store");
    witness(0, (x, y) == (0, 1));
    witness(1, (x, y) == (1, 0));
    witness(2, (x, y) == (1, 1));
}

/// The same with nothing in the place of the grace period: what was forbidden is seen.
pub(super) fn store_buffering_without_a_grace_period() {
    let world = World::new(ALL_THREADS);
    let words = words();
    let reader = section(0, &world, &words, |w| set(w, 0), |w| get(w, 1));
    set(&words, 1);
    let x = get(&words, 0);
    let ((), y) = reader.join().expect("the reader");
    witness(0, (x, y) == (0, 0));
}

/// Two sections and so many grace periods in one cycle; whether all three missed a store.
fn two_sections_in_a_cycle(grace_periods: usize) -> bool {
    let world = World::new(ALL_THREADS);
    let words = words();
    let first = section(0, &world, &words, |w| set(w, 0), |w| get(w, 1));
    let second = section(1, &world, &words, |w| set(w, 1), |w| get(w, 2));
    set(&words, 2);
    for _ in 0..grace_periods {
        world.synchronize();
    }
    let x = get(&words, 0);
    let ((), y) = first.join().expect("a reader");
    let ((), z) = second.join().expect("a reader");
    (x, y, z) == (0, 0, 0)
}

/// Two sections and one grace period: allowed.
pub(super) fn one_grace_period_for_two_sections() {
    witness(0, two_sections_in_a_cycle(1));
}

/// Two sections and two grace periods: forbidden.
pub(super) fn two_grace_periods_for_two_sections() {
    assert!(!two_sections_in_a_cycle(2), "three missed a store");
}

/// Independent reads of independent writes: a section and a grace period agree on their order.
pub(super) fn independent_reads() {
    let world = World::new(ALL_THREADS);
    let words = words();
    let writers = [0, 1].map(|word| {
        let words = Arc::clone(&words);
        thread::spawn(move || set(&words, word))
    });
    let reader = section(0, &world, &words, |w| get(w, 0), |w| get(w, 1));
    let y = get(&words, 1);
    world.synchronize();
    let x = get(&words, 0);
    let section = reader.join().expect("the reader");
    for writer in writers {
        writer.join().expect("a writer");
    }
    let (section, grace_period) = (section == (1, 0), (y, x) == (1, 0));
    assert!(!(section && grace_period), "two orders of two stores");
    witness(0, section);
    witness(1, grace_period);
}

/// The same without the grace period: two orders are seen.
pub(super) fn independent_reads_without_a_grace_period() {
    let world = World::new(ALL_THREADS);
    let words = words();
    let writers = [0, 1].map(|word| {
        let words = Arc::clone(&words);
        thread::spawn(move || set(&words, word))
    });
    let reader = section(0, &world, &words, |w| get(w, 0), |w| get(w, 1));
    let (y, x) = (get(&words, 1), get(&words, 0));
    let section = reader.join().expect("the reader");
    for writer in writers {
        writer.join().expect("a writer");
    }
    witness(0, section == (1, 0) && (y, x) == (1, 0));
}
