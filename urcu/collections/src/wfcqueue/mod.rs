//! A queue into which every thread puts values with one exchange, and from which one takes at a time.
//!
//! [`WfcQueue`] is the "wait-free concurrent queue" of liburcu (`wfcqueue`), as Mathieu Desnoyers and Lai
//! Jiangshan describe it there, with nodes of its own and no node for the queue itself: an empty queue is two
//! null pointers, so it can be moved, and made in a `static`.
//!
//! # How it works
//! `tail` is the node that was put in last. Who enqueues exchanges it for a node of its own (from then on the
//! value is in the queue, and has its place), and then stores the address of that node where the one before
//! is found: in the `next` of the node that was the last, or in `head` if there was none. Between the two
//! steps the value is there and not to be reached: an *enqueue in the middle*. Whoever takes values meets that
//! as a null pointer that cannot be the end, because the tail is another node.
//!
//! # Why a node may be freed as soon as its value was taken
//! Three may know a node: who takes values, and there is one; the thread that made it, which does not look at
//! it again once it is the tail; and the thread that found it in the tail when it exchanged that, which stores
//! its `next` once. The one who takes a value frees the node in two cases. If `next` is not null, that store
//! is over. If the tail was this node, and was exchanged for null, nobody had found it in the tail, and nobody
//! will. So there is no need of sections and grace periods.

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

    /// Moves the value out, and frees the node.
    ///
    /// # Safety
    /// From `allocate`; nobody else knows it any more.
    unsafe fn take(node: NonNull<Node<T>>) -> T {
        // SAFETY: ours alone, so the value is there, and is taken once; the memory is a box's, in which
        // nothing is left to be dropped.
        unsafe {
            let value = ptr::read(&raw const (*node.as_ptr()).value);
            reclaim::free_memory(node);
            ManuallyDrop::into_inner(value)
        }
    }
}

/// A line of its own: two, because processors fetch them in pairs.
#[repr(align(128))]
struct Line<T>(T);

/// Where values leave.
struct Front<T> {
    /// Null: the queue is empty, or the first value is still being enqueued.
    head: AtomicPtr<Node<T>>,
    /// The node that the consumer is about to take out as the last one, in whose place there may be nothing in
    /// `head`. A child whose consumer was lost there finds by it what is behind that node.
    leaving: AtomicPtr<Node<T>>,
}

/// Why no value was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryDequeueError {
    /// There is none.
    Empty,
    /// There is one, whose thread is in the middle of [`WfcQueue::enqueue`]: between two instructions, or
    /// interrupted there.
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

/// A queue of many producers, who never wait, and of one consumer at a time.
///
/// [`enqueue`](WfcQueue::enqueue) is wait-free: one atomic exchange and one store, whatever other threads do.
/// Values are taken by a [`Consumer`], of which there is one at a time: one by one, or all at once as a
/// [`Batch`], which can be put into another queue ([`append`](WfcQueue::append)) with one exchange.
///
/// Values leave in the order in which they came. Memory is freed at once: the queue needs no grace periods,
/// and asks nothing of `T`.
///
/// If several threads take values at the same time, use [`Queue`](crate::Queue), where nobody waits for
/// anybody: here, whoever takes values may meet an enqueue in the middle, and then has to wait or come again.
///
/// ```
/// use urcu_collections::WfcQueue;
///
/// static JOBS: WfcQueue<u32> = WfcQueue::new();
///
/// // Returns whether there was something in the queue: if not, the consumer may have to be woken.
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
/// Values change threads, so a queue that is shared asks `Send` of them:
/// ```compile_fail,E0277
/// static QUEUE: urcu_collections::WfcQueue<std::rc::Rc<u8>> = urcu_collections::WfcQueue::new();
/// ```
///
/// # Cost
/// An allocation for each value. An exchange and a store to enqueue; two loads and a store to dequeue, and a
/// compare-and-exchange where the queue becomes empty by that.
///
/// # Forks
/// A forked child may use the queue, whatever other threads were about to do. A value that another thread was
/// enqueueing at the fork is not in the child's queue, and neither are the values that were enqueued after
/// that one: only the lost thread knew where they are. What another thread had taken, or was taking all at
/// once, is not there either.
///
/// # Async-signal safety
/// Not safe in signal handlers: it allocates.
pub struct WfcQueue<T> {
    front: Line<Front<T>>,
    /// Null: the queue is empty.
    tail: Line<AtomicPtr<Node<T>>>,
    /// The process that has used it last; 0 at first.
    generation: AtomicU32,
    /// Against several consumers.
    consumers: Lock,
    /// Against several repairs.
    repairs: Lock,
    owns: PhantomData<*mut T>,
}

// SAFETY: it owns its values, and gives and takes them by value; a `Consumer` borrows it mutably for a
// reference.
unsafe impl<T: Send> Send for WfcQueue<T> {}
// SAFETY: whoever shares it gives and takes values by value; references to a value are only to be had of
// the one consumer.
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

    /// Puts a value at the end, and returns whether there was something in the queue.
    ///
    /// Never waits. If several threads enqueue into an empty queue, exactly one of them is told that it was
    /// empty: it is the one to wake a consumer that sleeps.
    #[inline]
    pub fn enqueue(&self, value: T) -> bool {
        let node = Node::allocate(value);
        // SAFETY: just made.
        unsafe { self.link(node, node) }
    }

    /// Puts what was taken from another queue at the end, with one exchange, and returns whether there was
    /// something in the queue.
    ///
    /// Nothing comes between the values of a batch. That one of them is still being enqueued into the other
    /// queue does no harm.
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
            // SAFETY: a chain that the batch had for itself.
            Some((first, last)) => unsafe { self.link(first, last) },
            None => !self.is_empty(),
        }
    }

    /// Returns whether there is nothing in the queue.
    pub fn is_empty(&self) -> bool {
        self.adopt();
        self.has_no_tail()
    }

    #[inline]
    fn has_no_tail(&self) -> bool {
        // Relaxed: it may be null, or not, and nothing is found by it.
        self.tail.0.load(Ordering::Relaxed).is_null()
    }

    /// Puts nodes at the end. Returns whether there were some.
    ///
    /// # Safety
    /// From `first` on `last` is found, at once or when others have stored their links; nobody takes nodes out
    /// of that chain, and nobody else puts it into a queue.
    #[inline]
    unsafe fn link(&self, first: NonNull<Node<T>>, last: NonNull<Node<T>>) -> bool {
        self.adopt();
        // Release: who exchanges the tail next stores into `last`, which was initialised before. Acquire:
        // pairs with that of the thread before us, whose node we store into; and where it is null with the
        // consumer's, which has emptied the head before.
        let before = self.tail.0.swap(last.as_ptr(), Ordering::AcqRel);
        let next = match NonNull::new(before) {
            // SAFETY: it was the tail, and its `next` is null, so that it is not freed before the store below.
            Some(before) => unsafe {
                (*before.as_ptr()).alive.check();
                &(*before.as_ptr()).next
            },
            None => &self.front.0.head,
        };
        // Release: who finds the node sees what is in it.
        next.store(first.as_ptr(), Ordering::Release);
        !before.is_null()
    }

    /// Makes the queue this process's, if a fork has come between.
    #[inline(always)]
    fn adopt(&self) {
        // Acquire: pairs with the release in `repair`.
        if self.generation.load(Ordering::Acquire) != fork::generation() {
            self.repair();
        }
    }

    /// In a child: nobody is in the middle of anything but those threads that are not there. Whatever cannot
    /// be reached is given up, before this process puts the first value behind it.
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
                // SAFETY: in the queue, or not freed yet by who was about to take it out; and nobody changes
                // the queue: of this process everybody comes here first.
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

    /// Takes the first node out.
    ///
    /// # Safety
    /// The caller is the only consumer.
    #[inline]
    unsafe fn dequeue(&self) -> Result<NonNull<Node<T>>, TryDequeueError> {
        // SAFETY: the caller is the consumer.
        let first = unsafe { self.first() }?;
        // Acquire: pairs with the release in `link`.
        // SAFETY: in the queue, and only the consumer frees nodes.
        let next = unsafe { first.as_ref() }.next.load(Ordering::Acquire);
        if !next.is_null() {
            self.front.0.head.store(next, Ordering::Relaxed);
        } else if !self.unlink_last(first) {
            return Err(TryDequeueError::WouldBlock);
        }
        // If a fork comes now, the child must not find the node: in whose memory the next writes are.
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

    /// Takes out the only node. False: it is not the only one, because its successor is being enqueued.
    fn unlink_last(&self, node: NonNull<Node<T>>) -> bool {
        let Front { head, leaving } = &self.front.0;
        // A fork may come between any two of these stores, so that compilers have to leave their order.
        leaving.store(node.as_ptr(), Ordering::Relaxed);
        compiler_fence(Ordering::Release);
        // Before the exchange: whoever finds the tail null stores the head.
        head.store(ptr::null_mut(), Ordering::Relaxed);
        // Release: that thread's store comes after ours.
        let unlinked = self.tail.0.compare_exchange(
            node.as_ptr(),
            ptr::null_mut(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        if unlinked.is_err() {
            // The tail was not null in between, so nobody else stores the head.
            head.store(node.as_ptr(), Ordering::Relaxed);
        }
        compiler_fence(Ordering::Release);
        leaving.store(ptr::null_mut(), Ordering::Relaxed);
        unlinked.is_ok()
    }

    /// Takes out all nodes.
    ///
    /// # Safety
    /// The caller is the only consumer.
    unsafe fn take_all(&self) -> Result<Batch<T>, TryDequeueError> {
        // SAFETY: the caller is the consumer.
        let first = unsafe { self.first() }?;
        // As in `unlink_last`.
        self.front.0.head.store(ptr::null_mut(), Ordering::Relaxed);
        // Release: as in `unlink_last`. Acquire: pairs with the release in `link` of who has put in the last
        // one, which may become the tail of another queue before it is found from the first one.
        let last = self.tail.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: nobody else takes them, and from the first one the last is found.
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
    // SAFETY: alive as long as nobody takes it.
    while let Some(next) = NonNull::new(unsafe { last.as_ref() }.next.load(Ordering::Acquire)) {
        last = next;
    }
    last
}

/// Waits for an enqueue in the middle.
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
        // SAFETY: nobody else is a consumer; and no enqueue is in the middle.
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
    /// Makes a batch of the values and appends that: nothing comes between them.
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
