//! Sections and grace periods: the counters, the barrier, and sleep while a section is open.

use loom::thread;

use super::{World, off_cpu, on, witness};
use crate::gp::sequence::Round;
use crate::kernel::{
    self, ALL_THREADS, AtomicUsize, Mode, ONE_SLOT, Ordering, abort_next, run_on, step,
};
use std::sync::Arc;

/// Store buffering, the litmus test of the emulated kernel itself: a compiler barrier in one thread and
/// `restart_sequences` in the other are as good as two fences.
pub(super) fn the_barrier_replaces_the_readers_fence() {
    let world = World::new(ALL_THREADS);
    let words = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let theirs = Arc::clone(&words);
    let reader = thread::spawn(move || {
        let _running = run_on(0);
        theirs[0].store(1, Ordering::Relaxed);
        step();
        theirs[1].load(Ordering::Relaxed)
    });
    words[1].store(1, Ordering::Relaxed);
    crate::gp::barrier::restart_sequences().expect("a barrier");
    let ours = words[0].load(Ordering::Relaxed);
    let theirs = reader.join().expect("the reader");
    assert!(ours == 1 || theirs == 1, "both loads came too early");
    drop(world);
}

/// Obligation 5 (F, G): one section is open when the grace period begins.
pub(super) fn a_late_end_wakes_the_writer() {
    a_late_end(ALL_THREADS);
}

/// Obligation 5 (F, G): the same without sequences.
pub(super) fn a_late_end_by_atomics_wakes_the_writer() {
    a_late_end(Mode::Atomics);
}

fn a_late_end(mode: Mode) {
    let world = World::new(mode);
    let running = run_on(0);
    let token = world.enter();
    drop(running);
    let reader = on(0, &world, move |world, _| {
        world.read();
        world.exit(token);
    });
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 5 (F, G): two sections are open and end on two CPUs, one of them on another CPU than it began. A wake-up
/// that was meant for an earlier sleep meets a later one.
pub(super) fn two_late_ends_wake_the_writer() {
    let world = World::new(ALL_THREADS);
    let running = run_on(0);
    let tokens = [world.enter(), world.enter()];
    drop(running);
    let readers = [0, 1].map(|n| on(n, &world, move |world, _| world.exit(tokens[n])));
    world.update();
    for reader in readers {
        reader.join().expect("a reader");
    }
}

/// Obligations 5 and 6: the writer may have counted an addition that is then taken back, and sleeps because of it.
pub(super) fn an_aborted_begin_by_atomics_wakes_the_writer() {
    let world = World::new(Mode::Atomics);
    let first = world.first.expect("set up");
    let reader = on(0, &world, move |world, _| {
        let token = world.enter();
        // The end would wake the writer too. A section of the new phase may stay open.
        if kernel::shared(first, kernel::stripe()).load(Ordering::Relaxed) != 0 {
            world.exit(token);
        }
    });
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 6: an addition that a section takes back after it lost the race must not pass for the end of another
/// section, whatever the stripes of the two are, and in whatever order the stripes are summed.
pub(super) fn an_addition_is_taken_back_beside_an_open_section() {
    let world = World::new(Mode::Atomics);
    let token = world.enter_on(1);
    let reader = on(1, &world, move |world, _| {
        world.read_at(0);
        world.exit(token);
    });
    // This section is on the first stripe.
    let loser = on(0, &world, |world, _| world.section());
    world.update();
    reader.join().expect("the reader");
    loser.join().expect("the loser");
}

/// Obligation 3 (D, E, L, M) for a thread that is not woken and has no fence of its own: it only sees that the grace
/// period is over.
fn a_bystander(mode: Mode, is_over: fn(&World, Round) -> bool) {
    let world = World::new(mode);
    let token = world.enter_on(0);
    let reader = on(0, &world, move |world, _| {
        world.read_at(0);
        world.exit(token);
    });
    let old = world.unpublish();
    let round = world.join();
    let bystander = off_cpu(&world, move |world| {
        let over = is_over(world, round);
        if over {
            world.source.reclaim(old);
        }
        witness(0, over);
        witness(1, !over);
    });
    world.wait(round);
    reader.join().expect("the reader");
    bystander.join().expect("the bystander");
}

/// Obligation 3 (D, E, L, M).
pub(super) fn a_bystander_sees_that_it_is_over() {
    a_bystander(ALL_THREADS, |world, round| {
        world.progress().sequence.is_done(round)
    });
}

/// Obligations 3 and 6 (D, E, L, M), with atomics.
pub(super) fn a_bystander_of_atomics_sees_that_it_is_over() {
    a_bystander(Mode::Atomics, |world, round| {
        world.progress().sequence.done() >= round
    });
}

/// Obligation 4: the kernel refuses a grace period its barrier. The next grace period must drain the phase of the
/// first one too before it flips back to that phase.
pub(super) fn a_grace_period_cut_short() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let old = world.unpublish();
    let round = world.join();
    kernel::refuse_next_barrier();
    assert!(!world.try_to_wait(round), "refused");
    let reader = on(0, &world, move |world, _| {
        world.read_at(0);
        world.exit(token);
        world.section();
    });
    world.wait(round);
    world.source.reclaim(old);
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 1 and 4: sections begin while the kernel refuses a barrier. The thread that goes on with that grace
/// period restarts the sequences first.
pub(super) fn a_barrier_refused_while_sections_begin() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| {
        world.section();
        world.section();
    });
    let old = world.unpublish();
    let round = world.join();
    kernel::refuse_next_barrier();
    assert!(!world.try_to_wait(round), "refused");
    world.wait(round);
    world.source.reclaim(old);
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 2 (A, B): a section that begins between the flip and the barrier is of the new phase.
/// Nobody waits for it, so it must not see the old value.
pub(super) fn new_sections_see_the_new_world() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| world.section());
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 1 to 4 (A to E), with two sections and two updates: with one of each, a late increment of the old phase
/// does no harm.
pub(super) fn two_sections_two_updates() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| {
        world.section();
        world.section();
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 3 and 4: a section begins on one CPU and ends on the other. The first grace period
/// settles the counters, and the second one relies on that.
pub(super) fn migration_and_settling() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, running| {
        let token = world.enter();
        running.migrate(1);
        world.read();
        world.exit(token);
        world.section();
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 3: a section inside another, and a guard that ends on another thread and CPU.
pub(super) fn nested_and_moved() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| {
        let outer = world.enter();
        let inner = world.enter();
        world.read();
        world.exit(outer);
        world.read();
        world.exit(inner);
    });
    let running = run_on(1);
    let token = world.enter();
    drop(running);
    let end = on(1, &world, move |world, running| {
        world.read();
        running.migrate(0);
        world.exit(token);
    });
    world.update();
    reader.join().expect("the reader");
    end.join().expect("the other reader");
}

/// Obligations 1 to 3 with two CPUs: the sum is read while sections end here and there.
pub(super) fn two_readers() {
    let world = World::new(ALL_THREADS);
    let readers = [0, 1].map(|cpu| on(cpu, &world, |world, _| world.section()));
    world.update();
    for reader in readers {
        reader.join().expect("a reader");
    }
}

/// Obligations 3 and 6: storms of signals make one section begin by a sequence and end by atomics,
/// another one the other way round, on another CPU.
pub(super) fn begun_one_way_ended_another() {
    /// More aborts than the attempts at one beginning or end of a section.
    const STORM: u32 = 40;
    let world = World::new(ALL_THREADS);
    // This leaves +1 to be settled, and makes the first phase current again.
    let running = run_on(1);
    let token = world.enter();
    abort_next(STORM);
    world.exit(token);
    abort_next(0);
    drop(running);
    world.synchronize();
    world.synchronize();
    let reader = on(0, &world, |world, running| {
        let token = world.enter();
        world.read();
        abort_next(STORM);
        world.exit(token);
        abort_next(STORM);
        let token = world.enter();
        abort_next(0);
        running.migrate(1);
        world.read();
        world.exit(token);
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 6 (H): no sequences anywhere.
pub(super) fn atomics_only() {
    let world = World::new(Mode::Atomics);
    let reader = on(1, &world, |world, _| {
        world.section();
        world.section();
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 1 and 6: a thread without rseq beside one with it.
pub(super) fn mixed_readers() {
    let world = World::new(Mode::EachThread);
    let reader = on(0, &world, |world, _| world.section());
    let unregistered = on(1, &world, |world, _| {
        kernel::leave_unregistered();
        world.section();
    });
    world.update();
    reader.join().expect("the reader");
    unregistered.join().expect("the unregistered reader");
}

/// Obligations 1 to 4 and 6: an unregistered thread in a process whose libc registers threads. The kernel would not
/// restart its sequences, so they must not commit.
pub(super) fn a_thread_without_a_registration() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| {
        kernel::leave_unregistered();
        world.section();
        world.section();
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 3 and 6: a section on a CPU that has no slot, which ends on one that has.
pub(super) fn a_cpu_without_a_slot() {
    let world = World::new(ONE_SLOT);
    let reader = on(1, &world, |world, running| {
        world.section();
        let token = world.enter();
        world.read();
        running.migrate(0);
        world.exit(token);
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 4 and 7: grace periods follow one another.
pub(super) fn two_updaters() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| world.section());
    let theirs = Arc::clone(&world);
    let updater = thread::spawn(move || theirs.update());
    world.update();
    updater.join().expect("the updater");
    reader.join().expect("the reader");
}
