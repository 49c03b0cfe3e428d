//! Many threads that work, and what disturbs them.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use rseq_ops::delay::{self, Point};

use urcu_host::affinity;

use crate::support::indexes::{self, Random};
use crate::support::{alone, stress_time};

/// One small piece of work, by a worker or by a signal handler that interrupts one: it must not
/// block, allocate or panic.
pub(crate) type Work<'a> = &'a (dyn Fn(&mut Random) + Sync);

/// The disturbances of the workers, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    Signals,
    Migration,
    Yields,
    Deaths,
    All,
}

impl Disturbance {
    /// With how many threads there are for each CPU, beside one.
    const EACH: [(Self, usize); 5] = [
        (Self::Signals, 2),
        (Self::Migration, 1),
        (Self::Yields, 4),
        (Self::Deaths, 2),
        (Self::All, 6),
    ];

    fn has(self, other: Self) -> bool {
        self == other || self == Self::All
    }
}

/// A number of turns that widens the gap between two steps.
pub(crate) fn dawdle(random: &mut Random) {
    (0..random.below(100)).for_each(|_| std::hint::spin_loop());
}

/// Works until all is over, or until it dies and another one takes its place.
fn worker<'s>(
    scope: &'s Scope<'s, '_>,
    thread: &'s AtomicUsize,
    over: &'s AtomicBool,
    disturbance: Disturbance,
    work: Work<'s>,
) {
    let id = indexes::thread_id();
    thread.store(id as usize, Ordering::SeqCst);
    let mut random = Random(id as u64);
    while !over.load(Ordering::Relaxed) {
        work(&mut random);
        if disturbance.has(Disturbance::Yields) && random.below(4) == 0 {
            std::thread::yield_now();
        }
        if disturbance.has(Disturbance::Deaths) && random.below(500) == 0 {
            scope.spawn(move || worker(scope, thread, over, disturbance, work));
            return;
        }
    }
}

/// Runs `work` on many threads for a while.
pub(crate) fn stress(work: Work<'_>) {
    static HANDLED: AtomicPtr<Work<'static>> = AtomicPtr::new(ptr::null_mut());
    /// The number of handlers that are running.
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler(_: i32) {
        static SEED: AtomicUsize = AtomicUsize::new(1);
        RUNNING.fetch_add(1, Ordering::SeqCst);
        let handled = HANDLED.load(Ordering::SeqCst);
        // A thread that is about to end may be registered no more.
        if !handled.is_null() && rseq_ops::current_thread().is_some() {
            let seed = SEED.fetch_add(1, Ordering::Relaxed);
            // SAFETY: it lives until no handler that has found it is running.
            unsafe {
                (*handled)(&mut Random(
                    (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15),
                ))
            };
        }
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
    // Delays, the signal handler and its work are the whole process's.
    let _alone = alone();
    indexes::on_signal(handler);
    let time = stress_time() / Disturbance::EACH.len() as u32;
    let cpus = affinity::cpus();

    for (disturbance, threads) in Disturbance::EACH {
        let signals = disturbance.has(Disturbance::Signals);
        HANDLED.store(
            if signals {
                (&raw const work).cast_mut().cast()
            } else {
                ptr::null_mut()
            },
            Ordering::SeqCst,
        );
        let over = AtomicBool::new(false);
        let threads: Vec<_> = (0..threads * cpus.len().min(4) + 1)
            .map(|_| AtomicUsize::new(0))
            .collect();
        std::thread::scope(|scope| {
            for thread in &threads {
                let over = &over;
                scope.spawn(move || worker(scope, thread, over, disturbance, work));
            }
            let mut random = Random(7);
            let start = Instant::now();
            while start.elapsed() < time {
                let thread = threads[random.below(threads.len())].load(Ordering::SeqCst) as i32;
                if thread != 0 && signals {
                    indexes::interrupt(thread);
                }
                if thread != 0 && disturbance.has(Disturbance::Migration) {
                    affinity::move_to(thread, &[cpus[random.below(cpus.len())]]);
                }
                if random.below(8) == 0 {
                    for point in Point::ALL {
                        delay::set(point, [0, 100, 1000, 10_000][random.below(4)]);
                    }
                }
                std::thread::sleep(Duration::from_micros(random.below(100) as u64));
            }
            for point in Point::ALL {
                delay::set(point, 0);
            }
            over.store(true, Ordering::SeqCst);
        });
        HANDLED.store(ptr::null_mut(), Ordering::SeqCst);
        // A worker counts as joined before its thread has ended, so a handler may still run there.
        while RUNNING.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
    }
}
