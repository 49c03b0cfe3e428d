//! What the threads of a run share: domains, cells, helpers.

use std::any::Any;
use std::cell::Cell as Flag;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Budget, Domain, Executor, Global, Job, RcuCell, Runner};

use crate::cells::{self, Cell};
use crate::hand::Held;
use crate::input::{Input, Mode};
use crate::ledger::{DOMAINS, Ledger, Stamp};
use crate::percpu::Shared;
use crate::{check, fail};

/// What a cell holds that holds nothing.
pub const NOTHING: u32 = u32::MAX;

/// A domain of a run. Guards and cells refer to it as if it lived for ever; they are gone before.
#[derive(Clone)]
pub struct Place {
    pub number: usize,
    /// `None`: the global one.
    pub domain: Option<Arc<Domain>>,
    /// Whether it has work done for it that nobody waits for.
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
    /// What is made of it is gone before the last clone of this.
    pub unsafe fn forever(&self) -> &'static Domain {
        // SAFETY: the caller's.
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

/// The payload of panics that are part of a program.
pub struct Expected;

/// One whose drop panics too.
pub struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            resume_unwind(Box::new(Expected));
        }
    }
}

thread_local! {
    static QUIET: Flag<u32> = const { Flag::new(0) };
}

/// Runs what should panic: whether it did.
pub fn panics<R>(f: impl FnOnce() -> R) -> bool {
    QUIET.set(QUIET.get() + 1);
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(f()))).is_err();
    QUIET.set(QUIET.get() - 1);
    panicked
}

/// Panics that nobody expects end the process.
pub fn set_hooks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            if QUIET.get() == 0 {
                fail!("{info}");
            }
        }));
        urcu::set_callback_panic_hook(|payload: &(dyn Any + Send)| {
            check!(
                payload.is::<Expected>() || payload.is::<Bomb>(),
                "a callback panicked"
            );
            if payload.is::<Bomb>() {
                resume_unwind(Box::new(Expected)); // The hook may panic too.
            }
        });
    });
}

/// A cell that lives as long as the run.
pub struct CellPlace {
    pub cell: Box<dyn Cell>,
    pub place: usize,
    /// What it holds, where one thread runs at a time.
    pub holds: AtomicU32,
}

/// Cells for snapshots, small and too large.
pub struct Stamps {
    pub small: RcuCell<Box<Stamp<3>>, &'static Domain>,
    pub large: RcuCell<Box<Stamp<130>>, Global>,
    pub holds: [AtomicU64; 2],
}

pub struct World {
    // In the order in which they go.
    pub cells: Vec<CellPlace>,
    pub stamps: Stamps,
    pub shared: Shared,
    pub places: Vec<Place>,
    pub orphans: Mutex<Vec<Place>>,
    pub ledger: Arc<Ledger>,
    /// Callbacks that are queued or run.
    pub callbacks: AtomicUsize,
    next_place: AtomicUsize,
    pub exclusive: bool,
    /// The threads whose entries a barrier can count on: all, where one runs at a time.
    pub turn: AtomicUsize,
}

impl World {
    pub fn new(input: &Input) -> Self {
        let ledger = Ledger::new();
        let mut places = vec![Place {
            number: 0,
            domain: None,
            driven: true,
        }];
        for (number, [runner, budget]) in input.domains.into_iter().enumerate() {
            places.push(Place::new(number + 1, runner, budget));
        }
        let cells = input.cells.iter().map(|choice| {
            let place = &places[usize::from(choice >> 4) % places.len()];
            // SAFETY: the cells go first.
            let domain = place.domain.is_some().then(|| unsafe { place.forever() });
            let value = ledger.value();
            CellPlace {
                holds: AtomicU32::new(value.id),
                cell: cells::new(*choice, domain, value),
                place: place.number,
            }
        });
        let cells = cells.collect();
        // SAFETY: as above.
        let domain = unsafe { places[1].forever() };
        World {
            cells,
            stamps: Stamps {
                small: RcuCell::new_in(Stamp::new(0), domain),
                large: RcuCell::new(Stamp::new(0)),
                holds: [AtomicU64::new(0), AtomicU64::new(0)],
            },
            shared: Shared::new(input.ring),
            next_place: AtomicUsize::new(places.len()),
            places,
            orphans: Mutex::default(),
            ledger,
            callbacks: AtomicUsize::new(0),
            exclusive: input.mode != Mode::Free,
            turn: AtomicUsize::new(0),
        }
    }

    pub fn new_place(&self, runner: u8, budget: u8) -> Option<Place> {
        let number = self.next_place.fetch_add(1, SeqCst);
        (number < DOMAINS).then(|| Place::new(number, runner, budget))
    }

    /// Waits, and has the work done that nobody else does, until it holds.
    fn settle(&self, places: &[Place], what: &str, holds: impl Fn() -> bool) {
        let mut patience = Patience::new();
        while !holds() {
            places.iter().for_each(|place| place.get().barrier());
            check!(holds() || patience.lasts(), "never settles: {what}");
        }
    }

    /// All threads are done: everything must end as it should.
    pub fn end(self: Box<Self>) {
        let orphans = mem::take(&mut *self.orphans.lock().unwrap_or_else(PoisonError::into_inner));
        let places = [&self.places[..], &orphans[..]].concat();
        let threads: &[usize] = &[0, 1];
        for place in &places {
            let now = self.ledger.now();
            place.get().barrier();
            self.ledger.check_barrier(place.number, now, threads);
        }
        self.settle(&places, "callbacks", || self.callbacks.load(SeqCst) == 0);
        drop(orphans);
        let World {
            cells,
            stamps,
            shared,
            places: own,
            ledger,
            exclusive,
            ..
        } = *self;
        shared.end(exclusive);
        for (number, CellPlace { cell, .. }) in cells.into_iter().enumerate() {
            if number % 2 == 0 {
                drop(cell);
            } else {
                drop(cell.into_inner());
            }
        }
        drop((stamps, own));
        // What the last callbacks captured may still be on its way.
        let mut patience = Patience::new();
        while !ledger.is_settled() && patience.lasts() {
            places.iter().for_each(|place| place.get().barrier());
        }
        drop(places);
        let jobs = mem::take(&mut *JOBS.lock().unwrap_or_else(PoisonError::into_inner));
        drop(jobs);
        ledger.check_settled();
    }
}

/// Threads that do what the threads of a run should not: wait for a section, or end one from
/// elsewhere.
pub struct Helpers {
    pub drops: Sender<Held>,
    pub blocks: Sender<Box<dyn FnOnce() + Send>>,
}

static BUSY: AtomicUsize = AtomicUsize::new(0);

/// They are started once.
pub fn helpers() -> &'static Mutex<Helpers> {
    static HELPERS: OnceLock<Mutex<Helpers>> = OnceLock::new();
    HELPERS.get_or_init(|| {
        let (drops, held) = channel::<Held>();
        let (blocks, jobs) = channel::<Box<dyn FnOnce() + Send>>();
        thread::spawn(move || {
            for held in held {
                drop(held);
                BUSY.fetch_sub(1, SeqCst);
            }
        });
        thread::spawn(move || {
            for job in jobs {
                job();
                BUSY.fetch_sub(1, SeqCst);
            }
        });
        Mutex::new(Helpers { drops, blocks })
    })
}

pub fn drop_elsewhere(held: Held) {
    BUSY.fetch_add(1, SeqCst);
    let helpers = helpers().lock().unwrap_or_else(PoisonError::into_inner);
    helpers
        .drops
        .send(held)
        .unwrap_or_else(|_| fail!("a helper is gone"));
}

pub fn block_elsewhere(job: impl FnOnce() + Send + 'static) {
    BUSY.fetch_add(1, SeqCst);
    let helpers = helpers().lock().unwrap_or_else(PoisonError::into_inner);
    helpers
        .blocks
        .send(Box::new(job))
        .unwrap_or_else(|_| fail!("a helper is gone"));
}

/// How long one waits for what must happen soon. Time alone would tell nothing where this process
/// does not get to run: whoever waits must have had the chance to look so often, too.
pub struct Patience {
    began: Instant,
    looks: u64,
}

impl Patience {
    pub fn new() -> Self {
        Patience {
            began: Instant::now(),
            looks: 0,
        }
    }

    /// Whether to look again, after a moment.
    pub fn lasts(&mut self) -> bool {
        thread::yield_now();
        self.looks += 1;
        self.looks < 100_000 || self.began.elapsed() < Duration::from_secs(60)
    }
}

/// Returns when they have nothing to do.
pub fn wait_for_helpers() {
    let mut patience = Patience::new();
    while BUSY.load(SeqCst) != 0 {
        check!(patience.lasts(), "a helper waits for ever");
    }
}
