//! Items that are in one place at a time: in a container, in the hands of a thread, or free.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use super::slots::dawdle;
use super::subject::Subject;
use crate::random::Random;

/// Their number.
pub(super) const COUNT: usize = 12;

const LOOSE: u8 = 0;
const INSIDE: u8 = 1;
const HELD: u8 = 2;

/// The recorded place of each item.
#[derive(Default)]
pub(super) struct Items {
    places: [AtomicU8; COUNT],
    /// Items that came out of a container in which they were not.
    wrong: AtomicU64,
}

impl Items {
    /// An item came out of a container. `None` if it cannot have been there.
    pub(super) fn came_out(&self, item: usize) -> Option<usize> {
        let place = self.places.get(item);
        if place.is_some_and(|place| place.swap(HELD, SeqCst) == INSIDE) {
            Some(item)
        } else {
            self.wrong.fetch_add(1, SeqCst);
            None
        }
    }

    /// An item that is held is about to go in.
    pub(super) fn goes_in(&self, item: usize) {
        self.places[item].store(INSIDE, SeqCst);
    }

    fn let_loose(&self, item: usize) {
        self.places[item].store(LOOSE, SeqCst);
    }

    /// Takes a free item.
    fn catch(&self, random: &mut Random) -> Option<usize> {
        let item = random.below(COUNT as u64) as usize;
        let caught = self.places[item].compare_exchange(LOOSE, HELD, SeqCst, SeqCst);
        caught.is_ok().then_some(item)
    }

    /// Returns whether these are the ones inside, and nobody holds any.
    ///
    /// # Errors
    /// Returns the fault.
    pub(super) fn audit(&self, mut found: Vec<usize>) -> Result<(), String> {
        found.sort_unstable();
        let places = self.places.each_ref().map(|place| place.load(SeqCst));
        let inside = (0..COUNT).filter(|item| places[*item] == INSIDE);
        let wrong = self.wrong.load(SeqCst);
        if wrong != 0 {
            Err(format!("{wrong} items came out twice, or never went in"))
        } else if places.contains(&HELD) || !inside.eq(found.iter().copied()) {
            Err(format!(
                "{found:?} are inside; said to be loose (0), inside (1), held (2) are {places:?}"
            ))
        } else {
            Ok(())
        }
    }
}

/// Something that sequences put items in and take them out of; on each CPU by itself.
pub(super) trait Container: Send + Sync {
    fn name(&self) -> &'static str;

    /// One attempt; whether the item is in.
    fn push(&self, item: usize, random: &mut Random) -> bool;

    /// One attempt; what may be no item at all, if something is wrong.
    fn pop(&self, random: &mut Random) -> Option<usize>;

    /// Returns the contents while nobody works; more than there can be, if something is wrong.
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
        // Two that came out return in the wrong order.
        for item in held.into_iter().flatten() {
            self.items.goes_in(item);
            // Elsewhere the next time, now and then.
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
        // Popped once more.
        assert_eq!(items.came_out(3), None);
        items.let_loose(3);
        assert!(items.audit(vec![5]).is_err());
    }
}
