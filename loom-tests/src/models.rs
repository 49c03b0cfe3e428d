//! The models. Each is a small program whose every execution, up to a bound on preemptions, must
//! go well: no assertion fails, no value is written while it is read (loom's checked cells), no
//! thread waits for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize as Count, Ordering::Relaxed as Uncounted};

use loom::thread;

use crate::grace_period::GracePeriods;
use crate::machine::{
    self, ALL_THREADS, AtomicUsize, Mode, Ordering, Running, Source, Watch, abort_next, run_on,
    step,
};
use crate::readers::{Readers, Token};

/// A model.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name, for the programs.
    pub name: &'static str,
    /// How often a thread may be preempted in one execution, unless `LOOM_MAX_PREEMPTIONS` says;
    /// 2 in builds without optimisation.
    pub preemptions: usize,
    program: fn(),
}

impl Model {
    /// Runs all executions; their number.
    ///
    /// # Panics
    /// If one of them goes wrong.
    pub fn check(&self) -> usize {
        let count = Arc::new(Count::new(0));
        let counted = Arc::clone(&count);
        let program = self.program;
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 100_000;
        // Without optimisation the full bounds take minutes.
        let bound = if cfg!(debug_assertions) {
            2
        } else {
            self.preemptions
        };
        builder.preemption_bound = builder.preemption_bound.or(Some(bound));
        builder.check(move || {
            counted.fetch_add(1, Uncounted);
            program();
        });
        count.load(Uncounted)
    }
}

macro_rules! models {
    ($($name:ident: $preemptions:literal,)*) => {
        /// All models, quick ones first.
        pub const MODELS: &[Model] = &[
            $(Model { name: stringify!($name), preemptions: $preemptions, program: $name },)*
        ];
    };
}

models! {
    the_barrier_replaces_the_readers_fence: 3,
    a_late_end_wakes_the_writer: 5,
    two_late_ends_wake_the_writer: 3,
    sections_see_both_sides_of_a_grace_period_or_one: 4,
    an_aborted_begin_by_atomics_wakes_the_writer: 3,
    a_grace_period_cut_short: 4,
    new_sections_see_the_new_world: 5,
    snapshots: 5,
    two_sections_two_updates: 4,
    migration_and_settling: 4,
    nested_and_moved: 3,
    two_readers: 3,
    begun_one_way_ended_another: 4,
    atomics_only: 4,
    mixed_readers: 3,
    two_updaters: 3,
}

/// A domain and what it protects: values, the index of the current one in place of a pointer.
struct World {
    periods: GracePeriods,
    /// The word of the period that is the current one at first.
    first: usize,
    source: Source,
}

// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    fn new(mode: Mode) -> Arc<World> {
        machine::boot(mode);
        let base = machine::allocate_slots();
        let periods = GracePeriods::new();
        assert!(periods.readers.set_up(base));
        Arc::new(World {
            periods,
            first: base,
            source: Source::new(3),
        })
    }

    /// As `State::read_lock`.
    fn enter(&self) -> Token {
        let readers = &self.periods.readers;
        readers
            .enter()
            .unwrap_or_else(|| Readers::slow_token(readers.enter_slowly().expect("set up")))
    }

    fn exit(&self, token: Token) {
        self.periods.readers.exit(token);
    }

    /// Follows the pointer, inside a section.
    fn read(&self) {
        let pointer = self.source.current.load(Ordering::Acquire);
        // Here a writer that does not wait for us could reclaim.
        step();
        assert_eq!(self.source.read(pointer), pointer as u32);
    }

    fn section(&self) {
        let token = self.enter();
        self.read();
        self.exit(token);
    }

    /// As `Domain::synchronize`.
    fn synchronize(&self) {
        let round = self.periods.rounds.join();
        self.periods.wait(round, &Watch::none());
    }

    /// Replaces the value by the next one, waits for a grace period, and reclaims the old one.
    fn update(&self) {
        let old = self.source.current.fetch_add(1, Ordering::Release);
        self.synchronize();
        self.source.reclaim(old);
    }

    fn snapshot(&self) {
        let mut value = u32::MAX;
        // SAFETY: a source and a target as the emulated machine wants them.
        let copied = unsafe {
            self.periods.readers.snapshot(
                (&raw const self.source).cast(),
                (&raw mut value).cast(),
                size_of::<u32>(),
            )
        };
        assert!(copied, "16 attempts are enough for two grace periods");
        assert_ne!(value, u32::MAX, "nothing was copied");
    }
}

/// Starts a thread that runs on a CPU.
fn on(
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

/// The machine's own litmus test, store buffering: a compiler barrier here and
/// `restart_sequences` there are as good as two fences.
fn the_barrier_replaces_the_readers_fence() {
    let world = World::new(ALL_THREADS);
    let words = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let theirs = Arc::clone(&words);
    let reader = thread::spawn(move || {
        let _running = run_on(0);
        theirs[0].store(1, Ordering::Relaxed);
        step();
        theirs[1].load(Ordering::Relaxed)
    });
    words[1].store(1, Ordering::Relaxed);
    machine::restart_sequences();
    let ours = words[0].load(Ordering::Relaxed);
    let theirs = reader.join().expect("the reader");
    assert!(ours == 1 || theirs == 1, "both loads came too early");
    drop(world);
}

/// Obligation 5 (F, G): one section is open when the grace period begins.
fn a_late_end_wakes_the_writer() {
    let world = World::new(ALL_THREADS);
    let running = run_on(0);
    let token = world.enter();
    drop(running);
    let reader = on(0, &world, move |world, _| {
        world.read();
        world.exit(token);
    });
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 5 (F, G): two sections are open, and end on two CPUs, one of them elsewhere than it
/// began. A waking that was meant for an earlier sleep meets a later one.
fn two_late_ends_wake_the_writer() {
    let world = World::new(ALL_THREADS);
    let running = run_on(0);
    let tokens = [world.enter(), world.enter()];
    drop(running);
    let readers = [0, 1].map(|n| on(n, &world, move |world, _| world.exit(tokens[n])));
    world.update();
    for reader in readers {
        reader.join().expect("a reader");
    }
}

/// Obligations 1 and 2: message passing over a grace period, both ways round. Nothing but the
/// grace period orders the two words.
fn sections_see_both_sides_of_a_grace_period_or_one() {
    let world = World::new(ALL_THREADS);
    let words = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let theirs = Arc::clone(&words);
    let reader = on(0, &world, move |world, _| {
        for order in [[0, 1], [1, 0]] {
            let token = world.enter();
            let mut seen = [0, 0];
            for word in order {
                step();
                seen[word] = theirs[word].load(Ordering::Relaxed);
            }
            world.exit(token);
            assert_ne!(
                seen,
                [0, 1],
                "what came after a grace period, not what came before"
            );
        }
    });
    words[0].store(1, Ordering::Relaxed);
    world.synchronize();
    words[1].store(1, Ordering::Relaxed);
    reader.join().expect("the reader");
}

/// Obligations 5 and 6: an addition that is taken back may have been counted by the writer, who
/// sleeps over it.
fn an_aborted_begin_by_atomics_wakes_the_writer() {
    let world = World::new(Mode::Atomics);
    let first = world.first;
    let reader = on(0, &world, move |world, _| {
        let token = world.enter();
        // The end would wake the writer too. A section of the new period may stay open.
        if machine::shared(first, machine::stripe()).load(Ordering::Relaxed) != 0 {
            world.exit(token);
        }
    });
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 4: the kernel refuses a barrier, and `synchronize` panics. The next one must drain
/// the period of that one too before it flips back to it.
fn a_grace_period_cut_short() {
    let world = World::new(ALL_THREADS);
    let running = run_on(0);
    let token = world.enter();
    drop(running);
    machine::refuse_next_barrier();
    let refused = catch_unwind(AssertUnwindSafe(|| world.synchronize()));
    let reader = on(0, &world, move |world, _| {
        world.read();
        world.exit(token);
        world.section();
    });
    assert!(refused.is_err());
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 1 for reads that are one sequence: nobody counts them, the restart ends them.
fn snapshots() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| {
        world.snapshot();
        world.snapshot();
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 2 (A, B): a section that begins between the flip and the barrier is of the new period.
/// Nobody waits for it, so it must not see the old value.
fn new_sections_see_the_new_world() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| world.section());
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 1 to 4 (A to E). Two of each: with one section and one update, a late increment of
/// the old period harms nobody.
fn two_sections_two_updates() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| {
        world.section();
        world.section();
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 3 and 4: a section begins on one CPU and ends on the other. The first grace period
/// settles the counters, the second one counts with them.
fn migration_and_settling() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, running| {
        let token = world.enter();
        running.migrate(1);
        world.read();
        world.exit(token);
        world.section();
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 3: a section inside another, and a guard that ends on another thread and CPU.
fn nested_and_moved() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| {
        let outer = world.enter();
        let inner = world.enter();
        world.read();
        world.exit(outer);
        world.read();
        world.exit(inner);
    });
    let running = run_on(1);
    let token = world.enter();
    drop(running);
    let end = on(1, &world, move |world, running| {
        world.read();
        running.migrate(0);
        world.exit(token);
    });
    world.update();
    reader.join().expect("the reader");
    end.join().expect("the other reader");
}

/// Obligations 1 to 3 with two CPUs: the sum is read while sections end here and there.
fn two_readers() {
    let world = World::new(ALL_THREADS);
    let readers = [0, 1].map(|cpu| on(cpu, &world, |world, _| world.section()));
    world.update();
    for reader in readers {
        reader.join().expect("a reader");
    }
}

/// Obligations 3 and 6: storms of signals make one section begin by a sequence and end by atomics,
/// another one the other way round, on another CPU.
fn begun_one_way_ended_another() {
    /// More than one section's end or beginning tries.
    const STORM: u32 = 40;
    let world = World::new(ALL_THREADS);
    // Leaves +1 to be settled, and the first period the current one again.
    let running = run_on(1);
    let token = world.enter();
    abort_next(STORM);
    world.exit(token);
    abort_next(0);
    drop(running);
    world.synchronize();
    world.synchronize();
    let reader = on(0, &world, |world, running| {
        let token = world.enter();
        world.read();
        abort_next(STORM);
        world.exit(token);
        abort_next(STORM);
        let token = world.enter();
        abort_next(0);
        running.migrate(1);
        world.read();
        world.exit(token);
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligation 6 (H): no sequences anywhere.
fn atomics_only() {
    let world = World::new(Mode::Atomics);
    let reader = on(1, &world, |world, _| {
        world.section();
        world.section();
    });
    world.update();
    world.update();
    reader.join().expect("the reader");
}

/// Obligations 1 and 6: a thread without rseq beside one with it.
fn mixed_readers() {
    let world = World::new(Mode::EachThread);
    let reader = on(0, &world, |world, _| world.section());
    let unregistered = on(1, &world, |world, _| {
        machine::leave_unregistered();
        world.section();
    });
    world.update();
    reader.join().expect("the reader");
    unregistered.join().expect("the unregistered reader");
}

/// Obligations 4 and 7: grace periods follow one another.
fn two_updaters() {
    let world = World::new(ALL_THREADS);
    let reader = on(0, &world, |world, _| world.section());
    let theirs = Arc::clone(&world);
    let updater = thread::spawn(move || theirs.update());
    world.update();
    updater.join().expect("the updater");
    reader.join().expect("the reader");
}
