//! Grace periods that nobody blocks for: the worker's turns, and who meets it.

use super::sharing::Board;
use super::{World, off_cpu, on, witness};
use crate::machine::{ALL_THREADS, Watch, pokes, run_on, survive, worker_sleep};

/// The worker's loop, until the round is done. It asks for what is done, as `Tasks::turn`.
fn drive(world: &World, round: u64) {
    loop {
        let seen = pokes();
        let is_over = world.advance(round);
        if world.periods.rounds.done() >= round {
            return;
        }
        assert!(!is_over, "not done, but over");
        worker_sleep(seen);
    }
}

/// As [`World::update`], by the worker.
fn update_by_worker(world: &World) {
    let old = world.unpublish();
    drive(world, world.join());
    world.source.reclaim(old);
}

/// Obligations 3 and 5 (F, G): the late end of a section pokes the worker.
pub(super) fn a_late_end_pokes_the_worker() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let reader = on(0, &world, move |world, _| {
        world.read();
        world.exit(token);
        world.section();
    });
    update_by_worker(&world);
    reader.join().expect("the reader");
}

/// Obligations 3, 4 and 5: the worker leaves a grace period in the middle, a caller that blocks
/// goes on with it, and takes the worker's mark away; the worker hears of its end all the same.
pub(super) fn a_caller_takes_over_from_the_worker() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let old = world.unpublish();
    let round = world.join();
    let worker = off_cpu(&world, move |world| {
        drive(world, round);
        world.source.reclaim(old);
    });
    let reader = on(0, &world, move |world, _| {
        world.read_at(0);
        world.exit(token);
    });
    world.wait(round);
    worker.join().expect("the worker");
    reader.join().expect("the reader");
}

/// Obligation 5: a caller takes the lead and the mark from the worker, and gives up (it finds that
/// it waits for itself). The worker hears of that.
pub(super) fn a_leader_that_gives_up_tells_the_worker() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let round = world.join();
    let worker = off_cpu(&world, move |world| drive(world, round));
    let watch = Watch::gives_up();
    let gave_up = !survive(|| world.periods.wait(round, &watch));
    witness(0, gave_up);
    let running = run_on(0);
    world.exit(token);
    drop(running);
    worker.join().expect("the worker");
}

/// Obligation 5: the worker waits until nobody leads, while two lead one after the other.
pub(super) fn the_worker_hears_of_every_leader() {
    let board = Board::new();
    let other = board.spawn(|board| board.call(1));
    let worker = board.spawn(|board| {
        loop {
            let seen = pokes();
            if !board.rounds.watch() {
                return;
            }
            worker_sleep(seen);
        }
    });
    board.call(0);
    other.join().expect("a caller");
    worker.join().expect("the worker");
}

/// Two threads take turns: the worker, and one that polls.
pub(super) fn two_pollers() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let old = world.unpublish();
    let round = world.join();
    let worker = off_cpu(&world, move |world| {
        drive(world, round);
        world.source.reclaim(old);
    });
    let reader = on(0, &world, move |world, _| {
        world.read_at(0);
        world.exit(token);
    });
    witness(0, world.advance(round));
    worker.join().expect("the worker");
    reader.join().expect("the reader");
}

/// A turn of the worker's that achieves nothing is no reason for another one.
pub(super) fn a_turn_in_vain_is_quiet() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let round = world.join();
    assert!(!world.advance(round), "a section is open");
    let seen = pokes();
    assert!(!world.advance(round), "a section is open");
    assert!(!world.advance(round), "a section is open");
    assert_eq!(pokes(), seen, "the worker pokes itself");
    let running = run_on(0);
    world.exit(token);
    drop(running);
    assert_ne!(pokes(), seen, "nobody poked the worker");
    assert!(world.advance(round), "no section is open");
}
