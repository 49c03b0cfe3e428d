//! The grace period: flip, restart, drain, end. `begin`, `flip`, `drain` and `end` are the whole algorithm, and the one
//! place where a domain's counters change phase; [`gp`](super) says why it is right.
//!
//! Callers share grace periods, and one of those who wait leads. A leader may leave a grace period that has
//! begun but waits for readers; the next leader goes on with it.
//!
//! [`Progress`] records how far they have come. Like the counters it lies in memory of this process alone.
//! A leader in whose middle a signal handler forks goes on, in the child, with the parent's memory, for
//! which no thread of the child waits.

use core::ops::Deref;
use core::ptr::NonNull;

use crate::gp::barrier;
use crate::gp::observer::Observer;
use crate::gp::readers::Readers;
use crate::gp::sequence::{Leader, Next, Round, Sequence};
use crate::sync::parker::Parker;
use crate::sync::{self, AtomicUsize, Ordering};
use crate::sys::{self, MembarrierError, Phase, Zeroed};

/// The part of a domain that guards and grace periods use. All zeroes before `Readers::set_up`, in every
/// process.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct GpState {
    pub(crate) readers: Readers,
}

/// The progress of a domain's grace periods in one process.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Progress {
    pub(crate) sequence: Sequence,
    /// The word of the current phase; 0 in a child of the process that made this. Only the leader uses it.
    current: AtomicUsize,
    /// The word of the grace period that has [`Begun`]; 0 if none has. Only the leader stores here.
    begun: AtomicUsize,
}

/// A grace period that has begun.
#[derive(Clone, Copy)]
struct Begun {
    /// Its old phase, which may still have open sections.
    old: Phase,
    /// True if the sequences are yet to be restarted after the flip.
    restart_due: bool,
}

impl Begun {
    /// Set in the word until the restart is done. Counters are aligned to 8 bytes.
    const RESTART_DUE: usize = 1;

    fn to_word(self) -> usize {
        let mark = usize::from(self.restart_due) * Begun::RESTART_DUE;
        self.old.word() | mark
    }

    /// # Safety
    /// From [`Begun::to_word`], or 0, and the slots of its phase live while what is returned is used.
    unsafe fn of_word(word: usize) -> Option<Self> {
        // SAFETY: the phase's word without the mark; its slots live: the caller promises that.
        let old = unsafe { Phase::of_word(word & !Begun::RESTART_DUE) }?;
        let restart_due = word & Begun::RESTART_DUE != 0;
        Some(Begun { old, restart_due })
    }
}

// SAFETY: integers, and zero is what a child finds.
unsafe impl Zeroed for Progress {}

impl Progress {
    sync::const_fn! {
        #[expect(dead_code, reason = "zeroed memory is allocated; the models' is made of it")]
        /// All zeroes.
        pub(crate) fn new() -> Self {
            Progress {
                sequence: Sequence::new(),
                current: AtomicUsize::new(0),
                begun: AtomicUsize::new(0),
            }
        }
    }

    /// Returns the old phase of a grace period that has begun and is not drained, if there is one.
    pub(crate) fn undrained(&self) -> Option<Phase> {
        self.begun().map(|begun| begun.old)
    }

    /// Returns the grace period that has begun and has not ended, if there is one.
    fn begun(&self) -> Option<Begun> {
        // SAFETY: 0, or what `set_begun` has stored: a phase of the readers that this was made for, whose slots
        // outlive it ([`Place::new`]).
        unsafe { Begun::of_word(self.begun.load(Ordering::Relaxed)) }
    }

    fn set_begun(&self, begun: Begun) {
        self.begun.store(begun.to_word(), Ordering::Relaxed);
    }

    /// Returns the current phase, for the leader; `None` in a child of the process that made this.
    fn current(&self) -> Option<Phase> {
        // SAFETY: 0, or what `set_current` has stored, as above.
        unsafe { Phase::of_word(self.current.load(Ordering::Relaxed)) }
    }

    fn set_current(&self, phase: Phase) {
        self.current.store(phase.word(), Ordering::Relaxed);
    }
}

/// The place of a [`Progress`]: in memory that a fork wipes, for as long as this is there.
#[derive(Debug)]
pub(crate) struct Place(NonNull<Progress>);

// SAFETY: refers to atomics, which it owns.
unsafe impl Send for Place {}
// SAFETY: refers to atomics, which it owns.
unsafe impl Sync for Place {}

impl Place {
    /// Allocates a [`Progress`] for readers that are set up, of this process. Their slots live for as long
    /// as it is used.
    ///
    /// # Panics
    /// If the system has no memory.
    pub(crate) fn new(readers: &Readers) -> Self {
        let place = NonNull::new(sys::allocate::<Progress>()).expect("an address");
        let place = Place(place);
        // Relaxed stores do: whoever finds this place acquires it with what holds it.
        readers.current().inspect(|phase| place.set_current(*phase));
        place
    }
}

impl Deref for Place {
    type Target = Progress;
    fn deref(&self) -> &Progress {
        // SAFETY: zeroed when it was allocated, and given back when `self` goes.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // SAFETY: from `allocate`, and `self` is the last that knows it.
        unsafe { sys::free(self.0.as_ptr()) };
    }
}

impl GpState {
    sync::const_fn! {
        pub(crate) fn new() -> Self {
            GpState {
                readers: Readers::new(),
            }
        }
    }

    /// Waits for a grace period that [`Sequence::snap`] named: until every section that was open at
    /// that time has ended. What the caller did before it joined is visible to every section that
    /// begins after this. The readers are set up.
    ///
    /// Returns false if it is not over but there is a stall to report ([`Observer::check_stall`]). Reporting runs
    /// user code, so the caller releases whatever it holds, reports, and calls this again.
    ///
    /// # Errors
    /// If the kernel refuses this thread the barrier. It may grant it to other threads.
    pub(crate) fn wait(
        &self,
        progress: &Progress,
        round: Round,
        observer: &dyn Observer,
    ) -> Result<bool, MembarrierError> {
        let open = |old: Option<Phase>, slot| old.map_or(0, |old| self.readers.open_in(old, slot));
        loop {
            match progress.sequence.next(round, observer) {
                Next::Done => return Ok(true),
                Next::Leader(lead) => {
                    if let Some(old) = self.begin(&lead, progress, observer)? {
                        if !self.drain(old, observer) {
                            return Ok(false);
                        }
                        self.end(old, progress, observer);
                    }
                    lead.finish();
                }
                Next::Look => {
                    if observer.check_stall(&|slot| open(progress.undrained(), slot)) {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Goes on with the grace periods up to `round` as far as that needs no waiting. Returns false if the
    /// round is not done yet; then `parker` is unparked when there is reason to try again. In either
    /// case there may be a stall to report, as in [`GpState::wait`].
    ///
    /// # Errors
    /// As in [`GpState::wait`].
    pub(crate) fn advance(
        &self,
        progress: &Progress,
        round: Round,
        observer: &dyn Observer,
        parker: &'static Parker,
    ) -> Result<bool, MembarrierError> {
        let sequence = &progress.sequence;
        while !sequence.is_done(round) && sequence.is_current_process(round) {
            let Some(lead) = sequence.try_lead() else {
                if sequence.unpark_after_lead(parker) {
                    return Ok(false);
                }
                continue;
            };
            if sequence.is_done(round) {
                break;
            }
            match self.begin(&lead, progress, observer)? {
                Some(old) if !self.is_drained_soon(old) && self.readers.unpark_while_open(old) => {
                    observer.check_stall(&|slot| self.readers.open_in(old, slot));
                    lead.leave(parker);
                    // After O. If the end of a section has taken our mark while we led, the thread that it
                    // unparked may have found us leading, and gone to sleep again.
                    if self.readers.will_unpark(old) {
                        return Ok(false);
                    }
                }
                old => {
                    old.inspect(|old| self.end(*old, progress, observer));
                    lead.finish();
                }
            }
        }
        Ok(true)
    }

    /// Begins a grace period, or goes on with one that was left in the middle, and returns the phase that has
    /// to be drained. Returns `None` if there are no readers: in a child that was forked in the middle of this.
    fn begin(
        &self,
        lead: &Leader<'_>,
        progress: &Progress,
        observer: &dyn Observer,
    ) -> Result<Option<Phase>, MembarrierError> {
        let begun = progress.begun().or_else(|| self.flip(lead, progress));
        let Some(Begun { old, restart_due }) = begun else {
            return Ok(None);
        };
        if restart_due {
            // C: a sequence that saw the old phase has committed, visibly to the sums below, or
            // starts over and sees the new one. Ends compare the phase, so from here on the ends
            // of old sections look at `waiter`. Snapshot reads that saw an old pointer start over
            // too. If the kernel refuses, the next leader tries.
            observer.restarted(barrier::restart_sequences()?);
            let restart_due = false;
            progress.set_begun(Begun { old, restart_due });
        }
        Ok(Some(old))
    }

    /// Flips the phase. Returns `None` where [`GpState::begin`] does.
    fn flip(&self, lead: &Leader<'_>, progress: &Progress) -> Option<Begun> {
        // Callers that joined before this are served by this flip: see J, K.
        lead.begin();
        let old = progress.current()?;
        // The other phase is empty: the grace period before this one drained it.
        if !self.readers.flip(old) {
            return None;
        }
        progress.set_current(old.other());
        let restart_due = true;
        let begun = Begun { old, restart_due };
        progress.set_begun(begun);
        Some(begun)
    }

    fn is_drained_soon(&self, old: Phase) -> bool {
        (0..sys::SPINS.div_ceil(sys::slots() as u32)).any(|_| {
            let drained = !self.readers.any_open(old);
            if !drained {
                sync::spin();
            }
            drained
        })
    }

    /// Waits until the phase `old` is drained. Returns false if there is a stall to report before that.
    fn drain(&self, old: Phase, observer: &dyn Observer) -> bool {
        if self.is_drained_soon(old) {
            return true;
        }
        while self.readers.any_open(old) {
            self.readers
                .sleep_while_open(old, observer.leader_patience());
            if observer.check_stall(&|slot| self.readers.open_in(old, slot)) {
                return false;
            }
        }
        true
    }

    /// Ends the grace period, whose old phase is drained.
    fn end(&self, old: Phase, progress: &Progress, observer: &dyn Observer) {
        self.readers.settle(old);
        // Before the next flip makes this phase the current one again, and before anybody who
        // waits for this grace period goes on.
        observer.before_end(old);
        progress.begun.store(0, Ordering::Relaxed);
    }
}
