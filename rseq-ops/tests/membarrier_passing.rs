//! Refusals of a barrier that pass, and for how long they are waited for.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(feature = "portable")
))]

#[macro_use]
extern crate test_deadline;

mod refused;

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;

use rseq_ops::membarrier::{self, Refused};

/// How often the call fails still, and how.
static FAILS: AtomicUsize = AtomicUsize::new(0);
static ERRNO: AtomicI32 = AtomicI32::new(0);

/// In the place of the trapped call, which succeeds where it does not fail.
extern "C" fn trapped(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let fails = FAILS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        left.checked_sub(1)
    });
    let errno = i64::from(ERRNO.load(Ordering::SeqCst));
    let answer = if fails.is_ok() { -errno } else { 0 };
    // SAFETY: what the kernel gives to a handler.
    let context = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    {
        context.gregs[libc::REG_RAX as usize] = answer;
    }
    #[cfg(target_arch = "aarch64")]
    {
        context.regs[0] = answer as u64;
    }
}

/// What a barrier answers where the kernel fails so many times in a row; and how many of these are left.
fn after(fails: usize, errno: i32) -> (Result<(), Refused>, usize) {
    FAILS.store(fails, Ordering::SeqCst);
    ERRNO.store(errno, Ordering::SeqCst);
    let answer = membarrier::restart();
    (answer, FAILS.load(Ordering::SeqCst))
}

#[test]
fn a_refusal_that_passes_is_waited_for_and_no_other() {
    if refused::under_valgrind() {
        return println!("skipped: valgrind cannot run a program whose system calls are trapped");
    }
    // SAFETY: a zeroed action is valid; the handler uses atomics alone.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = trapped as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut());
    }
    // A filter is the thread's own.
    let filtered = || {
        refused::trap(libc::SYS_membarrier).unwrap();
        for errno in [libc::ENOMEM, libc::EAGAIN, libc::EINTR] {
            for fails in [1, 2, 5, 10] {
                assert_eq!(after(fails, errno), (Ok(()), 0), "{fails} x {errno}");
            }
            // Ten pauses: then who called is told.
            assert_eq!(after(15, errno), (Err(Refused(errno)), 4));
        }
        for errno in [libc::ENOSYS, libc::EINVAL] {
            assert_eq!(after(5, errno), (Err(Refused(errno)), 4), "not asked again");
        }
    };
    thread::spawn(filtered).join().unwrap();
}
