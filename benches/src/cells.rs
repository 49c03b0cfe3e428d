//! Pointers of the library and its peers whose value is replaced while other threads may read it. Each frees the old
//! value when no reader can have it any more.

use std::mem;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{LazyLock, RwLock};

use arc_swap::ArcSwap;
use crossbeam_epoch::{self as epoch, Atomic, Owned};
use haphazard::{AtomicPtr as HazardCell, Domain as Hazards, HazardPointer};
use seize::{Collector, Guard, reclaim};
use urcu::Rcu;

/// A pointer to a value that readers may hold.
pub trait Cell<T>: Send + Sync {
    /// The library.
    const LIBRARY: &'static str;

    /// Returns a cell with this value.
    fn new(value: T) -> Self;

    /// Replaces the value, and retires the old one.
    fn replace(&self, value: T);

    /// Reads the value in a section.
    fn read<R>(&self, body: impl FnOnce(&T) -> R) -> R;

    /// Runs something in a read-side section that delays the reclamation of what is retired.
    fn hold(body: impl FnOnce());

    /// Waits until everything retired before is dropped, or comes as close to that as the library allows.
    fn drain();
}

/// This library's.
#[derive(Debug)]
pub struct Urcu<T>(Rcu<T>);

impl<T: Send + Sync + 'static> Cell<T> for Urcu<T> {
    const LIBRARY: &'static str = "urcu";

    fn new(value: T) -> Self {
        Self(Rcu::new(value))
    }

    #[inline]
    fn replace(&self, value: T) {
        self.0.store(value);
    }

    #[inline]
    fn read<R>(&self, body: impl FnOnce(&T) -> R) -> R {
        body(&self.0.read())
    }

    fn hold(body: impl FnOnce()) {
        let _guard = urcu::read_lock();
        body();
    }

    fn drain() {
        urcu::barrier();
    }
}

/// crossbeam-epoch's, in its default collector.
#[derive(Debug)]
pub struct Epoch<T>(Atomic<T>);

impl<T: Send + Sync + 'static> Cell<T> for Epoch<T> {
    const LIBRARY: &'static str = "crossbeam-epoch";

    fn new(value: T) -> Self {
        Self(Atomic::new(value))
    }

    #[inline]
    fn replace(&self, value: T) {
        let guard = epoch::pin();
        let old = self.0.swap(Owned::new(value), Ordering::AcqRel, &guard);
        // SAFETY: the swap took the only pointer to the value, which nobody else retires; its
        // type may be dropped by any thread.
        unsafe { guard.defer_destroy(old) };
    }

    #[inline]
    fn read<R>(&self, body: impl FnOnce(&T) -> R) -> R {
        let guard = epoch::pin();
        // SAFETY: never null, and not freed before the guard is dropped.
        body(unsafe { self.0.load(Ordering::Acquire, &guard).deref() })
    }

    fn hold(body: impl FnOnce()) {
        let _guard = epoch::pin();
        body();
    }

    /// The library has no way to wait. This collects often enough for three epochs to pass, if nobody is pinned.
    fn drain() {
        for _ in 0..64 {
            epoch::pin().flush();
        }
    }
}

impl<T> Drop for Epoch<T> {
    fn drop(&mut self) {
        let value = mem::replace(&mut self.0, Atomic::null());
        // SAFETY: `&mut self`: nobody reads the value, which no other pointer owns.
        drop(unsafe { value.try_into_owned() });
    }
}

/// seize's, in one collector for all cells.
#[derive(Debug)]
pub struct Seize<T>(AtomicPtr<T>);

static COLLECTOR: LazyLock<Collector> = LazyLock::new(Collector::new);

impl<T: Send + Sync + 'static> Cell<T> for Seize<T> {
    const LIBRARY: &'static str = "seize";

    fn new(value: T) -> Self {
        Self(AtomicPtr::new(Box::into_raw(Box::new(value))))
    }

    #[inline]
    fn replace(&self, value: T) {
        let new = Box::into_raw(Box::new(value));
        let guard = COLLECTOR.enter();
        let old = guard.swap(&self.0, new, Ordering::AcqRel);
        // SAFETY: the swap took the only pointer to the value, which came from a box and which
        // nobody else retires; its type may be dropped by any thread.
        unsafe { guard.defer_retire(old, reclaim::boxed) };
    }

    #[inline]
    fn read<R>(&self, body: impl FnOnce(&T) -> R) -> R {
        let guard = COLLECTOR.enter();
        // SAFETY: never null, and not freed before the guard is dropped.
        body(unsafe { &*guard.protect(&self.0, Ordering::Acquire) })
    }

    fn hold(body: impl FnOnce()) {
        let _guard = COLLECTOR.enter();
        body();
    }

    /// Does nothing: the library has no way to wait, and values wait until their thread has a full batch.
    fn drain() {
        COLLECTOR.enter().flush();
    }
}

impl<T> Drop for Seize<T> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: nobody reads the value, and no other pointer owns it.
        drop(unsafe { Box::from_raw(*self.0.get_mut()) });
    }
}

/// kovan's.
#[derive(Debug)]
pub struct Kovan<T: Send + Sync + 'static>(kovan::Atom<T>);

impl<T: Send + Sync + 'static> Cell<T> for Kovan<T> {
    const LIBRARY: &'static str = "kovan";

    fn new(value: T) -> Self {
        Self(kovan::Atom::new(value))
    }

    #[inline]
    fn replace(&self, value: T) {
        self.0.store(value);
    }

    #[inline]
    fn read<R>(&self, body: impl FnOnce(&T) -> R) -> R {
        body(&self.0.load())
    }

    fn hold(body: impl FnOnce()) {
        let _guard = kovan::pin();
        body();
    }

    fn drain() {
        kovan::flush();
    }
}

/// haphazard's, in its global domain.
#[derive(Debug)]
pub struct Hazard<T: Send>(HazardCell<T>);

impl<T: Send + Sync + 'static> Cell<T> for Hazard<T> {
    const LIBRARY: &'static str = "haphazard";

    fn new(value: T) -> Self {
        Self(HazardCell::from(Box::new(value)))
    }

    #[inline]
    fn replace(&self, value: T) {
        let old = self.0.swap(Box::new(value)).expect("never null");
        // SAFETY: the swap took the only pointer to the value, which came from a box and which nobody else
        // retires.
        unsafe { old.retire() };
    }

    #[inline]
    fn read<R>(&self, body: impl FnOnce(&T) -> R) -> R {
        let mut hazard = HazardPointer::new();
        body(self.0.safe_load(&mut hazard).expect("never null"))
    }

    /// Runs `body` without delaying others' values: a reader delays only the value that it reads.
    fn hold(body: impl FnOnce()) {
        body();
    }

    fn drain() {
        Hazards::global().eager_reclaim();
    }
}

impl<T: Send> Drop for Hazard<T> {
    fn drop(&mut self) {
        let value = self.0.load_ptr();
        // SAFETY: `&mut self`: nobody reads the value, which came from a box and which no other pointer owns.
        drop(unsafe { Box::from_raw(value) });
    }
}

/// arc-swap's: it counts readers that keep a value, and the last of them drops it.
#[derive(Debug)]
pub struct Swap<T>(ArcSwap<T>);

impl<T: Send + Sync + 'static> Cell<T> for Swap<T> {
    const LIBRARY: &'static str = "arc-swap";

    fn new(value: T) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    #[inline]
    fn replace(&self, value: T) {
        self.0.store(value.into());
    }

    #[inline]
    fn read<R>(&self, body: impl FnOnce(&T) -> R) -> R {
        body(&self.0.load())
    }

    /// Others' values are not delayed.
    fn hold(body: impl FnOnce()) {
        body();
    }

    fn drain() {}
}

/// The standard lock's: readers and writers exclude each other.
#[derive(Debug)]
pub struct Lock<T>(RwLock<T>);

impl<T: Send + Sync + 'static> Cell<T> for Lock<T> {
    const LIBRARY: &'static str = "std RwLock";

    fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    #[inline]
    fn replace(&self, value: T) {
        let old = mem::replace(&mut *self.0.write().expect("no reader panics"), value);
        // Drop the old value outside the lock.
        drop(old);
    }

    #[inline]
    fn read<R>(&self, body: impl FnOnce(&T) -> R) -> R {
        body(&self.0.read().expect("no writer panics"))
    }

    /// Nothing is reclaimed later.
    fn hold(body: impl FnOnce()) {
        body();
    }

    fn drain() {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Cell, Epoch, Hazard, Kovan, Seize, Swap, Urcu};

    fn is_dropped_in_the_end<C: Cell<Arc<()>>>() {
        let value = Arc::new(());
        let cell = C::new(value.clone());
        C::hold(|| cell.replace(Arc::default()));
        // Some libraries drop a value only when more values are retired, so retire more.
        while Arc::strong_count(&value) > 1 {
            cell.replace(Arc::default());
            C::drain();
        }
        drop(cell);
    }

    #[test]
    fn what_was_replaced_is_dropped_in_the_end() {
        is_dropped_in_the_end::<Urcu<_>>();
        is_dropped_in_the_end::<Epoch<_>>();
        is_dropped_in_the_end::<Seize<_>>();
        is_dropped_in_the_end::<Swap<_>>();
        is_dropped_in_the_end::<Kovan<_>>();
        is_dropped_in_the_end::<Hazard<_>>();
    }

    #[test]
    fn the_last_value_is_dropped_with_the_cell() {
        fn one<C: Cell<Arc<()>>>() {
            let value = Arc::new(());
            drop(C::new(value.clone()));
            assert_eq!(Arc::strong_count(&value), 1, "{}", C::LIBRARY);
        }
        one::<Urcu<_>>();
        one::<Epoch<_>>();
        one::<Seize<_>>();
        one::<Swap<_>>();
        one::<Hazard<_>>();
    }
}
