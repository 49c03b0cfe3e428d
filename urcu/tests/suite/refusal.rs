//! What happens when the kernel grants membarrier first and refuses it later.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use urcu::Domain;

use crate::seccomp::refuse_in_this_thread;
use crate::support::{assert_child_passes, deadline, sequences, skip};

#[test]
fn a_refused_grace_period_panics_and_says_what_to_do() {
    if !sequences() {
        return skip("nothing to refuse: no sequences in this process");
    }
    let _deadline = deadline("a_refused_grace_period_panics_and_says_what_to_do");
    let domain = Domain::new();
    domain.synchronize(); // The process decides here that it has membarrier.
    let message = thread::scope(|scope| {
        let filtered = scope.spawn(|| {
            refuse_in_this_thread(&[libc::SYS_membarrier], libc::EPERM).unwrap();
            catch_unwind(AssertUnwindSafe(|| domain.synchronize())).unwrap_err()
        });
        let payload = filtered.join().unwrap();
        payload.downcast_ref::<String>().expect("a message").clone()
    });
    assert!(
        message.contains("membarrier(2) refused with errno 1"),
        "{message}"
    );
    assert!(message.contains("before the first use of RCU"), "{message}");
}

#[test]
fn after_a_refused_grace_period_none_ends_before_the_sections_of_its_time() {
    assert_child_passes("refusal::child_with_one_filtered_thread");
}

/// A filter may be on one thread only, and `membarrier` may lack memory for once: the next grace
/// period, elsewhere, must not believe that the refused one has drained its period.
#[test]
#[ignore = "a child process of the test above, because a domain may stay unusable"]
fn child_with_one_filtered_thread() {
    if !sequences() {
        return skip("nothing to refuse: no sequences in this process");
    }
    static DOMAIN: Domain = Domain::named("refused");
    static RETURNED: AtomicBool = AtomicBool::new(false);
    let guard = DOMAIN.read_lock();
    let filtered = thread::spawn(|| {
        refuse_in_this_thread(&[libc::SYS_membarrier], libc::EPERM).unwrap();
        assert!(catch_unwind(|| DOMAIN.synchronize()).is_err());
    });
    filtered.join().unwrap();
    // It may panic, and it may wait; it must not return.
    thread::spawn(|| {
        if catch_unwind(|| DOMAIN.synchronize()).is_ok() {
            RETURNED.store(true, Ordering::SeqCst);
        }
    });
    thread::sleep(Duration::from_millis(100));
    assert!(
        !RETURNED.load(Ordering::SeqCst),
        "a grace period ended although a section that began before it is open"
    );
    drop(guard);
}
