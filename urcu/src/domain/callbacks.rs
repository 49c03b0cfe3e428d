//! Running closures and dropping values after a grace period.

use super::domain::Domain;
use crate::callbacks::{self, Callback};
#[cfg(doc)]
use crate::driver::job::Runner;
#[cfg(doc)]
use crate::settings::Budget;

impl Domain {
    /// Runs `f` after a grace period, on a background thread (or as [`Domain::run_by`] says).
    ///
    /// Returns at once, unless the domain's [`Budget`] is exceeded. May be called inside a read-side section.
    /// Callbacks run in no particular order. A panic in `f` is counted, and reported to the panic hook and to the
    /// hook of [`set_callback_panic_hook`](crate::set_callback_panic_hook); other callbacks still run.
    ///
    /// # What runs where
    /// `call` itself never runs a callback, a destructor or a waker on the calling thread, so the
    /// caller may hold locks that those take. (It may hand a [`Job`](crate::Job) to an
    /// [`Executor`](crate::Executor), and calls the [hook for reports](crate::stall::set_hook) if it has
    /// to wait for room in the budget.)
    ///
    /// Callbacks also run on threads that call [`Domain::barrier`] or drop the domain. So `f` must not rely on
    /// running on the background thread, nor on the size of its stack.
    ///
    /// The background thread starts with the first callback and does not keep the process alive.
    /// Callbacks that are still queued when `main` returns do not run: call [`Domain::barrier`] first.
    /// In a forked child, callbacks that were queued before the fork do not run; the parent runs them.
    /// If no thread can be started, callbacks run in [`Domain::barrier`] or when the domain is dropped.
    ///
    /// # Cost
    /// A few nanoseconds, without a lock or an atomic instruction. Closures of more than three words are allocated
    /// on the heap. One call in 126, and the first one after a pause, cost more.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// domain.call(|| println!("all sections that were open are over"));
    /// domain.barrier();
    /// ```
    pub fn call(&self, f: impl FnOnce() + Send + 'static) {
        self.enqueue(Callback::call(f), true);
    }

    /// Runs `f` after a grace period, as [`Domain::call`] does, unless the domain's [`Budget`] is
    /// exceeded. Never waits for room.
    ///
    /// # Errors
    /// Returns `f`, which was not queued, if the budget is exceeded.
    pub fn try_call<F: FnOnce() + Send + 'static>(&self, f: F) -> Result<(), F> {
        if self.driver().1.callbacks.has_room() {
            self.enqueue(Callback::call(f), false);
            Ok(())
        } else {
            Err(f)
        }
    }

    /// Returns whether a value can be retired, or a callback queued, without waiting: because the domain's
    /// [`Budget`] is not exceeded, or because this is called inside a callback, where no thread waits.
    ///
    /// Call this before retiring if the thread can make room instead of waiting, for example by ending its own
    /// section.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// assert!(domain.has_room());
    /// ```
    pub fn has_room(&self) -> bool {
        callbacks::inside_callback() || self.driver().1.callbacks.has_room()
    }

    /// Runs up to about `limit` callbacks whose grace period is over, in batches of seven, and returns how
    /// many ran.
    ///
    /// This never waits for readers. If callbacks wait for a grace period, it takes the next step towards
    /// the end of that grace period, so it may return 0 several times before a callback runs. With a `limit`
    /// of 0 it runs no callback and only takes that step. It is meant for domains of [`Runner::Caller`], and
    /// allowed for all. Inside a callback it does nothing.
    pub fn run_callbacks(&self, limit: usize) -> usize {
        let (state, driver) = self.driver();
        driver.run_callbacks(&state.gp, limit)
    }

    /// Drops `value` after a grace period.
    ///
    /// Returns at once, unless the domain's [`Budget`] is exceeded. May be called inside a read-side section. The
    /// value is dropped in place on the heap, so a large value needs no large stack.
    ///
    /// # What runs where
    /// **This may run destructors of other values**, retired earlier in the same domain: with
    /// [`Runner::Shared`], a thread that retires a value drops some of those whose grace period is
    /// over. It may also end a grace period and wake the tasks that await it. Therefore:
    ///
    /// * do not hold a lock that such a destructor or waker takes;
    /// * such a destructor must not wait for a grace period, because the thread that runs it may be
    ///   inside a read-side section.
    ///
    /// If a caller cannot keep to these rules, `call(move || drop(value))` runs nothing on its thread.
    ///
    /// # Not for nodes that readers see
    /// The value is moved into this function, so nobody may have a reference to it. A node of a structure
    /// that readers reach by a pointer must not become a `Box` again while they can reach it:
    /// **`defer_drop(unsafe { Box::from_raw(node) })` looks right and is undefined behaviour**, because from
    /// the moment a `Box` exists it must be the only pointer to its value. Call
    /// `unsafe { domain.retire(node) }` instead ([`Domain::retire`]).
    ///
    /// # Budget
    /// The domain's [`Budget`] counts the size of the value itself: three words for a `Vec`. To count the memory
    /// that it owns as well, use [`Domain::defer_drop_sized`].
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    pub fn defer_drop<T: Send + 'static>(&self, value: T) {
        self.enqueue(Callback::value(value), true);
    }

    /// Drops `value` after a grace period, as [`Domain::defer_drop`] does. Until then the domain's [`Budget`]
    /// counts `bytes` more: the size of the memory that the value owns behind its pointers.
    ///
    /// Values of up to two words need no allocation.
    ///
    /// ```
    /// let buffer = vec![0_u8; 1 << 20].into_boxed_slice();
    /// let bytes = buffer.len();
    /// urcu::global().defer_drop_sized(buffer, bytes);
    /// ```
    pub fn defer_drop_sized<T: Send + 'static>(&self, value: T, bytes: usize) {
        self.enqueue(Callback::value_of(value, bytes), true);
    }

    /// Drops `value` after a grace period, as [`Domain::defer_drop`] does, unless the domain's [`Budget`]
    /// is exceeded. Never waits for room.
    ///
    /// # Errors
    /// Returns `value`, which was not queued, if the budget is exceeded.
    ///
    /// ```
    /// if let Err(value) = urcu::global().try_defer_drop(vec![1, 2, 3]) {
    ///     // Readers are stalled. The caller may free something else first, or wait.
    ///     # drop(value);
    /// }
    /// ```
    pub fn try_defer_drop<T: Send + 'static>(&self, value: T) -> Result<(), T> {
        if self.driver().1.callbacks.has_room() {
            self.enqueue(Callback::value(value), false);
            Ok(())
        } else {
            Err(value)
        }
    }

    /// Drops `value` after a grace period, as [`Domain::defer_drop_sized`] does, unless the domain's
    /// [`Budget`] is exceeded. Never waits for room.
    ///
    /// # Errors
    /// Returns `value`, which was not queued, if the budget is exceeded.
    pub fn try_defer_drop_sized<T: Send + 'static>(&self, value: T, bytes: usize) -> Result<(), T> {
        if self.driver().1.callbacks.has_room() {
            self.enqueue(Callback::value_of(value, bytes), false);
            Ok(())
        } else {
            Err(value)
        }
    }

    /// Waits until all callbacks queued on this domain before this call have run, and all values
    /// retired before it are dropped.
    ///
    /// This function takes part in the work: callbacks and destructors run **on the calling thread** too,
    /// whatever the domain's [`Runner`]. So do not hold a lock that one of them takes.
    ///
    /// If callbacks are queued, a call inside a read-side section of the same domain waits for ever, which
    /// is [reported](crate::stall).
    ///
    /// # Panics
    /// Panics if it is called inside a callback of any domain, because the callback could wait for itself.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    #[track_caller]
    pub fn barrier(&self) {
        let (state, driver) = self.driver();
        driver.barrier(&state.gp);
    }
}
