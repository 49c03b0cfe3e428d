//! The first use of a domain, in a process and again in its forked children.

use std::sync::Arc;

use super::{World, on};
use crate::grace_period::GracePeriods;
use crate::machine::{self, ALL_THREADS, Ordering, Source};
use crate::readers::{Readers, Token};

impl World {
    /// A domain before its first use: zeroes.
    fn zeroed() -> Arc<World> {
        Arc::new(World {
            periods: GracePeriods::new(),
            first: 0,
            source: Source::new(3),
        })
    }

    /// As `State::set_up`.
    fn set_up(&self) {
        self.periods.readers.set_up(machine::allocate_slots());
    }

    /// As `State::read_lock`, at any time.
    fn enter_first(&self) -> Token {
        let readers = &self.periods.readers;
        if let Some(token) = readers.enter() {
            return token;
        }
        loop {
            if let Some(word) = readers.enter_slowly() {
                return Readers::slow_token(word);
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
        if !self.periods.readers.is_set_up() {
            self.set_up();
        }
        self.update();
    }
}

/// A reader and an updater both find a domain that nobody has used.
pub(super) fn two_threads_set_up() {
    machine::boot(ALL_THREADS);
    let world = World::zeroed();
    let reader = on(0, &world, |world, _| {
        world.first_section();
        world.first_section();
    });
    world.first_update();
    reader.join().expect("the reader");
}

/// A child finds zeroes and gets other counters, so neither the parent's open sections nor the end
/// of a guard that the forking thread took counts in it.
pub(super) fn a_child_counts_anew() {
    machine::boot(ALL_THREADS);
    let parent = World::zeroed();
    parent.set_up();
    // One of a thread that the child does not have, and one of the forking thread.
    let _gone = parent.enter_on(1);
    let token = parent.enter_on(0);
    let child = World::zeroed();
    let reader = on(0, &child, move |child, _| {
        child.exit(token);
        let new = child.enter_first();
        assert!(child.periods.readers.is_of_now(new), "a section of now");
        assert!(!child.periods.readers.is_of_now(token), "the parent's");
        child.read();
        child.exit(new);
    });
    child.first_update();
    reader.join().expect("the reader");
    assert_eq!(child.source.current.load(Ordering::Relaxed), 1);
}
