//! The one background thread: it drives the grace periods that nobody waits for, and runs callbacks.
//!
//! It starts when it is first needed, does not keep the process alive, and sleeps on one word,
//! which everything that may concern it changes ([`poke`]): work handed over, the late end of a
//! section, the end of a grace period that somebody else led. It never waits for a reader while
//! another domain has work.

use core::panic::AssertUnwindSafe;
use core::ptr;
use core::time::Duration;
use std::sync::Arc;

use crate::fork;
use crate::machine::{
    Ordering, catch_unwind, fence, futex_wait, futex_wake, process, tell_reader_mode, thread,
    without_signals,
};
use crate::tasks::{Tasks, Turn};

/// Something that the worker was given. All there is of it lies in memory that a fork wipes: a child
/// finds nothing, and no worker.
#[derive(Debug)]
pub(crate) struct Handed {
    tasks: Arc<Tasks>,
    /// What was given before.
    next: *mut Handed,
}

/// Gives the worker something to do. It keeps that until there is nothing left.
pub(crate) fn hand(tasks: Arc<Tasks>) {
    let mut last = process().handed.load(Ordering::Relaxed);
    let given = Box::into_raw(Box::new(Handed { tasks, next: last }));
    // Release: pairs with the acquire in `fetch`.
    while let Err(other) =
        process()
            .handed
            .compare_exchange(last, given, Ordering::Release, Ordering::Relaxed)
    {
        last = other;
        // SAFETY: ours until it is published.
        unsafe { (*given).next = last };
    }
    is_there();
    poke();
}

/// Fetches what the worker was given.
fn fetch(active: &mut Vec<Arc<Tasks>>) {
    if process().handed.load(Ordering::Relaxed).is_null() {
        return;
    }
    // Acquire: pairs with the release in `hand`.
    let mut next = process().handed.swap(ptr::null_mut(), Ordering::Acquire);
    while !next.is_null() {
        // SAFETY: from `hand`, and whoever takes the list has all of it.
        let given = unsafe { Box::from_raw(next) };
        active.push(given.tasks);
        next = given.next;
    }
}

/// Whether there is a worker; tries to start it. If there is none, callers must help themselves.
pub(crate) fn is_there() -> bool {
    let started = &process().worker_started;
    started.load(Ordering::Relaxed) != 0
        || process().starting.with(|| {
            if started.load(Ordering::Relaxed) != 0 {
                return true;
            }
            let thread = thread::Builder::new().name("urcu-callbacks".into());
            // The new thread inherits the mask: the program's signals are not for it. If it cannot be
            // started now, whoever hands something over next tries again, and callers of `barrier`
            // help themselves.
            let is_there = thread.spawn(work).is_ok();
            started.store(u32::from(is_there), Ordering::Relaxed);
            is_there
        })
}

/// Starts a thread that works for one domain alone, which is scheduled, until that ends.
pub(crate) fn start_own(tasks: Arc<Tasks>) -> Option<thread::Thread> {
    let name = format!("urcu-{}", tasks.settings.name.unwrap_or("callbacks"));
    let thread = thread::Builder::new().name(name);
    let work = move || {
        tell_reader_mode();
        let mut pause = PAUSES.0;
        while tasks.is_ours() && !tasks.is_closed() {
            match catch_unwind(AssertUnwindSafe(|| tasks.turn())) {
                Ok(Turn::More) => continue,
                Ok(Turn::Waiting { patience }) => {
                    thread::park_timeout(patience.unwrap_or(PAUSES.0).min(PAUSES.0))
                }
                Ok(Turn::Over) if tasks.is_ours() => thread::park(),
                Ok(Turn::Over) => return, // A callback forked: this is the child.
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
    tell_reader_mode();
    let incarnation = fork::incarnation();
    let mut active: Vec<Arc<Tasks>> = Vec::new();
    let mut pause = PAUSES.0;
    loop {
        let poked = process().poked.load(Ordering::Acquire);
        fetch(&mut active);
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
