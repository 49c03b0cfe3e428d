//! The guards of read-side sections.

use core::fmt;
use core::mem;
use core::ptr;

use super::state::{Shown, State};
use crate::gp::readers::{Readers, Token};
use crate::stall::trace::{DomainId, Trace};

/// An open read-side section of a [`Domain`](crate::Domain). Dropping it ends the section.
///
/// It may be dropped on any thread. Forgetting it ([`core::mem::forget`]) is not undefined behaviour, but leaves
/// the section open: no later grace period of that domain ever ends.
///
/// ```
/// let guard = urcu::read_lock();
/// std::thread::spawn(move || drop(guard)).join().unwrap();
/// urcu::synchronize();
/// ```
#[must_use = "the read-side section ends when the guard is dropped"]
pub struct ReadGuard<'d> {
    state: &'d State,
    token: Token,
    trace: Trace,
}

// Four words, as the documentation says. (Builds that note where sections begin add more.)
#[cfg(all(
    target_pointer_width = "64",
    not(debug_assertions),
    not(feature = "stall-trace")
))]
const _: () = assert!(size_of::<ReadGuard<'_>>() == 32);

impl<'d> ReadGuard<'d> {
    /// Gives up the guard and leaves the section open. Pass the returned [`RawGuard`] to
    /// [`from_raw`](ReadGuard::from_raw) to end the section.
    ///
    /// This is for interfaces that have no place for a guard, such as C's `rcu_read_lock`: a `RawGuard` is
    /// one word (two in builds with debug assertions or `stall-trace`).
    ///
    /// ```
    /// let section = urcu::read_lock().into_raw();
    /// // ... the section stays open while `section` is kept somewhere ...
    /// // SAFETY: of a guard of the global domain, once.
    /// drop(unsafe { urcu::ReadGuard::from_raw(urcu::global(), section) });
    /// urcu::synchronize();
    /// ```
    #[inline(always)]
    pub fn into_raw(self) -> RawGuard {
        let raw = RawGuard {
            word: self.token.phase.word(),
            trace: self.trace,
        };
        mem::forget(self);
        raw
    }

    /// Returns the guard of a section again.
    ///
    /// # Safety
    /// `raw` is from [`into_raw`](ReadGuard::into_raw) of a guard of the domain with this state. The domain was not
    /// dropped since, and `raw` is used once.
    #[inline(always)]
    pub(super) unsafe fn of_raw(state: &'d State, raw: RawGuard) -> Self {
        ReadGuard {
            state,
            // SAFETY: the word is from a guard of this domain whose section is open, as the caller promises.
            token: unsafe { state.gp.readers.kept_token(raw.word) },
            trace: raw.trace,
        }
    }
}

/// An open read-side section without its guard: see [`ReadGuard::into_raw`]. The section stays open until
/// the guard is made again ([`ReadGuard::from_raw`]) and dropped.
#[derive(Debug)]
#[must_use = "the read-side section stays open until its guard is made again and dropped"]
pub struct RawGuard {
    word: usize,
    trace: Trace,
}

impl RawGuard {
    /// Returns two words, from which [`from_words`](RawGuard::from_words) makes the `RawGuard` again.
    ///
    /// The first word is an address and never 0. If addresses of the program have fewer than 48 bits, so has this
    /// one. The second word is 0, except in builds with debug assertions or `stall-trace`, where 0 stands for a
    /// section that is not noted.
    ///
    /// ```
    /// use urcu::{RawGuard, ReadGuard};
    ///
    /// let words = urcu::read_lock().into_raw().into_words();
    /// // SAFETY: of a guard of the global domain, once.
    /// drop(unsafe { ReadGuard::from_raw(urcu::global(), RawGuard::from_words(words)) });
    /// ```
    #[inline(always)]
    pub fn into_words(self) -> [usize; 2] {
        [self.word, self.trace.to_word()]
    }

    /// Makes a `RawGuard` from two words. They have to be from [`into_words`](RawGuard::into_words) if the
    /// `RawGuard` is ever made a guard again.
    #[inline(always)]
    pub fn from_words(words: [usize; 2]) -> Self {
        RawGuard {
            word: words[0],
            trace: Trace::of_word(words[1]),
        }
    }
}

impl<'d> ReadGuard<'d> {
    /// Begins a section of the domain with this state.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn begin(state: &'d State) -> Self {
        let token = match state.gp.readers.enter() {
            Some(token) => token,
            None => Readers::slow_token(state.read_lock_slow()),
        };
        ReadGuard {
            state,
            token,
            trace: Trace::begin(DomainId::of(state)),
        }
    }

    /// Ends the section and begins another one, if a grace period has begun since the section began. Otherwise does
    /// nothing.
    ///
    /// A loop that holds a guard for long should refresh it in each iteration, at a point where it holds no
    /// reference that was loaded with the guard. Then the loop delays no grace period by more than one iteration,
    /// at almost no cost. References that were loaded before the call cannot be used after it.
    ///
    /// The idea is that of `repin` in `crossbeam-epoch`.
    ///
    /// # Panics
    /// Panics in a forked child if the first [`Domain::read_lock`](crate::Domain::read_lock) there would panic.
    ///
    /// # Cost
    /// A load and a comparison. If a grace period has begun, also the end of one section and the beginning of
    /// another.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    ///
    /// ```
    /// let config = urcu::Rcu::new(1);
    /// let mut guard = urcu::read_lock();
    /// for _ in 0..1000 {
    ///     assert_eq!(*config.load(&guard), 1);
    ///     guard.refresh();
    /// }
    /// ```
    ///
    /// ```compile_fail,E0502
    /// let config = urcu::Rcu::new(1);
    /// let mut guard = urcu::read_lock();
    /// let seen = config.load(&guard);
    /// guard.refresh();
    /// assert_eq!(*seen, 1);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn refresh(&mut self) {
        if !self.state.gp.readers.is_current(self.token) {
            self.begin_again();
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn begin_again(&mut self) {
        // The new section begins first: if that panics, the guard still holds the old one.
        *self = ReadGuard::begin(self.state);
    }

    /// Returns whether this is a section of the domain with this state.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn is_of_state(&self, state: &State) -> bool {
        self.used();
        ptr::eq(self.state, state)
    }

    /// Notes a use of the guard, in builds that record uses.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn used(&self) {
        self.trace.used();
        debug_assert!(
            self.state.gp.readers.is_current_generation(self.token),
            "a guard that was taken before a fork protects nothing in the child; take a new one"
        );
    }

    /// Returns the domain, for messages.
    pub(crate) fn domain(&self) -> Shown<'_> {
        self.state.shown()
    }
}

impl<'d> AsRef<ReadGuard<'d>> for ReadGuard<'d> {
    fn as_ref(&self) -> &ReadGuard<'d> {
        self
    }
}

impl Clone for ReadGuard<'_> {
    /// Begins another section, which protects everything that this one protects, for as long as the clone
    /// lives: grace periods that wait for this section wait for the clone too. (A section from `read_lock`
    /// protects only what is reachable when it begins.)
    ///
    /// # Cost
    /// Two atomic additions.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// let guard = domain.read_lock();
    /// let over = domain.start_poll();
    /// let other = guard.clone();
    /// drop(guard);
    /// assert!(!domain.poll(&over));
    /// drop(other);
    /// over.wait();
    /// ```
    #[track_caller]
    fn clone(&self) -> Self {
        ReadGuard {
            state: self.state,
            token: self.state.gp.readers.double(self.token),
            trace: Trace::begin(DomainId::of(self.state)),
        }
    }
}

impl Drop for ReadGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.trace.end();
        self.state.gp.readers.exit(self.token);
    }
}

impl fmt::Debug for ReadGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadGuard")
            .field("domain", &format_args!("{}", self.domain()))
            .finish_non_exhaustive()
    }
}
