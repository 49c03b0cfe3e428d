//! A queue into which any thread puts values with one exchange, and from which one thread at a time takes them.
//!
//! [`WfcQueue`] is the "wait-free concurrent queue" of liburcu (`wfcqueue`), as Mathieu Desnoyers and Lai Jiangshan
//! describe it there, but it allocates its nodes itself, and needs no dummy node: an empty queue is two null
//! pointers, so it can be moved, and can be a `static`.
//!
//! # How it works
//! `tail` is the last node. A producer first exchanges `tail` for its new node: from then on the value is in the
//! queue and has its place. Then it stores the new node's address in the `next` of the previous tail, or in `head`
//! if there was none. Between the two steps the value is in the queue but cannot be reached: an *enqueue in the
//! middle*. A consumer notices it by a null pointer that cannot be the end, because the tail is another node.
//!
//! # Why a node may be freed as soon as its value was taken
//! Up to three threads know a node: the one consumer; the thread that made the node, which does not access it again
//! once it is the tail; and the thread whose exchange of the tail returned it, which stores its `next` once. The
//! consumer frees a node in two cases. If `next` is not null, that store has happened. If the consumer has
//! exchanged the tail from this node to null, no thread has found the node in the tail, and none will. So the queue
//! needs no sections and no grace periods.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::sync::atomic::compiler_fence;

use crate::fork;
use crate::lock::Lock;
use crate::reclaim;
use crate::sync::{Alive, AtomicPtr, AtomicU32, Ordering, const_fn, pause};

mod batch;
mod consumer;
#[cfg(test)]
mod tests;

pub use batch::Batch;
pub use consumer::Consumer;

struct Node<T> {
    next: AtomicPtr<Node<T>>,
    alive: Alive,
    value: ManuallyDrop<T>,
}

impl<T> Node<T> {
    fn allocate(value: T) -> NonNull<Node<T>> {
        NonNull::from(Box::leak(Box::new(Node {
            next: AtomicPtr::new(ptr::null_mut()),
            alive: Alive::new(),
            value: ManuallyDrop::new(value),
        })))
    }

    /// Returns the value, and frees the node.
    ///
    /// # Safety
    /// The node is from `allocate`, and nobody else knows it any more.
    unsafe fn take(node: NonNull<Node<T>>) -> T {
        // SAFETY: nobody else knows the node, so the value is there and is taken once. The memory is from a box,
        // with nothing left to be dropped.
        unsafe {
            let value = ptr::read(&raw const (*node.as_ptr()).value);
            reclaim::free_memory(node);
            ManuallyDrop::into_inner(value)
        }
    }
}

/// A value in cache lines of its own: two, because processors fetch them in pairs.
#[repr(align(128))]
struct Line<T>(T);

/// The front of the queue, where values are taken out.
struct Front<T> {
    /// The first node. Null if the queue is empty or the first value is still being enqueued.
    head: AtomicPtr<Node<T>>,
    /// The last node, while the consumer takes it out: `head` may be null then. If the consumer is lost in a fork
    /// at that point, the child finds the nodes behind that node by this pointer.
    leaving: AtomicPtr<Node<T>>,
}

/// The reason why no value was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryDequeueError {
    /// The queue is empty.
    Empty,
    /// A thread is in the middle of [`WfcQueue::enqueue`], between two instructions, and may have been interrupted
    /// there.
    WouldBlock,
}

impl fmt::Display for TryDequeueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryDequeueError::Empty => "the queue is empty",
            TryDequeueError::WouldBlock => "the next value is still being enqueued",
        })
    }
}

impl std::error::Error for TryDequeueError {}

/// A queue of many producers, which never wait, and of one consumer at a time.
///
/// [`enqueue`](WfcQueue::enqueue) is wait-free: one atomic exchange and one store, whatever other threads do. A
/// [`Consumer`], of which there is one at a time, takes values one by one, or all at once as a [`Batch`]. A batch
/// can be put into another queue ([`append`](WfcQueue::append)) with one exchange.
///
/// The queue is first in, first out. Memory is freed at once, because the queue needs no grace periods, and `T`
/// needs no bounds.
///
/// If several threads take values at the same time, use [`Queue`](crate::Queue), where no thread waits for another.
/// Here the consumer may meet an enqueue in the middle, and then has to wait or try again later.
///
/// ```
/// use urcu_collections::WfcQueue;
///
/// static JOBS: WfcQueue<u32> = WfcQueue::new();
///
/// // Returns whether the queue had values. If not, the consumer may have to be woken.
/// assert!(!JOBS.enqueue(1));
/// assert!(JOBS.enqueue(2));
///
/// let mut consumer = JOBS.consumer();
/// assert_eq!(consumer.dequeue(), Some(1));
/// JOBS.enqueue(3);
/// assert_eq!(consumer.take_all().collect::<Vec<_>>(), [2, 3]);
/// assert_eq!(consumer.dequeue(), None);
/// ```
///
/// Values move between threads, so sharing a queue requires that they are `Send`:
/// ```compile_fail,E0277
/// static QUEUE: urcu_collections::WfcQueue<std::rc::Rc<u8>> = urcu_collections::WfcQueue::new();
/// ```
///
/// # Cost
/// An allocation for each value. Enqueueing takes an exchange and a store. Dequeueing takes two loads and a store,
/// and a compare-and-exchange if the queue becomes empty.
///
/// # Forks
/// A forked child may use the queue, whatever other threads were doing at the fork. A value that another thread was
/// enqueueing then is not in the child's queue, and neither are the values that were enqueued after it: only the
/// lost thread knew where they are. Values that another thread had taken, or was taking all at once, are not there
/// either.
///
/// # Async-signal safety
/// Not safe in signal handlers: it allocates.
pub struct WfcQueue<T> {
    front: Line<Front<T>>,
    /// The last node. Null if the queue is empty.
    tail: Line<AtomicPtr<Node<T>>>,
    /// The fork generation of the process that has used the queue last; 0 at first.
    generation: AtomicU32,
    /// Held by the consumer.
    consumers: Lock,
    /// Held during a repair after a fork.
    repairs: Lock,
    owns: PhantomData<*mut T>,
}

// SAFETY: the queue owns its values, and takes and returns them by value. References to a value borrow the
// `Consumer` mutably.
unsafe impl<T: Send> Send for WfcQueue<T> {}
// SAFETY: a shared queue takes and returns values by value. Only the one consumer gives out references to a value.
unsafe impl<T: Send> Sync for WfcQueue<T> {}

impl<T> WfcQueue<T> {
    const_fn! {
        /// Creates an empty queue. Can be used in a `static`.
        pub fn new() -> Self {
            WfcQueue {
                front: Line(Front {
                    head: AtomicPtr::new(ptr::null_mut()),
                    leaving: AtomicPtr::new(ptr::null_mut()),
                }),
                tail: Line(AtomicPtr::new(ptr::null_mut())),
                generation: AtomicU32::new(0),
                consumers: Lock::new(),
                repairs: Lock::new(),
                owns: PhantomData,
            }
        }
    }

    /// Appends a value, and returns whether the queue had values before.
    ///
    /// Never waits. If several threads enqueue into an empty queue, exactly one of them gets `false`, and has to
    /// wake a sleeping consumer.
    #[inline]
    pub fn enqueue(&self, value: T) -> bool {
        let node = Node::allocate(value);
        // SAFETY: just made.
        unsafe { self.link(node, node) }
    }

    /// Appends a batch with one exchange, and returns whether the queue had values before.
    ///
    /// No other value comes between the values of a batch. Some of them may still be in the middle of being
    /// enqueued into another queue.
    ///
    /// ```
    /// use urcu_collections::WfcQueue;
    ///
    /// let (near, far) = (WfcQueue::from_iter([1, 2]), WfcQueue::from_iter([0]));
    /// far.append(near.consumer().take_all());
    /// assert!(near.is_empty());
    /// assert!(far.into_iter().eq([0, 1, 2]));
    /// ```
    pub fn append(&self, batch: Batch<T>) -> bool {
        match batch.into_chain() {
            // SAFETY: the batch owned the chain.
            Some((first, last)) => unsafe { self.link(first, last) },
            None => !self.is_empty(),
        }
    }

    /// Returns whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.adopt();
        self.has_no_tail()
    }

    #[inline]
    fn has_no_tail(&self) -> bool {
        // Relaxed: the pointer is only compared with null.
        self.tail.0.load(Ordering::Relaxed).is_null()
    }

    /// Appends nodes, and returns whether the queue had nodes before.
    ///
    /// # Safety
    /// `first` leads to `last`, at once or when other threads have stored their links. Nobody takes nodes out of
    /// the chain, and nobody else puts it into a queue.
    #[inline]
    unsafe fn link(&self, first: NonNull<Node<T>>, last: NonNull<Node<T>>) -> bool {
        self.adopt();
        // Release: the thread that exchanges the tail next stores into `last`, which was initialized before.
        // Acquire: pairs with the release of the thread whose node we store into. If the tail was null, it pairs
        // with that of the consumer, which has emptied the head before.
        let before = self.tail.0.swap(last.as_ptr(), Ordering::AcqRel);
        let next = match NonNull::new(before) {
            // SAFETY: the node was the tail and its `next` is null, so it is not freed before the store below.
            Some(before) => unsafe {
                (*before.as_ptr()).alive.check();
                &(*before.as_ptr()).next
            },
            None => &self.front.0.head,
        };
        // Release: a thread that finds the node sees its content.
        next.store(first.as_ptr(), Ordering::Release);
        !before.is_null()
    }

    /// Repairs the queue, if this process was forked off since its last use.
    #[inline(always)]
    fn adopt(&self) {
        // Acquire: pairs with the release in `repair`.
        if self.generation.load(Ordering::Acquire) != fork::generation() {
            self.repair();
        }
    }

    /// Repairs the queue in a forked child, where only lost threads can be in the middle of an enqueue. Gives up
    /// the nodes that cannot be reached, before this process appends its first value.
    #[cold]
    fn repair(&self) {
        self.repairs.lock();
        let now = fork::generation();
        let last = self.generation.load(Ordering::Relaxed);
        if last != 0 && last != now {
            let Front { head, leaving } = &self.front.0;
            let first = match head.load(Ordering::Acquire) {
                first if first.is_null() => leaving.load(Ordering::Relaxed),
                first => first,
            };
            let end = match NonNull::new(first) {
                // SAFETY: the node is in the queue, or the lost consumer was about to take it out and has not freed
                // it. Nobody changes the queue, because all threads of this process call this first.
                Some(first) => unsafe { end_of_chain(first) }.as_ptr(),
                None => ptr::null_mut(),
            };
            head.store(first, Ordering::Relaxed);
            leaving.store(ptr::null_mut(), Ordering::Relaxed);
            self.tail.0.store(end, Ordering::Relaxed);
        }
        // Release: pairs with the acquire in `adopt`.
        self.generation.store(now, Ordering::Release);
        self.repairs.unlock();
    }

    /// Removes the first node and returns it.
    ///
    /// # Safety
    /// The caller is the only consumer.
    #[inline]
    unsafe fn dequeue(&self) -> Result<NonNull<Node<T>>, TryDequeueError> {
        // SAFETY: the caller is the consumer.
        let first = unsafe { self.first() }?;
        // Acquire: pairs with the release in `link`.
        // SAFETY: the node is in the queue, and only the consumer frees nodes.
        let next = unsafe { first.as_ref() }.next.load(Ordering::Acquire);
        if !next.is_null() {
            self.front.0.head.store(next, Ordering::Relaxed);
        } else if !self.unlink_last(first) {
            return Err(TryDequeueError::WouldBlock);
        }
        // If this process forks after this point, the child must not find the node, because its memory is written
        // next.
        compiler_fence(Ordering::Release);
        Ok(first)
    }

    /// Returns the first node.
    ///
    /// # Safety
    /// The caller is the only consumer.
    #[inline]
    unsafe fn first(&self) -> Result<NonNull<Node<T>>, TryDequeueError> {
        // Acquire: pairs with the release in `link`.
        NonNull::new(self.front.0.head.load(Ordering::Acquire)).ok_or_else(|| {
            if self.has_no_tail() {
                TryDequeueError::Empty
            } else {
                TryDequeueError::WouldBlock
            }
        })
    }

    /// Removes the only node. Returns false if it is not the only one, because another one is being enqueued behind
    /// it.
    fn unlink_last(&self, node: NonNull<Node<T>>) -> bool {
        let Front { head, leaving } = &self.front.0;
        // A fork may come between any two of these stores, so compilers must not reorder them.
        leaving.store(node.as_ptr(), Ordering::Relaxed);
        compiler_fence(Ordering::Release);
        // Before the exchange, because a thread that finds the tail null stores the head.
        head.store(ptr::null_mut(), Ordering::Relaxed);
        // Release: that thread's store of the head comes after ours.
        let unlinked = self.tail.0.compare_exchange(
            node.as_ptr(),
            ptr::null_mut(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        if unlinked.is_err() {
            // The tail was not null meanwhile, so nobody else has stored the head.
            head.store(node.as_ptr(), Ordering::Relaxed);
        }
        compiler_fence(Ordering::Release);
        leaving.store(ptr::null_mut(), Ordering::Relaxed);
        unlinked.is_ok()
    }

    /// Removes all nodes.
    ///
    /// # Safety
    /// The caller is the only consumer.
    unsafe fn take_all(&self) -> Result<Batch<T>, TryDequeueError> {
        // SAFETY: the caller is the consumer.
        let first = unsafe { self.first() }?;
        // As in `unlink_last`.
        self.front.0.head.store(ptr::null_mut(), Ordering::Relaxed);
        // Release: as in `unlink_last`. Acquire: pairs with the release in `link` of the thread that has appended
        // the last node. That node may become the tail of another queue before the first node leads to it.
        let last = self.tail.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: nobody else takes the nodes, and the first one leads to the last.
        Ok(unsafe { Batch::from_chain(first, NonNull::new_unchecked(last)) })
    }
}

/// Returns the last node that can be reached.
///
/// # Safety
/// Nobody takes nodes out of the chain.
unsafe fn end_of_chain<T>(first: NonNull<Node<T>>) -> NonNull<Node<T>> {
    let mut last = first;
    // Acquire: pairs with the release in `link`.
    // SAFETY: the node is alive as long as nobody takes it.
    while let Some(next) = NonNull::new(unsafe { last.as_ref() }.next.load(Ordering::Acquire)) {
        last = next;
    }
    last
}

/// Repeats an attempt while an enqueue is in the middle.
fn wait<R>(mut attempt: impl FnMut() -> Result<R, TryDequeueError>) -> Option<R> {
    let mut turns = 0;
    loop {
        match attempt() {
            Ok(done) => return Some(done),
            Err(TryDequeueError::Empty) => return None,
            Err(TryDequeueError::WouldBlock) => pause(&mut turns),
        }
    }
}

impl<T> Drop for WfcQueue<T> {
    fn drop(&mut self) {
        drop(self.take_rest());
    }
}

impl<T> WfcQueue<T> {
    /// Takes all values of a queue that nobody else uses.
    fn take_rest(&mut self) -> Batch<T> {
        self.adopt();
        // SAFETY: there is no other consumer. No enqueue is in the middle.
        unsafe { self.take_all() }.unwrap_or_default()
    }
}

impl<T> Default for WfcQueue<T> {
    fn default() -> Self {
        WfcQueue::new()
    }
}

impl<T> fmt::Debug for WfcQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WfcQueue")
            .field("is_empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}

impl<T> Extend<T> for &WfcQueue<T> {
    /// Appends the values as one batch, so no other value comes between them.
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.append(values.into_iter().collect());
    }
}

impl<T> FromIterator<T> for WfcQueue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let queue = WfcQueue::new();
        (&queue).extend(values);
        queue
    }
}

impl<T> IntoIterator for WfcQueue<T> {
    type Item = T;
    type IntoIter = Batch<T>;

    fn into_iter(mut self) -> Batch<T> {
        self.take_rest()
    }
}
