//! A value that is made when it is first needed.

use crate::sync::{AtomicPtr, Ordering, const_fn};

/// A box that is made once. It is zero before that, so it may lie in memory that a fork wipes; a child then
/// makes its own box and leaves its parent's alone. No thread waits for another that is making one.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Once<T>(AtomicPtr<T>);

impl<T> Once<T> {
    const_fn! {
        pub(crate) fn new() -> Self {
            Once(AtomicPtr::new(core::ptr::null_mut()))
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the release in `get_or_make`.
        // SAFETY: null or from a box, and there until this is dropped.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Returns the value if it is `good`, else makes one with `make`, unless another thread is first.
    ///
    /// A value that is not good is leaked: somebody may use it still.
    pub(crate) fn get_or_make(&self, good: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> &T {
        let mut seen = match self.get() {
            Some(there) if good(there) => return there,
            Some(there) => core::ptr::from_ref(there).cast_mut(),
            None => core::ptr::null_mut(),
        };
        let made = Box::into_raw(Box::new(make()));
        loop {
            let first = self
                .0
                .compare_exchange(seen, made, Ordering::AcqRel, Ordering::Acquire);
            // SAFETY: `made` is from a box, and there until this is dropped once it is published; else it
            // is nobody else's. What another thread published is there until this is dropped.
            unsafe {
                match first {
                    Ok(_) => return &*made,
                    // Wiped, in a child that was forked since.
                    Err(now) if now.is_null() => seen = now,
                    Err(first) => {
                        drop(Box::from_raw(made));
                        return &*first;
                    }
                }
            }
        }
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        // Relaxed: whoever drops this has it alone.
        let there = self.0.load(Ordering::Relaxed);
        if !there.is_null() {
            // SAFETY: from a box.
            drop(unsafe { Box::from_raw(there) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wiped_while_another_one_is_made_is_made_all_the_same() {
        let once = Once::new();
        once.get_or_make(|_| true, || 1);
        let made = once.get_or_make(
            |_| false,
            || {
                // As a fork does it.
                // SAFETY: from a box; nobody else uses it.
                drop(unsafe {
                    Box::from_raw(once.0.swap(core::ptr::null_mut(), Ordering::Relaxed))
                });
                2
            },
        );
        assert_eq!(*made, 2);
        assert_eq!(once.get(), Some(&2));
    }
}
