//! Threads that are disturbed while they work: migrated, interrupted by signals whose handler
//! works too, and delayed inside the sequences where delays are compiled in.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rseq_ops::delay::{self, Point};
use urcu_host::affinity;

use super::stress_time;

static FUNCTION: AtomicU64 = AtomicU64::new(0);
/// The number of handlers that are running.
static RUNNING: AtomicU64 = AtomicU64::new(0);
/// The number of times the handler ran.
pub(crate) static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
    RUNNING.fetch_add(1, Ordering::SeqCst);
    let function = FUNCTION.load(Ordering::SeqCst);
    if function != 0 {
        // SAFETY: the address of a `fn()`, stored by `disturbed`.
        let function = unsafe { std::mem::transmute::<usize, fn()>(function as usize) };
        function();
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

/// At its end: tells that a thread's work is over, and waits until the disturber, which uses the
/// thread's name, knows that all are.
struct Over<'o>(&'o AtomicU64, u64);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
        while self.0.load(Ordering::Acquire) <= self.1 {
            std::thread::yield_now();
        }
    }
}

/// Runs `work(thread, running)` on `threads` threads for some time ([`stress_time`]), and disturbs them; `handler`
/// runs in the signals they get. Ends the delays afterwards.
pub(crate) fn disturbed(
    threads: usize,
    handler: Option<fn()>,
    work: impl Fn(usize, &dyn Fn() -> bool) + Sync,
) {
    let stop = AtomicBool::new(false);
    FUNCTION.store(handler.map_or(0, |f| f as usize as u64), Ordering::Release);
    // SAFETY: a handler of the right type.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
    }
    let cpus = affinity::cpus();
    let started = Mutex::new(Vec::new());
    let over = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (stop, work, started, over) = (&stop, &work, &started, &over);
            scope.spawn(move || {
                // SAFETY: no arguments.
                let me = unsafe { (libc::pthread_self(), libc::gettid()) };
                started.lock().unwrap().push(me);
                // Also at a panic, or a failed test would hang.
                let _over = Over(over, threads as u64);
                work(thread, &|| !stop.load(Ordering::Relaxed));
            });
        }
        let (begin, length) = (Instant::now(), stress_time());
        let mut turn = 0;
        while over.load(Ordering::Acquire) < threads as u64 {
            if begin.elapsed() > length {
                stop.store(true, Ordering::Relaxed);
            }
            for point in Point::ALL {
                // Mostly none, now and then long enough for an interrupt to hit.
                delay::set(point, [0, 0, 200, 20_000][(turn + point as usize) % 4]);
            }
            let known = started.lock().unwrap().clone();
            for (at, (thread, id)) in known.into_iter().enumerate() {
                affinity::move_to(id, &cpus[(turn + at) % cpus.len()..][..1]);
                // SAFETY: the thread waits for us before it ends.
                unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
            }
            turn += 1;
            std::thread::sleep(Duration::from_micros(200));
        }
        over.fetch_add(1, Ordering::Release);
    });
    for point in Point::ALL {
        delay::set(point, 0);
    }
    FUNCTION.store(0, Ordering::SeqCst);
    // A thread counts as joined before it has ended, so a handler may still run there.
    while RUNNING.load(Ordering::SeqCst) != 0 {
        std::thread::yield_now();
    }
}
