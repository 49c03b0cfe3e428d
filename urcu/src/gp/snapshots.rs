//! Sections that are one sequence and touch no counter: copies of small values. The letters are those of
//! [`gp`](super).

use super::readers::{ATTEMPTS, Readers};
use crate::sys::{self, Outcome};

impl Readers {
    /// Copies `size` bytes from where `source` points, as a whole section in one sequence, without a counter.
    /// The restart of the grace period (C) makes it start over, so a writer never waits for it. Returns false
    /// where libc does not register the thread, and after too many interruptions; the caller then copies
    /// inside a counted section.
    ///
    /// # Safety
    /// `source` points to `size` bytes that are freed only after it was replaced and a grace
    /// period of this domain has passed. `target` has room for them; its contents count only if
    /// the answer is true.
    #[inline(always)]
    pub(crate) unsafe fn snapshot(
        &self,
        source: *const *const u8,
        target: *mut u8,
        size: usize,
    ) -> bool {
        let Some(handle) = self.sequences() else {
            return false;
        };
        // SAFETY: `cs` is set: libc registers the threads, and on one without a registration the
        // sequence aborts. Source and target are as the caller promises.
        unsafe {
            sys::copy_through(handle, source, target, size) == Outcome::Committed
                || Self::snapshot_again(handle.cs, source, target, size)
        }
    }

    /// Copies a part in the same way, `offset` bytes into what `source` points to. Tries once: where it returns
    /// false, the caller copies inside a counted section.
    ///
    /// # Safety
    /// As for [`Readers::snapshot`], of the `size` bytes at the offset.
    #[inline(always)]
    pub(crate) unsafe fn snapshot_part(
        &self,
        source: *const *const u8,
        offset: usize,
        target: *mut u8,
        size: usize,
    ) -> bool {
        self.sequences().is_some_and(|handle| {
            // SAFETY: `cs` is set: libc registers the threads, and on one without a registration the sequence
            // aborts. Source, target and the bytes at the offset are as the caller promises.
            let outcome = unsafe { sys::copy_part_through(handle, source, offset, target, size) };
            outcome == Outcome::Committed
        })
    }

    /// Copies a part of what a pointer points to that lies `way[0]` bytes into what `source` points to: `way[1]` bytes
    /// behind where it points. Tries once, as [`Readers::snapshot_part`].
    ///
    /// # Safety
    /// As for [`Readers::snapshot`], of that pointer and of the `size` bytes behind it.
    #[inline(always)]
    pub(crate) unsafe fn snapshot_behind(
        &self,
        source: *const *const u8,
        way: [usize; 2],
        target: *mut u8,
        size: usize,
    ) -> bool {
        self.sequences().is_some_and(|handle| {
            // SAFETY: `cs` is set: libc registers the threads, and on one without a registration the sequence
            // aborts. Source, target, the pointer and the bytes behind it are as the caller promises.
            let outcome = unsafe { sys::copy_behind_through(handle, source, way, target, size) };
            outcome == Outcome::Committed
        })
    }

    /// Tries to copy again. Takes `cs` in place of the handle, which would be put into memory for this call on
    /// the usual way too.
    ///
    /// # Safety
    /// As for [`Readers::snapshot`], and libc registers the threads: `cs` is their handle's.
    #[cold]
    #[inline(never)]
    unsafe fn snapshot_again(
        cs: isize,
        source: *const *const u8,
        target: *mut u8,
        size: usize,
    ) -> bool {
        let handle = Self::handle_to_copy(cs);
        (1..ATTEMPTS).any(|_| {
            // SAFETY: the handle is the threads'; source and target are as the caller promises.
            (unsafe { sys::copy_through(handle, source, target, size) }) == Outcome::Committed
        })
    }
}
