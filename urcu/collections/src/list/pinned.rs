//! Handles: a list and a guard.

use core::fmt;

use urcu::{Global, InDomain, ReadGuard};

use super::cursor::Cursor;
use super::iter::{Iter, Positions};
use super::ops::List;
use super::position::{NotInList, Position};

/// A [`List`] together with an open section of its domain: see [`List::pin`]. It has the list's methods, without
/// the guard argument.
///
/// A handle may be sent to other threads and held across an `.await`, if the list is `Sync`.
pub struct ListRef<'list, T, D = Global> {
    list: &'list List<T, D>,
    guard: ReadGuard<'list>,
}

impl<'list, T, D: InDomain> ListRef<'list, T, D> {
    #[inline(always)]
    #[track_caller]
    pub(super) fn new(list: &'list List<T, D>) -> Self {
        ListRef {
            list,
            guard: list.guard(),
        }
    }

    /// Returns the list.
    pub fn list(&self) -> &'list List<T, D> {
        self.list
    }

    /// Ends the section and begins another, if a grace period waits for it: see [`ReadGuard::refresh`].
    #[inline]
    #[track_caller]
    pub fn refresh(&mut self) {
        self.guard.refresh();
    }

    /// Returns the number of elements. See [`List::len`].
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether there are no elements. See [`List::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the values, from front to back, or from both ends. See [`List::iter`].
    #[inline]
    pub fn iter(&self) -> Iter<'_, T> {
        self.list.iter(&self.guard)
    }

    /// Returns the elements, from front to back, or from both ends. See [`List::positions`].
    #[inline]
    pub fn positions(&self) -> Positions<'_, T> {
        self.list.positions(&self.guard)
    }

    /// Returns the first element. No element that is in the list during the whole call is before it. See
    /// [`List::front`].
    #[inline]
    pub fn front(&self) -> Option<Position<'_, T>> {
        self.list.front(&self.guard)
    }

    /// Returns the last element. No element that is in the list during the whole call is behind it. See
    /// [`List::back`].
    #[inline]
    pub fn back(&self) -> Option<Position<'_, T>> {
        self.list.back(&self.guard)
    }

    /// Returns a cursor beyond the ends. See [`List::cursor`].
    pub fn cursor(&self) -> Cursor<'_, T> {
        self.list.cursor(&self.guard)
    }

    /// Returns a cursor on an element. If the element was removed, the cursor is where the element was. See
    /// [`List::cursor_at`].
    #[track_caller]
    pub fn cursor_at<'g>(&'g self, at: Position<'g, T>) -> Cursor<'g, T> {
        self.list.cursor_at(at)
    }

    /// Inserts a value in front of all others. See [`List::push_front`].
    pub fn push_front(&self, value: T) -> Position<'_, T> {
        self.list.push_front(value, &self.guard)
    }

    /// Inserts a value behind all others. See [`List::push_back`].
    pub fn push_back(&self, value: T) -> Position<'_, T> {
        self.list.push_back(value, &self.guard)
    }

    /// Inserts a value before an element. See [`List::insert_before`].
    ///
    /// # Errors
    /// Returns the value if the element is not in the list any more.
    #[track_caller]
    pub fn insert_before<'g>(
        &'g self,
        at: Position<'g, T>,
        value: T,
    ) -> Result<Position<'g, T>, NotInList<T>> {
        self.list.insert_before(at, value)
    }

    /// Inserts a value behind an element. See [`List::insert_after`].
    ///
    /// # Errors
    /// Returns the value if the element is not in the list any more.
    #[track_caller]
    pub fn insert_after<'g>(
        &'g self,
        at: Position<'g, T>,
        value: T,
    ) -> Result<Position<'g, T>, NotInList<T>> {
        self.list.insert_after(at, value)
    }

    /// Moves an element to the front. See [`List::move_to_front`].
    #[track_caller]
    pub fn move_to_front(&self, element: Position<'_, T>) -> bool {
        self.list.move_to_front(element)
    }

    /// Moves an element to the back. See [`List::move_to_back`].
    #[track_caller]
    pub fn move_to_back(&self, element: Position<'_, T>) -> bool {
        self.list.move_to_back(element)
    }

    /// Moves an element before another one. See [`List::move_before`].
    #[track_caller]
    pub fn move_before(&self, element: Position<'_, T>, at: Position<'_, T>) -> bool {
        self.list.move_before(element, at)
    }

    /// Moves an element behind another one. See [`List::move_after`].
    #[track_caller]
    pub fn move_after(&self, element: Position<'_, T>, at: Position<'_, T>) -> bool {
        self.list.move_after(element, at)
    }
}

impl<T: Send + 'static, D: InDomain> ListRef<'_, T, D> {
    /// Removes an element, and returns its value. See [`List::remove`].
    #[track_caller]
    pub fn remove<'g>(&'g self, element: Position<'g, T>) -> Option<&'g T> {
        self.list.remove(element)
    }

    /// Removes the first element, and returns its value. See [`List::pop_front`].
    pub fn pop_front(&self) -> Option<&T> {
        self.list.pop_front(&self.guard)
    }

    /// Removes the last element, and returns its value. See [`List::pop_back`].
    pub fn pop_back(&self) -> Option<&T> {
        self.list.pop_back(&self.guard)
    }

    /// Removes the elements for whose values `keep` returns false. See [`List::retain`].
    pub fn retain(&self, keep: impl FnMut(&T) -> bool) {
        self.list.retain(keep, &self.guard);
    }

    /// Removes all elements. See [`List::clear`].
    pub fn clear(&self) {
        self.list.clear(&self.guard);
    }
}

impl<'g, T, D: InDomain> IntoIterator for &'g ListRef<'_, T, D> {
    type Item = &'g T;
    type IntoIter = Iter<'g, T>;

    fn into_iter(self) -> Iter<'g, T> {
        self.iter()
    }
}

impl<T: fmt::Debug, D: InDomain> fmt::Debug for ListRef<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
