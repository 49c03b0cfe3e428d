//! Statics that a forked child finds as they were before their first use.

use crate::sync::{AtomicU32, Ordering};

/// A value that the kernel wipes in every forked child, whoever forks and from where: see
/// [`fork`](super::fork). A whole page, or several, because only whole pages can be wiped.
///
/// The value is all zeroes at first, so that a child finds what its parent found. It must be
/// [prepared](Wiped::prepare) before anything is stored in it.
#[cfg_attr(target_arch = "aarch64", repr(C, align(65536)))]
#[cfg_attr(not(target_arch = "aarch64"), repr(C, align(4096)))]
pub(crate) struct Wiped<T> {
    value: T,
    /// 1 once the kernel was told.
    advised: AtomicU32,
}

/// Declares a [`Wiped`] static of a type that has a `new` of all zeroes.
macro_rules! wiped {
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty) => {
        $(#[$attribute])*
        $visibility static $name: $crate::sync::Wiped<$type> =
            $crate::sync::Wiped::new(<$type>::new());
    };
}
pub(crate) use wiped;

impl<T> Wiped<T> {
    /// Wraps `value`, which is all zeroes.
    pub(crate) const fn new(value: T) -> Self {
        Wiped {
            value,
            advised: AtomicU32::new(0),
        }
    }

    /// Returns the value: for loads at any time, for stores once it is prepared.
    #[inline(always)]
    pub(crate) const fn get(&self) -> &T {
        &self.value
    }

    /// Prepares the value, and returns it.
    #[inline]
    pub(crate) fn prepared(&'static self) -> &'static T {
        self.prepare();
        &self.value
    }

    /// Makes the kernel wipe the value in children, from the first call on. Async-signal-safe.
    ///
    /// If it cannot (another system, pages that are larger than expected), children inherit the
    /// parent's state, as the documentation says.
    ///
    /// # Panics
    /// If the kernel has no memory for it, for longer than some milliseconds.
    #[inline]
    pub(crate) fn prepare(&'static self) {
        // Acquire: pairs with the release below: whoever goes on may count on the kernel.
        if self.advised.load(Ordering::Acquire) == 0 {
            self.advise();
        }
    }

    #[cold]
    fn advise(&'static self) {
        #[cfg(all(target_os = "linux", not(miri)))]
        linux::advise(self);
        self.advised.store(1, Ordering::Release);
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
mod linux {
    use core::time::Duration;

    use super::Wiped;

    /// From 10 microseconds, each pause twice as long as the one before: 10 milliseconds in all.
    const TRIES: u32 = 10;

    pub(super) fn advise<T>(pages: &'static Wiped<T>) {
        // SAFETY: reads the auxiliary vector.
        let page = unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize;
        if page == 0 || !align_of::<Wiped<T>>().is_multiple_of(page) {
            return;
        }
        let refused = (0..TRIES).all(|tried| {
            let refused = is_refused_now(pages);
            if refused {
                pause(Duration::from_micros(10 << tried));
            }
            refused
        });
        // Else a forked child would wait for threads that it does not have.
        if refused {
            panic!(
                "no memory for the state of RCU: the kernel refused to wipe {} bytes in children",
                size_of::<Wiped<T>>()
            );
        }
    }

    /// Advises the kernel, and returns whether it refused for a reason that may pass.
    fn is_refused_now<T>(pages: &'static Wiped<T>) -> bool {
        // SAFETY: the advice changes what a child finds in these pages and nothing here; `Wiped` is
        // aligned to whole pages, so nothing else is in them. errno is the calling thread's, and is put
        // back, because this also runs in signal handlers.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            let refused = libc::madvise(
                core::ptr::from_ref(pages).cast_mut().cast(),
                size_of::<Wiped<T>>(),
                libc::MADV_WIPEONFORK,
            ) != 0;
            let passing = refused && matches!(*errno, libc::EAGAIN | libc::ENOMEM | libc::EINTR);
            *errno = before;
            passing
        }
    }

    /// Sleeps, or less long if a signal comes. Async-signal-safe.
    fn pause(time: Duration) {
        // SAFETY: errno is the calling thread's, which this is.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: errno is the calling thread's, and valid for as long as the thread runs.
        let before = unsafe { *errno };
        std::thread::sleep(time);
        // SAFETY: errno is the calling thread's, and valid for as long as the thread runs.
        unsafe { *errno = before };
    }
}
