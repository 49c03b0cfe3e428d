//! `List`, and what is done with it.

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

/// A doubly linked list, for what is walked far more often than it is changed.
///
/// Readers walk in both directions, take no lock, write nothing and never wait for those who insert, remove and
/// move elements meanwhile. Those take a lock for some stores; no code of yours runs under it.
///
/// A found element is a [`Position`]: a reference to the value, and a place beside which to insert, or from
/// which to remove or move. It is borrowed from the list and a read-side section: that of a handle
/// ([`List::pin`]), or of a guard.
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
/// Values are read by several threads at once, so a list that is shared asks `Sync` of them:
/// ```compile_fail,E0277
/// static LIST: urcu_collections::List<std::cell::Cell<u8>> = urcu_collections::List::new();
/// ```
///
/// # What a walk sees
/// An element is inserted, removed or moved by one store, which both directions go by. A walk yields everything
/// that was in the list, and was not moved, from the walk's beginning to its end, in order and once; of what
/// was inserted or removed meanwhile, perhaps some. An element that is moved while a walk is on its way is
/// yielded at its old place, at its new one, at both or at none. The walk itself goes on from where it is: it is
/// never led to another part of the list. (It ends when it comes to the end: not while others append, or move
/// to the end, faster than it walks.)
///
/// # Cost
/// An allocation for each element, of 32 bytes beside the value, and another one of 24 for each move. Changes take one lock for the whole list, and a grace period for what is removed.
///
/// # Forks
/// A forked child may use the list, with guards of its own, whatever other threads were doing with it: the
/// first change in the child goes once through the list if one of them was in the middle of something. What it
/// was about to insert is not there.
///
/// # Async-signal safety
/// Walking is as safe as a section of its domain is; changes are not safe in signal handlers.
pub struct List<T, D = Global> {
    links: Links<T>,
    domain: D,
    values: PhantomData<*mut T>,
}

// SAFETY: it owns its values, and those that were retired are `Send` and `'static`.
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
        // The rest, which is dropped here, is empty.
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
    /// They are borrowed from the guard, and from the list:
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
        // SAFETY: the guard is borrowed for `'g`.
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
        // SAFETY: the guard is borrowed for `'g`.
        unsafe { Cursor::new(ptr::null_mut(), &self.links) }
    }

    /// Returns a cursor on an element. If the element was removed, the cursor is where the element was.
    ///
    /// # Panics
    /// Panics if the position is one of another list; so do all methods that take one.
    #[track_caller]
    pub fn cursor_at<'g>(&'g self, at: Position<'g, T>) -> Cursor<'g, T> {
        at.check(&self.links);
        // SAFETY: it was in the list in the section of the position.
        unsafe { Cursor::new(at.item().last_home(), &self.links) }
    }

    /// Puts a value before all others.
    #[track_caller]
    pub fn push_front<'g>(&'g self, value: T, guard: &'g ReadGuard<'_>) -> Position<'g, T> {
        self.push(value, To::Back, guard)
    }

    /// Puts a value behind all others.
    #[track_caller]
    pub fn push_back<'g>(&'g self, value: T, guard: &'g ReadGuard<'_>) -> Position<'g, T> {
        self.push(value, To::Front, guard)
    }

    #[track_caller]
    fn push<'g>(&'g self, value: T, to: To, guard: &'g ReadGuard<'_>) -> Position<'g, T> {
        self.domain.domain().check(guard);
        let item = Item::allocate(value);
        // SAFETY: new; and the guard is borrowed for `'g`.
        unsafe {
            let locked = self.links.lock();
            locked.insert(Item::first(item), ptr::null_mut(), to);
            Position::new(item, &self.links)
        }
    }

    /// Puts a value before an element.
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

    /// Puts a value behind an element.
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
            // SAFETY: just made, and never linked.
            return Err(NotInList(unsafe { take(node) }));
        };
        // SAFETY: new, beside one that is in the list; and the section of the position is open for `'g`.
        unsafe {
            locked.insert(node, home.as_ptr(), to);
            Ok(Position::new(item, &self.links))
        }
    }

    /// Moves an element before all others. Returns false if the element is not in the list any more.
    ///
    /// # Cost
    /// An allocation, and freeing one after a grace period, unless it is there already.
    #[track_caller]
    pub fn move_to_front(&self, element: Position<'_, T>) -> bool {
        self.relink(element, None, To::Back)
    }

    /// Moves an element behind all others. Returns false if the element is not in the list any more.
    ///
    /// # Cost
    /// An allocation, and freeing one after a grace period, unless it is there already.
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
        // Nobody changes homes now.
        let neighbour = match at.map(|at| at.item().home()) {
            None => Some(ptr::null_mut()),
            Some(home) => home.map(NonNull::as_ptr),
        };
        // SAFETY: a new node of an item of this list, if it still is; the neighbour is one, or null. If nothing
        // was done the node is still ours.
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

    /// Returns what a move has to answer that has nothing to do.
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
        // SAFETY: in the list within the sections of the positions.
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
        // SAFETY: in the list.
        unsafe { locked.unlink(home) };
        drop(locked);
        // SAFETY: unlinked by us. Who still sees it is in a section; the value is `Send` and `'static`.
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
        // SAFETY: in the list; and unlinked by us. Who still sees it is in a section, as we are; the value is
        // `Send` and `'static`.
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
    /// `keep` runs under no lock, and may use the list. If it panics, what it has decided was done.
    #[track_caller]
    pub fn retain(&self, mut keep: impl FnMut(&T) -> bool, guard: &ReadGuard<'_>) {
        for element in self.positions(guard) {
            if !keep(&element) {
                self.remove(element);
            }
        }
    }

    /// Removes all elements. Those that others insert meanwhile may stay.
    #[track_caller]
    pub fn clear(&self, guard: &ReadGuard<'_>) {
        self.retain(|_| false, guard);
    }
}
