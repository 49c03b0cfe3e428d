//! More litmus shapes between a section and a grace period: R, and what belongs to a section. An
//! access of the reader's counts as before the section's end or behind its begin, wherever it is.
//!
//! Not here, because loom never shows them, with a grace period or without: LB, for a load never
//! returns a later store; S and 2+2W, for of two stores to a word the one that runs last is the last.
//! `litmus/section-*` has what they come down to.

use std::sync::Arc;

use super::litmus::{Words, get, set, words};
use super::{World, on, witness};
use crate::kernel::{ALL_THREADS, AtomicUsize, Ordering, Running, step};

/// Starts a reader on CPU 0, whose answer is in the word when it has ended.
fn reader(
    world: &Arc<World>,
    words: &Words,
    program: impl FnOnce(&World, &Running, &Words) -> usize + 'static,
) -> (loom::thread::JoinHandle<()>, Arc<AtomicUsize>) {
    let answer = Arc::new(AtomicUsize::new(0));
    let (words, theirs) = (Arc::clone(words), Arc::clone(&answer));
    let thread = on(0, world, move |world, running| {
        theirs.store(program(world, running, &words), Ordering::Relaxed);
    });
    (thread, answer)
}

/// R: a store before a grace period comes after the section's second one; then what comes after the
/// grace period sees the section's first one. Whether it does not.
fn first_store_is_missed(grace_period: bool) -> bool {
    let world = World::new(ALL_THREADS);
    let words = words();
    let (reader, _) = reader(&world, &words, |world, _, words| {
        let token = world.enter();
        step();
        set(words, 0);
        step();
        set(words, 1);
        step();
        world.exit(token);
        0
    });
    words[1].store(2, Ordering::Relaxed);
    if grace_period {
        world.synchronize();
    }
    let x = get(&words, 0);
    reader.join().expect("the reader");
    // A read-modify-write sees the last value.
    let y = words[1].fetch_add(0, Ordering::Relaxed);
    witness(0, (y, x) == (2, 1));
    (y, x) == (2, 0)
}

/// Obligations 1 to 3.
pub(super) fn a_store_before_and_a_load_after() {
    assert!(!first_store_is_missed(true), "the first store was missed");
}

/// The same with nothing in the place of the grace period.
pub(super) fn a_store_and_a_load_without_a_grace_period() {
    witness(1, first_store_is_missed(false));
}

/// Store buffering; the reader stores to x and answers what it loads from y.
fn store_buffering(program: impl FnOnce(&World, &Running, &Words) -> usize + 'static) {
    let world = World::new(ALL_THREADS);
    let words = words();
    let (reader, answer) = reader(&world, &words, program);
    set(&words, 1);
    world.synchronize();
    let x = get(&words, 0);
    reader.join().expect("the reader");
    let y = answer.load(Ordering::Relaxed);
    assert_ne!((x, y), (0, 0), "both missed the other's store");
    witness(0, (x, y) == (0, 1));
    witness(1, (x, y) == (1, 0));
    witness(2, (x, y) == (1, 1));
}

/// An inner section ends between the two: the outer one holds.
pub(super) fn store_buffering_around_an_inner_section() {
    store_buffering(|world, _, words| {
        let outer = world.enter();
        set(words, 0);
        let inner = world.enter();
        step();
        world.exit(inner);
        step();
        let y = get(words, 1);
        world.exit(outer);
        y
    });
}

/// The section goes to another CPU between the two.
pub(super) fn store_buffering_across_cpus() {
    store_buffering(|world, running, words| {
        let token = world.enter();
        set(words, 0);
        running.migrate(1);
        step();
        let y = get(words, 1);
        world.exit(token);
        y
    });
}

/// An empty section between the two is as good: the store lies before its end, the load behind its
/// begin.
pub(super) fn store_buffering_around_an_empty_section() {
    store_buffering(|world, _, words| {
        set(words, 0);
        step();
        let token = world.enter();
        step();
        world.exit(token);
        step();
        get(words, 1)
    });
}
