//! Temporary refusals: `membarrier` fails a number of times, and then works again.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

use crate::seccomp::Filter;

/// The sixth argument by which a call is not trapped. `membarrier` itself has no such argument.
const PASS: u32 = 0x7061_7373;

/// How often the trapped call still fails, and its error.
static FAILS: AtomicUsize = AtomicUsize::new(0);
static ERRNO: AtomicI32 = AtomicI32::new(0);

/// Installs a filter for the calling thread. From now on its calls of `membarrier` go through a signal
/// handler, and fail as often as [`refuse_membarrier`] says.
///
/// # Errors
/// Returns the kernel's error, if it allows no filter.
pub fn trap_membarrier() -> io::Result<()> {
    // SAFETY: a zeroed action is valid; the handler makes a system call and uses atomics.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = trapped as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut());
    }
    Filter::trapping(libc::SYS_membarrier, 5, PASS).install()
}

/// Makes `membarrier` fail so many times in all threads that called [`trap_membarrier`].
pub fn refuse_membarrier(times: usize, errno: i32) {
    ERRNO.store(errno, SeqCst);
    FAILS.store(times, SeqCst);
}

/// Returns how often `membarrier` will still fail.
#[must_use]
pub fn refusals_left() -> usize {
    FAILS.load(SeqCst)
}

/// Makes `membarrier` work again. Returns how often it would still have failed.
pub fn forgo_refusals() -> usize {
    FAILS.swap(0, SeqCst)
}

/// Makes the trapped call, or fails in its place.
extern "C" fn trapped(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes valid pointers to a handler.
    let context = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    let command = context.gregs[libc::REG_RDI as usize];
    #[cfg(target_arch = "aarch64")]
    let command = context.regs[0];
    let fails = FAILS.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
    let answer = if fails.is_ok() {
        -i64::from(ERRNO.load(SeqCst))
    } else {
        let pass = libc::c_ulong::from(PASS);
        // SAFETY: errno is this thread's own. It is restored, because the interrupted code may be about to
        // read it.
        let errno = unsafe { &mut *libc::__errno_location() };
        let before = *errno;
        // SAFETY: the call takes integers.
        let answer = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0, 0, 0, pass) };
        let failed = -i64::from(mem::replace(errno, before));
        if answer == -1 { failed } else { answer }
    };
    #[cfg(target_arch = "x86_64")]
    {
        context.gregs[libc::REG_RAX as usize] = answer;
    }
    #[cfg(target_arch = "aarch64")]
    {
        context.regs[0] = answer as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::{forgo_refusals, refusals_left, refuse_membarrier, trap_membarrier};
    use std::io::Error;

    #[test]
    fn membarrier_fails_so_often_and_then_answers() {
        // `MEMBARRIER_CMD_QUERY`, which every kernel answers that has the call.
        fn query() -> Result<i64, i32> {
            // SAFETY: the call takes integers, and changes nothing.
            match unsafe { libc::syscall(libc::SYS_membarrier, 0, 0, 0) } {
                -1 => Err(Error::last_os_error().raw_os_error().unwrap()),
                answer => Ok(answer),
            }
        }
        let usual = query();
        let filtered = move || {
            if crate::seccomp::under_valgrind() || trap_membarrier().is_err() {
                return println!("skipped: this machine cannot trap system calls");
            }
            assert_eq!(query(), usual);
            refuse_membarrier(2, libc::EXDEV);
            assert_eq!((query(), refusals_left()), (Err(libc::EXDEV), 1));
            assert_eq!((query(), refusals_left()), (Err(libc::EXDEV), 0));
            assert_eq!(query(), usual);
            refuse_membarrier(2, libc::EXDEV);
            assert_eq!((forgo_refusals(), query()), (2, usual));
        };
        std::thread::spawn(filtered).join().unwrap();
    }
}
