//! Positions: what one found, and where it is.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{self, NonNull};

use super::links::{Links, To};
use super::node::{Item, Node};

/// An element of a [`List`](crate::List): its value, and where it is in the list, also after it was moved.
///
/// Borrowed from the list and from the section in which it was found, so the memory behind it is not used for
/// anything else meanwhile: what was removed is known to be removed, whatever was inserted since.
///
/// A reference to the value of type `&T`, like one: copied, sent and shared wherever that can be.
pub struct Position<'g, T> {
    item: NonNull<Item<T>>,
    links: &'g Links<T>,
    value: PhantomData<&'g T>,
}

// SAFETY: it gives a shared reference to the value, and reads the list's links and values.
unsafe impl<T: Sync> Send for Position<'_, T> {}
// SAFETY: a shared one gives a shared reference alone.
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
        // SAFETY: by `new`.
        unsafe { self.item.as_ref() }
    }

    pub(super) fn pointer(self) -> NonNull<Item<T>> {
        self.item
    }

    /// # Panics
    /// If the position is in another list.
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

    /// Returns the element behind this one, or, if this one was removed, behind where it was.
    pub fn next(self) -> Option<Position<'g, T>> {
        self.beside(To::Back)
    }

    /// Returns the element before this one, or, if this one was removed, before where it was.
    pub fn prev(self) -> Option<Position<'g, T>> {
        self.beside(To::Front)
    }

    fn beside(self, to: To) -> Option<Position<'g, T>> {
        let from: *mut Node<T> = self.item().last_home();
        // SAFETY: the item was in the list in the section, so its last home was then or later.
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
    /// Returns whether both are the same element, not elements with the same value.
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

/// A position beside which nothing can be put, because its element is not in the list any more; with the value
/// that was to be put there.
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
