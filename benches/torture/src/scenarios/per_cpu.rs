//! The structures and operations of `rseq-ops` by themselves, with delays in turn at each point that the
//! RCU library does not pass. Threads and their signal handlers work on them and are moved from CPU to
//! CPU, while another thread takes everything from all CPUs. Now and then all threads stop, and everything
//! is counted.

mod additions;
mod containers;
mod items;
mod lookups;
mod slots;
mod structures;
mod subject;

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rseq_ops::Handle;
use rseq_ops::ops::{Commit, Relaxed as Unordered, Release};
use urcu::Domain;
use urcu_host::affinity;
use urcu_host::signals::{Timer, install};
use urcu_host::threads;

use crate::breaks::Break;
use crate::random::Random;
use crate::run::{Run, Thread};
use crate::scenario::Scenario;
use crate::updaters::{self, WAYS};
use crate::{delays, readers};

use additions::{Additions, Locks};
use containers::{Arrays, Lists, Records};
use items::Holding;
use lookups::Lookups;
use slots::Slots;
use structures::{Counting, Pooling, Stacking, Tracing};
use subject::Subject;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "per-cpu",
    "per-CPU structures and operations, with delays at every point in turn",
    run,
)
.without_chaos();

/// A gate that counts the threads and handlers inside, and can be closed. Async-signal-safe.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    inside: AtomicUsize,
}

struct Inside<'g>(&'g Gate);

impl Gate {
    fn enter(&self) -> Option<Inside<'_>> {
        self.inside.fetch_add(1, SeqCst);
        let inside = Inside(self);
        (!self.closed.load(SeqCst)).then_some(inside)
    }

    /// Closes the gate, waits until nobody is inside, and calls `then`.
    fn closed(&self, then: impl FnOnce()) {
        self.closed.store(true, SeqCst);
        while self.inside.load(SeqCst) != 0 {
            std::thread::yield_now();
        }
        then();
        self.closed.store(false, SeqCst);
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

#[derive(Default)]
struct Stage {
    seed: u64,
    subjects: Vec<Box<dyn Subject>>,
    gate: Gate,
    workers: Mutex<Vec<libc::pid_t>>,
    worked: AtomicU64,
    handled: AtomicU64,
}

static STAGE: OnceLock<Stage> = OnceLock::new();

/// Works on a random subject. Async-signal-safe: the stage is set before the first signal.
extern "C" fn handler(_: libc::c_int) {
    // SAFETY: errno is the calling thread's.
    let errno = unsafe { *libc::__errno_location() };
    if let Some(stage) = STAGE.get()
        && let Some(_inside) = stage.gate.enter()
    {
        let mut random = Random::new(!stage.seed, stage.handled.fetch_add(1, Relaxed));
        let subject = random.pick(&stage.subjects);
        if subject.in_handlers() {
            subject.work(&mut random);
        }
    }
    // SAFETY: errno is the calling thread's.
    unsafe { *libc::__errno_location() = errno };
}

fn run(run: &'static Run) -> Result<(), String> {
    let stage = Stage {
        seed: run.settings.seed,
        ..Stage::default()
    };
    if STAGE.set(stage.filled(run)).is_err() {
        return Err("it has already run in this process".into());
    }
    let stage = STAGE.get().ok_or("the stage is not set")?;
    // SAFETY: the handler reads a stage that is set, takes no lock and allocates nothing: it leaves out
    // the subjects whose work is not async-signal-safe.
    unsafe { install(libc::SIGUSR1, handler) };
    let end = Timer::start(libc::SIGUSR1, Duration::from_secs(3600));
    end.map_err(|error| format!("cannot start a timer for a thread: {error}"))?;
    // Sections and grace periods run too: they use the same threads' areas and the same membarriers.
    let places = run.places(run.domain(Domain::named("per-cpu")), 1);
    readers::start(run, 1, &places);
    updaters::start(run, 1, &places, &WAYS, Some(10));
    for _ in 0..run.settings.threads + 1 {
        run.spawn("worker", move |thread| work(thread, stage));
    }
    run.spawn("taker", move |thread| take(thread, stage));
    run.spawn("mover", move |thread| shift(thread, stage));
    run.spawn("delays", move |thread| {
        delays::in_turn(thread, |point| {
            stage.audit(run, &format!("after delays at {point:?}"));
        });
    });
    run.join();
    stage.audit(run, "at the end");
    stage.tell(run);
    Ok(())
}

impl Stage {
    fn filled(mut self, run: &Run) -> Self {
        if Handle::by_cpu().is_some() {
            self.operations(run, Handle::by_cpu, Unordered);
            match Handle::by_concurrency_id() {
                Some(_) => self.operations(run, Handle::by_concurrency_id, Release),
                None => self.operations(run, Handle::by_cpu, Release),
            }
            if rseq_ops::membarrier::register().is_ok() {
                self.subjects.push(Lookups::new());
            } else {
                run.note("lookups are left out: nothing restarts sequences here");
            }
        } else {
            run.note("no restartable sequences: only the structures run, with atomics");
        }
        self.subjects.push(Box::new(Counting::new()));
        self.subjects.push(Box::new(Stacking::new()));
        self.subjects.push(Box::new(Pooling::new()));
        self.subjects.push(Box::new(Tracing::new()));
        self
    }

    fn operations<C: Commit + Send + Sync + 'static>(
        &mut self,
        run: &Run,
        index: fn() -> Option<Handle>,
        commit: C,
    ) {
        let slots = || Slots::new(index, commit);
        let split = run.broken(Break::SplitAddition);
        self.subjects.push(Box::new(Additions::new(slots(), split)));
        self.subjects.push(Box::new(Locks::new(slots())));
        let lists = Holding::new(Lists::new(slots()));
        self.subjects.push(Box::new(lists));
        self.subjects.push(Box::new(Holding::new(Arrays(slots()))));
        self.subjects.push(Box::new(Holding::new(Records(slots()))));
    }

    fn audit(&self, run: &Run, when: &str) {
        self.gate.closed(|| {
            for subject in &self.subjects {
                if let Err(what) = subject.audit() {
                    run.fault(subject.name(), format!("{what}; {when}"));
                }
            }
        });
    }

    fn tell(&self, run: &Run) {
        let aborts = self.subjects.iter().map(|subject| subject.aborts()).sum();
        let handled = self.handled.load(Relaxed);
        if handled == 0 {
            run.fault("signals", "no signal arrived");
        }
        run.tally("per-CPU operations", self.worked.load(Relaxed));
        run.tally("per-CPU operations in handlers", handled);
        run.tally("per-CPU attempts aborted", aborts);
    }
}

fn work(thread: &mut Thread, stage: &Stage) {
    let timer = match Timer::start(libc::SIGUSR1, Duration::from_millis(1)) {
        Ok(timer) => timer,
        Err(error) => return thread.run.fault(&thread.name, format!("cannot start a timer: {error}")),
    };
    let workers = stage.workers.lock();
    workers
        .unwrap_or_else(PoisonError::into_inner)
        .push(threads::gettid());
    while !thread.over() {
        timer.set(Duration::from_micros(50 + thread.random.skewed(10)));
        for _ in 0..64 {
            if let Some(_inside) = stage.gate.enter() {
                let subject = thread.random.pick(&stage.subjects);
                for _ in 0..16 {
                    subject.work(&mut thread.random);
                }
                stage.worked.fetch_add(16, Relaxed);
            }
            if thread.random.one_in(8) {
                std::thread::yield_now();
            }
        }
    }
}

fn take(thread: &mut Thread, stage: &Stage) {
    let cpus = affinity::cpus();
    while !thread.over() {
        // The thread puts back on this CPU what it took.
        affinity::run_on(&[*thread.random.pick(&cpus)]);
        for subject in &stage.subjects {
            if let Some(_inside) = stage.gate.enter() {
                subject.take(&mut thread.random);
            }
        }
        std::thread::sleep(Duration::from_micros(thread.random.skewed(10)));
    }
}

/// Moves workers to other CPUs in the middle of their work.
fn shift(thread: &mut Thread, stage: &Stage) {
    let cpus = affinity::cpus();
    while !thread.over() {
        let workers = stage.workers.lock();
        let workers = workers.unwrap_or_else(PoisonError::into_inner).clone();
        if !workers.is_empty() {
            let cpu = *thread.random.pick(&cpus);
            affinity::move_to(*thread.random.pick(&workers), &[cpu]);
        }
        std::thread::sleep(Duration::from_micros(thread.random.skewed(10)));
    }
}
