//! Forks in signal handlers, whose children end there or go on with what the handler interrupted.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, Rcu, ReadGuard};

use super::with_locks::asleep;
use crate::signals::install;
use crate::support::fork::{
    Fork, WAYS, assert_ends_well, child_does, leave, limit_child, use_everything,
};
use crate::support::{SetOnDrop, assert_child_passes, length};

static DOMAIN: Domain = Domain::named("forked in a handler");
/// A `Fork`.
static WAY: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static RETURNS: AtomicBool = AtomicBool::new(false);
/// The child that the handler made last; -1 in that child.
static MADE: AtomicI32 = AtomicI32::new(0);

/// Reads alone: what the handler interrupted may have been the heap.
fn read() {
    let outer = DOMAIN.read_lock();
    drop((DOMAIN.read_lock(), urcu::read_lock()));
    drop(outer);
}

extern "C" fn forks(_: libc::c_int) {
    // SAFETY: the only pointers stored there are of this type.
    let way = unsafe { std::mem::transmute::<*mut (), Fork>(WAY.load(Ordering::SeqCst)) };
    let process = way();
    if process != 0 {
        return MADE.store(process, Ordering::SeqCst);
    }
    limit_child();
    MADE.store(-1, Ordering::SeqCst);
    if !RETURNS.load(Ordering::SeqCst) {
        read();
        leave(0);
    }
    // Else what was interrupted is the first use in the child.
}

fn set_up(way: Fork, returns: bool) {
    install(libc::SIGUSR2, forks);
    WAY.store(way as *mut (), Ordering::SeqCst);
    RETURNS.store(returns, Ordering::SeqCst);
    MADE.store(0, Ordering::SeqCst);
}

fn is_child() -> bool {
    MADE.load(Ordering::SeqCst) == -1
}

/// Signals a thread, and waits for the child that its handler makes.
fn signal_and_wait(thread: libc::pthread_t) {
    MADE.store(0, Ordering::SeqCst);
    // SAFETY: the callers' threads are alive.
    unsafe { libc::pthread_kill(thread, libc::SIGUSR2) };
    while MADE.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    assert_ends_well(MADE.load(Ordering::SeqCst));
}

#[test]
fn a_handler_may_fork_while_its_thread_reads() {
    assert_child_passes("fork::in_handlers::child_of_readers");
}

#[test]
#[ignore = "a child process"]
fn child_of_readers() {
    for (number, (name, way)) in WAYS.into_iter().enumerate() {
        for returns in [false, true] {
            println!("{name}, returns: {returns}");
            set_up(way, returns);
            let over = AtomicBool::new(false);
            let cell = Rcu::new_in([1u64; 4], &DOMAIN);
            let reader = AtomicUsize::new(0);
            thread::scope(|scope| {
                let _over = SetOnDrop(&over);
                scope.spawn(|| {
                    // SAFETY: no arguments.
                    reader.store(unsafe { libc::pthread_self() } as usize, Ordering::SeqCst);
                    while !over.load(Ordering::Relaxed) {
                        (0..10).for_each(|_| read());
                        assert_eq!(cell.snapshot(), [1; 4]);
                        if is_child() {
                            child_does(|| {
                                use_everything(&DOMAIN);
                                use_everything(urcu::global());
                            });
                        }
                    }
                });
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        DOMAIN.synchronize();
                        thread::sleep(Duration::from_micros(100));
                    }
                });
                let end = Instant::now() + length(600);
                let mut turns = 0;
                while Instant::now() < end || turns < 20 {
                    match reader.load(Ordering::SeqCst) {
                        0 => thread::yield_now(),
                        thread => {
                            signal_and_wait(thread as libc::pthread_t);
                            turns += 1;
                        }
                    }
                    // Not always at the same instruction.
                    (0..turns * 7 % 100 + number).for_each(|_| std::hint::spin_loop());
                }
                println!("{turns} forks");
            });
            use_everything(&DOMAIN);
        }
    }
}

#[test]
fn a_handler_may_fork_while_its_thread_waits() {
    assert_child_passes("fork::in_handlers::child_of_waiters");
}

#[test]
#[ignore = "a child process"]
fn child_of_waiters() {
    for before in [0, 3] {
        // Numbers of grace periods that a child starts without, or not.
        (0..before).for_each(|_| DOMAIN.synchronize());
        for (name, way) in WAYS {
            for returns in [false, true] {
                println!("{name} after {before}, returns: {returns}");
                set_up(way, returns);
                let guard = DOMAIN.read_lock();
                let waiters = [const { AtomicUsize::new(0) }; 4];
                thread::scope(|scope| {
                    for (number, waiter) in waiters.iter().enumerate() {
                        scope.spawn(move || {
                            // SAFETY: no arguments.
                            let this = unsafe { libc::pthread_self() };
                            waiter.store(this as usize, Ordering::SeqCst);
                            match number {
                                3 => DOMAIN.start_poll().wait(),
                                _ => DOMAIN.synchronize(),
                            }
                            if is_child() {
                                child_does(|| {
                                    use_everything(&DOMAIN);
                                    use_everything(urcu::global());
                                });
                            }
                        });
                    }
                    for waiter in &waiters {
                        while waiter.load(Ordering::SeqCst) == 0 {
                            thread::yield_now();
                        }
                    }
                    // Deep in their sleep: one leads, others follow.
                    thread::sleep(Duration::from_millis(30));
                    for waiter in &waiters {
                        signal_and_wait(waiter.load(Ordering::SeqCst) as libc::pthread_t);
                    }
                    drop(guard);
                });
                use_everything(&DOMAIN);
            }
        }
    }
}

/// Set when a thread of the child's has waited for the child's section.
static WAITED: AtomicBool = AtomicBool::new(false);
static GUARD: Mutex<Option<ReadGuard<'static>>> = Mutex::new(None);

/// As [`forks`], where the interrupted thread and all others sleep, so that a child may use the heap. It
/// begins a section, and another thread a grace period, before it goes on with what was interrupted.
extern "C" fn forks_and_waits(signal: libc::c_int) {
    forks(signal);
    if !is_child() {
        return;
    }
    *GUARD.lock().unwrap() = Some(DOMAIN.read_lock());
    let (sender, thread) = mpsc::channel();
    thread::spawn(move || {
        // SAFETY: no arguments.
        sender.send(unsafe { libc::gettid() }).unwrap();
        DOMAIN.synchronize();
        WAITED.store(true, Ordering::SeqCst);
    });
    let thread = thread.recv().unwrap();
    while asleep(thread).is_none() && !WAITED.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_a_handler_begins_in_the_child_is_not_ended_by_what_it_interrupted() {
    assert_child_passes("fork::in_handlers::child_of_waiters_with_sections");
}

#[test]
#[ignore = "a child process"]
fn child_of_waiters_with_sections() {
    // The child's numbers of grace periods are the parent's, or not.
    for before in [0, 1, 3] {
        (0..before).for_each(|_| DOMAIN.synchronize());
        for (name, way) in WAYS {
            println!("{name} after {before}");
            set_up(way, true);
            install(libc::SIGUSR2, forks_and_waits);
            let guard = DOMAIN.read_lock();
            let waiters = [const { (AtomicUsize::new(0), AtomicI32::new(0)) }; 3];
            thread::scope(|scope| {
                for (waiter, id) in &waiters {
                    scope.spawn(move || {
                        // SAFETY: no arguments.
                        let (this, number) = unsafe { (libc::pthread_self(), libc::gettid()) };
                        id.store(number, Ordering::SeqCst);
                        waiter.store(this as usize, Ordering::SeqCst);
                        DOMAIN.synchronize();
                        if is_child() {
                            child_does(|| {
                                thread::sleep(Duration::from_millis(20));
                                let early = WAITED.load(Ordering::SeqCst);
                                assert!(!early, "a grace period ended before its sections");
                                drop(GUARD.lock().unwrap().take());
                                while !WAITED.load(Ordering::SeqCst) {
                                    thread::sleep(Duration::from_millis(1));
                                }
                                use_everything(&DOMAIN);
                                use_everything(urcu::global());
                            });
                        }
                    });
                }
                // One leads, others follow; which is which does not matter.
                for (waiter, id) in &waiters {
                    while waiter.load(Ordering::SeqCst) == 0
                        || asleep(id.load(Ordering::SeqCst)).is_none()
                    {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                for (waiter, _) in &waiters {
                    signal_and_wait(waiter.load(Ordering::SeqCst) as libc::pthread_t);
                }
                drop(guard);
            });
            use_everything(&DOMAIN);
        }
    }
}
