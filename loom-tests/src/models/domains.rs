//! Common parts of the models of whole domains.

use std::cell::RefCell;

use loom::thread;

use crate::domain::Domain;
use crate::driver::job::{Executor, Job, Runner};
use crate::kernel::{self, ALL_THREADS, Mode, run_on};

/// A domain that lives as long as the model runs. Its end is a part of every such model.
pub(super) struct Owned(*mut Domain);

impl Owned {
    /// Returns a domain of an emulated kernel of its own, before its first use.
    pub(super) fn unused(mode: Mode) -> Self {
        Owned::with(mode, Runner::Caller)
    }

    pub(super) fn with(mode: Mode, runner: Runner) -> Self {
        kernel::boot(mode);
        JOBS.with_borrow_mut(|jobs| jobs.drain(..).for_each(std::mem::forget));
        Owned(Box::into_raw(Box::new(Domain::new().run_by(runner))))
    }

    /// Returns a domain with a name, after its first use.
    pub(super) fn named(name: &'static str) -> Self {
        kernel::boot(ALL_THREADS);
        let owned = Owned(Box::into_raw(Box::new(
            Domain::named(name).run_by(Runner::Caller),
        )));
        owned.get().driver();
        owned
    }

    /// Returns one more domain, with [`Runner::Shared`], on the same emulated kernel.
    pub(super) fn another(&self) -> Self {
        Owned(Box::into_raw(Box::new(Domain::new())))
    }

    /// The same after its first use.
    pub(super) fn new(mode: Mode) -> Self {
        let domain = Owned::unused(mode);
        domain.get().driver();
        domain
    }

    pub(super) fn get(&self) -> &'static Domain {
        // SAFETY: from `Box::into_raw`, and there until this is dropped, at the end of the model.
        unsafe { &*self.0 }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: from `Box::into_raw`, and the model's threads have ended.
            drop(unsafe { Box::from_raw(self.0) });
        }
    }
}

/// Starts a thread that runs on a CPU.
pub(super) fn on_cpu<R: 'static>(
    cpu: usize,
    program: impl FnOnce() -> R + 'static,
) -> thread::JoinHandle<R> {
    thread::spawn(move || {
        let _running = run_on(cpu);
        program()
    })
}

/// Does something on a CPU.
pub(super) fn here<R>(cpu: usize, program: impl FnOnce() -> R) -> R {
    let _running = run_on(cpu);
    program()
}

/// An executor that keeps its jobs until a model asks for them.
pub(super) struct Bench;

pub(super) static BENCH: Bench = Bench;

thread_local! {
    // Loom runs all threads of a model on one thread of the system.
    static JOBS: RefCell<Vec<Job>> = const { RefCell::new(Vec::new()) };
}

impl Executor for Bench {
    fn execute(&self, job: Job) {
        JOBS.with_borrow_mut(|jobs| jobs.push(job));
    }
}

pub(super) fn take_job() -> Option<Job> {
    JOBS.with_borrow_mut(Vec::pop)
}

/// Runs a job, as an executor does.
pub(super) fn run_to_the_end(mut job: Job) {
    while let Some(pause) = job.run() {
        if !pause.is_zero() {
            kernel::thread::sleep(pause);
        }
    }
}
