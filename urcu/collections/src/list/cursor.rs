//! Cursors.

use core::fmt;
use core::ptr::NonNull;

use super::links::{Links, To};
use super::node::Node;
use super::position::Position;

/// A place in a [`List`](crate::List) that goes both ways: on an element, or beyond the ends, between the last
/// element and the first.
///
/// If the element on which a cursor stands is removed or moved, the cursor stays where the element was, and goes
/// on from there.
pub struct Cursor<'g, T> {
    links: &'g Links<T>,
    node: *mut Node<T>,
}

// SAFETY: it gives shared references to values, and reads the list.
unsafe impl<T: Sync> Send for Cursor<'_, T> {}
// SAFETY: a shared one gives shared references alone.
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

    /// Returns the element on which the cursor stands, or stood when it came there.
    pub fn current(&self) -> Option<Position<'g, T>> {
        let node = NonNull::new(self.node)?;
        // SAFETY: by `new`, and `go`.
        Some(unsafe { Position::new(node.as_ref().item(), self.links) })
    }

    /// Goes to the next element, or from the last beyond the end, and from there to the first. Returns
    /// [`current`](Cursor::current).
    pub fn move_next(&mut self) -> Option<Position<'g, T>> {
        self.go(To::Back)
    }

    /// Goes to the element before, or from the first beyond the end, and from there to the last. Returns
    /// [`current`](Cursor::current).
    pub fn move_prev(&mut self) -> Option<Position<'g, T>> {
        self.go(To::Front)
    }

    fn go(&mut self, to: To) -> Option<Position<'g, T>> {
        // SAFETY: found in the section.
        self.node = unsafe { self.links.next_linked(self.node, to) };
        self.current()
    }
}

impl<T: fmt::Debug> fmt::Debug for Cursor<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cursor").field(&self.current()).finish()
    }
}
