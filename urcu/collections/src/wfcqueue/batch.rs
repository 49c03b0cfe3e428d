//! Batches of values.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::{Node, TryDequeueError, end_of_chain, wait};
use crate::fork;
use crate::sync::Ordering;

/// Values that were taken out of a [`WfcQueue`](crate::WfcQueue) at once, or that are to be put into one at once
/// ([`WfcQueue::append`](crate::WfcQueue::append)).
///
/// A batch is an iterator over its values, and drops those that were not yielded. The iterator waits for a value
/// that is still being enqueued; [`try_next`](Batch::try_next) does not wait.
pub struct Batch<T> {
    chain: Option<Chain<T>>,
    owns: PhantomData<T>,
}

/// The first and the last node of a chain.
type Ends<T> = (NonNull<Node<T>>, NonNull<Node<T>>);

/// A chain of nodes. A link between two of them is missing while its thread is in the middle of `link`.
struct Chain<T> {
    first: NonNull<Node<T>>,
    last: NonNull<Node<T>>,
    /// The fork generation of the process that has those threads.
    generation: u32,
}

// SAFETY: the batch owns its values.
unsafe impl<T: Send> Send for Batch<T> {}
// SAFETY: a shared batch gives access to nothing.
unsafe impl<T: Sync> Sync for Batch<T> {}

impl<T> Batch<T> {
    /// # Safety
    /// `first` leads to `last`, at once or when other threads have stored their links. Nobody else takes these
    /// nodes.
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

    /// Gives up the nodes, and returns the first and the last one.
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
    /// Returns [`TryDequeueError::WouldBlock`] if the value behind it is still being enqueued, and
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
        // SAFETY: nobody else uses the node: the thread that had to store its link has done so, or it is the last
        // node.
        Ok(unsafe { Node::take(first) })
    }

    /// Makes the batch look as if the process had forked since.
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
                // SAFETY: the node is ours, and the last one of a chain that this function has made.
                let last = unsafe { chain.last.as_ref() };
                // Relaxed: `link` publishes the whole chain.
                last.next.store(node.as_ptr(), Ordering::Relaxed);
                chain.last = node;
            }
            // SAFETY: the node was just made.
            None => *self = unsafe { Batch::from_chain(node, node) },
        }
    }
}

impl<T> Chain<T> {
    /// Returns the node behind the first one, if the link to it was stored. The first node is not the last one.
    fn next(&mut self) -> Option<NonNull<Node<T>>> {
        // Acquire: pairs with the release in `link`.
        let link = |first: NonNull<Node<T>>| {
            // SAFETY: the node is in the chain, which is ours.
            NonNull::new(unsafe { first.as_ref() }.next.load(Ordering::Acquire))
        };
        let next = link(self.first);
        if next.is_none() {
            self.adopt();
        }
        next
    }

    /// Adapts the chain to a forked child, where missing links are never stored.
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
