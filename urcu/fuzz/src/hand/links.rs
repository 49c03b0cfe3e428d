//! The steps that are about links: lists of safe ones, and raw ones.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use urcu::link::Link;
use urcu::raw::Owned;

use super::Hand;
use crate::ledger::Value;

/// The number of the global domain.
const GLOBAL: usize = 0;

impl<'w> Hand<'w> {
    pub(super) fn links(&mut self, a: u8, b: u8) {
        let list = &self.world.links.lists[usize::from(a) % 2];
        match b % 16 {
            0..=3 => list
                .push(self.value())
                .expect("the links of roots are never marked"),
            4..=6 => self.follow(list, b),
            7 | 8 => self.pop(list, b),
            9 => self.cut.chains.extend(list.take()),
            10 => {
                if let Some(chain) = self.cut.chains.pop() {
                    let before = list
                        .put(chain)
                        .expect("the links of roots are never marked");
                    self.cut.chains.extend(before);
                }
            }
            11 => self.cut.end(),
            12 => self.look_at_cut(),
            other => self.raw(usize::from(a) % 2, other == 13),
        }
    }

    /// Looks at the first values of a list, which stay until the section ends.
    fn follow(&mut self, list: &'w Link<Value>, choice: u8) {
        let Some(held) = self.guard_of(GLOBAL, choice) else {
            return self.lock(self.world.places[GLOBAL].clone());
        };
        let mut held = self.held.swap_remove(held);
        let guard = held.guard().expect("a guard");
        let seen: Vec<*const Value> = list.iter(guard).take(4).map(std::ptr::from_ref).collect();
        for value in seen {
            // SAFETY: found in this section, which is open, so the value is there.
            unsafe { held.sees(&*value) };
        }
        self.held.push(held);
    }

    fn pop(&mut self, list: &Link<Value>, choice: u8) {
        let guard = urcu::read_lock();
        if self.world.exclusive
            && let Some(first) = list.load(&guard)
        {
            self.world.ledger.retires(first.id, GLOBAL);
        }
        let Some(node) = list.pop(&guard) else {
            return;
        };
        drop(guard);
        node.look();
        if choice.is_multiple_of(2) {
            self.cut.nodes.push(node);
        } else if self.may_wait(&self.world.places[GLOBAL]) {
            node.wait().look();
        } else {
            let id = node.id;
            node.retire();
            if self.world.exclusive {
                self.world.ledger.retired(id, self.thread);
            }
        }
    }

    fn look_at_cut(&self) {
        self.cut.nodes.iter().for_each(|node| node.look());
        let guard = urcu::read_lock();
        let chains = self.cut.chains.iter();
        chains.for_each(|chain| chain.iter(&guard).take(4).for_each(Value::look));
    }

    /// Replaces the node of a raw link, or looks at it.
    fn raw(&mut self, number: usize, looks: bool) {
        let link = &self.world.links.raw[number];
        let guard = urcu::read_lock();
        let seen = link.load(Acquire, &guard);
        // SAFETY: nodes are retired, in the domain of this section, after they were replaced.
        let value = unsafe { seen.as_ref() };
        if looks {
            return value.map_or((), Value::look);
        }
        if self.world.exclusive
            && let Some(value) = value
        {
            self.world.ledger.retires(value.id, GLOBAL);
        }
        let old = link.swap(Owned::new(self.value()), AcqRel, &guard);
        // SAFETY: the section is open, and the node is retired below.
        if let Some(value) = unsafe { old.as_ref() } {
            let id = value.id;
            // SAFETY: from an `Owned`, replaced by us alone, and readers have sections of the global domain.
            unsafe { urcu::global().retire_shared(old) };
            if self.world.exclusive {
                self.world.ledger.retired(id, self.thread);
            }
        }
    }
}
