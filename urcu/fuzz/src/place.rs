//! Domains of a run, and who does the work for them.

use std::mem;
use std::panic::resume_unwind;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use urcu::{Budget, Domain, Executor, Job, Runner};

use crate::panics::Expected;

/// A domain of a run. Guards and cells refer to it as if it lived for ever; they are gone before.
#[derive(Clone)]
pub struct Place {
    pub number: usize,
    /// `None`: the global one.
    pub domain: Option<Arc<Domain>>,
    /// True if work is done for it that nobody waits for.
    pub driven: bool,
}

impl Place {
    pub fn new(number: usize, runner: u8, budget: u8) -> Self {
        let (runner, driven) = match runner % 16 {
            0..=6 => (Runner::Shared, true),
            7 => (Runner::OwnThread, true),
            8..=11 => (Runner::Caller, false),
            12..=14 => (Runner::Executor(&Queueing), false),
            _ => (Runner::Executor(&Refusing), false),
        };
        let budget = match budget % 8 {
            0..=3 => Budget::DEFAULT,
            4 => Budget::new(0, 0).patience(Duration::ZERO),
            5 => Budget::new(16, 1 << 20).patience(Duration::from_micros(50)),
            6 => Budget::new(1000, 2000).patience(Duration::from_micros(50)),
            _ => Budget::new(u64::MAX, usize::MAX),
        };
        Place {
            number,
            domain: Some(Arc::new(Domain::new().run_by(runner).with_budget(budget))),
            driven,
        }
    }

    pub fn get(&self) -> &Domain {
        self.domain.as_deref().unwrap_or(urcu::global())
    }

    /// # Safety
    /// Everything made from it is gone before the last clone of this.
    pub unsafe fn forever(&self) -> &'static Domain {
        // SAFETY: the domain is in an `Arc`, and everything made from the reference is gone before its last
        // clone, as the caller promises.
        unsafe { mem::transmute::<&Domain, &'static Domain>(self.get()) }
    }
}

/// Keeps jobs until somebody runs them.
struct Queueing;

pub static JOBS: Mutex<Vec<Job>> = Mutex::new(Vec::new());

impl Executor for Queueing {
    fn execute(&self, job: Job) {
        JOBS.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(job);
    }
}

/// Takes no job, and panics now and then.
struct Refusing;

impl Executor for Refusing {
    fn execute(&self, job: Job) {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        if CALLS.fetch_add(1, SeqCst) % 2 == 1 {
            resume_unwind(Box::new(Expected));
        }
        drop(job);
    }
}
