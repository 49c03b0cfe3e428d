//! Iterators.

use core::fmt;
use core::iter::FusedIterator;
use core::ptr::{self, NonNull};

use super::links::{Links, To};
use super::node::{Node, take};
use super::position::Position;

/// A walk from both ends. `at` holds the node that was yielded last on either side; null is the end of the list.
///
/// # Why nothing is yielded twice
/// All nodes that a list has ever had are ordered: a new node has its place between two that are there. Let *f* be
/// the last node that was yielded in front, *b* the last one at the back, where *f* comes before *b*, and *n* the
/// next node after *f*. Assume that *f* was in the list at a moment after we reached *b*, and that *b* is still in
/// the list after we reached *n*. Then *n* does not come after *b*. Otherwise the link from *f* to *n* would skip
/// *b*, and would have been stored when *b* was not in the list. But a thread that follows that link sees all
/// earlier removals, and a thread that has reached *b* sees all links that were stored before *b* was inserted. So
/// it is enough to check both nodes after each step. If one of them was removed, the walk falls back to its
/// neighbour, outwards. Nodes that were already yielded then lie behind that neighbour, or were removed as well and
/// are skipped.
///
/// As long as one side still is at the end of the list, which is never removed, there is nothing to check.
struct Walk<'g, T> {
    links: &'g Links<T>,
    at: [*mut Node<T>; 2],
    is_over: bool,
}

impl<'g, T> Walk<'g, T> {
    /// Takes one step in the direction `to`, on the side that walks in that direction.
    ///
    /// # Safety
    /// The section in which the walk was begun is open.
    #[inline]
    unsafe fn next(&mut self, to: To) -> Option<NonNull<Node<T>>> {
        if self.is_over {
            return None;
        }
        let (mine, other) = (to as usize, to.other() as usize);
        let node = if self.at[other].is_null() {
            // SAFETY: the node was found in the section.
            let node = unsafe { self.links.next_linked(self.at[mine], to) };
            NonNull::new(node)
        } else {
            // SAFETY: both ends were found in the section, which is still open.
            unsafe { self.next_before(mine, other, to) }
        };
        match node {
            Some(node) => self.at[mine] = node.as_ptr(),
            None => self.is_over = true,
        }
        node
    }

    unsafe fn next_before(
        &mut self,
        mine: usize,
        other: usize,
        to: To,
    ) -> Option<NonNull<Node<T>>> {
        // SAFETY: all these nodes were found in the section.
        unsafe {
            loop {
                let end = self.links.this_or_next(self.at[other], to);
                self.at[other] = end;
                let from = self.links.this_or_next(self.at[mine], to.other());
                self.at[mine] = from;
                let node = self.links.next_linked(from, to);
                // It was not removed meanwhile, so the step has not passed it.
                if end.as_ref().is_none_or(|end| end.is_linked()) {
                    return NonNull::new(node).filter(|node| node.as_ptr() != end);
                }
            }
        }
    }
}

impl<T> Clone for Walk<'_, T> {
    fn clone(&self) -> Self {
        Walk { ..*self }
    }
}

/// An iterator over the positions of a list, from both ends: see [`List::positions`](crate::List::positions).
pub struct Positions<'g, T> {
    walk: Walk<'g, T>,
}

// SAFETY: the iterator gives shared references to values, and reads the list.
unsafe impl<T: Sync> Send for Positions<'_, T> {}
// SAFETY: a shared iterator only gives shared references.
unsafe impl<T: Sync> Sync for Positions<'_, T> {}

impl<'g, T> Positions<'g, T> {
    /// # Safety
    /// A section of the list's domain is open for as long as `'g`.
    pub(super) unsafe fn new(links: &'g Links<T>) -> Self {
        Positions {
            walk: Walk {
                links,
                at: [ptr::null_mut(); 2],
                is_over: false,
            },
        }
    }

    #[inline]
    fn step(&mut self, to: To) -> Option<Position<'g, T>> {
        // SAFETY: a section is open for as long as `'g`, as `new` requires.
        unsafe {
            let node = self.walk.next(to)?;
            Some(Position::new(node.as_ref().item(), self.walk.links))
        }
    }
}

impl<T> Clone for Positions<'_, T> {
    fn clone(&self) -> Self {
        Positions {
            walk: self.walk.clone(),
        }
    }
}

impl<'g, T> Iterator for Positions<'g, T> {
    type Item = Position<'g, T>;

    #[inline]
    fn next(&mut self) -> Option<Position<'g, T>> {
        self.step(To::Back)
    }
}

impl<T> DoubleEndedIterator for Positions<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(To::Front)
    }
}

impl<T> FusedIterator for Positions<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for Positions<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// An iterator over the values of a list, from both ends: see [`List::iter`](crate::List::iter).
pub struct Iter<'g, T> {
    positions: Positions<'g, T>,
}

impl<'g, T> Iter<'g, T> {
    pub(super) fn new(positions: Positions<'g, T>) -> Self {
        Iter { positions }
    }
}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Iter {
            positions: self.positions.clone(),
        }
    }
}

impl<'g, T> Iterator for Iter<'g, T> {
    type Item = &'g T;

    #[inline]
    fn next(&mut self) -> Option<&'g T> {
        self.positions.next().map(Position::get)
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.positions.next_back().map(Position::get)
    }
}

impl<T> FusedIterator for Iter<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// An owning iterator over the values of a [`List`](crate::List), from both ends.
pub struct IntoIter<T> {
    links: Links<T>,
}

// SAFETY: the iterator owns its values.
unsafe impl<T: Send> Send for IntoIter<T> {}
// SAFETY: a shared iterator gives access to nothing.
unsafe impl<T: Sync> Sync for IntoIter<T> {}

impl<T> IntoIter<T> {
    pub(super) fn new(links: Links<T>) -> Self {
        IntoIter { links }
    }

    fn take(&mut self, to: To) -> Option<T> {
        // SAFETY: the node was unlinked, and nobody else uses it.
        self.links.take_mut(to).map(|node| unsafe { take(node) })
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.take(To::Back)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.links.len(), Some(self.links.len()))
    }
}

impl<T> DoubleEndedIterator for IntoIter<T> {
    fn next_back(&mut self) -> Option<T> {
        self.take(To::Front)
    }
}

impl<T> ExactSizeIterator for IntoIter<T> {}
impl<T> FusedIterator for IntoIter<T> {}

impl<T> Drop for IntoIter<T> {
    fn drop(&mut self) {
        /// Drops the rest even if a destructor panics.
        struct Rest<'a, T>(&'a mut IntoIter<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.0.for_each(drop);
            }
        }
        let rest = Rest(self);
        rest.0.for_each(drop);
    }
}

impl<T> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter")
            .field("len", &self.links.len())
            .finish_non_exhaustive()
    }
}
