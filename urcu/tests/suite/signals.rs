//! Sections in signal handlers, which interrupt sections, sequences and grace periods.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Once, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, Rcu};
use urcu_host::poison::{LARGE, SMALL};
use urcu_host::stamped::Stamped;

use crate::support::{SetOnDrop, length};

type Cell<const WORDS: usize> = Rcu<Stamped<WORDS>, &'static Domain>;

static DOMAIN: Domain = Domain::named("signals");
static SMALL_CELL: OnceLock<Cell<SMALL>> = OnceLock::new();
static LARGE_CELL: OnceLock<Cell<LARGE>> = OnceLock::new();
static HANDLED: AtomicU64 = AtomicU64::new(0);
static ERRORS: AtomicU64 = AtomicU64::new(0);

fn cells() -> (&'static Cell<SMALL>, &'static Cell<LARGE>) {
    (
        SMALL_CELL.get_or_init(|| Rcu::new_in(Stamped::new(0), &DOMAIN)),
        LARGE_CELL.get_or_init(|| Rcu::new_in(Stamped::new(0), &DOMAIN)),
    )
}

/// Reads in every way; true if all was well. Takes no lock: the cells are made already.
fn read() -> bool {
    let (Some(small), Some(large)) = (SMALL_CELL.get(), LARGE_CELL.get()) else {
        return false;
    };
    let outer = DOMAIN.read_lock();
    let first = large.load(&outer);
    let inner = DOMAIN.read_lock();
    let second = small.load(&inner);
    let good = first.check().is_some()
        & second.check().is_some()
        & small.snapshot().check().is_some()
        & large.snapshot().check().is_some()
        & small.read().check().is_some();
    drop(outer);
    good & second.check().is_some()
}

extern "C" fn handler(_: libc::c_int) {
    // SAFETY: errno is the calling thread's.
    let before = unsafe { *libc::__errno_location() };
    if !read() {
        ERRORS.fetch_add(1, Ordering::Relaxed);
    }
    HANDLED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: errno is the calling thread's.
    if before != unsafe { *libc::__errno_location() } {
        ERRORS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Installs a handler, for the whole process.
pub(crate) fn install(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: a zeroed `sigaction` is valid; the handler is async-signal-safe, as its tests claim.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(
            libc::sigaction(signal, &raw const action, std::ptr::null_mut()),
            0
        );
    }
}

/// Sends the signal to the calling thread again and again while `body` runs.
pub(crate) fn under_storm<R>(signal: libc::c_int, pause: Duration, body: impl FnOnce() -> R) -> R {
    // SAFETY: no arguments; the thread lives until after the sender's end.
    let target = unsafe { libc::pthread_self() };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                // SAFETY: the thread is in `under_storm`, so alive.
                unsafe { libc::pthread_kill(target, signal) };
                let next = Instant::now() + pause;
                while Instant::now() < next {
                    std::hint::spin_loop();
                }
            }
        });
        let _over = SetOnDrop(over);
        body()
    })
}

/// Sends the signal to the calling thread at every `period` while `body` runs, by the kernel alone.
pub(crate) fn with_timer(signal: libc::c_int, period: Duration, body: impl FnOnce()) {
    // SAFETY: zeroed structures are valid, the others are filled by the calls; the timer goes
    // before the thread does.
    unsafe {
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_notify_thread_id = libc::syscall(libc::SYS_gettid) as _;
        let mut timer: libc::timer_t = std::mem::zeroed();
        let made = libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer);
        assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
        let mut time: libc::itimerspec = std::mem::zeroed();
        time.it_interval.tv_nsec = period.as_nanos() as _;
        time.it_value = time.it_interval;
        libc::timer_settime(timer, 0, &raw const time, std::ptr::null_mut());
        body();
        libc::timer_delete(timer);
    }
}

fn set_up() {
    static ONCE: Once = Once::new();
    cells();
    ONCE.call_once(|| install(libc::SIGUSR1, handler));
}

/// Returns whether a storm is to go on: for so long, and until its sender has had a CPU.
fn goes_on(end: Instant, before: u64) -> bool {
    Instant::now() < end || HANDLED.load(Ordering::SeqCst) == before
}

#[track_caller]
fn assert_handled(before: u64) {
    assert_eq!(ERRORS.load(Ordering::SeqCst), 0, "errors in the handler");
    assert!(HANDLED.load(Ordering::SeqCst) > before, "no signal arrived");
}

#[test]
fn a_handler_may_read_while_sections_begin_and_end() {
    set_up();
    let before = HANDLED.load(Ordering::SeqCst);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        scope.spawn(move || {
            let (small, large) = cells();
            for stamp in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                assert!(small.replace(Stamped::new(stamp)).check().is_some());
                assert!(large.replace(Stamped::new(stamp)).check().is_some());
            }
        });
        for pause in [1, 20, 50].map(Duration::from_micros) {
            scope.spawn(move || {
                let _over = SetOnDrop(over);
                let end = Instant::now() + length(400);
                under_storm(libc::SIGUSR1, pause, || {
                    while goes_on(end, before) {
                        assert!(read(), "reclaimed memory, with {pause:?} between signals");
                    }
                });
            });
        }
    });
    DOMAIN.synchronize();
    assert_handled(before);
}

#[test]
fn a_handler_may_read_while_its_thread_waits_for_a_grace_period() {
    set_up();
    let before = HANDLED.load(Ordering::SeqCst);
    let end = Instant::now() + length(300);
    thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < end {
                let guard = DOMAIN.read_lock();
                thread::sleep(Duration::from_micros(200));
                drop(guard);
            }
        });
        under_storm(libc::SIGUSR1, Duration::from_micros(20), || {
            while goes_on(end, before) {
                DOMAIN.synchronize();
                DOMAIN.call(|| ());
            }
        });
    });
    DOMAIN.barrier();
    assert_handled(before);
}

#[test]
fn a_guard_may_begin_in_a_storm_and_end_in_calm() {
    set_up();
    let before = HANDLED.load(Ordering::SeqCst);
    let guards = under_storm(libc::SIGUSR1, Duration::from_micros(1), || {
        let end = Instant::now() + length(30);
        let mut guards = Vec::new();
        while goes_on(end, before) {
            guards.push(DOMAIN.read_lock());
            if guards.len() > 10_000 {
                guards.clear();
            }
        }
        guards
    });
    thread::spawn(move || drop(guards)).join().unwrap();
    DOMAIN.synchronize();
    assert_handled(before);
}
