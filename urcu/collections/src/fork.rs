//! The fork generation of this process. It tells a lock whose holder lives from one whose holder was lost in a
//! fork.

use crate::sync::{AtomicU32, Ordering};

/// The number of bits of a generation that fit into a lock.
pub(crate) const BITS: u32 = 14;
const MASK: u32 = (1 << BITS) - 1;

/// The newest generation that was given out. A child finds its parent's here.
static LAST: AtomicU32 = AtomicU32::new(0);

/// Returns the generation of this process. It is never 0 and has at most [`BITS`] bits. A child's generation
/// differs from its parent's if the kernel can wipe memory at a fork (Linux 4.14).
#[inline]
pub(crate) fn generation() -> u32 {
    let word = wiped();
    match word.load(Ordering::Relaxed) {
        0 => renew(word),
        generation => generation,
    }
}

#[cold]
fn renew(word: &AtomicU32) -> u32 {
    let made = loop {
        let made = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & MASK;
        if made != 0 {
            break made;
        }
    };
    // Relaxed: only the number itself is used.
    match word.compare_exchange(0, made, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => made,
        Err(first) => first,
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
use linux::wiped;

#[cfg(all(target_os = "linux", not(miri)))]
mod linux {
    use core::ptr::{self, NonNull};

    use crate::sync::{AtomicPtr, AtomicU32, Ordering};

    static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
    /// The word used if the kernel cannot wipe memory at a fork.
    static ALWAYS: AtomicU32 = AtomicU32::new(0);

    /// Returns a word that is zero in every new process, if the kernel can wipe memory at a fork.
    #[inline]
    pub(super) fn wiped() -> &'static AtomicU32 {
        // Acquire: pairs with the release in `make`. The content needs no ordering, because the kernel has zeroed
        // it.
        match NonNull::new(PAGE.load(Ordering::Acquire)) {
            // SAFETY: `make` stores only addresses of words that are never freed.
            Some(page) => unsafe { page.as_ref() },
            None => make(),
        }
    }

    #[cold]
    fn make() -> &'static AtomicU32 {
        let page = map().unwrap_or(NonNull::from(&ALWAYS));
        // Two threads may both map a page here. The first page is kept and the other one leaks, at most once in the
        // life of a process.
        match PAGE.compare_exchange(
            ptr::null_mut(),
            page.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            // SAFETY: a page that is never unmapped, or the static word.
            Ok(_) => unsafe { page.as_ref() },
            // SAFETY: not null, because the exchange failed; so a page that is never unmapped, or the static word.
            Err(first) => unsafe { &*first },
        }
    }

    fn map() -> Option<NonNull<AtomicU32>> {
        const SIZE: usize = 4096;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: advice for, and unmapping of, the mapping just made, which nobody else knows.
        unsafe {
            if libc::madvise(page, SIZE, libc::MADV_WIPEONFORK) != 0 {
                libc::munmap(page, SIZE);
                return None;
            }
        }
        NonNull::new(page.cast())
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn wiped() -> &'static AtomicU32 {
    static ALWAYS: AtomicU32 = AtomicU32::new(0);
    &ALWAYS
}
