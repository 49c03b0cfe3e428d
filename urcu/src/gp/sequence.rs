//! Rounds: work that one thread does for all who wait for it.
//!
//! A grace period serves everybody who asked for one before it began; so does a process-wide barrier. A
//! caller *joins* the next round that has not begun, and then *waits* for it: whoever finds no leader
//! leads, the others sleep. Nobody waits for more than two rounds. A leader gives up the lead whenever it
//! has user code to run, and the next leader goes on with the round.
//!
//! Sequences lie in memory that a fork wipes, and a child makes new ones at another address. A thread that
//! forks in the middle of a round ends that round in the child on zeroes that nobody else uses: it waits for
//! nobody, and does not disturb the child's own rounds.
//!
//! The letters (J to O) are those of [`gp`](super).

use core::ptr;

use crate::gp::observer::{Observer, Unobserved};
use crate::sync::parker::Parker;
use crate::sync::{self, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
use crate::sys::Zeroed;

/// Zero is the state at rest before the first round.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Sequence {
    begun: AtomicU64,
    done: AtomicU64,
    /// 1 while somebody leads.
    led: AtomicU32,
    /// The parker to unpark when a leader has finished; null: none.
    watched: AtomicPtr<Parker>,
    /// The number of sleepers for the rounds of each parity, and the words they sleep on. When a round is
    /// done, all who wait for it are woken, and one of those who wait for the next round, to lead it.
    sleepers: [AtomicU32; 2],
    turns: [AtomicU32; 2],
}

// SAFETY: integers that are zero, and a pointer that is null, at rest.
unsafe impl Zeroed for Sequence {}

/// The number of a round: of a domain's sequence, the number of a grace period. The first round is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Round(u64);

impl Round {
    /// Before the first round.
    pub(crate) const NONE: Round = Round(0);
    /// After all rounds, none of which has this number.
    pub(crate) const LAST: Round = Round(u64::MAX);

    /// Returns the round of this number, which came from [`Round::number`] or from outside.
    pub(crate) const fn of_number(number: u64) -> Self {
        Round(number)
    }

    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Round(self.0.saturating_add(1))
    }

    /// Returns a bit that tells a round from the ones before and after it.
    const fn parity(self) -> usize {
        (self.0 & 1) as usize
    }
}

/// The right to do the work, until it is dropped.
pub(crate) struct Leader<'r>(&'r Sequence);

/// The next step of a caller that waits for a round.
pub(crate) enum Next<'r> {
    /// The round is done.
    Done,
    /// The caller leads: it does the work of one round, for which all who joined that round wait.
    Leader(Leader<'r>),
    /// Another thread leads, and it is time for the observer to check for a stall.
    Look,
}

impl Sequence {
    sync::const_fn! {
        pub(crate) fn new() -> Self {
            Sequence {
                begun: AtomicU64::new(0),
                done: AtomicU64::new(0),
                led: AtomicU32::new(0),
                watched: AtomicPtr::new(ptr::null_mut()),
                sleepers: [AtomicU32::new(0), AtomicU32::new(0)],
                turns: [AtomicU32::new(0), AtomicU32::new(0)],
            }
        }
    }

    /// Joins: returns the next round to begin.
    pub(crate) fn snap(&self) -> Round {
        // J: a read-modify-write reads the last value, and the leader's that comes after it in
        // the order of changes acquires ours. A plain load could miss that a round has begun.
        Round(self.begun.fetch_add(0, Ordering::Release) + 1)
    }

    /// Returns the last round that has begun, as far as the caller can know.
    pub(crate) fn begun(&self) -> Round {
        Round(self.begun.load(Ordering::Relaxed))
    }

    pub(crate) fn is_done(&self, round: Round) -> bool {
        // M
        self.done.load(Ordering::Acquire) >= round.0
    }

    /// Returns the last round that is done.
    #[inline]
    pub(crate) fn done(&self) -> Round {
        // M
        Round(self.done.load(Ordering::Acquire))
    }

    /// Takes the lead, unless another thread has it.
    pub(crate) fn try_lead(&self) -> Option<Leader<'_>> {
        // Acquire: pairs with the release in `drop`: what the leader before us left behind.
        let free = self
            .led
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        free.is_ok().then(|| Leader(self))
    }

    /// Returns whether the round can have been joined in this process: it is at most the next one. Any
    /// other round was joined in the process that forked this one, perhaps in the middle of the caller's
    /// work (in a signal handler, in a hook). Then there is nothing left to wait for.
    pub(crate) fn is_current_process(&self, round: Round) -> bool {
        // Whoever joined, or was told the number, sees `begun` as it was then or later.
        round <= self.begun().next()
    }

    /// Sleeps while other threads lead, and returns what the caller has to do next.
    pub(crate) fn next(&self, round: Round, observer: &dyn Observer) -> Next<'_> {
        while !self.is_done(round) && self.is_current_process(round) {
            match self.try_lead() {
                Some(lead) if !self.is_done(round) => return Next::Leader(lead),
                Some(_) => {}
                // Asked before the sleep, not after it: a wake-up that is meant to find a new leader would
                // be lost on a caller that reports first. Before the sleep another thread leads, and will
                // wake others.
                None if observer.is_deadlock_due() => return Next::Look,
                None => self.sleep(round, observer),
            }
        }
        Next::Done
    }

    /// Runs `work` once for all concurrent callers, starting after this call. Returns whether this caller ran
    /// it.
    ///
    /// # Errors
    /// Returns the error of `work` if this caller ran it. The others then try again.
    pub(crate) fn share<E>(&self, work: impl Fn() -> Result<(), E>) -> Result<bool, E> {
        let serve = |lead: &Leader<'_>| {
            lead.begin();
            work()?;
            lead.finish();
            Ok(true)
        };
        // Mostly nobody leads, and work of our own begins after this call in any case.
        if let Some(lead) = self.try_lead() {
            return serve(&lead);
        }
        let round = self.snap();
        let mut ours = false;
        while let Next::Leader(lead) = self.next(round, &Unobserved) {
            ours = serve(&lead)?;
        }
        Ok(ours)
    }

    fn sleep(&self, round: Round, observer: &dyn Observer) {
        let parity = round.parity();
        let (sleepers, turns) = (&self.sleepers[parity], &self.turns[parity]);
        sleepers.fetch_add(1, Ordering::Relaxed);
        // Turns that threads sleep on are odd: a child that a signal handler forks meanwhile finds 0, and
        // does not sleep. Relaxed, as in `wake`: a thread that sees the new turn here sees the reason for
        // it after N, because O comes before the change of the turn.
        let turn = turns.fetch_or(1, Ordering::Relaxed) | 1;
        // N: either the leader's look, after O, finds us, or we find what it did.
        fence(Ordering::SeqCst);
        if !self.is_done(round) && self.led.load(Ordering::Relaxed) != 0 {
            sync::futex_wait(turns, turn, observer.follower_patience());
        }
        sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes up to `how_many` sleepers of a parity. Called after O.
    fn wake(&self, parity: usize, how_many: i32) {
        if self.sleepers[parity].load(Ordering::Relaxed) != 0 {
            self.turns[parity].fetch_add(2, Ordering::Relaxed);
            sync::futex_wake(&self.turns[parity], how_many);
        }
    }

    /// Gives up the lead, and wakes those for whom a round is done or left to do.
    fn hand_over(&self) {
        let parity = self.done().parity();
        self.led.store(0, Ordering::Release);
        // O
        fence(Ordering::SeqCst);
        // One of those whose round is still to be led, then all whose round is done.
        self.wake(parity ^ 1, 1);
        self.wake(parity, i32::MAX);
    }

    /// Makes the present leader unpark `parker` when it gives up the lead. Returns false if nobody leads
    /// any more: then the caller sees the work of the last leader, and can take the lead.
    pub(crate) fn unpark_after_lead(&self, parker: &'static Parker) -> bool {
        self.watched
            .store(ptr::from_ref(parker).cast_mut(), Ordering::Relaxed);
        // N, for whoever parks there.
        fence(Ordering::SeqCst);
        self.led.load(Ordering::Relaxed) != 0
    }
}

impl Leader<'_> {
    /// Begins the next round, unless a leader that gave up has begun it already: rounds end one by
    /// one, or their sleepers' parities would not tell them apart.
    pub(crate) fn begin(&self) {
        let sequence = self.0;
        if sequence.begun.load(Ordering::Relaxed) == sequence.done.load(Ordering::Relaxed) {
            // K
            sequence.begun.fetch_add(1, Ordering::Acquire);
        }
    }

    /// Ends the round that was begun.
    pub(crate) fn finish(&self) {
        let round = self.0.begun.load(Ordering::Relaxed);
        // L
        self.0.done.store(round, Ordering::Release);
    }

    /// Gives up the lead in the middle of a round, for a thread that parks and is unparked when there is reason
    /// to go on. If another thread goes on with the round, it unparks this one when it gives up the lead.
    pub(crate) fn leave(self, parker: &'static Parker) {
        // The next leader sees it: released with the lead.
        self.0
            .watched
            .store(ptr::from_ref(parker).cast_mut(), Ordering::Relaxed);
        self.0.hand_over();
        core::mem::forget(self);
    }
}

impl Drop for Leader<'_> {
    /// Gives up the lead. In the middle of a round, others go on with it.
    fn drop(&mut self) {
        let sequence = self.0;
        sequence.hand_over();
        let parker = sequence.watched.load(Ordering::Relaxed);
        // SAFETY: null, or from a `&'static Parker`: nothing else is stored there.
        if let Some(parker) = unsafe { parker.as_ref() } {
            // In this order: whatever mark is taken away here, its thread looks around afterwards.
            sequence.watched.store(ptr::null_mut(), Ordering::Relaxed);
            parker.unpark();
        }
    }
}
