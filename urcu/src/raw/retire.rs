//! Retiring: handing over unlinked memory, to be freed after a grace period.
//!
//! All methods queue a record in this CPU's chunk, as [`RcuCell::store`](crate::RcuCell::store) does.

use core::alloc::Layout;
use core::mem::size_of_val;

use super::{Pointee, RcuHead, Shared};
use crate::callbacks::Callback;
use crate::domain::Domain;

/// Retiring nodes of structures of one's own: see [`raw`](crate::raw#retiring).
impl Domain {
    /// Drops the `Box` that `pointer` is from after a grace period.
    ///
    /// Use it to free a node that readers may still see. (Making a `Box` of the node at once, for
    /// [`defer_drop`](Domain::defer_drop) for example, is undefined behaviour: from the moment a `Box` exists it
    /// must be the only pointer to its value, whenever it is dropped.)
    ///
    /// The domain's [`Budget`](crate::Budget) counts the value's own size. To count the memory that the value owns
    /// as well, use [`retire_with`](Domain::retire_with).
    ///
    /// # Safety
    /// * `pointer` is from [`Box::into_raw`] or, where `T` has a size, from
    ///   [`Owned::into_raw`](super::Owned::into_raw) or [`Shared::as_raw`], and is retired once.
    /// * Only read-side sections of **this** domain that began before the value was unlinked can still reach it,
    ///   and the unlinking happens before this call (as it does on the same thread).
    /// * Until the value is dropped, all references to it are shared ones.
    /// * The value may be dropped on any thread, and as late as [`Domain::barrier`] returns or the domain is
    ///   dropped. Everything that its destructor uses exists until then, and may be used on any thread.
    ///
    /// # What runs where
    /// As with [`Domain::defer_drop`], the call may run destructors of other values that were retired earlier,
    /// and another thread's call may run the destructor of this one.
    ///
    /// # Cost
    /// A few nanoseconds, without a lock, an atomic instruction or an allocation. One call in 126 costs more.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    ///
    /// ```
    /// let node = Box::into_raw(Box::new([1; 100]));
    /// // ... published, seen by readers, and unlinked again ...
    /// // SAFETY: from a box; sections that begin now do not find it; retired once.
    /// unsafe { urcu::global().retire(node) };
    /// # urcu::barrier();
    /// ```
    #[inline]
    pub unsafe fn retire<T: ?Sized>(&self, pointer: *mut T) {
        // SAFETY: the value is alive and not mutably borrowed, as the caller promises.
        let bytes = size_of_val(unsafe { &*pointer });
        // SAFETY: from a box, and by then the caller's promise makes it ours alone.
        let free = move || drop(unsafe { Box::from_raw(pointer) });
        // SAFETY: the caller lets it be dropped on any thread, until the domain ends.
        self.enqueue(unsafe { Callback::drop_of(free, bytes) }, true);
    }

    /// Calls `free(pointer)` after a grace period. Until then the domain's [`Budget`](crate::Budget) counts `bytes`
    /// bytes for it.
    ///
    /// `free` runs wherever a destructor of a retired value may run. Use [`call`](Domain::call) for anything but
    /// freeing.
    ///
    /// # Safety
    /// As for [`Domain::retire`], except that `pointer` may be from anywhere. Instead, it is sound to call `free`
    /// with it once nobody can reach its target any more.
    ///
    /// ```
    /// /// # Safety
    /// /// `list` is from a `Box`, and nobody else has it.
    /// unsafe fn free(list: *mut Vec<u64>) {
    ///     // SAFETY: by the contract of this function.
    ///     drop(unsafe { Box::from_raw(list) });
    /// }
    ///
    /// let list = vec![0; 100_000];
    /// let bytes = size_of_val(&*list);
    /// let list = Box::into_raw(Box::new(list));
    /// // ... published, seen by readers, and unlinked again ...
    /// // SAFETY: from a box; sections that begin now do not find it; retired once.
    /// unsafe { urcu::global().retire_with(list, free, bytes) };
    /// # urcu::barrier();
    /// ```
    #[inline]
    pub unsafe fn retire_with<T>(&self, pointer: *mut T, free: unsafe fn(*mut T), bytes: usize) {
        // SAFETY: by then nobody can reach the target any more, and the caller promises that `free` may be called
        // then.
        let free = move || unsafe { free(pointer) };
        // SAFETY: on any thread, until the domain ends, by the caller.
        self.enqueue(unsafe { Callback::drop_of(free, bytes) }, true);
    }

    /// Returns memory to the global allocator after a grace period, without running a destructor.
    ///
    /// The domain's [`Budget`](crate::Budget) counts `layout.size()` bytes. If the size is 0, this does nothing.
    ///
    /// # Safety
    /// As for [`Domain::retire`], except that `memory` was allocated by the global allocator
    /// ([`std::alloc::alloc`]) with this layout, or the size is 0.
    ///
    /// ```
    /// use std::alloc::{Layout, alloc};
    ///
    /// let layout = Layout::array::<u64>(1000).unwrap();
    /// // SAFETY: not of size 0.
    /// let table = unsafe { alloc(layout) };
    /// // ... published, seen by readers, and unlinked again ...
    /// // SAFETY: allocated above; sections that begin now do not find it; retired once.
    /// unsafe { urcu::global().retire_layout(table, layout) };
    /// # urcu::barrier();
    /// ```
    #[inline]
    pub unsafe fn retire_layout(&self, memory: *mut u8, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: allocated with this layout, and by then nobody can reach it, by the caller.
            self.enqueue(unsafe { Callback::block(memory, layout) }, true);
        }
    }

    /// Calls `f` after a grace period. Until then the domain's [`Budget`](crate::Budget) counts `bytes` bytes for
    /// it. `f` need be neither `Send` nor `'static`.
    ///
    /// `f` runs wherever a destructor of a retired value may run. Use [`call`](Domain::call) for anything but
    /// freeing.
    ///
    /// Closures of up to two words need no allocation.
    ///
    /// # Safety
    /// * `f` is sound to call once a grace period has passed since this call, as for [`Domain::retire`].
    /// * `f` may be called and dropped on any thread, and as late as [`Domain::barrier`] returns or the domain is
    ///   dropped. Everything that it borrows exists until then. **Write `move`**: without it, a closure borrows
    ///   even the pointers that it uses, which are on the caller's stack.
    ///
    /// ```
    /// use urcu::raw::Owned;
    ///
    /// let domain = urcu::Domain::new();
    /// let names: Owned<[String]> = Owned::from(vec![String::from("a")]);
    /// let bytes = size_of_val(&*names);
    /// let mut freed = 0;
    /// let count = &raw mut freed;
    /// // SAFETY: nobody else has the names, or uses the count before the domain is dropped.
    /// unsafe { domain.retire_fn(move || { drop(names); *count += 1 }, bytes) };
    /// drop(domain);
    /// assert_eq!(freed, 1);
    /// ```
    #[inline]
    pub unsafe fn retire_fn<F: FnOnce()>(&self, f: F, bytes: usize) {
        // SAFETY: the caller lets it be called on any thread, until the domain ends.
        self.enqueue(unsafe { Callback::drop_of(f, bytes) }, true);
    }

    /// Drops an unlinked node of a structure of [`Atomic`](super::Atomic) links after a grace period. The node may
    /// be a sized value, a slice or a `str`. Does nothing for null, and ignores the tag.
    ///
    /// # Safety
    /// As for [`Domain::retire`], except that the node is from an [`Owned`](super::Owned).
    ///
    /// ```
    /// use std::sync::atomic::Ordering::AcqRel;
    /// use urcu::raw::{Atomic, Owned, Shared};
    ///
    /// let name: Atomic<str> = Atomic::from(Owned::from("old"));
    /// let guard = urcu::read_lock();
    /// let old = name.swap(Owned::from("new"), AcqRel, &guard);
    /// // SAFETY: unlinked; retired once.
    /// unsafe { urcu::global().retire_shared(old) };
    /// // SAFETY: the section began before it was unlinked, and is open.
    /// assert_eq!(unsafe { old.as_ref() }, Some("old"));
    /// # drop(guard);
    /// # // SAFETY: nobody else has it.
    /// # drop(unsafe { name.into_owned() });
    /// # urcu::barrier();
    /// ```
    #[inline]
    pub unsafe fn retire_shared<T: ?Sized + Pointee>(&self, node: Shared<'_, T>) {
        let node = node.with_tag(0).word();
        if node.is_null() {
            return;
        }
        // SAFETY: from an `Owned`, so from `adopt`, and alive.
        let bytes = size_of_val(unsafe { &*T::fat(node) });
        // SAFETY: from an `Owned`, so from `adopt`; ours alone by then, as the caller promises: unlinked, and
        // retired once.
        let free = move || unsafe { T::free(node) };
        // SAFETY: on any thread, until the domain ends, by the caller.
        self.enqueue(unsafe { Callback::drop_of(free, bytes) }, true);
    }

    /// Calls `free(head)` after a grace period, where `head` is a part of the node to be freed. Until then the
    /// domain's [`Budget`](crate::Budget) counts `bytes` bytes for it. This allocates nothing.
    ///
    /// `free` runs wherever a destructor of a retired value may run, as with [`retire_with`](Domain::retire_with).
    ///
    /// # Safety
    /// As for [`Domain::retire_with`]. `head` is valid for writes, and nothing else uses it until `free` is called;
    /// so a node is retired once. If `free` uses `head` to reach the whole node, `head` is derived from the node's
    /// own pointer by `&raw mut`.
    ///
    /// See [`RcuHead`] for an example.
    #[inline]
    pub unsafe fn retire_head(
        &self,
        head: *mut RcuHead,
        free: unsafe fn(*mut RcuHead),
        bytes: usize,
    ) {
        // SAFETY: both functions require the same.
        unsafe { self.retire_with(head, free, bytes) };
    }

    /// Calls `f(head)` after a grace period, as [`Domain::call`] does: on a background thread, and not on a thread
    /// that retires a value later. This is liburcu's `call_rcu`.
    ///
    /// Until then the domain's [`Budget`](crate::Budget) counts `bytes` bytes for it. This allocates nothing. A
    /// panic in `f` ends the process, as in all functions of this kind.
    ///
    /// # Safety
    /// As for [`Domain::retire_head`].
    #[inline]
    pub unsafe fn call_head(
        &self,
        head: *mut RcuHead,
        f: unsafe extern "C" fn(*mut RcuHead),
        bytes: usize,
    ) {
        // SAFETY: by then nobody can reach the node any more, and the caller promises that `f` may be called then.
        let f = move || unsafe { f(head) };
        // SAFETY: on any thread, until the domain ends, by the caller.
        self.enqueue(unsafe { Callback::call_of(f, bytes) }, true);
    }
}
