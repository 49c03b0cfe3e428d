//! The one background thread: it drives the grace periods that nobody waits for, and runs callbacks.
//!
//! It starts when it is first needed, does not keep the process alive, and sleeps on one word,
//! which everything that may concern it changes ([`poke`]): work handed over, the late end of a
//! section, the end of a grace period that somebody else led. It never waits for a reader while
//! another domain has work.

use core::panic::AssertUnwindSafe;
use core::ptr;
use core::time::Duration;
use std::sync::{Arc, PoisonError};

use crate::fork;
use crate::machine::{
    Mutex, MutexGuard, Ordering, catch_unwind, fence, futex_wait, futex_wake, process, thread,
    without_signals,
};
use crate::tasks::{Tasks, Turn};

/// What the thread has and others reach.
#[derive(Debug)]
pub(crate) struct Worker {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    started: bool,
    handed: Vec<Arc<Tasks>>,
}

/// This process's: a child makes its own.
fn worker() -> &'static Worker {
    let known = process().worker.load(Ordering::Acquire);
    // SAFETY: null or leaked below.
    if let Some(worker) = unsafe { known.as_ref() } {
        return worker;
    }
    fork::incarnation();
    let made = Box::into_raw(Box::new(Worker {
        inner: Mutex::new(Inner {
            started: false,
            handed: Vec::new(),
        }),
    }));
    let first = process().worker.compare_exchange(
        ptr::null_mut(),
        made,
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    match first {
        // SAFETY: published for ever.
        Ok(_) => unsafe { &*made },
        Err(first) => {
            // SAFETY: ours was not published; the first one is as above.
            unsafe {
                drop(Box::from_raw(made));
                &*first
            }
        }
    }
}

impl Worker {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the worker something to do. It keeps that until there is nothing left.
pub(crate) fn hand(tasks: Arc<Tasks>) {
    let mut inner = worker().lock();
    inner.handed.push(tasks);
    start(&mut inner);
    drop(inner);
    poke();
}

/// Whether there is a worker; tries to start it. If there is none, callers must help themselves.
pub(crate) fn is_there() -> bool {
    process().worker_started.load(Ordering::Relaxed) != 0 || start(&mut worker().lock())
}

fn start(inner: &mut Inner) -> bool {
    if !inner.started {
        let thread = thread::Builder::new().name("urcu-callbacks".into());
        // The new thread inherits the mask: the program's signals are not for it. If it cannot be
        // started now, whoever hands something over next tries again, and callers of `barrier`
        // help themselves.
        inner.started = without_signals(|| thread.spawn(work).is_ok());
        if inner.started {
            process().worker_started.store(1, Ordering::Relaxed);
        }
    }
    inner.started
}

/// Starts a thread that works for one domain alone, which is scheduled, until that ends.
pub(crate) fn start_own(tasks: Arc<Tasks>) -> Option<thread::Thread> {
    let name = format!("urcu-{}", tasks.settings.name.unwrap_or("callbacks"));
    let thread = thread::Builder::new().name(name);
    let work = move || {
        let mut pause = PAUSES.0;
        while !tasks.is_closed() && tasks.is_ours() {
            match catch_unwind(AssertUnwindSafe(|| tasks.turn())) {
                Ok(Turn::More) => continue,
                Ok(Turn::Waiting { patience }) => {
                    thread::park_timeout(patience.unwrap_or(PAUSES.0).min(PAUSES.0))
                }
                Ok(Turn::Over) => thread::park(),
                Err(_) => {
                    thread::sleep(pause);
                    pause = (pause * 2).min(PAUSES.1);
                    continue;
                }
            }
            pause = PAUSES.0;
        }
    };
    let started = without_signals(|| thread.spawn(work));
    started.ok().map(|handle| handle.thread().clone())
}

/// Makes the worker look around. Async-signal-safe.
pub(crate) fn poke() {
    process().poked.fetch_add(1, Ordering::Release);
    // Pairs with the fence in `work`.
    fence(Ordering::SeqCst);
    if process().worker_sleeps.load(Ordering::Relaxed) != 0 {
        futex_wake(&process().poked, 1);
    }
}

/// The first pause after the kernel refused a barrier, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(60));

fn work() {
    let incarnation = fork::incarnation();
    let mut active: Vec<Arc<Tasks>> = Vec::new();
    let mut pause = PAUSES.0;
    loop {
        let poked = process().poked.load(Ordering::Acquire);
        active.append(&mut worker().lock().handed);
        let mut sleep = Some(None::<Duration>);
        let mut refused = false;
        active.retain(|tasks| {
            // Barriers may be refused for a while (this thread may have inherited a filter, or
            // memory is short): work waits then, and none is lost.
            match catch_unwind(AssertUnwindSafe(|| tasks.turn())) {
                Ok(Turn::Over) => return false,
                Ok(Turn::More) => sleep = None,
                Ok(Turn::Waiting { patience }) => {
                    sleep = sleep.map(|least| [least, patience].into_iter().flatten().min());
                }
                Err(_) => {
                    refused = true;
                    sleep = sleep.map(|least| Some(least.map_or(pause, |least| least.min(pause))));
                }
            }
            true
        });
        if fork::incarnation() != incarnation {
            return; // A callback forked: this is the child, and not its worker.
        }
        pause = if refused {
            (pause * 2).min(PAUSES.1)
        } else {
            PAUSES.0
        };
        if let Some(most) = sleep {
            process().worker_sleeps.store(1, Ordering::Relaxed);
            // Either `poke` sees that we sleep, or we see its change.
            fence(Ordering::SeqCst);
            futex_wait(&process().poked, poked, most);
            process().worker_sleeps.store(0, Ordering::Relaxed);
        }
    }
}
