//! Children of a fork can do everything at once, and their parents do not notice.
//!
//! Each test is a process of its own: in this one, other tests' threads may be inside the heap's
//! locks, which children that libc does not know of would find held.

#[cfg(target_arch = "x86_64")]
mod at_every_instruction;
mod in_handlers;
#[cfg(all(target_os = "linux", not(miri)))]
mod in_std;
mod leftovers;
mod other_threads;
mod user_code;
mod with_locks;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, Rcu};

use crate::support::fork::{Fork, assert_ends_well, block_on, spawn};
use crate::support::{SetOnDrop, assert_waits};

static DOMAIN: Domain = Domain::named("forked");
static OTHER: Domain = Domain::named("forked too");

/// Both kinds: a static's state is elsewhere.
fn domains() -> [&'static Domain; 3] {
    [urcu::global(), &DOMAIN, &OTHER]
}

/// Waits until `true`, or for ever: tests have deadlines.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Does what keeps locks and the lead busy, until `over`.
fn keep_busy(number: usize, over: &AtomicBool, ran: &'static AtomicUsize) -> usize {
    let mut queued = 0;
    let cell = Rcu::new_in([7u64; 4], &DOMAIN);
    while !over.load(Ordering::Relaxed) {
        match number % 4 {
            0 => {
                drop(DOMAIN.read_lock());
                DOMAIN.synchronize();
                drop(urcu::read_lock());
                assert_eq!(cell.snapshot(), [7; 4]);
                urcu::synchronize();
            }
            1 => {
                DOMAIN.call(move || {
                    ran.fetch_add(1, Ordering::SeqCst);
                });
                queued += 1;
                DOMAIN.barrier();
            }
            2 => {
                // The first use of a domain, and its end.
                let domain = Domain::new();
                drop(domain.read_lock());
                domain.synchronize();
                domain.call(|| ());
            }
            _ => {
                let guard = DOMAIN.read_lock();
                assert!(!DOMAIN.start_poll().is_over());
                drop(guard);
                block_on(DOMAIN.synchronize_async());
            }
        }
    }
    queued
}

/// Forks again and again while other threads are busy; the children do `body`.
fn fork_under_load(way: Fork, time: Duration, body: fn()) {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    #[cfg(rseq_ops_delay_injection)]
    {
        use urcu::testing::{Point, set_delay};
        set_delay(Point::AddThroughLoaded, 300);
        set_delay(Point::SubIfCurrentCommit, 300);
    }
    let over = AtomicBool::new(false);
    let (before, mut queued, mut forks) = (RAN.load(Ordering::SeqCst), 0, 0);
    thread::scope(|scope| {
        let _over = SetOnDrop(&over);
        let threads: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn({
                    let over = &over;
                    move || keep_busy(number, over, &RAN)
                })
            })
            .collect();
        let end = Instant::now() + time;
        while Instant::now() < end || forks < 20 {
            let children: Vec<_> = (0..3).map(|_| spawn(way, body)).collect();
            children.into_iter().for_each(assert_ends_well);
            forks += 3;
        }
        over.store(true, Ordering::SeqCst);
        queued = threads.into_iter().map(|t| t.join().unwrap()).sum();
    });
    println!("{forks} forks, {queued} callbacks");
    DOMAIN.barrier();
    assert_eq!(RAN.load(Ordering::SeqCst) - before, queued, "callbacks");
    for domain in domains() {
        let guard = domain.read_lock();
        assert_waits(domain, || drop(guard));
    }
}
