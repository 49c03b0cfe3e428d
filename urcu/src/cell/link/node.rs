//! Nodes: their content, nodes that are not published yet, and how nodes are freed.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, offset_of};
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};

use super::{Link, MARK, unmarked};
use crate::callbacks::Callback;
use crate::cell::payload::sealed;
use crate::cell::{ByValue, Global, OwningPtr, StaticDomain};
use crate::gp::sequence::Round;
use crate::sync::{AtomicU64, Ordering};

/// A value in a list, with a [`Link`] to the next node. Readers get nodes by reference.
#[repr(C)]
pub struct Node<T: Send + Sync + 'static, D: StaticDomain = Global> {
    pub(super) next: Link<T, D>,
    /// The number of the grace period that waits for readers that found this node in another place; 0 if there
    /// were none.
    elsewhere: AtomicU64,
    value: T,
}

impl<T: Send + Sync + 'static, D: StaticDomain> Node<T, D> {
    const VALUE: usize = offset_of!(Self, value);

    fn new(value: T) -> Box<Self> {
        const { assert!(align_of::<Self>() > MARK) };
        Box::new(Node {
            next: Link::empty_in(D::THIS),
            elsewhere: AtomicU64::new(0),
            value,
        })
    }

    /// Returns the link to the next node.
    pub fn next(&self) -> &Link<T, D> {
        &self.next
    }

    /// Marks the node as being removed: nothing is inserted or taken out after it any more. Returns whether this
    /// call marked it.
    pub fn mark(&self) -> bool {
        // Relaxed: the pointer is not followed. As a read-modify-write, this continues the release sequence of the
        // store that published the next node.
        let word = &self.next.word;
        word.fetch_or(MARK, Ordering::Relaxed).addr() & MARK == 0
    }

    /// Returns whether this node is [marked](Self::mark).
    pub fn is_marked(&self) -> bool {
        super::is_marked(self.next.word.load(Ordering::Relaxed))
    }

    /// Marks the node and returns the next one, which is final.
    pub(super) fn freeze(&self) -> *mut Self {
        // Acquire: the caller publishes the next node in another place, so it must see that node's content. It must
        // also see what `note` has stored in this node.
        unmarked(self.next.word.fetch_or(MARK, Ordering::Acquire))
    }

    /// Notes that readers may have found this node in another place until now.
    ///
    /// # Safety
    /// As for [`Self::note`].
    pub(super) unsafe fn note_readers_elsewhere(&self) {
        // SAFETY: by the contract of this function.
        unsafe { self.note(D::get().next_grace_period()) };
    }

    /// Notes that this node takes the place of `other`: readers that found `other` in another place may have found
    /// this node, too.
    ///
    /// # Safety
    /// As for [`Self::note`].
    pub(super) unsafe fn inherit(&self, other: &Self) {
        // Relaxed: the node's publication publishes this too. For what is noted later, see `note`.
        let theirs = Round::of_number(other.elsewhere.load(Ordering::Relaxed));
        if theirs != Round::NONE {
            // SAFETY: by the contract of this function.
            unsafe { self.note(theirs) };
        }
    }

    /// Notes that this grace period waits for the readers that found this node in another place.
    ///
    /// A thread that has marked a node to take it out may have read the node's number already, and still succeed
    /// once the node is back in its link. So the number is also noted in the node that takes a marked node's place.
    ///
    /// # Safety
    /// This node, and the following ones up to the first that is not marked, are not freed meanwhile: the caller
    /// owns them, or found them in a section that is open.
    unsafe fn note(&self, round: Round) {
        let mut node = self;
        loop {
            // Relaxed: the node's publication publishes this too.
            node.elsewhere.fetch_max(round.number(), Ordering::Relaxed);
            // Not a load, which leaves two cases. If `freeze` comes later, it acquires what was noted here
            // (release). If `freeze` came before, we see its mark. Acquire: another thread may have published the
            // next node.
            let next = node.next.word.fetch_or(0, Ordering::AcqRel);
            if !super::is_marked(next) {
                return;
            }
            // SAFETY: null, or the node that takes a marked node's place: alive, as the caller promises.
            match unsafe { unmarked(next).as_ref() } {
                // The node was put behind itself: nobody will take it out.
                Some(next) if ptr::eq(next, self) => return,
                Some(next) => node = next,
                None => return,
            }
        }
    }

    /// Returns whether all readers that found this node in another place have ended.
    pub(super) fn is_over_elsewhere(&self) -> bool {
        let round = Round::of_number(self.elsewhere.load(Ordering::Relaxed));
        round == Round::NONE || D::get().is_over(round)
    }

    /// Returns a pointer to a node's value that may be used for the whole node.
    ///
    /// # Safety
    /// `node` is from [`Fresh::leak`] and alive.
    pub(super) unsafe fn value_of(node: *mut Self) -> *mut T {
        // SAFETY: `node` is alive, as the caller promises, and the value lies inside the same allocation.
        unsafe { node.byte_add(Self::VALUE).cast() }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> Deref for Node<T, D> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Send + Sync + fmt::Debug + 'static, D: StaticDomain> fmt::Debug for Node<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.value).finish()
    }
}

/// A node that nobody else sees: it is not in a list yet, or its readers have ended.
///
/// ```
/// use urcu::link::{Link, NodeBox};
///
/// let mut node = NodeBox::new(vec![1]);
/// node.push(2);
/// let list: Link<Vec<i32>> = Link::empty();
/// list.push(node).unwrap();
/// ```
pub struct NodeBox<T: Send + Sync + 'static, D: StaticDomain = Global> {
    /// An address from `leak`.
    node: NonNull<Node<T, D>>,
    owns: PhantomData<Box<T>>,
}

// SAFETY: nobody else uses the node, as with a box.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Send for NodeBox<T, D> {}
// SAFETY: nobody else uses the node, as with a box.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Sync for NodeBox<T, D> {}

impl<T: Send + Sync + 'static, D: StaticDomain> NodeBox<T, D> {
    /// Returns a new node.
    pub fn new(value: T) -> Self {
        // SAFETY: just allocated, so nobody else sees it, and it owns nothing.
        unsafe { NodeBox::of(Box::into_raw(Node::new(value))) }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        // SAFETY: from `Box::into_raw`; nobody else uses it, and it is taken back once.
        let node = unsafe { Box::from_raw(self.leak()) };
        node.value
    }

    /// Returns the node's address and gives up its ownership.
    pub(super) fn leak(self) -> *mut Node<T, D> {
        ManuallyDrop::new(self).node.as_ptr()
    }

    /// # Safety
    /// `node` is from [`leak`](Self::leak) or a box, nobody else sees it, and it owns nothing.
    pub(super) unsafe fn of(node: *mut Node<T, D>) -> Self {
        NodeBox {
            // SAFETY: not null, by the caller.
            node: unsafe { NonNull::new_unchecked(node) },
            owns: PhantomData,
        }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> From<T> for NodeBox<T, D> {
    fn from(value: T) -> Self {
        NodeBox::new(value)
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> Deref for NodeBox<T, D> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: we own the node, which is alive.
        unsafe { &self.node.as_ref().value }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> DerefMut for NodeBox<T, D> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: we own the node, which is alive, and nobody else uses it.
        unsafe { &mut self.node.as_mut().value }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> Drop for NodeBox<T, D> {
    fn drop(&mut self) {
        // SAFETY: from `Box::into_raw`, and nobody else uses it.
        drop(unsafe { Box::from_raw(self.node.as_ptr()) });
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> fmt::Debug for NodeBox<T, D> {
    /// Has no bound on `T`, so that a `push` of any value can be unwrapped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBox").finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> sealed::Sealed for NodeBox<T, D> {}

// SAFETY: the pointer of `into_raw` points to the value inside the node. The value does not move until the node's
// box, which `from_raw` makes again, is dropped.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> OwningPtr for NodeBox<T, D> {
    type Target = T;

    fn into_raw(this: Self) -> NonNull<()> {
        // SAFETY: the node is alive. An address inside an allocation is not null.
        unsafe { NonNull::new_unchecked(Node::value_of(this.leak()).cast()) }
    }
    /// Also used for a node that was taken out, which does not own the following node any more.
    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: from `into_raw` or `value_of`, so it may be used for the whole node. Nobody else uses the node from
        // now on, as the caller promises.
        unsafe {
            let node = raw
                .as_ptr()
                .byte_sub(Node::<T, D>::VALUE)
                .cast::<Node<T, D>>();
            (*node).next.give_up();
            NodeBox::of(node)
        }
    }
    #[inline(always)]
    unsafe fn target(raw: NonNull<()>) -> NonNull<T> {
        raw.cast()
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> ByValue for NodeBox<T, D> {
    type Value = T;

    fn own(value: T) -> Self {
        NodeBox::new(value)
    }
    fn disown(this: Self) -> T {
        this.into_inner()
    }
}

/// Returns the value of a node, and the next node.
///
/// # Safety
/// `node` is from [`NodeBox::leak`], the caller owns it, and nobody else sees it.
pub(super) unsafe fn take_apart<T: Send + Sync + 'static, D: StaticDomain>(
    node: *mut Node<T, D>,
) -> (T, *mut Node<T, D>) {
    // SAFETY: from `leak`, and nobody else sees it, as the caller promises. So it may be changed, and made a box
    // again.
    unsafe {
        let next = (*node).next.give_up();
        (NodeBox::of(node).into_inner(), next)
    }
}

/// Drops a node and all following ones. Nodes are retired instead, from the first one that readers may still see
/// who found it in another place.
///
/// A loop and no recursion, because a long list would overflow the stack.
///
/// # Safety
/// `first` is null, or from [`NodeBox::leak`] and owned by the caller together with all following nodes. Only readers
/// that found it in another place may still see it.
pub(super) unsafe fn release<T: Send + Sync + 'static, D: StaticDomain>(first: *mut Node<T, D>) {
    /// The rest of a chain, which is freed even if the destructor of a value panics.
    struct Rest<T: Send + Sync + 'static, D: StaticDomain>(*mut Node<T, D>);

    impl<T: Send + Sync + 'static, D: StaticDomain> Rest<T, D> {
        fn release(&mut self) {
            // SAFETY: null, or alive and ours by the contract of `release`; each node is met once.
            while let Some(node) = unsafe { self.0.as_ref() } {
                if !node.is_over_elsewhere() {
                    // SAFETY: this node and all following ones are alive and ours, by the contract of `release`. The
                    // field is null from here on, so they are retired once.
                    return unsafe { retire(core::mem::replace(&mut self.0, ptr::null_mut())) };
                }
                let node = self.0;
                // SAFETY: from `Box::into_raw`, alive and ours by the contract of `release`, and no reader sees it
                // any more. It is freed once, because the field holds the next node from here on.
                unsafe {
                    self.0 = (*node).next.give_up();
                    drop(Box::from_raw(node));
                }
            }
        }
    }

    impl<T: Send + Sync + 'static, D: StaticDomain> Drop for Rest<T, D> {
        fn drop(&mut self) {
            self.release();
        }
    }

    Rest(first).release();
}

/// Releases a node and all following ones after a grace period.
///
/// # Safety
/// As for [`release`], except that readers may also still see the nodes that found them here.
pub(super) unsafe fn retire<T: Send + Sync + 'static, D: StaticDomain>(first: *mut Node<T, D>) {
    /// The first node, on its way to the callback that frees it.
    struct Retired<T: Send + Sync + 'static, D: StaticDomain>(*mut Node<T, D>);
    // SAFETY: it owns nodes, whose values are `Send`.
    unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Send for Retired<T, D> {}

    let retired = Retired(first);
    let free = move || {
        let retired = retired;
        // SAFETY: called once, after a grace period that began after this call.
        unsafe { release(retired.0) };
    };
    D::get().enqueue(Callback::drop::<_, Node<T, D>>(free), true);
}
