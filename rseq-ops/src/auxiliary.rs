//! The auxiliary vector: facts that the kernel tells a program when it starts.

/// Returns the word of an entry, or 0 if there is no such entry. Async-signal-safe.
///
/// libc sets errno if there is no such entry. So errno is restored, because this also runs in signal handlers.
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) fn auxiliary(entry: impl Into<u64>) -> usize {
    // SAFETY: reads the auxiliary vector, which never changes; errno is the calling thread's.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let word = libc::getauxval(entry.into() as libc::c_ulong);
        *errno = before;
        word as usize
    }
}

/// Returns 0: other systems have no such vector.
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn auxiliary(_: impl Into<u64>) -> usize {
    0
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_missing_changes_no_errno() {
        const MARK: i32 = 12_345;
        // SAFETY: errno is the calling thread's.
        unsafe { *libc::__errno_location() = MARK };
        assert_ne!(auxiliary(libc::AT_PAGESZ), 0);
        assert_eq!(auxiliary(u32::MAX), 0);
        // SAFETY: errno is the calling thread's.
        assert_eq!(unsafe { *libc::__errno_location() }, MARK);
    }
}
