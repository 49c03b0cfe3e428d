//! The reader's side of the per-CPU counters: how sections begin and end. [`gp`](super) has the state, the
//! letters and the proof.

use core::mem::offset_of;
use core::num::NonZeroUsize;

use crate::sync::parker::Parker;
use crate::sync::{
    self, AtomicIsize, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence, fence_after_update,
};
use crate::sys::{self, Handle, Outcome, Phase};

/// The number of times a sequence is tried before atomics are used instead: a debugger that steps, or a
/// storm of signals, can abort sequences for ever.
pub(super) const ATTEMPTS: u32 = 16;

/// A section's phase, and what makes its end cheap: the way to the counter ([`sys::way`]), and the value
/// that the counter had after the section began. That is a good guess of its value when the section ends, on
/// processors that need one. A wrong guess only costs time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) phase: Phase,
    way: isize,
    bound: u32,
    guess: u32,
}

/// The readers' side of a domain: words that change seldom.
///
/// The words that every section loads lie where no section stores in a counter's line ([`Readers::LOADS`]):
/// a load that has the last twelve bits of its address in common with an earlier store waits for
/// it on many processors, which made sections half as slow again.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Readers {
    /// Counts of rare events on the readers' side, for the statistics.
    fallbacks: AtomicU64,
    aborts: AtomicU64,
    bound: AtomicU32,
    /// The process's way to the counters where libc registers the threads, else 0. Stored last.
    way: AtomicIsize,
    /// Address and length of the domain's name, which is kept here because there is room.
    pub(crate) name: [AtomicUsize; 2],
    /// The word of the current [`Phase`], whose slots live as long as these readers; 0 until set up.
    phase: AtomicUsize,
    /// The process's handle where libc registers the threads, else 0.
    ///
    /// A thread that this library is yet to register must not even try: a signal handler could register it
    /// in the middle of the sequence, which would then commit without being protected. A thread that libc
    /// did not register, or whose registration somebody has ended, may try: its CPU number is negative, and
    /// so not below `bound`. The number of a CPU without a slot is not below it either.
    cs: AtomicIsize,
    /// The parker that the end of a section in an old phase unparks, beside the leader: the same from when
    /// these are set up. Loads of it order nothing: whoever has a section has acquired it with the phase.
    /// (No section loads it, so it lies in another line.)
    parker: core::sync::atomic::AtomicPtr<Parker>,
    /// The number of sections of each phase that were [doubled](Readers::double).
    pub(super) doubled: [AtomicU64; 2],
}

// No section loads where one stores in its slot, for domains and slots at any cache line. (All
// processors that have sequences here have 64 bits.)
#[cfg(target_pointer_width = "64")]
const _: () = {
    let (mut load, loads, stores) = (0, Readers::LOADS, sys::STORES);
    while load < loads.len() {
        let line = loads[load] % 64;
        assert!(line != stores[0] && line != stores[0] + 8);
        assert!(line != stores[1] && line != stores[1] + 8);
        load += 1;
    }
};

/// The leader of the grace period sleeps on the `waiter` of the counters.
pub(super) const LEADER: u32 = 1;
/// The readers' parker is to be unparked.
pub(super) const PARKER: u32 = 2;

impl Readers {
    sync::const_fn! {
        pub(crate) fn new() -> Self {
            Readers {
                fallbacks: AtomicU64::new(0),
                aborts: AtomicU64::new(0),
                bound: AtomicU32::new(0),
                way: AtomicIsize::new(0),
                name: [AtomicUsize::new(0), AtomicUsize::new(0)],
                phase: AtomicUsize::new(0),
                cs: AtomicIsize::new(0),
                parker: core::sync::atomic::AtomicPtr::new(core::ptr::null_mut()),
                doubled: [AtomicU64::new(0), AtomicU64::new(0)],
            }
        }
    }

    /// The place of the words that every section loads.
    #[cfg_attr(not(target_pointer_width = "64"), allow(dead_code))]
    const LOADS: [usize; 4] = [
        offset_of!(Readers, phase),
        offset_of!(Readers, cs),
        offset_of!(Readers, way),
        offset_of!(Readers, bound),
    ];

    /// The offset of the bound from the phase. Bytes.
    const BOUND: i32 = offset_of!(Readers, bound) as i32 - offset_of!(Readers, phase) as i32;

    /// Returns whether [`Readers::set_up`] has been called.
    pub(crate) fn is_set_up(&self) -> bool {
        self.phase.load(Ordering::Acquire) != 0
    }

    /// Returns the current phase, once set up.
    pub(crate) fn current(&self) -> Option<Phase> {
        // SAFETY: 0, or what `set_up` or `flip` has stored there: of slots that live as long as these readers.
        unsafe { Phase::of_word(self.phase.load(Ordering::Acquire)) }
    }

    /// Returns whether a section counts in the memory that these readers have now. It does not in a child
    /// if it began before the fork.
    pub(crate) fn is_current_generation(&self, token: Token) -> bool {
        token.phase.has_slots_of(self.phase.load(Ordering::Relaxed))
    }

    /// Returns whether no grace period has begun since the section did: at most one can have, because
    /// it waits for the section, so the phase tells.
    ///
    /// Relaxed: if the answer is true, the caller goes on with the section it has, for which nothing
    /// changes; a flip that is missed here is seen by a later call.
    #[inline(always)]
    pub(crate) fn is_current(&self, token: Token) -> bool {
        self.phase.load(Ordering::Relaxed) == token.phase.word()
    }

    /// Gives the counters their memory: `first` is a phase of new slots. Returns true if this call was the
    /// first; then the slots must live as long as these readers. Returns false if another thread, a signal
    /// handler, or the code that it interrupted, was first.
    pub(crate) fn set_up(&self, first: Phase, parker: &'static Parker) -> bool {
        let parker = core::ptr::from_ref(parker).cast_mut();
        self.parker.store(parker, Ordering::Relaxed);
        let was_first = self
            .phase
            // A loser of the exchange uses the other's counters only after another load of the phase,
            // which acquires: so nothing is acquired here.
            .compare_exchange(0, first.word(), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if let sys::Mode::AllThreads(handle) = sys::mode() {
            self.bound.store(handle.bound, Ordering::Relaxed);
            // Release, both: who sees `cs`, or the way, sees `bound` and the phase too.
            self.cs.store(handle.cs, Ordering::Release);
            self.way.store(sys::way(handle), Ordering::Release);
        }
        was_first
    }

    /// Returns the process's handle, of which `cs` has been loaded.
    #[inline(always)]
    fn handle(&self, cs: isize) -> Handle {
        handle_of(cs, self.bound.load(Ordering::Relaxed))
    }

    /// Begins a section, the usual way. `None` is rare, and means [`Readers::enter_slow`].
    ///
    /// The token carries the handle to the section's end, in registers mostly: loading it again
    /// there would cost a tenth of the whole section.
    #[inline(always)]
    pub(crate) fn enter(&self) -> Option<Token> {
        // Acquire: pairs with `set_up`.
        let way = self.way.load(Ordering::Acquire);
        // SAFETY: 0, or libc registers the threads and the phase is set up; a fork takes it away together
        // with the bound. (B)
        let (phase, bound, guess) =
            unsafe { sys::enter_section::<{ Self::BOUND }>(way, &self.phase, &self.bound) }?;
        Some(Token {
            phase,
            way,
            bound,
            guess,
        })
    }

    /// Ends a section, on whatever thread and CPU. Async-signal-safe.
    ///
    /// A phase that is not the current one any more has a grace period that waits for it, and
    /// may sleep: that end goes the slow way, which looks. It costs the usual end one comparison,
    /// and spares the writer a barrier before it sleeps: after the restart (C) every end of the
    /// old phase is a slow one, or has happened visibly.
    ///
    /// A section that began where libc does not register the threads has the way 0, which aborts: it may
    /// end on another thread, and the handles of threads differ there.
    #[inline(always)]
    pub(crate) fn exit(&self, token: Token) {
        let Token {
            phase,
            way,
            bound,
            guess,
        } = token;
        // SAFETY: the token is of these readers; its way is this process's, or 0. (D)
        let outcome = unsafe { sys::exit_section(way, bound, &self.phase, phase, guess) };
        if outcome != Outcome::Committed {
            self.exit_slow(phase);
        }
    }

    /// Returns the token of a section, from the word of its phase, when nothing else of the token was kept.
    ///
    /// Relaxed: the section began when these readers were set up.
    ///
    /// # Safety
    /// `word` is that of the phase of a token of these readers, whose section is open.
    #[inline(always)]
    pub(crate) unsafe fn kept_token(&self, word: usize) -> Token {
        // SAFETY: the word of a phase, by the caller, and so not 0; the readers' slots live as long as they do,
        // and the parent's copy of them in a child.
        let phase = unsafe { Phase::new(NonZeroUsize::new_unchecked(word)) };
        Token {
            phase,
            way: self.way.load(Ordering::Relaxed),
            bound: self.bound.load(Ordering::Relaxed),
            // Of a CPU where this is the only section, and none has ended that began elsewhere.
            guess: 1,
        }
    }

    /// Begins a section in the phase of an open one, so that all that the open one protects stays protected
    /// when it ends; also if a grace period already waits for it. Async-signal-safe.
    #[cold]
    pub(crate) fn double(&self, token: Token) -> Token {
        // Relaxed: the section that is doubled has acquired what this one relies on, and ends later (D).
        sys::shared(token.phase, sys::stripe()).fetch_add(1, Ordering::Relaxed);
        // P
        self.doubled[usize::from(token.phase.is_second())].fetch_add(1, Ordering::Release);
        Token { guess: 1, ..token }
    }

    /// Returns whether all threads can use sequences, because libc registers them.
    pub(crate) fn has_sequences(&self) -> bool {
        self.cs.load(Ordering::Relaxed) != 0
    }

    /// Returns the addresses of the way, the bound and the phase, for sequences that are compiled elsewhere.
    pub(crate) fn words(&self) -> (*const isize, *const u32, *const usize) {
        // Atomics have the same representation as what they hold.
        (
            (&raw const self.way).cast(),
            (&raw const self.bound).cast(),
            (&raw const self.phase).cast(),
        )
    }

    /// Returns the handle and the phase word, for a sequence that goes through that word, where libc
    /// registers the threads.
    #[inline(always)]
    pub(crate) fn through_phase(&self) -> Option<(Handle, &AtomicUsize)> {
        // Acquire: pairs with `set_up`: who sees `cs` sees the phase.
        let cs = self.cs.load(Ordering::Acquire);
        (cs != 0).then(|| (self.handle(cs), &self.phase))
    }

    /// Returns the same as [`Readers::through_phase`], on a thread that has called that before.
    pub(crate) fn through_phase_again(&self) -> Option<(Handle, &AtomicUsize)> {
        // Relaxed: `through_phase` on this thread has acquired it.
        let cs = self.cs.load(Ordering::Relaxed);
        (cs != 0).then(|| (self.handle(cs), &self.phase))
    }

    /// Returns the handle of sequences that only read, if libc registers the threads: they need no
    /// counter, and so no bound. On a thread without a registration they abort.
    #[inline(always)]
    pub(crate) fn sequences(&self) -> Option<Handle> {
        // Acquire: pairs with `set_up`.
        let cs = self.cs.load(Ordering::Acquire);
        (cs != 0).then_some(Self::handle_to_copy(cs))
    }

    /// Returns a handle for copies, which need no counter, and so no bound.
    #[inline(always)]
    pub(super) fn handle_to_copy(cs: isize) -> Handle {
        handle_of(cs, 0)
    }

    /// Begins a section where [`Readers::enter`] could not: an aborted sequence, another mode, or
    /// the first use. `None` if [`Readers::set_up`] must be called first. Only the phase, not the
    /// token, because a token would come through memory and push the usual one there too.
    #[cold]
    #[inline(never)]
    pub(crate) fn enter_slow(&self) -> Option<Phase> {
        if !self.is_set_up() {
            return None;
        }
        if self.cs.load(Ordering::Relaxed) != 0 {
            self.count_abort();
        }
        self.begin_by_sequence().or_else(|| self.begin_by_atomics())
    }

    #[cold]
    fn count_abort(&self) {
        self.aborts.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many sequences were aborted, as far as that was noticed.
    pub(crate) fn aborts(&self) -> u64 {
        self.aborts.load(Ordering::Relaxed)
    }

    /// Returns how many sections began with atomics although the process has sequences.
    pub(crate) fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Ordering::Relaxed)
    }

    /// Returns the token of a section that [`Readers::enter_slow`] began.
    #[inline(always)]
    pub(crate) fn slow_token(phase: Phase) -> Token {
        let (way, bound) = Self::way_to_exit();
        Token {
            phase,
            way,
            bound,
            guess: 1,
        }
    }

    #[cold]
    #[inline(never)]
    fn way_to_exit() -> (isize, u32) {
        match sys::mode() {
            sys::Mode::AllThreads(handle) => (sys::way(handle), handle.bound),
            _ => (0, 0),
        }
    }

    fn begin_by_sequence(&self) -> Option<Phase> {
        let Some(handle) = sys::current_thread() else {
            if sys::mode() != sys::Mode::Atomics {
                self.fallbacks.fetch_add(1, Ordering::Relaxed);
            }
            return None;
        };
        let begun = (0..ATTEMPTS).find_map(|_| self.try_to_begin(handle.cs, handle.bound));
        if begun.is_none() {
            self.fallbacks.fetch_add(1, Ordering::Relaxed);
        }
        begun
    }

    /// Tries once to begin a section, with the handle of these two fields. Not inlined, so that the loop around it
    /// is not unrolled into many sequences. A handle as an argument would come through memory, where its one wide
    /// load waits for its narrow stores: that made these sections three times as slow.
    #[inline(never)]
    fn try_to_begin(&self, cs: isize, bound: u32) -> Option<Phase> {
        // SAFETY: the process's handle; the phase is set up. (B)
        match unsafe { sys::add_through(handle_of(cs, bound), &self.phase) } {
            Some((phase, _)) => Some(phase),
            None => {
                self.count_abort();
                None
            }
        }
    }

    /// Begins a section by atomics. Returns `None` if these readers are not set up any more: in a child
    /// that was forked in the middle of this.
    fn begin_by_atomics(&self) -> Option<Phase> {
        loop {
            // SAFETY: 0, or what `set_up` or `flip` has stored there: of slots that live as long as these
            // readers.
            let phase = unsafe { Phase::of_word(self.phase.load(Ordering::Relaxed)) }?;
            let counter = sys::shared(phase, sys::stripe());
            counter.fetch_add(1, Ordering::Relaxed);
            // H: either the writer's sum, after C, sees our addition, or we see its flip. A
            // SeqCst read-modify-write would not order the load after it on AArch64.
            fence_after_update();
            // B
            if self.phase.load(Ordering::Acquire) == phase.word() {
                return Some(phase);
            }
            // The writer may have counted this addition and gone to sleep over it. Relaxed, other
            // than D: no access of a section lies before it. What earlier ends released to this
            // counter a read-modify-write passes on.
            counter.fetch_sub(1, Ordering::Relaxed);
            self.wake_after_update(phase);
        }
    }

    #[cold]
    #[inline(never)]
    fn exit_slow(&self, phase: Phase) {
        if let Some(handle) = sys::current_thread() {
            for _ in 0..ATTEMPTS {
                match self.try_to_end(handle.cs, handle.bound, phase) {
                    (Outcome::Committed, true) => return,
                    (Outcome::Committed, false) => return self.wake(phase),
                    _ => self.count_abort(),
                }
            }
        }
        // D
        sys::shared(phase, sys::stripe()).fetch_sub(1, Ordering::Release);
        self.wake_after_update(phase);
    }

    /// Tries once to end a section, and takes the handle's fields as [`Readers::try_to_begin`] does. Returns the
    /// outcome of the sequence, and whether the phase was the current one.
    #[inline(never)]
    fn try_to_end(&self, cs: isize, bound: u32, phase: Phase) -> (Outcome, bool) {
        // SAFETY: the process's handle; the phase is a token's of these readers. (D)
        match unsafe { sys::sub_if_current(handle_of(cs, bound), &self.phase, phase, 1) } {
            // SAFETY: the process's handle; the phase is a token's of these readers. (D)
            Outcome::Mismatch => (unsafe { sys::sub(handle_of(cs, bound), phase) }, false),
            outcome => (outcome, true),
        }
    }

    /// Wakes whoever waits for the phase, after a subtraction by a sequence.
    fn wake(&self, phase: Phase) {
        // G: our subtraction comes before the load of `waiter`. If that load misses the writer's
        // store, then the writer's sum, after F, sees the subtraction.
        fence(Ordering::SeqCst);
        self.wake_waiter(phase);
    }

    /// Wakes whoever waits for the phase, after a subtraction by an atomic operation.
    fn wake_after_update(&self, phase: Phase) {
        // G, as in `wake`.
        fence_after_update();
        self.wake_waiter(phase);
    }

    fn wake_waiter(&self, phase: Phase) {
        let waiter = sys::waiter(phase);
        if waiter.load(Ordering::Relaxed) != 0 {
            // Whoever set the mark that is taken away is woken, though another mark may stand here by now.
            match waiter.swap(0, Ordering::Relaxed) {
                LEADER => sync::futex_wake(waiter, 1),
                PARKER => self.unpark(),
                _ => {}
            }
        }
    }

    #[cold]
    fn unpark(&self) {
        // SAFETY: null, in a child that was forked in the middle of this, or from `set_up`.
        if let Some(parker) = unsafe { self.parker.load(Ordering::Relaxed).as_ref() } {
            parker.unpark();
        }
    }

    /// Makes the other phase the current one, in the place of `old`. Returns false if `old` is not the current
    /// phase: in a child that was forked in the middle of this. Only the leader calls this.
    pub(crate) fn flip(&self, old: Phase) -> bool {
        // A: what the updater unpublished before is not seen by sections of the new phase.
        // Not a plain store: a child that a signal handler forks right before it would have its
        // parent's counters.
        let (old, new) = (old.word(), old.other().word());
        self.phase
            .compare_exchange(old, new, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }
}

/// Returns the handle of these two fields, with the CPU number as its index.
#[inline(always)]
fn handle_of(cs: isize, bound: u32) -> Handle {
    Handle {
        cs,
        bound,
        index: Handle::CPU,
    }
}
