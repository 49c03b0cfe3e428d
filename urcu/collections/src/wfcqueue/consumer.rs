//! Who takes values.

use core::fmt;

use super::{Batch, Node, TryDequeueError, WfcQueue, wait};
use crate::fork;
use crate::sync::pause;

/// The one who takes values out of a [`WfcQueue`], for as long as it lives.
///
/// Can be sent to another thread. A consumer that is forgotten keeps all others out for ever.
///
/// # Forks
/// A consumer of another thread does not keep a forked child from having one. If a thread forks that has a
/// consumer, the child may use it too; should there be another one in the child by then, it waits for that
/// one's end. A reference that it returned before the fork ([`peek`](Consumer::peek)) is not to be used in the
/// child any more once there is another one, which may take out that value.
pub struct Consumer<'q, T> {
    queue: &'q WfcQueue<T>,
    /// The process for which the queue is locked.
    generation: u32,
}

impl<T> WfcQueue<T> {
    /// Returns the queue's consumer, when nobody else has it. Waits for that by spinning and yielding: meant
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

    /// Returns the queue's consumer, unless somebody has it.
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

    /// As if the process had been forked off by now.
    #[cfg(test)]
    pub(super) fn fork(&mut self) {
        self.generation += 1;
        self.queue.consumers.abandon();
    }

    /// In a child whose thread had the consumer when it forked.
    #[cold]
    fn hold_again(&mut self) {
        self.queue.adopt();
        self.queue.consumers.lock();
        self.generation = fork::generation();
    }

    /// Takes the value from the front. If it is still being enqueued, waits for that.
    #[inline]
    pub fn dequeue(&mut self) -> Option<T> {
        wait(|| self.try_dequeue())
    }

    /// Takes the value from the front, without waiting.
    ///
    /// # Errors
    /// [`TryDequeueError::WouldBlock`] if there is a value that is still being enqueued, or behind which one
    /// is; [`TryDequeueError::Empty`] if there is none.
    #[inline]
    pub fn try_dequeue(&mut self) -> Result<T, TryDequeueError> {
        // SAFETY: we are the consumer, and mutably borrowed; what is taken out is nobody else's.
        unsafe { Ok(Node::take(self.held().dequeue()?)) }
    }

    /// Takes all values at once. If the first one is still being enqueued, waits for that.
    ///
    /// # Cost
    /// An exchange, however many there are.
    pub fn take_all(&mut self) -> Batch<T> {
        wait(|| self.try_take_all()).unwrap_or_default()
    }

    /// Takes all values at once, without waiting.
    ///
    /// # Errors
    /// [`TryDequeueError::WouldBlock`] if the first value is still being enqueued;
    /// [`TryDequeueError::Empty`] if there is none.
    pub fn try_take_all(&mut self) -> Result<Batch<T>, TryDequeueError> {
        // SAFETY: we are the consumer, and mutably borrowed.
        unsafe { self.held().take_all() }
    }

    /// Returns the value at the front. If it is still being enqueued, waits for that.
    pub fn peek(&mut self) -> Option<&T> {
        let queue = self.held();
        // SAFETY: we are the consumer, and mutably borrowed for as long as the reference is there.
        let first = wait(|| unsafe { queue.first() })?;
        // SAFETY: in the queue, out of which nobody but us takes it.
        Some(unsafe { &(*first.as_ptr()).value })
    }
}

impl<T> Drop for Consumer<'_, T> {
    fn drop(&mut self) {
        // In a child the lock is nobody's, or that of who has taken it over.
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
