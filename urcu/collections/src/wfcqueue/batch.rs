//! What was taken out together.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::{Node, TryDequeueError, end_of_chain, wait};
use crate::fork;
use crate::sync::Ordering;

/// Values that were taken out of a [`WfcQueue`](crate::WfcQueue) together, or that are to be put into one
/// together ([`WfcQueue::append`](crate::WfcQueue::append)).
///
/// An iterator over the values, which drops those that are not asked for with it. A value that was in the
/// middle of being enqueued is waited for; [`try_next`](Batch::try_next) does not wait.
pub struct Batch<T> {
    chain: Option<Chain<T>>,
    owns: PhantomData<T>,
}

/// The first node of a chain, and the last.
type Ends<T> = (NonNull<Node<T>>, NonNull<Node<T>>);

/// Nodes in a row; a link between them may be missing, as long as its thread is in the middle of `link`.
struct Chain<T> {
    first: NonNull<Node<T>>,
    last: NonNull<Node<T>>,
    /// The process in which those threads are.
    generation: u32,
}

// SAFETY: it owns its values.
unsafe impl<T: Send> Send for Batch<T> {}
// SAFETY: a shared iterator gives access to nothing.
unsafe impl<T: Sync> Sync for Batch<T> {}

impl<T> Batch<T> {
    /// # Safety
    /// From `first` on `last` is found, at once or when others have stored their links; nobody else takes
    /// these nodes.
    pub(super) unsafe fn from_chain(first: NonNull<Node<T>>, last: NonNull<Node<T>>) -> Self {
        Batch {
            chain: Some(Chain {
                first,
                last,
                generation: fork::generation(),
            }),
            owns: PhantomData,
        }
    }

    /// Gives the nodes away.
    pub(super) fn into_chain(mut self) -> Option<Ends<T>> {
        self.chain.take().map(|mut chain| {
            chain.adopt();
            (chain.first, chain.last)
        })
    }

    /// Returns whether no value is left.
    pub fn is_empty(&self) -> bool {
        self.chain.is_none()
    }

    /// Takes the next value, without waiting.
    ///
    /// # Errors
    /// [`TryDequeueError::WouldBlock`] if the value behind it is still being enqueued;
    /// [`TryDequeueError::Empty`] if there is none.
    pub fn try_next(&mut self) -> Result<T, TryDequeueError> {
        let chain = self.chain.as_mut().ok_or(TryDequeueError::Empty)?;
        let first = chain.first;
        if first == chain.last {
            self.chain = None;
        } else if let Some(next) = chain.next() {
            chain.first = next;
        } else {
            return Err(TryDequeueError::WouldBlock);
        }
        // SAFETY: ours alone: whoever had to store into it has done so, or there is nobody behind it.
        Ok(unsafe { Node::take(first) })
    }

    /// As if the process had been forked off by now.
    #[cfg(test)]
    pub(super) fn fork(&mut self) {
        self.chain
            .iter_mut()
            .for_each(|chain| chain.generation += 1);
    }

    fn push(&mut self, value: T) {
        let node = Node::allocate(value);
        match &mut self.chain {
            Some(chain) => {
                // SAFETY: ours, and at the end of a chain that `from_iter` has made.
                let last = unsafe { chain.last.as_ref() };
                // Relaxed: all is published together, by `link`.
                last.next.store(node.as_ptr(), Ordering::Relaxed);
                chain.last = node;
            }
            // SAFETY: just made.
            None => *self = unsafe { Batch::from_chain(node, node) },
        }
    }
}

impl<T> Chain<T> {
    /// Returns the node behind the first one, which is not the last, if its link is there.
    fn next(&mut self) -> Option<NonNull<Node<T>>> {
        // Acquire: pairs with the release in `link`.
        let link = |first: NonNull<Node<T>>| {
            // SAFETY: in the chain, which is ours.
            NonNull::new(unsafe { first.as_ref() }.next.load(Ordering::Acquire))
        };
        let next = link(self.first);
        if next.is_none() {
            self.adopt();
        }
        next
    }

    /// Makes the chain this process's: in a child no missing link is stored any more.
    fn adopt(&mut self) {
        let now = fork::generation();
        if self.generation != now {
            self.generation = now;
            // SAFETY: the chain is ours.
            self.last = unsafe { end_of_chain(self.first) };
        }
    }
}

impl<T> Iterator for Batch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        wait(|| self.try_next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.chain.is_some()), None)
    }
}

impl<T> FusedIterator for Batch<T> {}

impl<T> Drop for Batch<T> {
    fn drop(&mut self) {
        /// Drops the rest even if a destructor panics.
        struct Rest<'a, T>(&'a mut Batch<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.0.for_each(drop);
            }
        }
        let rest = Rest(self);
        rest.0.for_each(drop);
    }
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Batch {
            chain: None,
            owns: PhantomData,
        }
    }
}

impl<T> FromIterator<T> for Batch<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut batch = Batch::default();
        values.into_iter().for_each(|value| batch.push(value));
        batch
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("is_empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}
