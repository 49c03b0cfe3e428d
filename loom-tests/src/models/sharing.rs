//! Callers that share rounds, grace periods and barriers.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::{World, off_cpu, on, witness};
use crate::gp::sequence::{Leader, Next, Round, Sequence};
use crate::kernel::{self, ALL_THREADS, AtomicUsize, Ordering, run_on, share_barriers};
use crate::stall::Patience;

/// The number of rounds that a model may need.
const ROUNDS: usize = 5;

/// A sequence of rounds whose work is to record the requests that it sees.
pub(super) struct Board {
    pub(super) sequence: Sequence,
    requests: [AtomicUsize; 3],
    /// For each round, the requests that its work saw. Each has a cell, so that a caller that returns may read one while
    /// others work on the next.
    served: [UnsafeCell<[usize; 3]>; ROUNDS],
    /// Written by every leader.
    ledger: UnsafeCell<usize>,
}

// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Sync for Board {}
// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Send for Board {}

impl Board {
    pub(super) fn new() -> Arc<Board> {
        kernel::boot(ALL_THREADS);
        Arc::new(Board {
            sequence: Sequence::new(),
            requests: [0, 1, 2].map(|_| AtomicUsize::new(0)),
            served: [0; ROUNDS].map(|_| UnsafeCell::new([0; 3])),
            ledger: UnsafeCell::new(0),
        })
    }

    /// Caller `n` asks for a round.
    pub(super) fn ask(&self, n: usize) -> Round {
        self.requests[n].store(1, Ordering::Relaxed);
        self.sequence.snap()
    }

    /// Waits for the round that caller `n` has joined, and checks that the round served it. Leaves early if the caller
    /// has something to report.
    pub(super) fn wait(&self, n: usize, round: Round, watch: &Patience) {
        loop {
            match self.sequence.next(round, watch) {
                Next::Done => break,
                Next::Leader(lead) => self.work(&lead),
                Next::Look => return,
            }
        }
        // SAFETY: loom checks that nobody writes meanwhile.
        let served = self.served[round.number() as usize].with(|served| unsafe { (*served)[n] });
        assert_eq!(
            served, 1,
            "served by a round that does not know of the caller"
        );
    }

    pub(super) fn call(&self, n: usize) -> Round {
        let round = self.ask(n);
        self.wait(n, round, &Patience::none());
        round
    }

    pub(super) fn work(&self, lead: &Leader<'_>) {
        lead.begin();
        self.serve();
        lead.finish();
    }

    /// Does the work of the round that has begun.
    pub(super) fn serve(&self) {
        // SAFETY: loom checks that nobody else leads.
        self.ledger.with_mut(|ledger| unsafe { *ledger += 1 });
        let seen = [0, 1, 2].map(|n| self.requests[n].load(Ordering::Relaxed));
        let round = self.sequence.done().next().number() as usize;
        // SAFETY: loom checks that nobody else leads, and so writes here.
        self.served[round].with_mut(|served| unsafe { *served = seen });
    }

    pub(super) fn spawn<R: 'static>(
        self: &Arc<Self>,
        program: impl FnOnce(&Board) -> R + 'static,
    ) -> thread::JoinHandle<R> {
        let board = Arc::clone(self);
        thread::spawn(move || program(&board))
    }
}

/// Obligation 7 (J to O) for two callers that come at any time.
pub(super) fn two_callers() {
    let board = Board::new();
    let other = board.spawn(|board| board.call(1));
    let sequence = [board.call(0), other.join().expect("a caller")];
    witness(0, sequence[0] == sequence[1]);
    witness(1, sequence[0] != sequence[1]);
}

/// Obligation 7 (J to O) for three callers.
pub(super) fn three_callers() {
    let board = Board::new();
    let others = [1, 2].map(|n| board.spawn(move |board| board.call(n)));
    let first = board.call(0);
    let [second, third] = others.map(|other| other.join().expect("a caller"));
    witness(0, first == second && second == third);
    witness(1, first.max(second).max(third) == Round::of_number(3));
}

/// Obligation 7: a grace period has already flipped, so it waits for no section that begins now. So a caller that
/// comes now may not return when this grace period is over.
pub(super) fn who_joins_after_the_flip_waits_for_the_next() {
    let world = World::new(ALL_THREADS);
    let old = world.enter_on(1);
    let first = world.join();
    assert!(!world.advance(first), "a section is open");
    let new = world.enter_on(0);
    let reader = on(0, &world, move |world, _| {
        world.read();
        world.exit(new);
    });
    let running = run_on(1);
    world.exit(old);
    drop(running);
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 4 and 7: the grace periods of two callers follow one another, or are the same.
pub(super) fn two_updaters() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| world.section());
    let updater = off_cpu(&world, World::update);
    world.update();
    updater.join().expect("the updater");
    reader.join().expect("the reader");
    let grace_periods = world.progress().sequence.done().number();
    witness(0, grace_periods == 1);
    witness(1, grace_periods == 2);
}

/// Obligations 1 and 7: the grace periods of two domains share a barrier, if it begins after both
/// have flipped.
pub(super) fn two_domains_share_a_barrier() {
    let ours = World::new(ALL_THREADS);
    let theirs = World::another();
    share_barriers();
    let also_theirs = Arc::clone(&theirs);
    let reader = on(0, &ours, move |ours, _| {
        ours.section();
        also_theirs.section();
    });
    let update = |world: &World| {
        let old = world.unpublish();
        let patience = Patience::none();
        let waited = world.phases.wait(world.progress(), world.join(), &patience);
        assert_eq!(waited, Ok(true));
        world.source.reclaim(old);
        patience.barriers()
    };
    let also_theirs = Arc::clone(&theirs);
    let updater = thread::spawn(move || update(&also_theirs));
    let issued = update(&ours) + updater.join().expect("the updater");
    reader.join().expect("the reader");
    witness(0, issued == 1);
    witness(1, issued == 2);
}
