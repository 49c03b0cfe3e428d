//! `List` and its operations.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use urcu::{Domain, Global, InDomain, ReadGuard};

use super::cursor::Cursor;
use super::iter::{Iter, Positions};
use super::links::{Links, To};
use super::node::{Item, Node, retire_item, retire_node, take};
use super::pinned::ListRef;
use super::position::{NotInList, Position};
use crate::sync::const_fn;

/// A concurrent doubly linked list, for data that is iterated over far more often than it is changed.
///
/// Readers walk in both directions while others insert, remove and move elements. Readers take no lock, write
/// nothing and never wait. Writers hold a lock for a few stores, and run no user code meanwhile.
///
/// A found element is a [`Position`]: a reference to its value, and a place at which to insert, remove or move. A
/// position borrows the list and a read-side section: that of a handle ([`List::pin`]) or of a guard.
///
/// ```
/// use urcu_collections::List;
///
/// let tasks = List::from_iter(["wash", "cook", "eat"]);
/// let tasks = tasks.pin();
/// let cook = tasks.positions().find(|task| **task == "cook").unwrap();
/// tasks.insert_before(cook, "shop").unwrap();
/// tasks.move_to_front(cook);
/// assert!(tasks.iter().eq(&["cook", "wash", "shop", "eat"]));
/// assert!(tasks.iter().rev().eq(&["eat", "shop", "wash", "cook"]));
/// assert_eq!(tasks.remove(cook), Some(&"cook"));
/// // It was removed before.
/// assert_eq!(tasks.remove(cook), None);
/// assert!(tasks.insert_after(cook, "drink").is_err());
/// ```
///
/// Several threads read values at once, so sharing a list requires that they are `Sync`:
/// ```compile_fail,E0277
/// static LIST: urcu_collections::List<std::cell::Cell<u8>> = urcu_collections::List::new();
/// ```
///
/// # What a walk sees
/// An element is inserted, removed or moved atomically, by one store that counts for both directions. A walk yields
/// every element that is in the list and not moved from the walk's beginning to its end, in order and once. Of
/// elements that are inserted or removed meanwhile it may yield some. An element that is moved meanwhile is yielded
/// at its old place, at its new one, at both or at neither. A move never leads a walk to another part of the list.
/// (A walk ends when it reaches the end of the list. It does not while others append elements, or move them to the
/// end, faster than it walks.)
///
/// # Cost
/// An allocation for each element, of 32 bytes and the value, and one of 24 bytes for each move. Changes lock the
/// whole list. Removed elements are freed after a grace period.
///
/// # Forks
/// A forked child may use the list, with its own guards, whatever other threads were doing at the fork. If one of
/// them was in the middle of a change, the first change in the child repairs the list, which takes one pass over
/// it. An element that was being inserted then is not in the list.
///
/// # Async-signal safety
/// Walking is as safe as a section of the list's domain is. Changes are not safe in signal handlers.
pub struct List<T, D = Global> {
    links: Links<T>,
    domain: D,
    values: PhantomData<*mut T>,
}

// SAFETY: the list owns its values. Those that were retired are `Send` and `'static`.
unsafe impl<T: Send, D: Send> Send for List<T, D> {}
// SAFETY: a shared list hands out shared references to values, and takes and drops values on any thread.
unsafe impl<T: Send + Sync, D: Sync> Sync for List<T, D> {}

impl<T> List<T> {
    const_fn! {
        /// Creates an empty list. Can be used in a `static`.
        pub fn new() -> Self {
            List::new_in(Global)
        }
    }
}

impl<T, D> List<T, D> {
    const_fn! {
        /// Creates an empty list in the given domain.
        pub fn new_in(domain: D) -> Self {
            List {
                links: Links::new(),
                domain,
                values: PhantomData,
            }
        }
    }

    /// Returns the number of elements. It is exact if nobody inserts or removes meanwhile.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn into_links(mut self) -> Links<T> {
        // Only an empty list is dropped here.
        core::mem::replace(&mut self.links, Links::new())
    }
}

impl<T, D> Drop for List<T, D> {
    fn drop(&mut self) {
        let links = core::mem::replace(&mut self.links, Links::new());
        drop(super::IntoIter::new(links));
    }
}

impl<T, D: InDomain> List<T, D> {
    /// Returns a handle that holds a guard: it has the list's methods, without the guard argument.
    #[inline(always)]
    #[track_caller]
    pub fn pin(&self) -> ListRef<'_, T, D> {
        ListRef::new(self)
    }

    /// Returns a guard of the list's domain.
    #[inline(always)]
    #[track_caller]
    pub fn guard(&self) -> ReadGuard<'_> {
        self.domain.domain().read_lock()
    }

    /// Returns the domain whose grace periods removed elements wait for.
    pub fn domain(&self) -> &Domain {
        self.domain.domain()
    }

    /// Returns the values, from front to back, or from both ends.
    ///
    /// ```
    /// let list = urcu_collections::List::from_iter([1, 2, 3, 4]);
    /// let guard = list.guard();
    /// let mut values = list.iter(&guard);
    /// assert_eq!((values.next(), values.next_back()), (Some(&1), Some(&4)));
    /// assert_eq!((values.next(), values.next_back()), (Some(&2), Some(&3)));
    /// assert_eq!((values.next(), values.next_back()), (None, None));
    /// ```
    ///
    /// The values borrow the guard and the list:
    /// ```compile_fail,E0505
    /// let list = urcu_collections::List::from_iter([1]);
    /// let guard = urcu::read_lock();
    /// let first = list.iter(&guard).next();
    /// drop(guard);
    /// assert_eq!(first, Some(&1));
    /// ```
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain; so do all methods that take one.
    #[inline]
    #[track_caller]
    pub fn iter<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Iter<'g, T> {
        Iter::new(self.positions(guard))
    }

    /// Returns the elements, from front to back, or from both ends.
    #[inline]
    #[track_caller]
    pub fn positions<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Positions<'g, T> {
        self.domain.domain().check(guard);
        // SAFETY: the guard is borrowed for `'g`, so its section is open.
        unsafe { Positions::new(&self.links) }
    }

    /// Returns the first element. No element that is in the list during the whole call is before it.
    #[inline]
    #[track_caller]
    pub fn front<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<Position<'g, T>> {
        self.positions(guard).next()
    }

    /// Returns the last element. No element that is in the list during the whole call is behind it.
    #[inline]
    #[track_caller]
    pub fn back<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<Position<'g, T>> {
        self.positions(guard).next_back()
    }

    /// Returns a cursor beyond the ends: [`move_next`](Cursor::move_next) goes to the first element,
    /// [`move_prev`](Cursor::move_prev) to the last.
    ///
    /// ```
    /// let list = urcu_collections::List::from_iter(['a', 'b']);
    /// let guard = list.guard();
    /// let mut cursor = list.cursor(&guard);
    /// assert_eq!(cursor.move_next().as_deref(), Some(&'a'));
    /// assert_eq!(cursor.move_next().as_deref(), Some(&'b'));
    /// list.remove(cursor.current().unwrap());
    /// assert_eq!(cursor.move_prev().as_deref(), Some(&'a'));
    /// assert_eq!(cursor.move_prev().as_deref(), None);
    /// ```
    #[track_caller]
    pub fn cursor<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Cursor<'g, T> {
        self.domain.domain().check(guard);
        // SAFETY: the guard is borrowed for `'g`, so its section is open.
        unsafe { Cursor::new(ptr::null_mut(), &self.links) }
    }

    /// Returns a cursor on an element. If the element was removed, the cursor is where the element was.
    ///
    /// # Panics
    /// Panics if the position belongs to another list; so do all methods that take one.
    #[track_caller]
    pub fn cursor_at<'g>(&'g self, at: Position<'g, T>) -> Cursor<'g, T> {
        at.check(&self.links);
        // SAFETY: the node was in the list in the position's section.
        unsafe { Cursor::new(at.item().last_home(), &self.links) }
    }

    /// Inserts a value in front of all others.
    #[track_caller]
    pub fn push_front<'g>(&'g self, value: T, guard: &'g ReadGuard<'_>) -> Position<'g, T> {
        self.push(value, To::Back, guard)
    }

    /// Inserts a value behind all others.
    #[track_caller]
    pub fn push_back<'g>(&'g self, value: T, guard: &'g ReadGuard<'_>) -> Position<'g, T> {
        self.push(value, To::Front, guard)
    }

    #[track_caller]
    fn push<'g>(&'g self, value: T, to: To, guard: &'g ReadGuard<'_>) -> Position<'g, T> {
        self.domain.domain().check(guard);
        let item = Item::allocate(value);
        // SAFETY: the node is new; the guard is borrowed for `'g`.
        unsafe {
            let locked = self.links.lock();
            locked.insert(Item::first(item), ptr::null_mut(), to);
            Position::new(item, &self.links)
        }
    }

    /// Inserts a value before an element.
    ///
    /// # Errors
    /// Returns the value if the element is not in the list any more.
    #[track_caller]
    pub fn insert_before<'g>(
        &'g self,
        at: Position<'g, T>,
        value: T,
    ) -> Result<Position<'g, T>, NotInList<T>> {
        self.insert(at, value, To::Front)
    }

    /// Inserts a value behind an element.
    ///
    /// # Errors
    /// Returns the value if the element is not in the list any more.
    #[track_caller]
    pub fn insert_after<'g>(
        &'g self,
        at: Position<'g, T>,
        value: T,
    ) -> Result<Position<'g, T>, NotInList<T>> {
        self.insert(at, value, To::Back)
    }

    #[track_caller]
    fn insert<'g>(
        &'g self,
        at: Position<'g, T>,
        value: T,
        to: To,
    ) -> Result<Position<'g, T>, NotInList<T>> {
        at.check(&self.links);
        let item = Item::allocate(value);
        let node = Item::first(item);
        let locked = self.links.lock();
        let Some(home) = at.item().home() else {
            drop(locked);
            // SAFETY: the node was just made, and never linked.
            return Err(NotInList(unsafe { take(node) }));
        };
        // SAFETY: the node is new, and inserted beside one that is in the list. The position's section is open for
        // `'g`.
        unsafe {
            locked.insert(node, home.as_ptr(), to);
            Ok(Position::new(item, &self.links))
        }
    }

    /// Moves an element to the front. Returns false if the element is not in the list any more.
    ///
    /// # Cost
    /// An allocation, and freeing one after a grace period. Nothing if the element is there already.
    #[track_caller]
    pub fn move_to_front(&self, element: Position<'_, T>) -> bool {
        self.relink(element, None, To::Back)
    }

    /// Moves an element to the back. Returns false if the element is not in the list any more.
    ///
    /// # Cost
    /// An allocation, and freeing one after a grace period. Nothing if the element is there already.
    #[track_caller]
    pub fn move_to_back(&self, element: Position<'_, T>) -> bool {
        self.relink(element, None, To::Front)
    }

    /// Moves an element before another one. Returns false if one of them is not in the list any more.
    #[track_caller]
    pub fn move_before(&self, element: Position<'_, T>, at: Position<'_, T>) -> bool {
        self.relink(element, Some(at), To::Front)
    }

    /// Moves an element behind another one. Returns false if one of them is not in the list any more.
    #[track_caller]
    pub fn move_after(&self, element: Position<'_, T>, at: Position<'_, T>) -> bool {
        self.relink(element, Some(at), To::Back)
    }

    /// Moves an element beside another one, or to the end from which `to` leads into the list.
    #[track_caller]
    fn relink(&self, element: Position<'_, T>, at: Option<Position<'_, T>>, to: To) -> bool {
        element.check(&self.links);
        at.inspect(|at| at.check(&self.links));
        let item = element.pointer();
        if let Some(answer) = self.is_there(element, at, to) {
            return answer;
        }
        let node = Item::another(item);
        let locked = self.links.lock();
        // The lock is held, so nobody changes homes.
        let neighbour = match at.map(|at| at.item().home()) {
            None => Some(ptr::null_mut()),
            Some(home) => home.map(NonNull::as_ptr),
        };
        // SAFETY: this is a new node of an item of this list; `relink` does nothing if the item was removed. The
        // neighbour is in this list, or null. If nothing was done, the node is still ours.
        unsafe {
            let old = neighbour.and_then(|neighbour| locked.relink(node, neighbour, to));
            drop(locked);
            match old {
                Some(old) => retire_node(self.domain.domain(), old, item),
                None => drop(Box::from_raw(node.as_ptr())),
            }
            old.is_some()
        }
    }

    /// Returns the result of a move that has nothing to do, if it has nothing to do.
    fn is_there(
        &self,
        element: Position<'_, T>,
        at: Option<Position<'_, T>>,
        to: To,
    ) -> Option<bool> {
        let Some(home) = element.item().home() else {
            return Some(false);
        };
        let from: *mut Node<T> = match at {
            None => ptr::null_mut(),
            Some(at) if at == element => return Some(true),
            Some(at) => match at.item().home() {
                Some(home) => home.as_ptr(),
                None => return Some(false),
            },
        };
        // SAFETY: the nodes were in the list in the sections of the positions.
        let there = unsafe { self.links.step(from, to) };
        (there == home.as_ptr() && element.is_linked()).then_some(true)
    }
}

impl<T: Send + 'static, D: InDomain> List<T, D> {
    /// Removes an element, and returns its value. Returns `None` if the element is not in the list any more.
    ///
    /// The value is dropped after a grace period, on any thread:
    /// ```compile_fail,E0277
    /// let list = urcu_collections::List::new();
    /// let list = list.pin();
    /// let element = list.push_back(std::rc::Rc::new(1));
    /// list.remove(element);
    /// ```
    #[track_caller]
    pub fn remove<'g>(&'g self, element: Position<'g, T>) -> Option<&'g T> {
        element.check(&self.links);
        let locked = self.links.lock();
        let home = element.item().home()?;
        // SAFETY: the node is in the list.
        unsafe { locked.unlink(home) };
        drop(locked);
        // SAFETY: we have unlinked the node. Threads that still see it are inside sections. The value is `Send` and
        // `'static`.
        unsafe { retire_item(self.domain.domain(), home, element.pointer()) };
        Some(element.get())
    }

    /// Removes the first element, and returns its value.
    #[track_caller]
    pub fn pop_front<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<&'g T> {
        self.pop(To::Back, guard)
    }

    /// Removes the last element, and returns its value.
    #[track_caller]
    pub fn pop_back<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<&'g T> {
        self.pop(To::Front, guard)
    }

    #[track_caller]
    fn pop<'g>(&'g self, to: To, guard: &'g ReadGuard<'_>) -> Option<&'g T> {
        self.domain.domain().check(guard);
        let locked = self.links.lock();
        let home = locked.end(to)?;
        // SAFETY: the node is in the list, and we unlink it. Threads that still see it are inside sections, as we
        // are. The value is `Send` and `'static`.
        unsafe {
            locked.unlink(home);
            drop(locked);
            let item = home.as_ref().item();
            retire_item(self.domain.domain(), home, item);
            Some(&(*item.as_ptr()).value)
        }
    }

    /// Removes the elements for whose values `keep` returns false.
    ///
    /// `keep` runs under no lock, and may use the list. If it panics, the elements for which it has returned false
    /// before are removed.
    #[track_caller]
    pub fn retain(&self, mut keep: impl FnMut(&T) -> bool, guard: &ReadGuard<'_>) {
        for element in self.positions(guard) {
            if !keep(&element) {
                self.remove(element);
            }
        }
    }

    /// Removes all elements. Elements that others insert meanwhile may stay.
    #[track_caller]
    pub fn clear(&self, guard: &ReadGuard<'_>) {
        self.retain(|_| false, guard);
    }
}
