//! An intrusive stack for each CPU, which another thread can take as a whole.
//!
//! # Why there is no ABA
//! A pop reads the head, then the head's link, and stores that link as the new head, in one
//! restartable sequence. Between its loads and its commit no other thread has run on this CPU, so
//! nobody has popped the node or pushed it again. A remote taker does not touch a list in use: it
//! flips to the other bank of lists and restarts all sequences ([`Banks::flip`]); from then on the
//! old lists are its own.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::alloc::Allocator;
use super::area::AllocError;
use super::banks::Banks;
use super::lock::Lock;
use super::per_cpu::{PerCpu, Zeroed};
use super::sys::{
    self, ABORTED, AtomicPtr, AtomicUsize, MembarrierError, Ordering, Outcome, stripe,
};

/// A value with room for a link in front of it.
#[derive(Debug)]
#[repr(C)]
pub struct Node<T> {
    /// Belongs to the list while the node is in one.
    next: AtomicPtr<Node<T>>,
    /// The value that the node carries.
    pub value: T,
}

impl<T> Node<T> {
    sys::const_fn! {
        /// Creates a node that is in no list.
        pub fn new(value: T) -> Self {
            Node {
                next: AtomicPtr::new(ptr::null_mut()),
                value,
            }
        }
    }
}

/// One CPU's lists.
#[repr(C)]
struct Slot<T> {
    /// Written by restartable sequences, and by a taker whose bank it is.
    banks: [AtomicPtr<Node<T>>; 2],
    /// For threads that cannot use sequences: pushed to by compare-and-exchange.
    shared: AtomicPtr<Node<T>>,
    /// A lock for taking nodes away from `shared`. Only its holder does so, so there is no ABA there either.
    taker: Lock,
}

// SAFETY: zeroed memory is a valid value: null pointers, and a lock that nobody holds.
unsafe impl<T> Zeroed for Slot<T> {}

/// A stack for each CPU: last in, first out. Nodes are the caller's memory, and nothing is allocated for them.
///
/// [`Stack::push`] and [`Stack::pop`] wait for no lock, and are async-signal-safe. The order holds only among
/// pushes and pops on the same CPU. Threads without restartable sequences use other lists, at which
/// [`Stack::pop`] looks if its CPU's own stack is empty.
///
/// After a `fork` of a process with several threads, the child has what the other threads were doing half done:
/// do not use the parent's stack there.
///
/// ```
/// use rseq_ops::percpu::{Node, Stack};
///
/// let mut nodes = [1, 2, 3].map(Node::new);
/// let stack = Stack::new().unwrap();
/// for node in &mut nodes {
///     stack.push(node);
/// }
/// let sum: i32 = stack.take_all().unwrap().map(|node| node.value).sum();
/// assert_eq!(sum, 6);
/// assert!(stack.pop().is_none());
/// ```
///
/// Every node must live for `'a`. A push of a node with a shorter life does not compile:
/// ```compile_fail
/// use rseq_ops::percpu::{Node, Stack};
///
/// let stack: Stack<'static, i32> = Stack::new().unwrap();
/// let mut node = Node::new(1);
/// fn shorter<'s>(stack: &Stack<'s, i32>, node: &'s mut Node<i32>) {
///     stack.push(node);
/// }
/// shorter(&stack, &mut node);
/// ```
pub struct Stack<'a, T> {
    banks: Banks,
    slots: PerCpu<'static, Slot<T>>,
    /// An upper bound of the number of nodes in the shared lists.
    shared: AtomicUsize,
    /// Makes the stack invariant in `'a`, as a `Cell` is, so that it takes no node with a shorter lifetime.
    nodes: PhantomData<Cell<&'a mut Node<T>>>,
}

// SAFETY: a stack hands over exclusive references to nodes, from thread to thread.
unsafe impl<T: Send> Send for Stack<'_, T> {}
// SAFETY: a shared stack moves exclusive references to nodes between threads, and gives each node to one
// thread at a time; hence `T: Send` is enough.
unsafe impl<T: Send> Sync for Stack<'_, T> {}

impl<T> fmt::Debug for Stack<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").finish_non_exhaustive()
    }
}

impl<'a, T> Stack<'a, T> {
    /// Creates a stack without nodes, in the memory of [`Allocator::global`]. Async-signal-safe.
    ///
    /// # Errors
    /// [`AllocError`] if the memory cannot be allocated.
    pub fn new() -> Result<Self, AllocError> {
        let slots = PerCpu::<Slot<T>>::zeroed(Allocator::global())?;
        let first = slots.base().expose_provenance();
        Ok(Stack {
            banks: Banks::new(first, first + size_of::<AtomicPtr<Node<T>>>()),
            slots,
            shared: AtomicUsize::new(0),
            nodes: PhantomData,
        })
    }

    /// Puts a node on the calling CPU's stack.
    #[inline]
    pub fn push(&self, node: &'a mut Node<T>) {
        let node = ptr::from_mut(node);
        if let Some(handle) = self.banks.handle() {
            let source = self.banks.source();
            // SAFETY: every thread's handle; the banks are lists of nodes, which are valid for
            // 'a, and so longer than the stack; this one is the caller's alone.
            let outcome = unsafe { sys::push_through(handle, source, node.expose_provenance()) };
            if outcome == Outcome::Committed {
                return;
            }
        }
        self.push_slow(node);
    }

    #[cold]
    #[inline(never)]
    fn push_slow(&self, node: *mut Node<T>) {
        let address = node.expose_provenance();
        let pushed = self.banks.try_sequence(|handle| {
            let source = self.banks.source();
            // SAFETY: this thread's handle; the banks hold lists, and the node is the caller's, for `'a`.
            let outcome = unsafe { sys::push_through(handle, source, address) };
            (outcome == Outcome::Committed).then_some(())
        });
        if pushed.is_some() {
            return;
        }
        self.shared.fetch_add(1, Ordering::Relaxed);
        let list = &self.slots.current().shared;
        let mut first = list.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is the caller's alone until it is published.
            unsafe { (*node).next.store(first, Ordering::Relaxed) };
            // Release: pairs with the acquire of who takes it.
            match list.compare_exchange_weak(first, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => first = other,
            }
        }
    }

    /// Takes the node that was pushed last on the calling CPU's stack. Returns `None` if that stack is empty,
    /// whatever other CPUs' stacks hold. Rarely it returns `None` although there are nodes that were pushed by
    /// threads without restartable sequences, because another thread is taking one of them.
    #[inline]
    pub fn pop(&self) -> Option<&'a mut Node<T>> {
        if let Some(handle) = self.banks.handle() {
            // SAFETY: every thread's handle; the banks are lists of nodes, and a node is not freed
            // before a taker has flipped and restarted.
            let node = unsafe { sys::pop_through(handle, self.banks.source()) };
            if node > ABORTED {
                // SAFETY: only we have popped the node.
                return Some(unsafe { &mut *ptr::with_exposed_provenance_mut(node) });
            }
            if node == 0 && self.shared.load(Ordering::Relaxed) == 0 {
                return None;
            }
        }
        self.pop_slow()
    }

    #[cold]
    #[inline(never)]
    fn pop_slow(&self) -> Option<&'a mut Node<T>> {
        let popped = self.banks.try_sequence(|handle| {
            // SAFETY: this thread's handle; the banks hold lists of nodes that live for `'a`.
            let node = unsafe { sys::pop_through(handle, self.banks.source()) };
            (node != ABORTED).then_some(node)
        });
        if let Some(node) = popped.filter(|node| *node != 0) {
            // SAFETY: only we have popped the node.
            return Some(unsafe { &mut *ptr::with_exposed_provenance_mut(node) });
        }
        if self.shared.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let slots = super::possible_cpus();
        let first = stripe(slots);
        (0..slots).find_map(|n| self.pop_shared((first + n) % slots))
    }

    fn pop_shared(&self, index: usize) -> Option<&'a mut Node<T>> {
        let slot = self.slots.get(index)?;
        let list = &slot.shared;
        if list.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // If the lock is held, another thread is taking nodes, or the code that a signal handler interrupted is.
        let _taker = slot.taker.try_lock()?;
        // Acquire, also below: pairs with the push.
        let mut seen = list.load(Ordering::Acquire);
        loop {
            let node = NonNull::new(seen)?;
            // SAFETY: only the holder of the lock takes nodes away. So the node is still in the list, and its
            // link has not changed: others can only push nodes in front of it.
            let next = unsafe { node.as_ref() }.next.load(Ordering::Relaxed);
            // Relaxed on success: nobody else takes nodes away, so the node has been the head ever since it
            // was seen there by an acquire load.
            match list.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => {
                    self.shared.fetch_sub(1, Ordering::Relaxed);
                    // SAFETY: only we have taken the node, and it is valid for 'a.
                    return Some(unsafe { &mut *node.as_ptr() });
                }
                Err(other) => seen = other,
            }
        }
    }

    /// Takes all nodes of all CPUs' stacks: the nodes that were pushed before this call and not popped, and
    /// perhaps some that are pushed during it. The CPUs are not stopped, and go on with empty stacks.
    ///
    /// # Errors
    /// [`MembarrierError`] if the kernel refuses the membarrier that it granted before (because of a filter that
    /// was installed since). The nodes stay in the stack, perhaps on another CPU's list.
    ///
    /// # Cost
    /// One membarrier (microseconds).
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers, because it takes a lock.
    pub fn take_all(&self) -> Result<TakeAll<'a, T>, MembarrierError> {
        let mut all = TakeAll {
            first: ptr::null_mut(),
            nodes: PhantomData,
        };
        let flipped = self.banks.flip(|old| {
            let bank = usize::from(old != self.slots.base().addr());
            for slot in self.slots.iter() {
                // The bank is ours: no sequence writes to it until the next flip. Relaxed: the
                // restart has fenced this CPU, and every one on which a sequence wrote to it.
                all.append(slot.banks[bank].load(Ordering::Relaxed));
                slot.banks[bank].store(ptr::null_mut(), Ordering::Relaxed);
            }
        });
        if let Err(refused) = flipped {
            // Nodes that an earlier refusal had left in the other bank.
            all.for_each(|node| self.push(node));
            return Err(refused);
        }
        if self.shared.load(Ordering::Relaxed) != 0 {
            for slot in self.slots.iter() {
                let _taker = slot.taker.lock();
                let list = slot.shared.swap(ptr::null_mut(), Ordering::Acquire);
                let count = all.append(list);
                self.shared.fetch_sub(count, Ordering::Relaxed);
            }
        }
        Ok(all)
    }
}

/// The nodes that [`Stack::take_all`] took. They are in no stack any more, even if they are not iterated over.
///
/// ```
/// use rseq_ops::percpu::{Node, Stack, TakeAll};
///
/// let mut nodes = [1, 2, 3].map(Node::new);
/// let stack = Stack::new().unwrap();
/// nodes.iter_mut().for_each(|node| stack.push(node));
/// let mut all: TakeAll<'_, i32> = stack.take_all().unwrap();
/// // The nodes are ours again, to put back for instance.
/// let kept = all.next().unwrap();
/// kept.value += 10;
/// stack.push(kept);
/// assert_eq!(all.count() + stack.take_all().unwrap().count(), 3);
/// ```
pub struct TakeAll<'a, T> {
    first: *mut Node<T>,
    nodes: PhantomData<&'a mut Node<T>>,
}

// SAFETY: it is like a list of exclusive references.
unsafe impl<T: Send> Send for TakeAll<'_, T> {}
// SAFETY: a shared `TakeAll` gives out nothing.
unsafe impl<T: Send> Sync for TakeAll<'_, T> {}

impl<T> TakeAll<'_, T> {
    /// Puts a list in front of the others. Returns the length of that list.
    fn append(&mut self, list: *mut Node<T>) -> usize {
        let mut count = 0;
        let mut last: *mut Node<T> = ptr::null_mut();
        let mut node = list;
        while !node.is_null() {
            count += 1;
            last = node;
            // SAFETY: the list is the caller's alone.
            node = unsafe { (*node).next.load(Ordering::Relaxed) };
        }
        if !last.is_null() {
            // SAFETY: the list is the caller's alone, and `last` is a node of it.
            unsafe { (*last).next.store(self.first, Ordering::Relaxed) };
            self.first = list;
        }
        count
    }
}

impl<'a, T> Iterator for TakeAll<'a, T> {
    type Item = &'a mut Node<T>;

    fn next(&mut self) -> Option<&'a mut Node<T>> {
        let mut node = NonNull::new(self.first)?;
        // SAFETY: the list is ours, and its nodes are valid for 'a.
        let node = unsafe { node.as_mut() };
        self.first = *node.next.get_mut();
        Some(node)
    }
}

impl<T> fmt::Debug for TakeAll<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeAll").finish_non_exhaustive()
    }
}
