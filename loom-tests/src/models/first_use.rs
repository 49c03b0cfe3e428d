//! The first use of a domain, in a process and again in its forked children.

use std::cell::{Cell, OnceCell};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use loom::thread;

use super::domains::{Owned, on_cpu};
use super::{World, on, witness};
use crate::cell::{Rcu, RcuCell};
use crate::domain::{Domain, ReadGuard};
use crate::driver::worker;
use crate::gp::grace_period::GpState;
use crate::gp::readers::{Readers, Token};
use crate::kernel::{self, ALL_THREADS, Mode, Ordering, Source, Value, fork, run_on};
use crate::stall::set_hook;

impl World {
    /// Returns a domain before its first use: zeroes.
    fn zeroed() -> Arc<World> {
        Arc::new(World {
            phases: GpState::new(),
            place: OnceCell::new(),
            first: None,
            source: Source::new(3),
        })
    }

    /// As `State::set_up`.
    fn set_up(&self) {
        self.phases
            .readers
            .set_up(kernel::allocate_slots(), worker::parker());
    }

    /// As `State::read_lock`, at any time.
    fn enter_first(&self) -> Token {
        let readers = &self.phases.readers;
        if let Some(token) = readers.enter() {
            return token;
        }
        loop {
            if let Some(phase) = readers.enter_slow() {
                return Readers::slow_token(phase);
            }
            self.set_up();
        }
    }

    fn first_section(&self) {
        let token = self.enter_first();
        self.read();
        self.exit(token);
    }

    fn first_update(&self) {
        if !self.phases.readers.is_set_up() {
            self.set_up();
        }
        self.update();
    }
}

/// A reader and an updater both find a domain that nobody has used.
pub(super) fn two_threads_set_up() {
    kernel::boot(ALL_THREADS);
    let world = World::zeroed();
    let reader = on(0, &world, |world, _| {
        world.first_section();
        world.first_section();
    });
    world.first_update();
    reader.join().expect("the reader");
}

/// A reader and an updater both find a domain that nobody has used, as it ships.
pub(super) fn two_threads_use_a_domain_first() {
    two_threads(ALL_THREADS);
}

/// The same without sequences.
pub(super) fn two_threads_use_a_domain_without_sequences() {
    two_threads(Mode::Atomics);
}

/// Two threads find the same state and the same tasks, whoever makes them.
pub(super) fn two_threads_find_one_state() {
    let owned = Owned::unused(ALL_THREADS);
    let domain = owned.get();
    let find = move || {
        let (state, driver) = domain.driver();
        (ptr::from_ref(state).addr(), Arc::as_ptr(driver).addr())
    };
    let other = thread::spawn(find);
    assert_eq!(find(), other.join().expect("the other"));
    // Its state and how far its grace periods have come.
    assert_eq!(kernel::in_use(), (1, 2), "states or counters leak");
}

/// The name of a domain is stored again in a child, by its first use there, while a message asks for
/// it.
pub(super) fn a_name_is_shown_whole_or_not_at_all() {
    let owned = Owned::named("model");
    let domain = owned.get();
    fork();
    let other = thread::spawn(move || {
        domain.driver();
    });
    let shown = domain.state().shown().to_string();
    let named = shown == "RCU domain \"model\"";
    witness(0, named);
    witness(1, !named);
    assert!(named || shown.starts_with("RCU domain at "), "{shown}");
    other.join().expect("the other");
}

/// A callback is queued while another thread sets the domain up.
pub(super) fn a_callback_meets_the_first_use() {
    let owned = Owned::unused(ALL_THREADS);
    let domain = owned.get();
    let other = on_cpu(0, move || domain.call(|| ()));
    let running = run_on(1);
    drop(domain.read_lock());
    drop(running);
    other.join().expect("the other");
}

fn two_threads(mode: Mode) {
    let owned = Owned::unused(mode);
    let domain = owned.get();
    let cell: Arc<Rcu<Value, &'static Domain>> = Arc::new(RcuCell::new_in(Value::new(0), domain));
    let theirs = Arc::clone(&cell);
    let other = on_cpu(0, move || {
        theirs.read().read();
        domain.start_poll()
    });
    drop(cell.replace(Value::new(1)));
    let grace_period = other.join().expect("the other");
    domain.poll(&grace_period);
}

/// A callback forks. The child is not inside of it, and does not run what the parent has queued.
pub(super) fn a_callback_forks() {
    let owned = Owned::new(Mode::Atomics);
    let domain = owned.get();
    let running = run_on(0);
    domain.call(move || {
        fork();
        domain.call(|| ());
        domain.barrier();
    });
    domain.call(|| panic!("the parent's"));
    domain.synchronize();
    domain.run_callbacks(4);
    drop(running);
    assert_eq!(domain.stats().callbacks_run, 1);
}

/// A caller that leads a grace period forks in the middle of it, in a hook, and the child reads, begins
/// grace periods, and returns into that of its parent's. That neither waits for the child's sections
/// nor ends, or spoils, what waits for them.
pub(super) fn a_hook_forks() {
    let owned = Owned::new(ALL_THREADS);
    let domain = owned.get();
    let source = Rc::new(Source::new(3));
    let running = run_on(1);
    // Of a thread that the child does not have.
    std::mem::forget(domain.read_lock());
    drop(running);
    // A section that has followed the pointer to value `n`, and one who reclaims that.
    let theirs = Rc::clone(&source);
    let begin = move |n: usize| {
        let running = run_on(1);
        let guard = domain.read_lock();
        drop(running);
        let theirs = Rc::clone(&theirs);
        let updater = thread::spawn(move || {
            domain.synchronize();
            theirs.reclaim(n);
        });
        (guard, updater)
    };
    let end = |n: usize, (guard, updater): (ReadGuard<'static>, thread::JoinHandle<()>)| {
        assert_eq!(source.read(n), n as u32);
        let running = run_on(1);
        drop(guard);
        drop(running);
        updater.join().expect("the updater");
    };
    let begun = Rc::new(Cell::new(None));
    let first = Rc::clone(&begun);
    let begins = begin.clone();
    set_hook(move || {
        fork();
        first.set(Some(begins(0)));
    });
    domain.synchronize();
    end(0, begun.take().expect("the hook was called"));
    // Nothing of it is left.
    end(1, begin(1));
}

/// A child finds zeroes and gets other counters, so neither the parent's open sections nor the end
/// of a guard that the forking thread took counts in it. What the parent had queued is not the
/// child's to run.
pub(super) fn a_child_starts_anew() {
    let owned = Owned::new(ALL_THREADS);
    let domain = owned.get();
    let cell: Arc<Rcu<Value, &'static Domain>> = Arc::new(RcuCell::new_in(Value::new(0), domain));
    let running = run_on(1);
    // Of a thread that the child does not have, and of the forking one.
    std::mem::forget(domain.read_lock());
    let guard = domain.read_lock();
    domain.call(|| panic!("the parent's"));
    drop(running);
    let grace_period = domain.start_poll();
    fork();
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || {
        drop(guard);
        theirs.read().read();
    });
    assert!(grace_period.is_over(), "it was the parent's");
    let running = run_on(1);
    cell.store(Value::new(1));
    drop(running);
    domain.barrier();
    reader.join().expect("the reader");
    assert_eq!(domain.stats().callbacks_run, 1);
}

/// A child finds zeroes and gets other counters, so neither the parent's open sections nor the end
/// of a guard that the forking thread took counts in it.
pub(super) fn a_child_counts_anew() {
    kernel::boot(ALL_THREADS);
    let parent = World::zeroed();
    parent.set_up();
    // One of a thread that the child does not have, and one of the forking thread.
    let _gone = parent.enter_on(1);
    let token = parent.enter_on(0);
    let child = World::zeroed();
    let reader = on(0, &child, move |child, _| {
        child.exit(token);
        let new = child.enter_first();
        assert!(
            child.phases.readers.is_current_generation(new),
            "a section of now"
        );
        assert!(
            !child.phases.readers.is_current_generation(token),
            "the parent's"
        );
        child.read();
        child.exit(new);
    });
    child.first_update();
    reader.join().expect("the reader");
    assert_eq!(child.source.current.load(Ordering::Relaxed), 1);
}
