//! A lock-free stack.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use urcu::{Domain, Global, InDomain};

use crate::reclaim;
use crate::sync::{Alive, AtomicPtr, Ordering, const_fn};

/// A node. While others can see it, it does not change, except that one thread takes its value.
struct Node<T> {
    value: ManuallyDrop<T>,
    next: *mut Node<T>,
    alive: Alive,
}

/// A lock-free stack: last in, first out.
///
/// Pushing takes no section and never waits; popping takes a section inside. Values are moved out at once, and only
/// their memory is freed after a grace period. So `T` needs no bounds.
///
/// ```
/// let stack = urcu_collections::Stack::new();
/// stack.push(1);
/// stack.push(2);
/// assert_eq!(stack.pop(), Some(2));
/// stack.push(3);
/// assert_eq!(stack.take_all().collect::<Vec<_>>(), [3, 1]);
/// assert!(stack.is_empty());
/// ```
///
/// # Cost
/// An allocation for each value, and one atomic exchange for each operation.
pub struct Stack<T, D = Global> {
    head: AtomicPtr<Node<T>>,
    domain: D,
    owns: PhantomData<*mut T>,
}

// SAFETY: the stack owns its values, and only takes and returns them by value.
unsafe impl<T: Send, D: Send> Send for Stack<T, D> {}
// SAFETY: a shared stack only takes and returns values by value. One thread at a time has each value, so `T: Send`
// is enough.
unsafe impl<T: Send, D: Sync> Sync for Stack<T, D> {}

impl<T> Stack<T> {
    const_fn! {
        /// Creates an empty stack. Can be used in a `static`.
        pub fn new() -> Self {
            Stack::new_in(Global)
        }
    }
}

impl<T, D> Stack<T, D> {
    const_fn! {
        /// Creates an empty stack in the given domain.
        pub fn new_in(domain: D) -> Self {
            Stack {
                head: AtomicPtr::new(ptr::null_mut()),
                domain,
                owns: PhantomData,
            }
        }
    }

    /// Pushes a value.
    pub fn push(&self, value: T) {
        let node = Box::leak(Box::new(Node {
            value: ManuallyDrop::new(value),
            next: ptr::null_mut(),
            alive: Alive::new(),
        }));
        let node = NonNull::from(node);
        self.push_chain(node, node);
    }

    /// Pushes a chain of nodes that nobody else sees, from `first` to `last`.
    fn push_chain(&self, first: NonNull<Node<T>>, last: NonNull<Node<T>>) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is from a box, and nobody else sees it yet. It does no harm if the head was popped
            // and pushed again meanwhile: it is the head again.
            unsafe { (*last.as_ptr()).next = head };
            // Release: a thread that finds the nodes sees their content, and the nodes below.
            match self.head.compare_exchange_weak(
                head,
                first.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Returns whether the stack is empty.
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Pops the value on top of a stack that nobody else uses.
    fn pop_mut(&mut self) -> Option<T> {
        let head = NonNull::new(self.head.load(Ordering::Relaxed))?;
        // SAFETY: the node is from a box and only on this stack. Popped nodes cannot be reached any more.
        let node = *unsafe { Box::from_raw(head.as_ptr()) };
        self.head.store(node.next, Ordering::Relaxed);
        Some(ManuallyDrop::into_inner(node.value))
    }
}

impl<T, D: InDomain> Stack<T, D> {
    /// Pops the value on top.
    pub fn pop(&self) -> Option<T> {
        let domain = self.domain.domain();
        let _section = domain.read_lock();
        // Acquire: pairs with the release of `push_chain`.
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            let node = NonNull::new(head)?;
            // SAFETY: the node was on the stack in this section, so it is not freed before the section ends. For
            // the same reason there cannot be another node at its address. `next` does not change.
            let next = unsafe {
                (*node.as_ptr()).alive.check();
                (*node.as_ptr()).next
            };
            // Relaxed on success: this exchange continues the release sequence of the push that stored `node`, and
            // `next` was published before `node`. So a thread that loads `next` from the head sees its content.
            match self
                .head
                .compare_exchange_weak(head, next, Ordering::Relaxed, Ordering::Acquire)
            {
                // SAFETY: we have just unlinked the node.
                Ok(_) => return Some(unsafe { take(node, domain) }),
                Err(now) => head = now,
            }
        }
    }

    /// Takes all values at once, and returns an iterator from the top to the bottom.
    pub fn take_all(&self) -> TakeAll<'_, T, D> {
        // Acquire: pairs with the release of `push_chain`.
        TakeAll {
            next: self.head.swap(ptr::null_mut(), Ordering::Acquire),
            stack: self,
        }
    }
}

/// Returns a node's value, and frees the node after a grace period.
///
/// # Safety
/// The caller has unlinked the node, and nobody else takes its value.
unsafe fn take<T>(node: NonNull<Node<T>>, domain: &Domain) -> T {
    // SAFETY: the value is there and ours. The memory that is retired is from a box, with nothing left to be
    // dropped. Other threads that see the node in their sections only read `next`.
    unsafe {
        let value = ptr::read(&raw const (*node.as_ptr()).value);
        reclaim::retire_memory(domain, node);
        ManuallyDrop::into_inner(value)
    }
}

impl<T, D> Drop for Stack<T, D> {
    fn drop(&mut self) {
        /// Drops the rest even if a destructor panics.
        struct Rest<'a, T, D>(&'a mut Stack<T, D>);
        impl<T, D> Drop for Rest<'_, T, D> {
            fn drop(&mut self) {
                while self.0.pop_mut().is_some() {}
            }
        }
        let rest = Rest(self);
        while rest.0.pop_mut().is_some() {}
    }
}

impl<T, D: Default> Default for Stack<T, D> {
    fn default() -> Self {
        Stack::new_in(D::default())
    }
}

impl<T, D> fmt::Debug for Stack<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("is_empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}

impl<T, D> Extend<T> for &Stack<T, D> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

impl<T> FromIterator<T> for Stack<T> {
    /// Pushes the values one after the other, so the last one is on top.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let stack = Stack::new();
        (&stack).extend(values);
        stack
    }
}

/// An iterator over all values of a [`Stack`]: see [`Stack::take_all`]. Values that were not yielded are dropped
/// with it.
pub struct TakeAll<'s, T, D: InDomain = Global> {
    next: *mut Node<T>,
    stack: &'s Stack<T, D>,
}

// SAFETY: the iterator owns its values, and uses only the stack's domain.
unsafe impl<T: Send, D: InDomain + Sync> Send for TakeAll<'_, T, D> {}
// SAFETY: a shared iterator gives access to nothing.
unsafe impl<T: Sync, D: InDomain + Sync> Sync for TakeAll<'_, T, D> {}

impl<T, D: InDomain> Iterator for TakeAll<'_, T, D> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let node = NonNull::new(self.next)?;
        // SAFETY: the node is one of those that were unlinked together, which are ours.
        unsafe {
            (*node.as_ptr()).alive.check();
            self.next = (*node.as_ptr()).next;
            Some(take(node, self.stack.domain.domain()))
        }
    }
}

impl<T, D: InDomain> FusedIterator for TakeAll<'_, T, D> {}

impl<T, D: InDomain> Drop for TakeAll<'_, T, D> {
    fn drop(&mut self) {
        /// Drops the rest even if a destructor panics.
        struct Rest<'a, 's, T, D: InDomain>(&'a mut TakeAll<'s, T, D>);
        impl<T, D: InDomain> Drop for Rest<'_, '_, T, D> {
            fn drop(&mut self) {
                self.0.for_each(drop);
            }
        }
        let rest = Rest(self);
        rest.0.for_each(drop);
    }
}

impl<T, D: InDomain> fmt::Debug for TakeAll<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeAll").finish_non_exhaustive()
    }
}
