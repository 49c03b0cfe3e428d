//! Grace periods for which nobody blocks: the turns of the worker, and threads that meet it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use loom::thread;

use super::domains::{Owned, on_cpu};
use super::sharing::Board;
use super::{World, off_cpu, on, witness};
use crate::domain::Domain;
use crate::driver::job::Runner;
use crate::driver::work::Step;
use crate::driver::worker;
use crate::gp::sequence::Round;
use crate::kernel::{
    self, ALL_THREADS, AtomicU32, Mode, Ordering, Source, futex_wait, futex_wake, run_on, step,
    without_time_limits,
};
use crate::stall::Patience;

/// Runs the worker's loop until the round is done, with the same checks as `Driver::turn`.
fn drive(world: &World, round: Round) {
    loop {
        let seen = worker::parker().seen();
        let is_over = world.advance(round);
        if world.progress().sequence.done() >= round {
            return;
        }
        assert!(!is_over, "not done, but over");
        worker::parker().park(seen, None);
    }
}

/// As [`World::update`], by the worker.
fn update_by_worker(world: &World) {
    let old = world.unpublish();
    drive(world, world.join());
    world.source.reclaim(old);
}

/// Obligations 3 and 5 (F, G): the late end of a section pokes the worker.
pub(super) fn a_late_end_pokes_the_worker() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let reader = on(0, &world, move |world, _| {
        world.read();
        world.exit(token);
        world.section();
    });
    update_by_worker(&world);
    reader.join().expect("the reader");
}

/// Obligations 3, 4 and 5: the worker leaves a grace period in the middle. A caller that blocks goes on with it, and
/// takes the worker's mark away. The worker must still hear of the end.
pub(super) fn a_caller_takes_over_from_the_worker() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let old = world.unpublish();
    let round = world.join();
    let worker = off_cpu(&world, move |world| {
        drive(world, round);
        world.source.reclaim(old);
    });
    let reader = on(0, &world, move |world, _| {
        world.read_at(0);
        world.exit(token);
    });
    world.wait(round);
    worker.join().expect("the worker");
    reader.join().expect("the reader");
}

/// Obligation 5: a caller takes the lead and the mark from the worker, and gives up: it has something to report, and
/// never returns from its report. The worker must hear of it.
pub(super) fn a_leader_that_gives_up_tells_the_worker() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let round = world.join();
    let worker = off_cpu(&world, move |world| drive(world, round));
    let waited = world
        .phases
        .wait(world.progress(), round, &Patience::reports());
    witness(0, waited == Ok(false));
    let running = run_on(0);
    world.exit(token);
    drop(running);
    worker.join().expect("the worker");
}

/// Obligation 5: the worker waits until nobody leads, while two threads lead one after the other.
pub(super) fn the_worker_hears_of_every_leader() {
    let board = Board::new();
    let other = board.spawn(|board| board.call(1));
    let worker = board.spawn(|board| {
        loop {
            let seen = worker::parker().seen();
            if !board.sequence.unpark_after_lead(worker::parker()) {
                return;
            }
            worker::parker().park(seen, None);
        }
    });
    board.call(0);
    other.join().expect("a caller");
    worker.join().expect("the worker");
}

/// Two threads take turns: the worker, and one that polls.
pub(super) fn two_pollers() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let old = world.unpublish();
    let round = world.join();
    let worker = off_cpu(&world, move |world| {
        drive(world, round);
        world.source.reclaim(old);
    });
    let reader = on(0, &world, move |world, _| {
        world.read_at(0);
        world.exit(token);
    });
    witness(0, world.advance(round));
    worker.join().expect("the worker");
    reader.join().expect("the reader");
}

/// A turn of the worker that achieves nothing does not cause another turn.
pub(super) fn a_turn_in_vain_is_quiet() {
    let world = World::new(ALL_THREADS);
    let token = world.enter_on(0);
    let round = world.join();
    assert!(!world.advance(round), "a section is open");
    let seen = worker::parker().seen();
    assert!(!world.advance(round), "a section is open");
    assert!(!world.advance(round), "a section is open");
    assert_eq!(worker::parker().seen(), seen, "the worker pokes itself");
    let running = run_on(0);
    world.exit(token);
    drop(running);
    assert_ne!(worker::parker().seen(), seen, "nobody poked the worker");
    assert!(world.advance(round), "no section is open");
}

/// The thread that ends a grace period wakes its futures, at whatever time it looks for them.
pub(super) fn a_future_hears_of_another_callers_grace_period() {
    let owned = Owned::new(ALL_THREADS);
    without_time_limits();
    // There is a worker, but it does nothing.
    worker::shared().started.store(1, Ordering::Relaxed);
    let domain = owned.get();
    let running = run_on(0);
    let guard = domain.read_lock();
    drop(running);
    let grace_period = domain.start_poll();
    let other = thread::spawn(move || domain.synchronize());
    let reader = on_cpu(0, move || drop(guard));
    assert!(grace_period.wait_timeout(Duration::MAX), "not over");
    other.join().expect("the other");
    reader.join().expect("the reader");
}

/// A caller ends a grace period that is awaited, and leaves the waking to the worker, which is about to find that there
/// is nothing left to do.
pub(super) fn a_worker_leaves_no_future_that_is_due() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    // There is a worker, and this thread does its work.
    worker::shared().started.store(1, Ordering::Relaxed);
    worker::shared().driving.store(1, Ordering::Relaxed);
    let domain = owned.get();
    let running = run_on(0);
    let guard = domain.read_lock();
    let mut future = domain.synchronize_async();
    let waker = Waker::from(Word::new());
    let pending = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
    assert!(pending.is_pending(), "a section is open");
    drop((guard, running));
    let other = thread::spawn(move || domain.synchronize());
    let (_, driver) = domain.driver();
    let left = matches!(driver.drive(), Step::Over);
    other.join().expect("the other");
    let handed_again = driver.scheduled.load(Ordering::Relaxed);
    let is_due = driver.futures.is_due(driver.progress.sequence.done());
    assert!(is_due, "nobody has woken it");
    assert!(!left || handed_again, "nobody will wake it");
    kernel::exit();
}

/// When a cookie says that its grace period is over, the sections have ended.
pub(super) fn a_cookie_is_over_after_the_sections() {
    let owned = Owned::new(ALL_THREADS);
    let domain = owned.get();
    let source = Rc::new(Source::new(2));
    let theirs = Rc::clone(&source);
    let reader = on_cpu(0, move || {
        let guard = domain.read_lock();
        let pointer = theirs.current.load(Ordering::Acquire);
        step();
        theirs.read(pointer);
        drop(guard);
    });
    source.current.store(1, Ordering::Release);
    let grace_period = domain.start_poll();
    let theirs = grace_period.clone();
    let other = thread::spawn(move || {
        domain.synchronize();
        witness(2, theirs.is_over());
    });
    let over = domain.poll(&grace_period);
    witness(0, over);
    witness(1, !over);
    if !over {
        grace_period.wait();
    }
    source.reclaim(0);
    other.join().expect("the other");
    reader.join().expect("the reader");
}

/// The worker as it ships: it is started, handed a grace period, told of the end of a section, and
/// wakes the future.
pub(super) fn the_worker_drives_a_grace_period() {
    let owned = Owned::with(ALL_THREADS, Runner::Shared);
    without_time_limits();
    let domain = owned.get();
    let running = run_on(0);
    let guard = domain.read_lock();
    drop(running);
    let grace_period = domain.start_poll();
    let reader = on_cpu(0, move || drop(guard));
    assert!(grace_period.wait_timeout(Duration::MAX), "not over");
    reader.join().expect("the reader");
    drop(owned);
    kernel::exit();
}

/// The worker as it ships, asleep or about to sleep, is handed one thing after the other.
pub(super) fn the_worker_is_handed_more() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    without_time_limits();
    let domain = owned.get();
    for _ in 0..2 {
        let grace_period = domain.start_poll();
        assert!(grace_period.wait_timeout(Duration::MAX), "not over");
    }
    drop(owned);
    kernel::exit();
}

/// The worker as it ships, asleep or about to sleep, runs callbacks that nobody else runs.
pub(super) fn the_worker_runs_callbacks() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    for _ in 0..2 {
        call_and_wait(owned.get());
    }
    drop(owned);
    kernel::exit();
}

/// Queues a callback, and sleeps until the worker has run it.
fn call_and_wait(domain: &Domain) {
    let done = Word::new();
    let theirs = Arc::clone(&done);
    domain.call(move || theirs.set());
    done.wait();
}

/// Two threads hand work of two domains to the worker at once.
pub(super) fn the_worker_is_handed_two_domains() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    let another = owned.another();
    let domain = another.get();
    let other = thread::spawn(move || call_and_wait(domain));
    call_and_wait(owned.get());
    other.join().expect("the other");
    drop((owned, another));
    kernel::exit();
}

/// Wakes the threads that sleep on the word.
struct Word(AtomicU32);

impl std::task::Wake for Word {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}

impl Word {
    fn new() -> Arc<Word> {
        Arc::new(Word(AtomicU32::new(0)))
    }

    fn set(&self) {
        self.0.store(1, Ordering::Release);
        futex_wake(&self.0, 1);
    }

    fn wait(&self) {
        while self.0.load(Ordering::Acquire) == 0 {
            futex_wait(&self.0, 0, None);
        }
    }
}

/// Awaits a grace period: polls only when it is woken. `pending` is called before each wait.
fn block_on(domain: &Domain, pending: impl Fn()) {
    let mut future = domain.synchronize_async();
    loop {
        // A word for each poll: in loom the store that runs last is the last, so a word that both threads change would
        // mislead.
        let word = Word::new();
        let waker = Waker::from(Arc::clone(&word));
        let mut context = Context::from_waker(&waker);
        if Pin::new(&mut future).poll(&mut context).is_ready() {
            return;
        }
        pending();
        word.wait();
    }
}

/// A callback awaits a grace period of another domain, which waits for a section that ends later. The driving thread
/// is inside that callback, and nobody polls, so another thread must drive.
pub(super) fn a_callback_awaits_what_the_worker_drives() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    let another = owned.another();
    let domain = another.get();
    let guard = domain.read_lock();
    let (pending, done) = (Word::new(), Word::new());
    let (theirs, end) = (Arc::clone(&pending), Arc::clone(&done));
    owned.get().call(move || {
        block_on(domain, || theirs.set());
        end.set();
    });
    pending.wait();
    drop(guard);
    done.wait();
    drop((owned, another));
    kernel::exit();
}

/// A callback waits for a grace period that the worker was about to drive when it ran the callback. The section that
/// the grace period waits for ends while the worker is inside the callback.
pub(super) fn a_callback_waits_for_what_the_worker_was_to_drive() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    let another = owned.another();
    let domain = another.get();
    let word = Word::new();
    let waker = Waker::from(Arc::clone(&word));
    let guard = domain.read_lock();
    let mut future = domain.synchronize_async();
    let mut context = Context::from_waker(&waker);
    assert!(Pin::new(&mut future).poll(&mut context).is_pending());
    let (inside, done) = (Word::new(), Word::new());
    let (begin, end) = (Arc::clone(&inside), Arc::clone(&done));
    owned.get().call(move || {
        begin.set();
        word.wait();
        end.set();
    });
    inside.wait();
    drop(guard);
    done.wait();
    drop((future, owned, another));
    kernel::exit();
}

/// The kernel refuses the worker two barriers, and nobody pokes it. After the first refusal, which it reports, it tries
/// again at once; after the second one it tries again later by itself.
pub(super) fn the_worker_tries_again_when_a_barrier_is_refused() {
    let owned = Owned::with(ALL_THREADS, Runner::Shared);
    let domain = owned.get();
    for refused in [2, 0] {
        let done = Word::new();
        let theirs = Arc::clone(&done);
        let running = run_on(0);
        domain.call(move || {
            // The worker's thread does this, as it issues the barriers.
            (0..refused).for_each(|_| kernel::refuse_next_barrier());
            theirs.set();
        });
        drop(running);
        done.wait();
    }
    drop(owned);
    kernel::exit();
}

/// A waker. Once `blocks` is set, a thread that wakes it waits for the word.
struct Blocking {
    blocks: Cell<bool>,
    word: Arc<Word>,
}

// SAFETY: loom runs all threads on one of the system.
unsafe impl Send for Blocking {}
// SAFETY: loom runs all threads on one of the system.
unsafe impl Sync for Blocking {}

impl std::task::Wake for Blocking {
    fn wake(self: Arc<Self>) {
        if self.blocks.get() {
            self.word.wait();
        }
    }
}

/// There is work already when the worker can be started. It is inside a user's code, without the role, before the
/// thread that starts it goes on. It must be able to take the role again.
pub(super) fn the_worker_starts_late() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    let domain = owned.get();
    let blocking = Arc::new(Blocking {
        blocks: Cell::new(false),
        word: Word::new(),
    });
    kernel::without_more_threads();
    let guard = domain.read_lock();
    let mut future = domain.synchronize_async();
    let waker = Waker::from(Arc::clone(&blocking));
    let mut context = Context::from_waker(&waker);
    assert!(Pin::new(&mut future).poll(&mut context).is_pending());
    drop(guard);
    blocking.blocks.set(true);
    kernel::with_more_threads();
    assert!(worker::ensure_started(), "no worker");
    Waker::from(Arc::clone(&blocking.word)).wake();
    call_and_wait(domain);
    drop((future, owned));
    kernel::exit();
}

/// A domain ends while the worker has a grace period of that domain to drive, for which nobody waits.
pub(super) fn the_worker_meets_the_end_of_a_domain() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    without_time_limits();
    drop(owned.get().start_poll());
    drop(owned);
    kernel::exit();
}

/// Two threads are the first to need the worker. The one that finds it started finds that it drives, and needs no
/// second worker.
pub(super) fn two_threads_start_the_worker() {
    let owned = Owned::with(Mode::Atomics, Runner::Shared);
    without_time_limits();
    let domain = owned.get();
    domain.driver();
    let other = thread::spawn(worker::ensure_driven);
    let grace_period = domain.start_poll();
    assert!(other.join().expect("the other"), "no worker");
    assert_eq!(kernel::thread::started(), 1, "workers");
    drop(grace_period);
    drop(owned);
    kernel::exit();
}
