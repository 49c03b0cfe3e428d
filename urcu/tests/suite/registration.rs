//! A thread that libc does not register: its first section, and a handler that reads meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rseq_ops::Owner;
use urcu::Domain;
use urcu::testing::{Point, set_delay};

use crate::signals::install;
use crate::support::{assert_passes_with, assert_waits};

static DOMAIN: Domain = Domain::named("first section of a thread");
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn read(_: libc::c_int) {
    drop(DOMAIN.read_lock());
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Were the handler the one to register the thread, then the sequence that it interrupted would go
/// on unprotected, and count the section in a phase that is over.
#[test]
fn a_first_section_that_a_reading_handler_interrupts_is_counted_in_its_time() {
    assert_passes_with(
        "registration::child_with_a_fresh_thread",
        "GLIBC_TUNABLES",
        "glibc.pthread.rseq=0",
    );
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_a_fresh_thread() {
    if rseq_ops::process().owner != Owner::Own {
        return;
    }
    install(libc::SIGUSR1, read);
    DOMAIN.synchronize();
    let target = &AtomicUsize::new(0);
    thread::scope(|scope| {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (opened, open) = std::sync::mpsc::channel();
        // Some tenths of a second: the handler runs, and a grace period begins, in it.
        set_delay(Point::AddThroughLoaded, 500_000_000);
        scope.spawn(move || {
            // SAFETY: no arguments.
            target.store(unsafe { libc::pthread_self() } as usize, Ordering::SeqCst);
            let guard = DOMAIN.read_lock();
            opened.send(()).expect("the test waits");
            let _ = released.recv();
            drop(guard);
        });
        while target.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(50));
        // The handler must not take the delay that the thread is in.
        set_delay(Point::AddThroughLoaded, 0);
        // SAFETY: the thread is in its delay, so alive.
        unsafe { libc::pthread_kill(target.load(Ordering::SeqCst) as _, libc::SIGUSR1) };
        while HANDLED.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        // It returns before the section if the section begins in the phase after, else later.
        scope.spawn(|| DOMAIN.synchronize());
        open.recv().expect("the thread's section");
        assert_waits(&DOMAIN, || release.send(()).expect("the thread waits"));
    });
}
