//! The consumer of a queue.

use core::fmt;

use super::{Batch, Node, TryDequeueError, WfcQueue, wait};
use crate::fork;
use crate::sync::pause;

/// The consumer of a [`WfcQueue`]: the only one while it lives.
///
/// It can be sent to another thread. If a consumer is forgotten ([`core::mem::forget`]), the queue has no other
/// consumer ever again.
///
/// # Forks
/// A consumer that another thread holds at a fork does not prevent the child from creating one. If the forking
/// thread itself holds a consumer, the child may use it, too. If the child has created another consumer by then,
/// the inherited one waits until that is dropped. In the child, do not use a reference that it returned before the
/// fork ([`peek`](Consumer::peek)) once there is another consumer, which may take that value out.
pub struct Consumer<'q, T> {
    queue: &'q WfcQueue<T>,
    /// The fork generation of the process for which the queue is locked.
    generation: u32,
}

impl<T> WfcQueue<T> {
    /// Returns the queue's consumer. Waits while another thread has it, by spinning and yielding, which is meant
    /// for short waits.
    pub fn consumer(&self) -> Consumer<'_, T> {
        let mut turns = 0;
        loop {
            if let Some(consumer) = self.try_consumer() {
                return consumer;
            }
            pause(&mut turns);
        }
    }

    /// Returns the queue's consumer, or `None` if another thread has it.
    pub fn try_consumer(&self) -> Option<Consumer<'_, T>> {
        self.adopt();
        self.consumers.try_lock().map(|_| Consumer {
            queue: self,
            generation: fork::generation(),
        })
    }
}

impl<'q, T> Consumer<'q, T> {
    /// Returns the queue, of which this is the only consumer in this process.
    #[inline]
    fn held(&mut self) -> &'q WfcQueue<T> {
        if self.generation != fork::generation() {
            self.hold_again();
        }
        self.queue
    }

    /// Makes the consumer look as if the process had forked since.
    #[cfg(test)]
    pub(super) fn fork(&mut self) {
        self.generation += 1;
        self.queue.consumers.abandon();
    }

    /// Locks the queue again in a forked child whose thread had the consumer at the fork.
    #[cold]
    fn hold_again(&mut self) {
        self.queue.adopt();
        self.queue.consumers.lock();
        self.generation = fork::generation();
    }

    /// Removes the first value and returns it. Waits if it is still being enqueued.
    #[inline]
    pub fn dequeue(&mut self) -> Option<T> {
        wait(|| self.try_dequeue())
    }

    /// Removes the first value and returns it, without waiting.
    ///
    /// # Errors
    /// Returns [`TryDequeueError::WouldBlock`] if the first value, or the one behind it, is still being enqueued,
    /// and [`TryDequeueError::Empty`] if the queue is empty.
    #[inline]
    pub fn try_dequeue(&mut self) -> Result<T, TryDequeueError> {
        // SAFETY: we are the consumer, and mutably borrowed. Nobody else uses a node that was taken out.
        unsafe { Ok(Node::take(self.held().dequeue()?)) }
    }

    /// Takes all values at once. Waits if the first one is still being enqueued.
    ///
    /// # Cost
    /// One exchange, however many values there are.
    pub fn take_all(&mut self) -> Batch<T> {
        wait(|| self.try_take_all()).unwrap_or_default()
    }

    /// Takes all values at once, without waiting.
    ///
    /// # Errors
    /// Returns [`TryDequeueError::WouldBlock`] if the first value is still being enqueued, and
    /// [`TryDequeueError::Empty`] if the queue is empty.
    pub fn try_take_all(&mut self) -> Result<Batch<T>, TryDequeueError> {
        // SAFETY: we are the consumer, and mutably borrowed.
        unsafe { self.held().take_all() }
    }

    /// Returns a reference to the first value. Waits if it is still being enqueued.
    pub fn peek(&mut self) -> Option<&T> {
        let queue = self.held();
        // SAFETY: we are the consumer, and mutably borrowed as long as the reference lives.
        let first = wait(|| unsafe { queue.first() })?;
        // SAFETY: the node is in the queue, and only we take nodes out.
        Some(unsafe { &(*first.as_ptr()).value })
    }
}

impl<T> Drop for Consumer<'_, T> {
    fn drop(&mut self) {
        // In a forked child the lock is not ours: nobody holds it, or another thread has taken it over.
        if self.generation == fork::generation() {
            self.queue.consumers.unlock();
        }
    }
}

impl<T> fmt::Debug for Consumer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("queue", self.queue)
            .finish_non_exhaustive()
    }
}
