//! Positions of elements.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{self, NonNull};

use super::links::{Links, To};
use super::node::{Item, Node};

/// An element of a [`List`](crate::List): its value and its place in the list. It follows the element when that is
/// moved.
///
/// A position borrows the list and the section in which it was found, so its memory is not used for another element
/// meanwhile. A position of a removed element is known to be one, whatever was inserted since.
///
/// It dereferences to the value, and can be copied, sent and shared where a `&T` can.
pub struct Position<'g, T> {
    item: NonNull<Item<T>>,
    links: &'g Links<T>,
    value: PhantomData<&'g T>,
}

// SAFETY: a position gives a shared reference to the value, and reads the list's links and values.
unsafe impl<T: Sync> Send for Position<'_, T> {}
// SAFETY: a shared position only gives a shared reference.
unsafe impl<T: Sync> Sync for Position<'_, T> {}

impl<T> Clone for Position<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Position<'_, T> {}

impl<'g, T> Position<'g, T> {
    /// # Safety
    /// The item was in the list in a section that is open for as long as `'g`.
    #[inline]
    pub(super) unsafe fn new(item: NonNull<Item<T>>, links: &'g Links<T>) -> Self {
        Position {
            item,
            links,
            value: PhantomData,
        }
    }

    #[inline]
    pub(super) fn item(self) -> &'g Item<T> {
        // SAFETY: the item was in the list in a section that is open, as `new` requires.
        unsafe { self.item.as_ref() }
    }

    pub(super) fn pointer(self) -> NonNull<Item<T>> {
        self.item
    }

    /// # Panics
    /// Panics if the position belongs to another list.
    #[track_caller]
    pub(super) fn check(self, links: &Links<T>) {
        assert!(
            ptr::eq(self.links, links),
            "the position is one of another list"
        );
    }

    /// Returns the value, for as long as the section is open.
    #[inline]
    pub fn get(self) -> &'g T {
        &self.item().value
    }

    /// Returns whether the element is still in the list.
    pub fn is_linked(self) -> bool {
        self.item().home().is_some()
    }

    /// Returns the next element. If this element was removed, returns the next one from where it was.
    pub fn next(self) -> Option<Position<'g, T>> {
        self.beside(To::Back)
    }

    /// Returns the previous element. If this element was removed, returns the previous one from where it was.
    pub fn prev(self) -> Option<Position<'g, T>> {
        self.beside(To::Front)
    }

    fn beside(self, to: To) -> Option<Position<'g, T>> {
        let from: *mut Node<T> = self.item().last_home();
        // SAFETY: the item was in the list in the section, so its last home was in the list then or later.
        unsafe {
            let node = NonNull::new(self.links.next_linked(from, to))?;
            Some(Position::new(node.as_ref().item(), self.links))
        }
    }
}

impl<T> Deref for Position<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.get()
    }
}

impl<T> PartialEq for Position<'_, T> {
    /// Returns whether both are the same element. Elements with equal values may be different.
    fn eq(&self, other: &Self) -> bool {
        self.item == other.item
    }
}

impl<T> Eq for Position<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for Position<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Position").field(self.get()).finish()
    }
}

/// The error of an insertion beside an element that is not in the list any more, with the value that was not
/// inserted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NotInList<T>(pub T);

impl<T> fmt::Debug for NotInList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotInList").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for NotInList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the element at the position was removed from the list")
    }
}

impl<T> std::error::Error for NotInList<T> {}
