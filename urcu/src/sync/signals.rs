//! Signal masks: the library's own threads run a user's code with the mask of the program's threads, and
//! all else with asynchronous signals blocked.

use super::fork;

pub(crate) use masks::{begin, blocked, enter_user, of_user};

/// Runs user code. On a thread of our own that is not yet inside user code, it gets the signal mask of the
/// program's threads.
pub(crate) fn as_user<R>(f: impl FnOnce() -> R) -> R {
    /// Ends the user's code, also if that panics.
    struct Outside(u64);
    impl Drop for Outside {
        fn drop(&mut self) {
            // A child that was forked inside is the user's.
            if fork::generation() == self.0 {
                masks::leave_user();
            }
        }
    }
    let _outside = masks::enter_user().then(|| Outside(fork::generation()));
    f()
}

/// Runs `f` with asynchronous signals blocked on this thread: those that a program sends, not those that
/// `f` raises itself. The mask is as before when `f` returns or panics.
pub(crate) fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    masks::blocked(f)
}

#[cfg(all(unix, not(miri)))]
mod masks {
    use core::cell::Cell;
    use core::mem::MaybeUninit;
    use core::ptr;

    thread_local! {
        // Without destructors: they are there as long as the thread is.
        static OURS: Cell<Option<Ours>> = const { Cell::new(None) };
        /// Inside [`without_signals`](super::without_signals), the mask from before.
        static SHIELDED: Cell<Option<Mask>> = const { Cell::new(None) };
    }

    pub(crate) type Mask = libc::sigset_t;

    /// The masks that a thread of our own remembers.
    #[derive(Clone, Copy)]
    struct Ours {
        /// The mask for a user's code.
        user: Mask,
        inside: bool,
    }

    /// The signals that a thread's own instructions raise.
    const SYNCHRONOUS: [libc::c_int; 7] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGTRAP,
        libc::SIGSYS,
        libc::SIGABRT,
    ];

    /// Returns all asynchronous signals, and those that the program blocks itself, which it means for
    /// another thread.
    fn shielded(user: &Mask) -> Mask {
        let mut all = MaybeUninit::<Mask>::uninit();
        // SAFETY: the set is filled before it is used; the numbers are those of signals.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            for signal in SYNCHRONOUS {
                if libc::sigismember(user, signal) == 0 {
                    libc::sigdelset(all.as_mut_ptr(), signal);
                }
            }
            all.assume_init()
        }
    }

    /// Sets the calling thread's mask; `None` leaves it. Returns the mask it had.
    fn set(mask: Option<&Mask>) -> Mask {
        let mut before = MaybeUninit::<Mask>::uninit();
        let mask = mask.map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the mask is valid or null. The set is empty unless the call fills it, which it does
        // for these arguments.
        unsafe {
            libc::sigemptyset(before.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, mask, before.as_mut_ptr());
            before.assume_init()
        }
    }

    /// Puts a mask back when it is dropped, and the earlier value of `SHIELDED`.
    struct Restore(Mask, Option<Mask>);

    impl Drop for Restore {
        fn drop(&mut self) {
            SHIELDED.set(self.1);
            set(Some(&self.0));
        }
    }

    /// Returns the mask with which a user's code runs on threads that the calling one starts.
    pub(crate) fn of_user() -> Mask {
        match (SHIELDED.get(), OURS.get()) {
            (Some(before), _) => before,
            (None, Some(ours)) if !ours.inside => ours.user,
            _ => set(None),
        }
    }

    /// Runs `f` with asynchronous signals blocked.
    pub(crate) fn blocked<R>(f: impl FnOnce() -> R) -> R {
        let user = of_user();
        let _restore = Restore(set(Some(&shielded(&user))), SHIELDED.replace(Some(user)));
        f()
    }

    /// Notes that the calling thread is one of our own.
    pub(crate) fn begin(user: Mask) {
        OURS.set(Some(Ours {
            user,
            inside: false,
        }));
    }

    /// Returns whether the calling thread is our own, and was outside of a user's code.
    pub(crate) fn enter_user() -> bool {
        match OURS.get() {
            Some(ours) if !ours.inside => {
                OURS.set(Some(Ours {
                    inside: true,
                    ..ours
                }));
                set(Some(&ours.user));
                true
            }
            _ => false,
        }
    }

    pub(crate) fn leave_user() {
        if let Some(ours) = OURS.get() {
            set(Some(&shielded(&ours.user)));
            OURS.set(Some(Ours {
                inside: false,
                ..ours
            }));
        }
    }
}

#[cfg(not(all(unix, not(miri))))]
mod masks {
    #[derive(Clone, Copy)]
    pub(crate) struct Mask;

    pub(crate) fn of_user() -> Mask {
        Mask
    }

    pub(crate) fn blocked<R>(f: impl FnOnce() -> R) -> R {
        f()
    }

    pub(crate) fn begin(_: Mask) {}

    pub(crate) fn enter_user() -> bool {
        false
    }

    pub(crate) fn leave_user() {}
}
