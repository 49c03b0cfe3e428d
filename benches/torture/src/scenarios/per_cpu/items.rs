//! Items that are in one place at a time: in a container, held by a thread, or free.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use super::slots::dawdle;
use super::subject::Subject;
use crate::random::Random;

/// The number of items.
pub(super) const COUNT: usize = 12;

const LOOSE: u8 = 0;
const INSIDE: u8 = 1;
const HELD: u8 = 2;

/// The recorded place of each item.
#[derive(Default)]
pub(super) struct Items {
    places: [AtomicU8; COUNT],
    /// The number of items that came out of a container without being in it.
    wrong: AtomicU64,
}

impl Items {
    /// Records that an item came out of a container. Returns `None` if it cannot have been in one.
    pub(super) fn came_out(&self, item: usize) -> Option<usize> {
        let place = self.places.get(item);
        if place.is_some_and(|place| place.swap(HELD, SeqCst) == INSIDE) {
            Some(item)
        } else {
            self.wrong.fetch_add(1, SeqCst);
            None
        }
    }

    /// Records that a held item is about to go into a container.
    pub(super) fn goes_in(&self, item: usize) {
        self.places[item].store(INSIDE, SeqCst);
    }

    fn let_loose(&self, item: usize) {
        self.places[item].store(LOOSE, SeqCst);
    }

    /// Tries to take an item that is free.
    fn catch(&self, random: &mut Random) -> Option<usize> {
        let item = random.below(COUNT as u64) as usize;
        let caught = self.places[item].compare_exchange(LOOSE, HELD, SeqCst, SeqCst);
        caught.is_ok().then_some(item)
    }

    /// Checks that exactly these items are inside, and that no thread holds one.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(super) fn audit(&self, mut found: Vec<usize>) -> Result<(), String> {
        found.sort_unstable();
        let places = self.places.each_ref().map(|place| place.load(SeqCst));
        let inside = (0..COUNT).filter(|item| places[*item] == INSIDE);
        let wrong = self.wrong.load(SeqCst);
        if wrong != 0 {
            Err(format!("{wrong} items came out twice, or never went in"))
        } else if places.contains(&HELD) || !inside.eq(found.iter().copied()) {
            Err(format!(
                "the items {found:?} are inside, but the records say (0 free, 1 inside, 2 held): {places:?}"
            ))
        } else {
            Ok(())
        }
    }
}

/// A container for each CPU, into which sequences put items and from which they take them.
pub(super) trait Container: Send + Sync {
    fn name(&self) -> &'static str;

    /// Tries once to put an item in. Returns whether it is in.
    fn push(&self, item: usize, random: &mut Random) -> bool;

    /// Tries once to take an item out. If something is wrong, the result may be no item at all.
    fn pop(&self, random: &mut Random) -> Option<usize>;

    /// Returns the contents while nobody works. If something is wrong, there may be too many.
    fn contents(&self) -> Vec<usize>;

    fn aborts(&self) -> u64;
}

/// A container and its items.
pub(super) struct Holding<C> {
    container: C,
    items: Items,
}

impl<C> Holding<C> {
    pub(super) fn new(container: C) -> Self {
        Holding {
            container,
            items: Items::default(),
        }
    }
}

impl<C: Container> Subject for Holding<C> {
    fn name(&self) -> &'static str {
        self.container.name()
    }

    fn work(&self, random: &mut Random) {
        let pop = |random: &mut Random| self.items.came_out(self.container.pop(random)?);
        let held = [pop(random), pop(random), self.items.catch(random)];
        dawdle(random);
        // Two items that came out go in again in the wrong order.
        for item in held.into_iter().flatten() {
            self.items.goes_in(item);
            // Now and then the next attempt is on another CPU.
            let attempts = if random.one_in(4) { 0 } else { 8 };
            if !(0..attempts).any(|_| self.container.push(item, random)) {
                self.items.let_loose(item);
            }
        }
    }

    fn audit(&self) -> Result<(), String> {
        self.items.audit(self.container.contents())
    }

    fn aborts(&self) -> u64 {
        self.container.aborts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_are_lost_doubled_or_held_are_noticed() {
        let items = Items::default();
        items.goes_in(3);
        items.goes_in(5);
        assert_eq!(items.audit(vec![5, 3]), Ok(()));
        for wrong in [vec![3], vec![3, 5, 5], vec![3, 5, 7], vec![3, 5, COUNT]] {
            assert!(items.audit(wrong).is_err());
        }
        assert_eq!(items.came_out(3), Some(3));
        assert!(items.audit(vec![5]).is_err());
        items.let_loose(3);
        assert_eq!(items.audit(vec![5]), Ok(()));
        // The item is popped once more.
        assert_eq!(items.came_out(3), None);
        items.let_loose(3);
        assert!(items.audit(vec![5]).is_err());
    }
}
