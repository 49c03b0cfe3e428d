//! Callers that sleep while others lead, and take over from them. Most of these models need only the words of the
//! rounds: a lost wake-up is a deadlock, which loom reports.

use super::sharing::Board;
use super::{World, off_cpu, on, witness};
use crate::kernel::{ALL_THREADS, refuse_next_barrier, run_on};
use crate::stall::Patience;

/// Obligation 5 (N, O): two threads sleep when a round is done. One waits for that round, the other for the next one,
/// which nobody leads.
pub(super) fn followers_wake_up() {
    let board = Board::new();
    let lead = board.sequence.try_lead().expect("the lead");
    let round = board.ask(1);
    let served = board.spawn(move |board| board.wait(1, round, &Patience::none()));
    lead.begin();
    let next = board.spawn(|board| board.call(2));
    board.serve();
    lead.finish();
    drop(lead);
    served.join().expect("a follower");
    next.join().expect("the next leader");
}

/// Runs two threads that wait for a round that this thread leads. `and_another` says whether this thread needs another
/// round itself.
fn two_followers(and_another: bool) {
    let board = Board::new();
    let lead = board.sequence.try_lead().expect("the lead");
    let followers = [1, 2].map(|n| {
        let round = board.ask(n);
        board.spawn(move |board| board.wait(n, round, &Patience::none()))
    });
    board.work(&lead);
    drop(lead);
    if and_another {
        board.call(0);
    }
    for follower in followers {
        follower.join().expect("a follower");
    }
}

/// Obligation 5: all threads that wait for one round wake up when it is done.
pub(super) fn all_followers_wake_up() {
    two_followers(false);
}

/// Obligation 5: all threads that wait for one round wake up when it is done, even if the next round is done before
/// they are woken and its leader keeps the lead until they have returned.
pub(super) fn all_followers_wake_up_while_another_leads() {
    let board = Board::new();
    let lead = board.sequence.try_lead().expect("the lead");
    let followers = [1, 2].map(|n| {
        let round = board.ask(n);
        board.spawn(move |board| board.wait(n, round, &Patience::none()))
    });
    // In most executions the threads are asleep by then.
    loom::thread::yield_now();
    board.work(&lead);
    // This thread begins the round: a thread that begins one reads which round is done, and loom remembers only the
    // last access to each word. It would not try the case in which that read precedes the access of this thread.
    lead.begin();
    let other = board.spawn(move |board| {
        let lead = board.sequence.try_lead();
        lead.as_ref().inspect(|lead| lead.finish());
        witness(0, lead.is_some());
        for follower in followers {
            follower.join().expect("a follower");
        }
    });
    drop(lead);
    other.join().expect("the next leader");
}

/// Obligation 5: a thread does not go to sleep for a round that is done, even if the next one already has a leader.
pub(super) fn followers_of_a_round_that_another_follows() {
    two_followers(true);
}

/// Obligation 5: sleeps with a time limit end at any time.
pub(super) fn followers_with_a_time_limit() {
    let board = Board::new();
    let other = board.spawn(|board| {
        let round = board.ask(1);
        board.wait(1, round, &Patience::with_limits(1));
    });
    let round = board.ask(0);
    board.wait(0, round, &Patience::with_limits(1));
    other.join().expect("a caller");
}

/// Obligation 5: a leader gives up in the middle of a round. Two threads sleep for that round, and a newcomer may lead
/// before they do.
pub(super) fn a_leader_gives_up() {
    let board = Board::new();
    let lead = board.sequence.try_lead().expect("the lead");
    let followers = [1, 2].map(|n| {
        let round = board.ask(n);
        board.spawn(move |board| board.wait(n, round, &Patience::none()))
    });
    lead.begin();
    drop(lead);
    board.call(0);
    for follower in followers {
        follower.join().expect("a follower");
    }
}

/// Obligation 5: a thread that is woken to lead has something to report by then, and never returns from its report.
pub(super) fn who_is_woken_to_lead_reports() {
    let board = Board::new();
    let lead = board.sequence.try_lead().expect("the lead");
    lead.begin();
    let reports = board.spawn(|board| {
        let round = board.ask(1);
        // The thread may also lead and return.
        board.wait(1, round, &Patience::reports_when_woken());
    });
    let other = board.spawn(|board| board.call(2));
    board.serve();
    lead.finish();
    drop(lead);
    reports.join().expect("another follower");
    other.join().expect("a follower");
}

/// Obligation 5: a thread that waits for the next grace period finds one that was left in the middle, and ends both.
/// Two threads sleep for the first.
pub(super) fn one_leader_two_grace_periods() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let round = world.join();
    assert!(!world.advance(round), "a section is open");
    let running = run_on(0);
    world.exit(token);
    drop(running);
    let followers = [0, 1].map(|_| off_cpu(&world, move |world| world.wait(round)));
    world.synchronize();
    for follower in followers {
        follower.join().expect("a follower");
    }
}

/// Obligations 1, 4 and 5: the kernel refuses the leader a barrier. Another waiting thread restarts the sequences
/// before it sums, and does not flip again.
pub(super) fn a_refused_leader_is_replaced() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let reader = on(0, &world, move |world, _| {
        world.read();
        world.exit(token);
        world.section();
    });
    let updater = off_cpu(&world, World::update);
    refuse_next_barrier();
    let refused = !world.try_to_wait(world.join());
    updater.join().expect("the updater");
    reader.join().expect("the reader");
    witness(0, refused);
    witness(1, !refused);
}
