//! The background threads: they drive the grace periods that nobody waits for, wake futures, and run
//! callbacks.
//!
//! The worker starts when it is first needed and does not keep the process alive. It sleeps on one word,
//! and every event that may concern it changes that word ([`poke`]): work is handed over, a section ends
//! late, a grace period ends that another thread led. It never waits for a reader while another domain has
//! work.
//!
//! # Roles
//! User code (wakers, callbacks, destructors) may take long, and may itself wait for a grace period that the
//! worker has to drive. So the thread that drives runs no user code: it gives up the [`Role`] of driving before,
//! and takes it again afterwards. If there is more to drive meanwhile, another thread [stands by](stand_by), and
//! takes the role if it is still free after a [`MOMENT`]. Mostly one thread does everything and a second one
//! sleeps; there are more only while user code blocks. One of them at a time runs callbacks ([`Calling`]).

use core::ptr;
use core::time::Duration;
use std::sync::Arc;

use super::work::{Step, Work};
use crate::sync::fork;
use crate::sync::mutex::WipedLock;
use crate::sync::parker::Parker;
use crate::sync::{
    self, AtomicPtr, AtomicU32, Ordering, as_user, catch_unwind, fence, futex_wait, futex_wake,
};
use crate::sys::{MembarrierError, cannot_end, start_thread, tell_reader_mode, thread};

/// The state that the worker's threads share with the threads that give them work.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The work that the worker was given and has not fetched yet, the last first.
    handed: AtomicPtr<Handed>,
    /// The work in hand, for whoever drives; made by the first one.
    kept: AtomicPtr<Vec<Arc<dyn Work>>>,
    /// The parker of whoever drives.
    parker: Parker,
    /// 1 once it was started, under the lock.
    pub(crate) started: AtomicU32,
    /// 1 while one of the worker's threads drives grace periods. The others are inside a user's code,
    /// but for one that stands by.
    pub(crate) driving: AtomicU32,
    /// Changes whenever a thread gives up driving.
    pub(crate) given_up: AtomicU32,
    /// 1 while one of the threads runs callbacks.
    calling: AtomicU32,
    /// 1 while one of the threads stands by, or is being started to stand by.
    standing: AtomicU32,
    /// Changes when there is something to drive while nobody does; the word that whoever stands by
    /// sleeps on.
    pub(crate) relief: AtomicU32,
    /// 1 while that sleep has a time limit: it need not be woken.
    watching: AtomicU32,
    starting: WipedLock,
}

impl Shared {
    sync::const_fn! {
        /// Returns a state of all zeroes.
        pub(crate) fn new() -> Self {
            Shared {
                handed: AtomicPtr::new(ptr::null_mut()),
                kept: AtomicPtr::new(ptr::null_mut()),
                parker: Parker::new(),
                started: AtomicU32::new(0),
                driving: AtomicU32::new(0),
                given_up: AtomicU32::new(0),
                calling: AtomicU32::new(0),
                standing: AtomicU32::new(0),
                relief: AtomicU32::new(0),
                watching: AtomicU32::new(0),
                starting: WipedLock::new(),
            }
        }
    }
}

sync::wiped! {
    static SHARED: Shared
}

pub(crate) fn shared() -> &'static Shared {
    SHARED.prepared()
}

/// Returns the worker's parker, for those who are to wake it.
pub(crate) fn parker() -> &'static Parker {
    &shared().parker
}

/// Work that was given to the worker. It lies in memory that a fork wipes, so a child finds no work, and no
/// worker.
#[derive(Debug)]
pub(crate) struct Handed {
    work: Arc<dyn Work>,
    /// The work that was given before.
    next: *mut Handed,
}

/// Gives the worker something to do. The worker keeps it until nothing is left to do.
pub(crate) fn hand(work: Arc<dyn Work>) {
    let mut last = shared().handed.load(Ordering::Relaxed);
    let given = Box::into_raw(Box::new(Handed { work, next: last }));
    // Release: pairs with the acquire in `fetch`.
    while let Err(other) =
        shared()
            .handed
            .compare_exchange(last, given, Ordering::Release, Ordering::Relaxed)
    {
        last = other;
        // SAFETY: ours until it is published.
        unsafe { (*given).next = last };
    }
    ensure_started();
    poke();
    // After the fence in `poke`.
    ensure_driven();
}

/// Fetches what the worker was given.
fn fetch(kept: &mut Vec<Arc<dyn Work>>) {
    if shared().handed.load(Ordering::Relaxed).is_null() {
        return;
    }
    // Acquire: pairs with the release in `hand`.
    let mut next = shared().handed.swap(ptr::null_mut(), Ordering::Acquire);
    while !next.is_null() {
        // SAFETY: from `hand`, and whoever takes the list has all of it.
        let given = unsafe { Box::from_raw(next) };
        kept.push(given.work);
        next = given.next;
    }
}

/// Starts the worker if it does not run yet. Returns false if it cannot be started: then callers must do
/// the work themselves.
pub(crate) fn ensure_started() -> bool {
    let started = &shared().started;
    // Acquire: pairs with the release below: whoever finds it started sees that it drives.
    started.load(Ordering::Acquire) != 0
        || shared().starting.with(|| {
            if started.load(Ordering::Relaxed) != 0 {
                return true;
            }
            // It has the role from the start. If it cannot be started now, the next caller tries again, and
            // callers of `barrier` do the work themselves.
            shared().driving.store(1, Ordering::Relaxed);
            let is_there = start(|| work(Some(Role::keep())));
            // Only if it was not started: a worker that runs may have given up the role by now.
            if !is_there {
                shared().driving.store(0, Ordering::Relaxed);
            }
            started.store(u32::from(is_there), Ordering::Release);
            is_there
        })
}

/// Makes sure that a thread of the worker drives, or will soon. Returns whether one will.
pub(crate) fn ensure_driven() -> bool {
    ensure_started() && (shared().driving.load(Ordering::Relaxed) != 0 || call_relief())
}

fn start(program: impl FnOnce() + Send + 'static) -> bool {
    start_thread("urcu-callbacks".into(), program).is_some()
}

/// Starts a thread that runs the callbacks of one domain alone until that ends.
pub(crate) fn start_own(work: Arc<dyn Work>) -> Option<thread::Thread> {
    let name = format!("urcu-{}", work.name().unwrap_or("callbacks"));
    start_thread(name, move || {
        as_user(tell_reader_mode);
        while work.is_current_process() && !work.is_closed() {
            if as_user(|| work.run_some()) == 0 {
                thread::park();
            } else if work.is_current_process() {
                // Wakes the worker, because nothing may be left to do for the domain.
                poke();
            }
        }
    })
}

/// Wakes the worker, so that it looks for work. Async-signal-safe.
pub(crate) fn poke() {
    parker().unpark();
}

/// The first pause after the kernel refused a barrier, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(60));

/// The time for which whoever drove may be inside a user's code before another thread drives; and how often
/// the driver looks again at what others run.
pub(crate) const MOMENT: Duration = Duration::from_millis(10);

/// The right to drive, with the work to drive. One thread has it.
struct Role(&'static mut Vec<Arc<dyn Work>>);

impl Role {
    /// Returns the role, for the thread for which `driving` was set.
    fn keep() -> Role {
        // Relaxed: only whoever drives uses it, and the role is handed over with acquire and release.
        let mut kept = shared().kept.load(Ordering::Relaxed);
        if kept.is_null() {
            kept = Box::into_raw(Box::default());
            shared().kept.store(kept, Ordering::Relaxed);
        }
        // SAFETY: from a box that is there as long as the process is, a child being another. One
        // thread at a time has the role, and it has lost its reference when another takes it.
        Role(unsafe { &mut *kept })
    }

    fn take() -> Option<Role> {
        // Acquire: pairs with the release in `give_up`: what whoever drove before has left.
        shared()
            .driving
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(Role::keep)
    }

    /// Gives up the role.
    fn give_up(self) {
        shared().given_up.fetch_add(1, Ordering::Relaxed);
        shared().driving.store(0, Ordering::Release);
        // Pairs with the fences in `poke`, for `hand`, and in `Driver::schedule`: either we see what is
        // to be driven, or whoever wants it sees that nobody drives.
        fence(Ordering::SeqCst);
    }

    /// Gives up the role before user code is run for the domains that are `ready`.
    fn leave(self, ready: &[Arc<dyn Work>]) {
        let others = self.0.len() > ready.len();
        self.give_up();
        let more = || {
            !shared().handed.load(Ordering::Relaxed).is_null()
                || ready.iter().any(|work| work.is_to_be_driven())
        };
        if (others || more())
            && !call_relief()
            && let Some(role) = Role::take()
        {
            // Nobody drives until we are back, except those who want it themselves.
            let undriven = role.0.clone();
            role.give_up();
            as_user(|| undriven.iter().for_each(|work| work.wake_all()));
        }
    }
}

/// Makes another thread drive soon, unless the thread that has just given up the role comes back before.
/// Returns whether there is such a thread.
fn call_relief() -> bool {
    // Release: pairs with the acquire in `stand_by`, for what the caller knows of who drives.
    shared().relief.fetch_add(1, Ordering::Release);
    // Pairs with the fence in `stand_by`.
    fence(Ordering::SeqCst);
    if shared().watching.load(Ordering::Relaxed) == 0 {
        futex_wake(&shared().relief, 1);
    }
    let standing = &shared().standing;
    standing.load(Ordering::Relaxed) != 0
        || shared().starting.with(|| {
            // Set before the thread starts: it may take the role, and clear this, at once.
            if standing.swap(1, Ordering::Relaxed) != 0 || start(|| work(None)) {
                return true;
            }
            standing.store(0, Ordering::Relaxed);
            false
        })
}

/// Stands by: returns the role when nobody has driven for a moment although there was something to drive.
/// The caller has set `standing`.
fn stand_by() -> Role {
    let mut known = None;
    loop {
        // Acquire: pairs with the release in `call_relief`. Whoever sees that change, and so is not woken
        // by it, does not find the role taken by who had given it up before.
        let seen = shared().relief.load(Ordering::Acquire);
        // Not `relief`, which also changes when others ask for relief: they would put us off for ever.
        let given_up = shared().given_up.load(Ordering::Relaxed);
        let idle = known.replace(given_up) == Some(given_up);
        if idle {
            // Nobody has given up the role since: it is free, or will be given up.
            if let Some(role) = Role::take() {
                shared().watching.store(0, Ordering::Relaxed);
                shared().standing.store(0, Ordering::Relaxed);
                return role;
            }
        }
        shared().watching.store(u32::from(!idle), Ordering::Relaxed);
        // Either `call_relief` sees that we sleep without a limit, or we see its change.
        fence(Ordering::SeqCst);
        if idle {
            futex_wait(&shared().relief, seen, None);
        } else {
            futex_wait(&shared().given_up, given_up, Some(MOMENT));
        }
    }
}

/// The right to run callbacks, until it is dropped.
pub(crate) struct Calling(u64);

impl Calling {
    pub(crate) fn is_free() -> bool {
        shared().calling.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn take() -> Option<Calling> {
        // Relaxed: callbacks are handed over by their queue's locks.
        let was = shared().calling.swap(1, Ordering::Relaxed);
        (was == 0).then(|| Calling(fork::generation()))
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        // Not in a child that a callback forked.
        if fork::generation() == self.0 {
            shared().calling.store(0, Ordering::Relaxed);
            // Whoever drives may have left callbacks to us, so it is told that we are done.
            poke();
        }
    }
}

/// Runs callbacks that are ready, if no other thread of the worker's runs any.
fn run_shared(work: &Arc<dyn Work>) {
    if work.is_shared()
        && work.is_current_process()
        && let Some(_calling) = Calling::take()
    {
        work.run_some();
    }
}

/// Runs each of the worker's threads: with the role, or standing by.
fn work(mut role: Option<Role>) {
    let fork_generation = fork::generation();
    let mut pause = PAUSES.0;
    loop {
        let (ready, refused) = drive(role.unwrap_or_else(stand_by), &mut pause);
        as_user(|| {
            tell_reader_mode();
            if let Some(refused) = refused {
                // Caught: the panic only serves to call the panic hook with the message.
                let _ = catch_unwind(|| cannot_end(refused));
            }
            // Wakers come first: callbacks may take long, and may wait for tasks that are woken here.
            ready.iter().for_each(|work| work.wake_ready());
            ready.iter().for_each(run_shared);
            ready.iter().for_each(|work| work.report());
            drop(ready);
        });
        if fork::generation() != fork_generation {
            return; // A callback forked: this is the child, and not its worker.
        }
        role = Role::take();
        if role.is_none() && shared().standing.swap(1, Ordering::Relaxed) != 0 {
            return; // There are enough.
        }
    }
}

/// Drives until there is user code to run. Returns the domains that have some, and the error if the kernel
/// has begun to refuse barriers.
fn drive(role: Role, pause: &mut Duration) -> (Vec<Arc<dyn Work>>, Option<MembarrierError>) {
    loop {
        let seen = parker().seen();
        fetch(role.0);
        let mut sleep = Some(None::<Duration>);
        let mut refusal = None;
        let mut ready = Vec::new();
        role.0.retain(|work| {
            match Arc::clone(work).drive() {
                Step::Over => return false,
                Step::Ready => ready.push(Arc::clone(work)),
                Step::More => sleep = None,
                Step::Waiting { patience } => {
                    sleep = sleep.map(|least| [least, patience].into_iter().flatten().min());
                }
                // Barriers may be refused for a while (this thread may have inherited a filter):
                // work waits then, and none is lost.
                Step::Refused(refused) => {
                    refusal = Some(refused);
                    let least =
                        |least: Option<Duration>| least.map_or(*pause, |least| least.min(*pause));
                    sleep = sleep.map(|others| Some(least(others)));
                }
            }
            true
        });
        let first = *pause == PAUSES.0;
        *pause = match refusal {
            Some(_) => (*pause * 2).min(PAUSES.1),
            None => PAUSES.0,
        };
        // Reported once.
        let refused = refusal.filter(|_| first);
        if !ready.is_empty() || refused.is_some() {
            role.leave(&ready);
            return (ready, refused);
        }
        if let Some(most) = sleep {
            parker().park(seen, most);
        }
    }
}
