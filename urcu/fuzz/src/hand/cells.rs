//! The steps that are about cells.

use std::mem;
use std::sync::atomic::Ordering::SeqCst;

use urcu::Ref;

use super::{Hand, Section};
use crate::cells::{self, Exchanged, Kept};
use crate::check::check;
use crate::ledger::{Stamp, Value};
use crate::place::Place;
use crate::world::{CellPlace, NOTHING};

impl<'w> Hand<'w> {
    /// Returns a value to give to a cell: `None` now and then, where that is allowed.
    pub(super) fn input(&self, cell: &CellPlace, choice: u8) -> Option<Value> {
        (!choice.is_multiple_of(4) || !cell.cell.is_optional()).then(|| self.value())
    }

    /// Returns the value that is about to be replaced, where one thread runs at a time.
    pub(super) fn replaces(&self, cell: &CellPlace) -> Option<u32> {
        let old = cell.holds.load(SeqCst);
        let known = self.world.exclusive && old != NOTHING;
        if known {
            self.world.ledger.retires(old, cell.place);
        }
        known.then_some(old)
    }

    pub(super) fn replaced(
        &self,
        cell: &CellPlace,
        old: Option<u32>,
        new: Option<u32>,
        retired: bool,
    ) {
        cell.holds.store(new.unwrap_or(NOTHING), SeqCst);
        if retired && let Some(old) = old {
            self.world.ledger.retired(old, self.thread);
        }
    }

    pub(super) fn check_holds(&self, cell: &CellPlace, seen: Option<u32>) {
        let holds = cell.holds.load(SeqCst);
        check!(
            !self.world.exclusive || holds == seen.unwrap_or(NOTHING),
            "a cell shows {seen:?} and holds {holds}"
        );
    }

    /// Returns a guard of a domain that this thread holds.
    pub(super) fn guard_of(&self, place: usize, choice: u8) -> Option<usize> {
        let mut guards = (0..self.held.len())
            .filter(|held| self.held[*held].place.number == place)
            .filter(|held| self.held[*held].guard().is_some());
        let count = guards.clone().count();
        guards.nth(usize::from(choice) % count.max(1))
    }

    pub(super) fn load(&mut self, cell: &'w CellPlace, choice: u8) {
        let Some(held) = self.guard_of(cell.place, choice) else {
            return self.lock(self.place_of(cell));
        };
        let mut held = self.held.swap_remove(held);
        let guard = held.guard().expect("a guard");
        // SAFETY: the section is open until the end of `held`, and the cell goes after all of them.
        let seen = cell
            .cell
            .load(guard)
            .map(|value| unsafe { mem::transmute::<&Value, &'static Value>(value) });
        self.check_holds(cell, seen.map(|value| value.id));
        if let Some(value) = seen {
            // SAFETY: loaded right now.
            unsafe { held.sees(value) };
        }
        self.held.push(held);
    }

    pub(super) fn read(&mut self, cell: &'w CellPlace, part: bool) {
        let place = self.place_of(cell);
        if !self.has_room(&place) {
            return;
        }
        // SAFETY: `Held` is dropped before the cells and the domain.
        let seen = unsafe {
            mem::transmute::<Option<Ref<'_, Value>>, Option<Ref<'static, Value>>>(cell.cell.read())
        };
        self.check_holds(cell, seen.as_ref().map(|value| value.id));
        let Some(seen) = seen else {
            return;
        };
        // SAFETY: `sees` is called in this section.
        let value = unsafe { mem::transmute::<&Value, &'static Value>(&seen) };
        let section = if part {
            let missing = Ref::filter_map(seen, |value| value.heap.get(3));
            let seen = missing.expect_err("there are three words");
            Section::Part(Ref::map(seen, |value| &value.heap[1]))
        } else {
            Section::Whole(seen)
        };
        if let Some(held) = self.hold(place, section) {
            // SAFETY: the value was read in this section, which `held` has now.
            unsafe { held.sees(value) };
        }
    }

    pub(super) fn store(&self, cell: &CellPlace, choice: u8) {
        let new = self.input(cell, choice);
        let (old, id) = (self.replaces(cell), new.as_ref().map(|value| value.id));
        cell.cell.store(new);
        self.replaced(cell, old, id, true);
    }

    pub(super) fn replace(&mut self, cell: &CellPlace, choice: u8) {
        let place = self.place_of(cell);
        if !self.may_wait(&place) {
            return self.store(cell, choice);
        }
        let new = self.input(cell, choice);
        let (old, id) = (self.replaces(cell), new.as_ref().map(|value| value.id));
        let began = self.world.ledger.now();
        let kept = cell.cell.replace(new);
        self.replaced(cell, old, id, false);
        if self.world.exclusive {
            check!(
                kept.id() == old,
                "{:?} was replaced, not {old:?}",
                kept.id()
            );
        }
        if !matches!(kept, Kept::Nothing) {
            let open = self.world.ledger.any_open_since(place.number, began);
            check!(!open, "a section outlasts `replace`");
        }
    }

    pub(super) fn exchange(&mut self, cell: &'w CellPlace, choice: u8, between: bool) {
        let Some(held) = self.guard_of(cell.place, choice) else {
            return self.lock(self.place_of(cell));
        };
        let held = self.held.swap_remove(held);
        let (new, before) = (self.input(cell, choice), cell.holds.load(SeqCst));
        let id = new.as_ref().map(|value| value.id);
        let mut old = None;
        let done = cell.cell.exchange(
            held.guard().expect("a guard"),
            &mut || {
                if between {
                    self.store(cell, 1);
                } else {
                    old = self.replaces(cell);
                }
            },
            new,
        );
        match done {
            Exchanged::Done => {
                check!(
                    !between || !self.world.exclusive,
                    "an old value was exchanged"
                );
                check!(before != NOTHING || old.is_none(), "nothing is {old:?}");
                self.replaced(cell, old, id, true);
            }
            Exchanged::Found(new, found) => {
                check!(
                    between || !self.world.exclusive,
                    "the current value was not exchanged"
                );
                check!(new.id() == id, "{:?} came back for {id:?}", new.id());
                self.check_holds(cell, found);
            }
        }
        self.held.push(held);
    }

    pub(super) fn update(&mut self, cell: &CellPlace, choice: u8) {
        let (mut tries, mut old, mut id) = (0, None, None);
        let done = cell.cell.try_update(&mut |seen| {
            tries += 1;
            if let Some(seen) = seen {
                seen.look();
            }
            match choice % 8 {
                0 => return None,
                1 | 2 if tries == 1 => self.store(cell, choice), // Then it must try again.
                _ => self.check_holds(cell, seen.map(|value| value.id)),
            }
            old = self.replaces(cell);
            let new = self.input(cell, choice >> 3);
            id = new.as_ref().map(|value| value.id);
            Some(new)
        });
        check!(
            done != choice.is_multiple_of(8),
            "an update ended otherwise"
        );
        if done {
            check!(
                tries > 1 || !(1..=2).contains(&(choice % 8)),
                "an update was lost"
            );
            self.replaced(cell, old, id, true);
        }
    }

    pub(super) fn full(&mut self, cell: &CellPlace, swap: bool, choice: u8) {
        if !swap {
            if let Some(value) = cell.cell.full() {
                value.look();
                self.check_holds(cell, Some(value.id));
                self.world.ledger.is_shared(value.id);
                self.kept.push(value);
            }
            return;
        }
        let new = self.input(cell, choice);
        let (old, id) = (self.replaces(cell), new.as_ref().map(|value| value.id));
        let got = cell.cell.swap(new);
        if let Some(value) = got {
            value.look();
            let other = self.world.exclusive && Some(value.id) != old;
            check!(!other, "{} was swapped out, not {old:?}", value.id);
            self.world.ledger.is_shared(value.id);
            self.kept.push(value);
        }
        self.replaced(cell, old, id, true);
    }

    /// A cell's whole life.
    pub(super) fn short_cell(&self, place: &Place, kind: u8, choice: u8) {
        // SAFETY: the cell does not outlive this.
        let domain = place.domain.is_some().then(|| unsafe { place.forever() });
        let cell = cells::new(kind, domain, self.value());
        for n in 0..choice % 4 {
            cell.store((n != 2 || !cell.is_optional()).then(|| self.value()));
        }
        if choice & 16 != 0 {
            let guard = cell.domain().read_lock();
            cell.load(&guard).into_iter().for_each(Value::look);
        }
        if choice & 32 != 0 {
            drop(cell.into_inner());
        }
    }

    pub(super) fn snapshot(&self, large: bool, choice: u8) {
        let (stamps, number) = (&self.world.stamps, self.world.ledger.now());
        let holds = &stamps.holds[usize::from(large)];
        let seen = if large {
            stamps.large.snapshot().look()
        } else {
            stamps.small.snapshot().look()
        };
        let expected = Stamp::<1>::new(holds.load(SeqCst)).look();
        check!(
            !self.world.exclusive || seen == expected,
            "a snapshot of {seen}, not {expected}"
        );
        if choice.is_multiple_of(2) {
            return;
        }
        holds.store(number, SeqCst);
        if large {
            stamps.large.store(Stamp::new(number));
        } else {
            stamps.small.store(Stamp::new(number));
        }
    }
}
