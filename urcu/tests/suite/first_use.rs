//! The first use of the library, and of a domain, in a signal handler that may interrupt that very
//! first use. A process has one first use, so these run in processes of their own.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use urcu::{Domain, Rcu};

use crate::signals::{install, under_storm};
use crate::support::assert_child_passes;

static HANDLED: AtomicU64 = AtomicU64::new(0);
/// The domain that the handler uses, if any.
static CURRENT: AtomicPtr<Domain> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn read_global(_: libc::c_int) {
    let outer = urcu::read_lock();
    drop(urcu::read_lock());
    drop(outer);
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn read_current(_: libc::c_int) {
    // SAFETY: null, or a domain of the thread that this handler interrupts, alive while it is there.
    if let Some(domain) = unsafe { CURRENT.load(Ordering::SeqCst).as_ref() } {
        drop(domain.read_lock());
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_first_section_of_a_process_may_be_in_a_handler() {
    assert_child_passes("first_use::child_first_in_a_handler");
}

#[test]
#[ignore = "a child process of the_first_section_of_a_process_may_be_in_a_handler"]
fn child_first_in_a_handler() {
    install(libc::SIGUSR1, read_global);
    // SAFETY: the handler is installed.
    unsafe { libc::raise(libc::SIGUSR1) };
    assert_eq!(HANDLED.load(Ordering::SeqCst), 1);
    urcu::synchronize();
    let cell = Rcu::new(1);
    assert_eq!((*cell.read(), cell.snapshot()), (1, 1));
    assert_eq!(cell.replace(2), 1);
}

#[test]
fn the_first_section_of_a_process_needs_no_more_stack_than_a_handler_has() {
    assert_child_passes("first_use::child_first_on_a_small_stack");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_first_on_a_small_stack() {
    /// SIGSTKSZ. Of it the kernel's own frame takes more than 3,000 bytes where there is AVX-512.
    const SIZE: usize = 8192;
    install(libc::SIGUSR1, read_global);
    // SAFETY: a new mapping, whose lowest page is made inaccessible, becomes the handler's stack;
    // the old one is back before the test ends. The handler is installed.
    unsafe {
        let guard = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let (flags, rights) = (
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            libc::PROT_READ | libc::PROT_WRITE,
        );
        let mapping = libc::mmap(std::ptr::null_mut(), SIZE + guard, rights, flags, -1, 0);
        assert_ne!(mapping, libc::MAP_FAILED);
        assert_eq!(libc::mprotect(mapping, guard, libc::PROT_NONE), 0);
        let small = libc::stack_t {
            ss_sp: mapping.cast::<u8>().add(guard).cast(),
            ss_flags: 0,
            ss_size: SIZE,
        };
        let mut before: libc::stack_t = std::mem::zeroed();
        assert_eq!(libc::sigaltstack(&raw const small, &raw mut before), 0);
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGUSR1, std::ptr::null(), &raw mut action);
        action.sa_flags |= libc::SA_ONSTACK;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
        libc::raise(libc::SIGUSR1);
        assert_eq!(
            libc::sigaltstack(&raw const before, std::ptr::null_mut()),
            0
        );
    }
    assert_eq!(HANDLED.load(Ordering::SeqCst), 1);
}

#[test]
fn the_first_use_of_a_process_may_be_interrupted_by_readers() {
    for _ in 0..5 {
        assert_child_passes("first_use::child_first_under_a_storm");
    }
}

#[test]
#[ignore = "a child process of the_first_use_of_a_process_may_be_interrupted_by_readers"]
fn child_first_under_a_storm() {
    install(libc::SIGUSR1, read_global);
    let storm_has_begun = || HANDLED.load(Ordering::SeqCst) > 3;
    under_storm(libc::SIGUSR1, Duration::ZERO, || {
        // The handler's reads race with these from the first one on.
        let cell = Rcu::new([1u64; 4]);
        loop {
            drop(urcu::read_lock());
            assert_eq!(cell.snapshot(), [1; 4]);
            if storm_has_begun() {
                break;
            }
        }
        urcu::synchronize();
    });
    urcu::synchronize();
}

#[test]
fn the_first_use_of_a_domain_may_be_interrupted_by_its_readers() {
    // A process of its own, because of the handler; each turn is a domain's first use.
    assert_child_passes("first_use::child_with_many_domains_under_a_storm");
}

#[test]
#[ignore = "a child process of the_first_use_of_a_domain_may_be_interrupted_by_its_readers"]
fn child_with_many_domains_under_a_storm() {
    install(libc::SIGUSR1, read_current);
    let end = Instant::now() + crate::support::length(300);
    under_storm(libc::SIGUSR1, Duration::from_micros(2), || {
        while Instant::now() < end || HANDLED.load(Ordering::SeqCst) == 0 {
            let mut domain = Domain::new();
            CURRENT.store(&raw mut domain, Ordering::SeqCst);
            drop(domain.read_lock());
            domain.synchronize();
            CURRENT.store(std::ptr::null_mut(), Ordering::SeqCst);
        }
    });
    assert!(HANDLED.load(Ordering::SeqCst) > 0, "no signal arrived");
}
