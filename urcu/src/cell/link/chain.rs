//! Iterating over a list, and lists that were cut off.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::mem::{self, ManuallyDrop};
use core::ptr;

use super::{Node, node};
use crate::cell::{Global, StaticDomain};

/// An iterator over the values of a list: see [`Link::iter`](super::Link::iter).
pub struct Iter<'g, T: Send + Sync + 'static, D: StaticDomain = Global> {
    /// `'g` ends before the guard's section does.
    next: Option<&'g Node<T, D>>,
}

impl<'g, T: Send + Sync + 'static, D: StaticDomain> Iter<'g, T, D> {
    pub(super) fn new(first: Option<&'g Node<T, D>>) -> Self {
        Iter { next: first }
    }
}

impl<'g, T: Send + Sync + 'static, D: StaticDomain> Iterator for Iter<'g, T, D> {
    type Item = &'g T;

    fn next(&mut self) -> Option<&'g T> {
        let node = self.next?;
        // SAFETY: the section in which the node was loaded is open during `'g`.
        self.next = unsafe { node.next.follow() };
        Some(node)
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> FusedIterator for Iter<'_, T, D> {}

impl<T: Send + Sync + 'static, D: StaticDomain> Clone for Iter<'_, T, D> {
    fn clone(&self) -> Self {
        Iter { next: self.next }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> fmt::Debug for Iter<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

/// A list that was cut off from a [`Link`](super::Link). Readers that found its nodes before may still see them.
///
/// Dropping the chain drops its values after a grace period.
///
/// ```
/// use urcu::link::Link;
///
/// let list: Link<&str> = Link::empty();
/// ["b", "a"].map(|value| list.push(value).unwrap());
/// let cut = list.take().unwrap();
/// assert!(list.is_empty());
/// assert_eq!(cut.wait(), ["a", "b"]);
/// ```
pub struct Chain<T: Send + Sync + 'static, D: StaticDomain = Global> {
    /// From `NodeBox::leak`, and owned by the chain together with all following nodes; null while the chain is
    /// taken apart.
    first: *mut Node<T, D>,
    owns: PhantomData<Box<T>>,
}

// SAFETY: a chain owns nodes, as a link does.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Send for Chain<T, D> {}
// SAFETY: a chain owns nodes, as a link does.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Sync for Chain<T, D> {}

impl<T: Send + Sync + 'static, D: StaticDomain> Chain<T, D> {
    /// # Safety
    /// `first` is from `NodeBox::leak`, and the caller owns it together with all following nodes. Sections that
    /// begin after the start of the domain's next grace period do not see it.
    pub(super) unsafe fn of(first: *mut Node<T, D>) -> Self {
        Chain {
            first,
            owns: PhantomData,
        }
    }

    pub(super) fn leak(self) -> *mut Node<T, D> {
        ManuallyDrop::new(self).first
    }

    /// Returns the first node. Its links lead to the others.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
    #[track_caller]
    pub fn first<'g>(&'g self, guard: &'g D::Guard<'_>) -> &'g Node<T, D> {
        super::check::<D>(guard);
        // SAFETY: the chain owns the node, which is not null while this can be called. The following nodes are
        // loaded inside the guard's section.
        unsafe { &*self.first }
    }

    /// Returns an iterator over the values.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
    #[track_caller]
    pub fn iter<'g>(&'g self, guard: &'g D::Guard<'_>) -> Iter<'g, T, D> {
        Iter::new(Some(self.first(guard)))
    }

    /// Drops the values after a grace period, as dropping the chain does.
    pub fn retire(self) {
        drop(self);
    }

    /// Waits for a grace period and returns the values.
    ///
    /// A call inside a read-side section of the same domain waits for ever, which is
    /// [reported](crate::stall).
    ///
    /// # Panics
    /// Panics where [`Domain::synchronize`](crate::Domain::synchronize) does; the remaining values are retired.
    #[track_caller]
    pub fn wait(mut self) -> Vec<T> {
        let mut values = Vec::new();
        D::get().synchronize();
        loop {
            // SAFETY: a grace period has passed.
            match unsafe { self.next_value() } {
                Ok(Some(value)) => values.push(value),
                Ok(None) => return values,
                // While we waited, another thread put nodes here that readers may still see in another place.
                Err(()) => D::get().synchronize(),
            }
        }
    }

    /// Waits for a grace period, without blocking the thread, and returns the values.
    ///
    /// If the future is dropped before it is ready, the values are retired. Do not await the future while you hold
    /// a guard of the same domain: it would wait for ever.
    pub async fn wait_async(mut self) -> Vec<T> {
        let mut values = Vec::new();
        D::get().synchronize_async().await;
        loop {
            // SAFETY: a grace period has passed.
            match unsafe { self.next_value() } {
                Ok(Some(value)) => values.push(value),
                Ok(None) => return values,
                Err(()) => D::get().synchronize_async().await,
            }
        }
    }

    /// Takes the first value, if there is one. Fails if readers that found it in another place may still see it.
    ///
    /// # Safety
    /// A grace period has passed since the chain was cut off.
    unsafe fn next_value(&mut self) -> Result<Option<T>, ()> {
        // SAFETY: null, or owned by the chain.
        match unsafe { self.first.as_ref() } {
            None => Ok(None),
            Some(node) if !node.is_over_elsewhere() => Err(()),
            Some(_) => {
                let first = mem::replace(&mut self.first, ptr::null_mut());
                // SAFETY: the chain owns the node. Readers that found it in the place from which it was cut off
                // have ended, as the caller promises, and so have readers that found it in other places. The
                // following nodes were cut off together with this one.
                let (value, rest) = unsafe { node::take_apart(first) };
                self.first = rest;
                Ok(Some(value))
            }
        }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> Drop for Chain<T, D> {
    fn drop(&mut self) {
        if !self.first.is_null() {
            // SAFETY: the chain owns the node and all that follow.
            unsafe { node::retire(self.first) };
        }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> fmt::Debug for Chain<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").finish_non_exhaustive()
    }
}
