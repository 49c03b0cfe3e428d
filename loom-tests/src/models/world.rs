//! The world of most models: one domain, and values that it protects.

use std::cell::OnceCell;
use std::sync::Arc;

use loom::thread;

use crate::driver::worker;
use crate::gp::grace_period::{GpState, Place, Progress};
use crate::gp::readers::{Readers, Token};
use crate::gp::sequence::Round;
use crate::kernel::{self, Mode, Ordering, Running, Source, run_on, step};
use crate::stall::Patience;
use crate::sys::Phase;

/// A domain and the values that it protects. The index of the current value stands for a pointer.
pub(super) struct World {
    pub(super) phases: GpState,
    /// Made by the first updater, before others update.
    pub(super) place: OnceCell<Place>,
    /// The first current phase, once the domain is set up.
    pub(super) first: Option<Phase>,
    pub(super) source: Source,
}

// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Sync for World {}
// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Send for World {}

impl World {
    /// Returns a domain of an emulated kernel of its own.
    pub(super) fn new(mode: Mode) -> Arc<World> {
        kernel::boot(mode);
        World::another()
    }

    /// Returns one more domain of the same emulated kernel.
    pub(super) fn another() -> Arc<World> {
        let first = kernel::allocate_slots();
        let phases = GpState::new();
        assert!(phases.readers.set_up(first, worker::parker()));
        let world = Arc::new(World {
            phases,
            place: OnceCell::new(),
            first: Some(first),
            source: Source::new(3),
        });
        world.progress();
        world
    }

    pub(super) fn progress(&self) -> &Progress {
        self.place.get_or_init(|| Place::new(&self.phases.readers))
    }

    /// As `State::read_lock`.
    pub(super) fn enter(&self) -> Token {
        let readers = &self.phases.readers;
        readers
            .enter()
            .unwrap_or_else(|| Readers::slow_token(readers.enter_slow().expect("set up")))
    }

    /// Returns a section that began on a CPU before the model's threads start.
    pub(super) fn enter_on(&self, cpu: usize) -> Token {
        let _running = run_on(cpu);
        self.enter()
    }

    pub(super) fn exit(&self, token: Token) {
        self.phases.readers.exit(token);
    }

    /// Follows the pointer, inside a section.
    pub(super) fn read(&self) {
        let pointer = self.source.current.load(Ordering::Acquire);
        // At this point a writer that does not wait for this section could reclaim the value.
        step();
        assert_eq!(self.source.read(pointer), pointer as u32);
    }

    /// Reads in a section that has already followed the pointer to this value.
    pub(super) fn read_at(&self, pointer: usize) {
        step();
        assert_eq!(self.source.read(pointer), pointer as u32);
    }

    pub(super) fn section(&self) {
        let token = self.enter();
        self.read();
        self.exit(token);
    }

    pub(super) fn join(&self) -> Round {
        self.progress().sequence.snap()
    }

    /// Returns whether the kernel grants the barrier.
    pub(super) fn try_to_wait(&self, round: Round) -> bool {
        let waited = self.phases.wait(self.progress(), round, &Patience::none());
        assert_ne!(waited, Ok(false), "the caller has nothing to report");
        waited.is_ok()
    }

    pub(super) fn wait(&self, round: Round) {
        assert!(self.try_to_wait(round), "refused");
    }

    /// Does a turn of the worker.
    pub(super) fn advance(&self, round: Round) -> bool {
        let advanced =
            self.phases
                .advance(self.progress(), round, &Patience::none(), worker::parker());
        advanced.expect("a barrier")
    }

    /// As `Domain::synchronize`.
    pub(super) fn synchronize(&self) {
        self.wait(self.join());
    }

    /// Replaces the value by the next one. Returns the old one.
    pub(super) fn unpublish(&self) -> usize {
        self.source.current.fetch_add(1, Ordering::Release)
    }

    /// Replaces the value by the next one, waits for a grace period, and reclaims the old one.
    pub(super) fn update(&self) {
        let old = self.unpublish();
        self.synchronize();
        self.source.reclaim(old);
    }
}

/// Starts a thread that runs on a CPU.
pub(super) fn on(
    cpu: usize,
    world: &Arc<World>,
    program: impl FnOnce(&World, &Running) + 'static,
) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || {
        let running = run_on(cpu);
        program(&world, &running);
    })
}

/// Starts a thread that never runs a sequence, and so needs no CPU.
pub(super) fn off_cpu(
    world: &Arc<World>,
    program: impl FnOnce(&World) + 'static,
) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || program(&world))
}
