//! Cursors.

use core::fmt;
use core::ptr::NonNull;

use super::links::{Links, To};
use super::node::Node;
use super::position::Position;

/// A place in a [`List`](crate::List) that can be moved both ways. It is on an element, or beyond the ends: between
/// the last element and the first.
///
/// If the element on which a cursor stands is removed or moved, the cursor stays where the element was, and
/// continues from there.
pub struct Cursor<'g, T> {
    links: &'g Links<T>,
    node: *mut Node<T>,
}

// SAFETY: a cursor gives shared references to values, and reads the list.
unsafe impl<T: Sync> Send for Cursor<'_, T> {}
// SAFETY: a shared cursor only gives shared references.
unsafe impl<T: Sync> Sync for Cursor<'_, T> {}

impl<T> Clone for Cursor<'_, T> {
    fn clone(&self) -> Self {
        Cursor { ..*self }
    }
}

impl<'g, T> Cursor<'g, T> {
    /// # Safety
    /// The node is null, or was in the list in a section that is open for as long as `'g`.
    pub(super) unsafe fn new(node: *mut Node<T>, links: &'g Links<T>) -> Self {
        Cursor { links, node }
    }

    /// Returns the element on which the cursor stands, even if it was removed since; `None` beyond the ends.
    pub fn current(&self) -> Option<Position<'g, T>> {
        let node = NonNull::new(self.node)?;
        // SAFETY: the node was in the list in a section that is open, as `new` requires and `go` maintains.
        Some(unsafe { Position::new(node.as_ref().item(), self.links) })
    }

    /// Moves to the next element: from the last one beyond the ends, and from there to the first. Returns
    /// [`current`](Cursor::current).
    pub fn move_next(&mut self) -> Option<Position<'g, T>> {
        self.go(To::Back)
    }

    /// Moves to the previous element: from the first one beyond the ends, and from there to the last. Returns
    /// [`current`](Cursor::current).
    pub fn move_prev(&mut self) -> Option<Position<'g, T>> {
        self.go(To::Front)
    }

    fn go(&mut self, to: To) -> Option<Position<'g, T>> {
        // SAFETY: the node was found in the section.
        self.node = unsafe { self.links.next_linked(self.node, to) };
        self.current()
    }
}

impl<T: fmt::Debug> fmt::Debug for Cursor<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cursor").field(&self.current()).finish()
    }
}
