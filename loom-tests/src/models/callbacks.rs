//! When callbacks may run: the sealing of chunks.

use std::cell::RefCell;
use std::sync::Arc;

use super::{World, off_cpu, on, witness};
use crate::machine::{
    ALL_THREADS, Appended, Ordering, Outcome, Watch, buffer, callback, new_chunk, run_on, step,
};
use crate::sealing;

/// Gives the CPU that the calling thread runs on a chunk; its start.
fn give_chunk(world: &World) -> usize {
    let chunk = new_chunk();
    // SAFETY: an empty chunk.
    let replaced = unsafe { world.periods.readers.replace_chunk(0, chunk) };
    assert_eq!(replaced, Outcome::Committed);
    chunk
}

/// Unpublishes the first value and appends its reclaim; the new end of the chunk, if that was done.
fn retire(world: &World) -> Option<usize> {
    let old = world.source.current.swap(1, Ordering::Release);
    step();
    for _ in 0..4 {
        // SAFETY: the record is valid.
        match unsafe { world.periods.readers.append(&raw const old) } {
            Appended::At(end) => return Some(end),
            // A flip, and nobody has given this CPU a chunk for the new period.
            Appended::Full(_) => return None,
            Appended::Aborted => {}
        }
    }
    panic!("a grace period aborts a sequence once")
}

/// A chunk that a grace period collects waits for the next one: for this one, a section may have
/// begun after the flip and still see what was unpublished.
pub(super) fn what_a_flip_collects_waits_for_the_next() {
    let world = World::new(ALL_THREADS);
    let running = run_on(1);
    give_chunk(&world);
    drop(running);
    let reader = on(0, &world, |world, _| world.section());
    let theirs = Arc::clone(&world);
    let updater = loom::thread::spawn(move || {
        let _running = run_on(1);
        retire(&theirs)
    });
    let sealed = RefCell::new(Vec::new());
    let ends = |old| {
        sealing::collect(&world.periods.rounds, old, |_, end, round| {
            sealed.borrow_mut().push((end, round));
        });
    };
    world.periods.wait(world.join(), &Watch::collecting(&ends));
    let sealed = sealed.into_inner();
    witness(0, sealed.iter().any(|(end, _)| callback(*end).is_some()));
    witness(1, sealed.iter().all(|(end, _)| callback(*end).is_none()));
    for (end, round) in &sealed {
        if let Some(old) = callback(*end) {
            world.wait(*round);
            world.source.reclaim(old);
        }
    }
    let appended = updater.join().expect("the updater");
    let empty = |(end, _): &(usize, u64)| Some(end + 1) == appended;
    assert!(
        !sealed.iter().any(empty),
        "appended to a chunk that was taken"
    );
    reader.join().expect("the reader");
}

/// A chunk that is full waits for a grace period that begins after it was taken, not for one that
/// has flipped already.
pub(super) fn a_full_chunk_waits_for_the_next_to_begin() {
    let world = World::new(ALL_THREADS);
    let running = run_on(1);
    give_chunk(&world);
    drop(running);
    let reader = on(0, &world, |world, _| world.section());
    let leader = off_cpu(&world, World::synchronize);
    let theirs = Arc::clone(&world);
    let updater = loom::thread::spawn(move || {
        let _running = run_on(1);
        let end = retire(&theirs)?;
        // SAFETY: an empty chunk.
        let round = unsafe { sealing::exchange(&theirs.periods, end, new_chunk()) }?;
        Some((end, round))
    });
    let sealed = updater.join().expect("the updater");
    witness(0, sealed.is_some_and(|(_, round)| round == 1));
    witness(1, sealed.is_some_and(|(_, round)| round == 2));
    if let Some((end, round)) = sealed {
        world.wait(round);
        world.source.reclaim(callback(end).expect("a callback"));
    }
    leader.join().expect("the leader");
    reader.join().expect("the reader");
}

/// A chunk leaves its slot once: by the thread that finds it full, or with the grace period.
pub(super) fn a_chunk_leaves_its_slot_once() {
    let world = World::new(ALL_THREADS);
    let running = run_on(1);
    give_chunk(&world);
    let end = retire(&world).expect("no grace period yet");
    drop(running);
    let theirs = Arc::clone(&world);
    let updater = loom::thread::spawn(move || {
        let _running = run_on(1);
        // SAFETY: an empty chunk.
        unsafe { sealing::exchange(&theirs.periods, end, new_chunk()) }.is_some()
    });
    let taken = RefCell::new(Vec::new());
    let ends = |old| {
        sealing::collect(&world.periods.rounds, old, |_, end, _| {
            taken.borrow_mut().push(end)
        });
    };
    world.periods.wait(world.join(), &Watch::collecting(&ends));
    let exchanged = updater.join().expect("the updater");
    let collected = taken.borrow().contains(&end);
    let left = [world.first, world.first ^ crate::machine::PERIOD_BIT]
        .into_iter()
        .any(|word| buffer(word, 1).load(Ordering::Relaxed) == end);
    let places = [exchanged, collected, left];
    assert_eq!(
        places.into_iter().filter(|place| *place).count(),
        1,
        "exchanged, collected, left: {places:?}"
    );
    witness(0, exchanged);
    witness(1, collected);
}
