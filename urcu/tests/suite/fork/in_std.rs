//! A fork while other threads hold locks of the standard library's, which nobody releases in the child:
//! what the library does there by itself takes none of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use urcu::{Domain, Runner};
use urcu_host::poison::{Held, hold};

use super::with_locks::asleep;
use crate::support::assert_child_passes;
use crate::support::fork::{Fork, WAYS, assert_child, block_on, fork, leave};

/// The bytes of something that nobody else allocates or frees.
const SIZE: usize = 1237;

fn until(done: impl Fn() -> bool) {
    while !done() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Has every thread that the library starts do something.
fn use_every_thread() {
    let new = |domain: Domain| -> &'static Domain { Box::leak(Box::new(domain)) };
    let ran = Arc::new(AtomicUsize::new(0));
    let one = || {
        let ran = Arc::clone(&ran);
        move || _ = ran.fetch_add(1, Ordering::SeqCst)
    };
    let shared = new(Domain::new());
    shared.call(one());
    until(|| ran.load(Ordering::SeqCst) == 1);
    new(Domain::new().run_by(Runner::OwnThread)).call(one());
    until(|| ran.load(Ordering::SeqCst) == 2);
    block_on(shared.synchronize_async());
    // One that is started for a report.
    static TOLD: AtomicBool = AtomicBool::new(false);
    urcu::stall::set_timeout(Duration::from_millis(10));
    urcu::stall::set_hook(|_| TOLD.store(true, Ordering::SeqCst));
    let stalled = new(Domain::new());
    let guard = stalled.read_lock();
    stalled.call(one());
    until(|| TOLD.load(Ordering::SeqCst));
    drop(guard);
    until(|| ran.load(Ordering::SeqCst) == 3);
    // One that stands by while a callback waits for what only it can drive.
    shared.call(move || block_on(new(Domain::new()).synchronize_async()));
    shared.barrier();
}

fn check(fork: Fork) {
    assert_child(fork, || {
        hold(None);
        use_every_thread();
    });
}

#[test]
fn a_childs_threads_start_whichever_thread_of_the_parents_was_starting_or_ending() {
    assert_child_passes("fork::in_std::child_with_threads");
}

#[test]
#[ignore = "a child process"]
fn child_with_threads() {
    hold(Some(Held::Freed(SIZE)));
    // More, so that nobody else frees so many bytes of it.
    let mut name = String::with_capacity(2 * SIZE);
    name.extend(std::iter::repeat_n('n', SIZE));
    // When it ends, its copy of the name is freed inside the standard library's lock.
    let thread = thread::Builder::new().name(name).spawn(|| ()).unwrap();
    until(|| Held::is_anyone() || thread.is_finished());
    if !Held::is_anyone() {
        return println!("this standard library frees no name inside a lock");
    }
    WAYS.into_iter().for_each(|(_, fork)| check(fork));
    hold(None);
    thread.join().unwrap();
}

#[test]
fn a_child_needs_no_environment_that_another_thread_was_changing() {
    assert_child_passes("fork::in_std::child_with_environment");
}

#[test]
#[ignore = "a child process"]
fn child_with_environment() {
    // SAFETY: the other threads of this process touch the environment by the standard library alone.
    unsafe { std::env::set_var("URCU_TEST_LONG", "v".repeat(SIZE)) };
    hold(Some(Held::Allocated(SIZE)));
    thread::scope(|scope| {
        // Stops inside the standard library's lock, which it shares.
        scope.spawn(|| std::env::vars_os().count());
        until(Held::is_anyone);
        // Waits for it, so nobody else gets it.
        let (sender, id) = mpsc::channel();
        scope.spawn(move || {
            // SAFETY: no arguments.
            sender.send(unsafe { libc::gettid() }).unwrap();
            // SAFETY: the other threads of this process touch the environment by the standard library alone.
            unsafe { std::env::set_var("URCU_TEST_LONG", "") };
        });
        let id = id.recv().unwrap();
        until(|| asleep(id).is_some());
        WAYS.into_iter().for_each(|(_, fork)| check(fork));
        hold(None);
    });
}

#[test]
fn a_childs_callback_that_overflows_its_stack_gets_to_the_programs_handler() {
    assert_child_passes("fork::in_std::child_that_overflows");
}

extern "C" fn handler(_: libc::c_int) {
    leave(0)
}

/// Needs more stack than there is.
fn overflow(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 512]);
    if depth == u64::MAX {
        return 0;
    }
    overflow(depth + 1) + room[0]
}

#[test]
#[ignore = "a child process"]
fn child_that_overflows() {
    assert_child(fork, || {
        // SAFETY: the handler ends the process; what is zero is no flag and an empty mask.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut());
        }
        urcu::call(|| _ = overflow(0));
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    });
}
