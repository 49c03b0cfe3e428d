//! Refusals of a barrier that pass, and for how long they are waited for.

use std::thread;

use rseq_ops::membarrier::{self, MembarrierError};
use urcu_host::seccomp::under_valgrind;
use urcu_host::transient::{forgo_refusals, refuse_membarrier, trap_membarrier};

/// Returns a barrier's answer where the kernel fails so many times in a row, and how many failures are left.
fn after(fails: usize, errno: i32) -> (Result<(), MembarrierError>, usize) {
    refuse_membarrier(fails, errno);
    let answer = membarrier::restart();
    (answer, forgo_refusals())
}

#[test]
fn a_refusal_that_passes_is_waited_for_and_no_other() {
    if under_valgrind() {
        return println!("skipped: valgrind cannot run a program whose system calls are trapped");
    }
    // Without refusals: the trapped call is made.
    let usual = membarrier::restart();
    // A filter is the thread's own.
    let filtered = || {
        trap_membarrier().unwrap();
        for errno in [libc::ENOMEM, libc::EAGAIN, libc::EINTR] {
            for fails in [1, 2, 5, 10] {
                assert_eq!(after(fails, errno), (usual, 0), "{fails} x {errno}");
            }
            // Ten pauses: then who called is told.
            assert_eq!(after(15, errno), (Err(MembarrierError(errno)), 4));
        }
        for errno in [libc::ENOSYS, libc::EINVAL] {
            assert_eq!(
                after(5, errno),
                (Err(MembarrierError(errno)), 4),
                "not asked again"
            );
        }
    };
    thread::scope(|scope| scope.spawn(filtered).join().unwrap());
}
