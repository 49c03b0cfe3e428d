//! What a process needs to have done before its barriers are granted: nothing. That is also the
//! case of a child that was forked while another thread registered, whose memory may say that it
//! is registered: one fork in some hundred, at such a time.
//!
//! One test, because it asks what a process finds that has never registered.

use rseq_ops::membarrier::{self, MembarrierError};
use rseq_ops::{abi, features};

use crate::support::again::{inside, run_again};

/// The call alone.
fn raw(command: i32) -> Result<(), Option<i32>> {
    // SAFETY: three integers.
    match unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().raw_os_error()),
    }
}

/// Runs `body` in a fork of this process; whether it returned true.
fn in_a_child(body: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does what a child of several threads may, and ends.
    match unsafe { libc::fork() } {
        0 => {
            let code = i32::from(!body());
            // SAFETY: ends the child, without what its parent would do at its end.
            unsafe { libc::_exit(code) }
        }
        child => {
            assert!(child > 0, "no child");
            let mut status = 0;
            // SAFETY: waits for it.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            status == 0
        }
    }
}

#[test]
fn a_barrier_registers_a_process_that_is_not() {
    const NAME: &str = concat!(
        module_path!(),
        "::a_barrier_registers_a_process_that_is_not"
    );
    if !inside(NAME) {
        return run_again(NAME, || Ok(()));
    }
    if !features().membarrier.restart() {
        println!("skipped: this kernel restarts no sequences");
        return;
    }
    let commands = [
        (
            abi::MEMBARRIER_PRIVATE_EXPEDITED,
            membarrier::barrier as fn() -> Result<(), MembarrierError>,
        ),
        (abi::MEMBARRIER_PRIVATE_EXPEDITED_RSEQ, membarrier::restart),
    ];
    for (command, call) in commands {
        assert!(in_a_child(|| {
            let refused = raw(command) == Err(Some(libc::EPERM));
            refused && call().is_ok() && raw(command).is_ok()
        }));
    }
}
