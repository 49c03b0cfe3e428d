//! A domain's callbacks that have left the CPUs' slots: sealed chunks that wait for a grace period, in
//! stripes, one for each CPU.
//!
//! A chunk is *sealed* when no thread adds to it any more. It is then given the number of the grace period
//! that all of its callbacks have to wait for. There are three ways:
//! * A thread that finds its CPU's chunk full puts an empty one there, by a restartable sequence,
//!   and seals the full one for the next grace period to begin.
//! * At the end of a grace period its leader takes the chunks out of the slots of the old phase. Since the
//!   flip and the restart, no sequence adds to them. But their values may have been unpublished so late
//!   that the stores became visible only with that restart, after readers had begun in the new phase, for
//!   which this grace period did not wait. So these chunks wait for the **next** one.
//! * Chunks that are filled under the stripe's lock, where there are no sequences, are sealed under
//!   it, for the next grace period to begin.
//!
//! A chunk has a *ticket* of its stripe from before it leaves its slot until its last callback has run:
//! `barrier` waits for tickets.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};
// Counts for statistics, budgets and pace order nothing: the models leave them out.
use core::sync::atomic::{AtomicU64, AtomicUsize};
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};

use super::chunk::{Chunk, Part, ROOM};
use super::record::Callback;
use crate::gp::sequence::{Round, Sequence};
use crate::sync::{self, AtomicBool, AtomicU32, Mutex, MutexGuard, fence};
use crate::sys::{self, INVOKE_BATCH};

/// The greatest number of stripes.
const STRIPES: usize = 16;

/// The number of empty chunks that a stripe keeps, because their memory is in its CPU's cache.
const SPARE: usize = 48;

#[derive(Debug)]
pub(crate) struct Queue {
    stripes: Box<[Stripe]>,
    counts: Counts,
    pub(super) panicked: AtomicU64,
    /// The numbers of callbacks that had to wait for room in the budget, and that were queued without room.
    pub(super) held_up: AtomicU64,
    pub(super) over_budget: AtomicU64,
    /// True if a slot was given a chunk since the worker last looked.
    pub(super) installed: AtomicBool,
    /// The word that waiters sleep on. It changes when a chunk is sealed or done, if anybody waits.
    progress: AtomicU32,
    waiters: AtomicU32,
}

/// The words that threads change with every chunk, on other cache lines than those they read with every
/// callback.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counts {
    /// Callbacks that were sealed, and those that have run, by whole chunks.
    sealed: AtomicU64,
    run: AtomicU64,
    peak: AtomicU64,
    /// The bytes held by callbacks that are sealed and have not run. 64 bits on all processors, because
    /// many callbacks may hold one value (an `Arc`), and each counts it.
    bytes: AtomicU64,
    /// The callbacks sealed since a grace period was last begun for such callbacks.
    fresh: AtomicUsize,
    fresh_bytes: AtomicU64,
}

#[derive(Debug)]
#[repr(align(128))]
struct Stripe(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The sealed chunks, in the order of sealing, which is about that of their grace periods.
    waiting: VecDeque<Sealed>,
    /// The chunk that is filled under the lock, and how many callbacks are in it.
    open: Option<(Chunk, usize)>,
    /// Empty chunks.
    spare: Vec<Chunk>,
    /// The next ticket, and those that are out.
    ticket: u64,
    out: BTreeSet<u64>,
}

#[derive(Debug)]
struct Sealed {
    chunk: Chunk,
    length: usize,
    taken: usize,
    bytes: u64,
    round: Round,
    ticket: u64,
}

/// The right to seal a chunk.
#[derive(Debug)]
pub(super) struct Ticket {
    stripe: usize,
    number: u64,
}

/// Callbacks that were taken out of a chunk in order to run.
pub(super) struct Batch {
    part: Part,
    /// The number of callbacks of the whole chunk.
    length: usize,
    bytes: u64,
    ticket: Ticket,
}

/// Which callbacks to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Callbacks that only drop values.
    Drops,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let stripes = sys::slots().clamp(1, STRIPES);
        Queue {
            stripes: (0..stripes).map(|_| Stripe(Mutex::default())).collect(),
            counts: Counts::default(),
            panicked: AtomicU64::new(0),
            held_up: AtomicU64::new(0),
            over_budget: AtomicU64::new(0),
            installed: AtomicBool::new(false),
            progress: AtomicU32::new(0),
            waiters: AtomicU32::new(0),
        }
    }

    fn stripe(&self, number: usize) -> MutexGuard<'_, Inner> {
        self.stripes[self.number(number)].0.lock()
    }

    /// Returns the number of the stripe for a CPU. Mostly there are no more CPUs than stripes, and a
    /// division is slow.
    fn number(&self, cpu: usize) -> usize {
        let count = self.stripes.len();
        if cpu < count { cpu } else { cpu % count }
    }

    pub(super) fn stripes(&self) -> usize {
        self.stripes.len()
    }

    /// Returns an empty chunk for a stripe.
    pub(super) fn chunk(&self, stripe: usize) -> Chunk {
        let spare = self.stripe(stripe).spare.pop();
        spare.unwrap_or_else(Chunk::new)
    }

    /// Takes an empty chunk back.
    pub(super) fn recycle(&self, stripe: usize, chunk: Chunk) {
        self.stripe(stripe).keep(chunk);
    }

    /// Gives back the memory of empty chunks, when nothing is left to do.
    pub(crate) fn trim(&self) {
        for stripe in 0..self.stripes() {
            // The lock is given back with the statement, before the memory.
            let spare = core::mem::take(&mut self.stripe(stripe).spare);
            drop(spare);
        }
    }

    /// Takes a ticket, before a chunk leaves its slot: `barrier` waits for it from now on.
    pub(super) fn ticket(&self, stripe: usize) -> Ticket {
        Ticket {
            stripe: self.number(stripe),
            number: self.stripe(stripe).ticket(),
        }
    }

    /// Gives a ticket back, because the chunk did not leave its slot.
    pub(super) fn cancel(&self, ticket: Ticket) {
        self.stripe(ticket.stripe).out.remove(&ticket.number);
        self.notify();
    }

    /// Seals a chunk: it waits for the grace period `round` from now on.
    pub(super) fn seal(&self, chunk: Chunk, length: usize, round: Round, ticket: &Ticket) {
        let mut inner = self.stripe(ticket.stripe);
        self.seal_in(&mut inner, chunk, length, round, ticket.number);
        drop(inner);
        self.notify();
    }

    fn seal_in(&self, inner: &mut Inner, chunk: Chunk, length: usize, round: Round, ticket: u64) {
        // SAFETY: the first `length` places were filled, and nobody has taken from them.
        let bytes = (0..length)
            .map(|number| unsafe { chunk.peek(number) }.bytes() as u64)
            .fold(0, u64::saturating_add);
        chunk.seal(length);
        inner.waiting.push_back(Sealed {
            chunk,
            length,
            taken: 0,
            bytes,
            round,
            ticket,
        });
        let sealed = self.counts.sealed.fetch_add(length as u64, Relaxed) + length as u64;
        self.counts.bytes.fetch_add(bytes, Relaxed);
        self.counts.fresh.fetch_add(length, Relaxed);
        self.counts.fresh_bytes.fetch_add(bytes, Relaxed);
        self.raise_peak(sealed.saturating_sub(self.counts.run.load(Relaxed)));
    }

    /// Adds a callback to the stripe's own chunk. Returns whether it was the first one there.
    pub(super) fn push(&self, stripe: usize, callback: Callback, snap: impl Fn() -> Round) -> bool {
        let mut inner = self.stripe(stripe);
        let seal = callback.is_large();
        let (mut chunk, length) = match inner.open.take() {
            Some(open) => open,
            None => (inner.spare.pop().unwrap_or_else(Chunk::new), 0),
        };
        chunk.put(length, callback);
        if length + 1 == ROOM || seal {
            let ticket = inner.ticket();
            self.seal_in(&mut inner, chunk, length + 1, snap(), ticket);
        } else {
            inner.open = Some((chunk, length + 1));
        }
        length == 0
    }

    /// Seals what was pushed.
    pub(super) fn seal_open(&self, snap: impl Fn() -> Round) {
        for stripe in 0..self.stripes() {
            let mut inner = self.stripe(stripe);
            if let Some((chunk, length)) = inner.open.take() {
                let ticket = inner.ticket();
                self.seal_in(&mut inner, chunk, length, snap(), ticket);
            }
        }
    }

    /// Takes up to [`INVOKE_BATCH`] callbacks of a stripe that are ready after grace period `done`. Also returns
    /// whether the stripe has a backlog.
    pub(super) fn take(&self, stripe: usize, done: Round, which: Which) -> Option<(Batch, bool)> {
        let mut inner = self.stripe(stripe);
        let backlog = inner.waiting.len() > 128;
        let front = inner.waiting.front_mut()?;
        if front.round > done {
            return None;
        }
        let first = front.taken;
        let mut count = INVOKE_BATCH.min(front.length - first);
        if which == Which::Drops {
            // SAFETY: sealed, so filled up to its length.
            let drops = |number: &usize| unsafe { front.chunk.peek(*number) }.drops();
            count = (first..first + count).take_while(drops).count();
        }
        if count == 0 {
            return None;
        }
        front.taken += count;
        let batch = Batch {
            // SAFETY: sealed, so filled up to its length; each part is taken once, under the lock.
            part: unsafe { front.chunk.part(first, count) },
            length: front.length,
            bytes: front.bytes,
            ticket: Ticket {
                stripe: self.number(stripe),
                number: front.ticket,
            },
        };
        if front.taken == front.length {
            // Whoever runs its last callback has it now.
            inner.waiting.pop_front().expect("a front").chunk.leave();
        }
        Some((batch, backlog))
    }

    /// Counts the callbacks of a batch as run, and gives back their chunk if it was the last batch of it.
    ///
    /// # Safety
    /// All callbacks of the batch have run.
    pub(super) unsafe fn finish(&self, batch: Batch) {
        // SAFETY: all callbacks of the batch, which are those of its part, have run: the caller promises that.
        if let Some(chunk) = unsafe { batch.part.finish() } {
            self.counts.run.fetch_add(batch.length as u64, Relaxed);
            self.counts.bytes.fetch_sub(batch.bytes, Relaxed);
            let Ticket { stripe, number } = batch.ticket;
            let mut inner = self.stripe(stripe);
            inner.out.remove(&number);
            inner.keep(chunk);
            drop(inner);
            self.notify();
        }
    }

    /// Returns whether a stripe has callbacks that are pending, or a chunk that is filled under its lock.
    pub(super) fn has_waiting(&self) -> bool {
        (0..self.stripes()).any(|stripe| {
            let inner = self.stripe(stripe);
            !inner.waiting.is_empty() || inner.open.is_some()
        })
    }

    /// Returns whether a stripe has callbacks that wait for a later grace period than `done`.
    pub(super) fn has_unready(&self, done: Round) -> bool {
        (0..self.stripes()).any(|stripe| {
            let inner = self.stripe(stripe);
            inner.open.is_some() || inner.waiting.back().is_some_and(|back| back.round > done)
        })
    }

    /// Returns the grace period that the oldest chunk of a stripe waits for.
    pub(super) fn front(&self, stripe: usize) -> Option<Round> {
        self.stripe(stripe).waiting.front().map(|front| front.round)
    }

    /// Returns the next ticket: all that are out are below it.
    pub(super) fn next_ticket(&self, stripe: usize) -> u64 {
        self.stripe(stripe).ticket
    }

    /// Returns whether tickets below this are out, apart from `mine`, which the calling thread itself holds.
    pub(super) fn is_out(
        &self,
        stripe: usize,
        below: u64,
        mine: impl Fn(usize, u64) -> bool,
    ) -> bool {
        let inner = self.stripe(stripe);
        inner
            .out
            .range(..below)
            .any(|number| !mine(stripe, *number))
    }

    /// Waits until a chunk is sealed or done, for `most` at most. Returns at once if `done` returns true.
    pub(super) fn wait(&self, most: Duration, done: impl Fn() -> bool) {
        self.waiters.fetch_add(1, Relaxed);
        let seen = self.progress.load(Relaxed);
        // Pairs with the fence in `notify`: whoever comes there later finds us waiting and changes
        // the word, or we find it done.
        fence(SeqCst);
        if !done() {
            sync::futex_wait(&self.progress, seen, Some(most));
        }
        self.waiters.fetch_sub(1, Relaxed);
    }

    fn notify(&self) {
        // Pairs with the fence in `wait`.
        fence(SeqCst);
        if self.waiters.load(Relaxed) != 0 {
            self.progress.fetch_add(1, Relaxed);
            sync::futex_wake(&self.progress, i32::MAX);
        }
    }

    /// Returns how many sealed callbacks have not run, and the bytes that they hold.
    pub(super) fn pending(&self) -> (u64, u64) {
        // Run first: it is never more than what was sealed before.
        let run = self.counts.run.load(Relaxed);
        (
            self.counts.sealed.load(Relaxed).saturating_sub(run),
            self.counts.bytes.load(Relaxed),
        )
    }

    /// Returns whether so many callbacks, or bytes, were sealed since the last grace period that was begun for
    /// them. If so, notes that another one is begun now.
    pub(super) fn take_fresh(&self, count: usize, bytes: u64) -> bool {
        let enough = self.counts.fresh.load(Relaxed) >= count
            || self.counts.fresh_bytes.load(Relaxed) >= bytes;
        if enough {
            self.counts.fresh.store(0, Relaxed);
            self.counts.fresh_bytes.store(0, Relaxed);
        }
        enough
    }

    /// Seals what was pushed, and returns the grace period that collects what is in the slots now.
    pub(crate) fn request(&self, sequence: &Sequence) -> Round {
        self.seal_open(|| sequence.snap());
        // Before that grace period begins: what is installed later may be too late for it.
        self.installed.store(false, SeqCst);
        sequence.snap()
    }

    /// Returns how many callbacks were ever sealed, and how many of them have run.
    pub(super) fn totals(&self) -> (u64, u64) {
        let run = self.counts.run.load(Relaxed);
        (self.counts.sealed.load(Relaxed), run)
    }

    /// Raises the peak to the number of callbacks that are pending now.
    pub(super) fn raise_peak(&self, pending: u64) {
        if pending > self.counts.peak.load(Relaxed) {
            self.counts.peak.fetch_max(pending, Relaxed);
        }
    }

    /// Returns the largest number of callbacks that were pending at one time.
    pub(super) fn peak(&self) -> u64 {
        self.counts.peak.load(Relaxed)
    }

    /// Returns how many callbacks lie under the stripes' locks and are not sealed.
    pub(super) fn open(&self) -> u64 {
        (0..self.stripes())
            .map(|stripe| {
                let inner = self.stripe(stripe);
                inner.open.as_ref().map_or(0, |(_, length)| *length as u64)
            })
            .sum()
    }
}

impl Batch {
    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    pub(super) fn ticket(&self) -> &Ticket {
        &self.ticket
    }
}

impl Inner {
    /// Keeps an empty chunk, if there are not too many.
    fn keep(&mut self, chunk: Chunk) {
        if self.spare.len() < SPARE {
            self.spare.push(chunk);
        }
    }

    fn ticket(&mut self) -> u64 {
        let ticket = self.ticket;
        self.ticket += 1;
        self.out.insert(ticket);
        ticket
    }
}

impl Ticket {
    pub(super) fn is(&self, stripe: usize, number: u64) -> bool {
        self.stripe == stripe && self.number == number
    }
}
