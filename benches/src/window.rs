//! Threads that repeat a step for a stretch of time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::memb;

/// A place where threads wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    arrived: usize,
    open: bool,
}

impl Gate {
    /// Waits until the gate is open.
    pub(crate) fn arrive(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.arrived += 1;
        // Only the creator waits for arrivals while the gate is shut, but the threads
        // wait on the same condition: it looks by itself instead of being woken.
        while !state.open {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until so many have arrived.
    ///
    /// # Panics
    ///
    /// Panics if one of them has `ended` instead.
    pub(crate) fn await_arrivals(&self, threads: usize, ended: impl Fn() -> bool) {
        let arrived = || {
            let state = self.state.lock();
            state.unwrap_or_else(PoisonError::into_inner).arrived
        };
        while arrived() < threads {
            assert!(!ended(), "a thread failed before it began");
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn open(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .open = true;
        self.changed.notify_all();
    }
}

/// The work that threads did in a stretch of time.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The steps that each thread did in it. Fewer threads than wanted, if not all could be created.
    pub done: Vec<u64>,
    /// The steps of all threads until the last one had ended.
    pub total: u64,
    /// The length of the stretch.
    pub elapsed: Duration,
}

impl Stretch {
    /// Returns the steps of all threads in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.done.iter().sum::<u64>() as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the nanoseconds for each step of any thread: the pace at which one thread would do as much.
    #[must_use]
    pub fn ns_each(&self) -> f64 {
        1e9 / self.per_second()
    }
}

/// A counter. Two threads' counters are not on one cache line, nor on two lines that are fetched together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counter(AtomicU64);

/// Lets threads repeat `step`, each on the state from `prepare`, while `during` runs in the calling thread, and at
/// least until one of them has done a step. A step returns how much it did.
///
/// # Panics
///
/// Panics if there cannot be even one thread, or if one of them does.
pub fn together<S>(
    threads: usize,
    prepare: impl Fn() -> S + Sync,
    step: impl Fn(&mut S) -> u64 + Sync,
    during: impl FnOnce(),
) -> Stretch {
    struct Stop<'s>(&'s AtomicBool, &'s Gate);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
            self.1.open();
        }
    }
    const STACK: usize = 256 << 10;
    let (gate, stop) = (Gate::default(), AtomicBool::new(false));
    let counters: Vec<Counter> = (0..threads).map(|_| Counter::default()).collect();
    let mut there = 0;
    let read = |there: usize| -> Vec<u64> {
        let counters = counters[..there].iter();
        counters
            .map(|counter| counter.0.load(Ordering::Relaxed))
            .collect()
    };
    let (done, elapsed) = thread::scope(|scope| {
        // The gate opens even if something here panics, because the scope waits for the threads.
        let stopped = Stop(&stop, &gate);
        let mut handles = Vec::with_capacity(threads);
        for counter in &counters {
            let (gate, stop, prepare, step) = (&gate, &stop, &prepare, &step);
            let body = move || {
                // Held throughout: registering takes a lock that grace periods need.
                let _registration = memb::register();
                let mut state = prepare();
                // The first step may set things up, so it is not measured.
                let mut total = step(&mut state);
                counter.0.store(total, Ordering::Relaxed);
                gate.arrive();
                while !stop.load(Ordering::Relaxed) {
                    total += step(&mut state);
                    counter.0.store(total, Ordering::Relaxed);
                }
            };
            match thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, body)
            {
                Ok(handle) => handles.push(handle),
                Err(_) => break,
            }
        }
        there = handles.len();
        assert!(there > 0, "no thread could be created");
        gate.await_arrivals(there, || {
            handles.iter().any(thread::ScopedJoinHandle::is_finished)
        });
        gate.open();
        let (before, begin) = (read(there), Instant::now());
        during();
        let (mut after, mut elapsed) = (read(there), begin.elapsed());
        while after == before && !handles.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(1));
            (after, elapsed) = (read(there), begin.elapsed());
        }
        drop(stopped);
        let done = after
            .iter()
            .zip(before)
            .map(|(after, before)| after - before);
        (done.collect(), elapsed)
    });
    Stretch {
        done,
        total: read(there).into_iter().sum(),
        elapsed,
    }
}

/// A thread that repeats a step until this is dropped.
#[derive(Debug)]
pub struct Background {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts the thread, and returns after its first step.
    ///
    /// # Panics
    ///
    /// Panics if the thread cannot be created.
    #[must_use]
    pub fn start(mut step: impl FnMut() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let began = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (stop, began) = (stop.clone(), began.clone());
            move || {
                // As in `together`.
                let _registration = memb::register();
                while !stop.load(Ordering::Relaxed) {
                    step();
                    began.store(true, Ordering::Relaxed);
                }
            }
        });
        while !began.load(Ordering::Relaxed) && !thread.is_finished() {
            thread::yield_now();
        }
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

/// Sleeps for `time`, without the tens of microseconds by which the kernel is late by default.
pub fn doze(time: Duration) {
    #[cfg(target_os = "linux")]
    // SAFETY: the command takes a number, and changes how late timers of this thread may be.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1usize);
    }
    thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::{Background, together};

    #[test]
    fn all_threads_count_what_they_do() {
        let steps = AtomicU64::new(0);
        let stretch = together(
            3,
            || 2,
            |two| {
                steps.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
                *two
            },
            || {
                while steps.load(Ordering::Relaxed) < 100 {
                    thread::sleep(Duration::from_millis(1));
                }
            },
        );
        assert_eq!(stretch.done.len(), 3);
        assert_eq!(stretch.total, steps.into_inner() * 2);
        assert!(stretch.done.iter().sum::<u64>() <= stretch.total);
        assert!(stretch.ns_each() > 0.0);
    }

    #[test]
    #[should_panic(expected = "a thread failed before it began")]
    fn a_thread_that_fails_does_not_hang_the_others() {
        let first = AtomicBool::new(true);
        let fail_first = || assert!(!first.swap(false, Ordering::Relaxed), "on purpose");
        together(3, fail_first, |()| 1, || {});
    }

    #[test]
    fn the_background_has_begun_and_ends() {
        let steps = std::sync::Arc::new(AtomicU64::new(0));
        let background = Background::start({
            let steps = steps.clone();
            move || {
                steps.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(steps.load(Ordering::Relaxed) > 0);
        drop(background);
        assert_eq!(std::sync::Arc::strong_count(&steps), 1);
    }
}
