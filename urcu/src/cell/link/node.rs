//! Nodes: as readers see them, before they are published, and how they are freed.

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

/// A value in a list, with a [`Link`] to what follows. Readers get it by reference; as the owner of a value
/// it stands in [`Unlinked<Node<T>>`](crate::Unlinked).
#[repr(C)]
pub struct Node<T: Send + Sync + 'static, D: StaticDomain = Global> {
    pub(super) next: Link<T, D>,
    /// The number of the grace period that readers need who found this node elsewhere; 0: there were none.
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

    /// Returns the link to what follows this node.
    pub fn next(&self) -> &Link<T, D> {
        &self.next
    }

    /// Marks the node as one that is being removed: nothing is inserted or taken out after it any more. Returns
    /// whether it was this call that marked it.
    pub fn mark(&self) -> bool {
        // Relaxed: nothing is followed. A read-modify-write goes on with the release of whoever put what
        // follows there.
        let word = &self.next.word;
        word.fetch_or(MARK, Ordering::Relaxed).addr() & MARK == 0
    }

    /// Returns whether this node is [marked](Self::mark).
    pub fn is_marked(&self) -> bool {
        super::is_marked(self.next.word.load(Ordering::Relaxed))
    }

    /// Marks the node and returns what follows, which is final.
    pub(super) fn freeze(&self) -> *mut Self {
        // Acquire: whoever publishes what follows in another place must have seen it whole, and what `note`
        // says of this node.
        unmarked(self.next.word.fetch_or(MARK, Ordering::Acquire))
    }

    /// Notes that readers may have found this node elsewhere until now.
    ///
    /// # Safety
    /// As for [`Self::note`].
    pub(super) unsafe fn note_readers_elsewhere(&self) {
        // SAFETY: by the contract of this function.
        unsafe { self.note(D::get().next_grace_period()) };
    }

    /// Takes the place of `other`: who found that elsewhere may have found this, too.
    ///
    /// # Safety
    /// As for [`Self::note`].
    pub(super) unsafe fn inherit(&self, other: &Self) {
        // Relaxed: whoever publishes the node publishes this; and what was noted later, see `note`.
        let theirs = Round::of_number(other.elsewhere.load(Ordering::Relaxed));
        if theirs != Round::NONE {
            // SAFETY: by the contract of this function.
            unsafe { self.note(theirs) };
        }
    }

    /// Notes that readers who found this node elsewhere need this grace period.
    ///
    /// Whoever has marked a node to take it out may have read what is noted there already, and wait for
    /// the node to be back in its link. So it is also noted for what such a node leaves in its place.
    ///
    /// # Safety
    /// This node and what follows it are not freed meanwhile, as far as nodes are marked: they are the
    /// caller's, or were found in a section that is open.
    unsafe fn note(&self, round: Round) {
        let mut node = self;
        loop {
            // Relaxed: whoever publishes the node publishes this.
            node.elsewhere.fetch_max(round.number(), Ordering::Relaxed);
            // Not a load: either `freeze` comes later, and acquires what was noted (release), or the mark
            // is seen. Acquire: what follows was put there by somebody else.
            let next = node.next.word.fetch_or(0, Ordering::AcqRel);
            if !super::is_marked(next) {
                return;
            }
            // SAFETY: null, or what a marked node leaves in its place: alive, by the caller.
            match unsafe { unmarked(next).as_ref() } {
                // Somebody has put a node behind itself: nobody will take it out.
                Some(next) if ptr::eq(next, self) => return,
                Some(next) => node = next,
                None => return,
            }
        }
    }

    /// Returns whether nobody can see it any more who found it elsewhere.
    pub(super) fn is_over_elsewhere(&self) -> bool {
        let round = Round::of_number(self.elsewhere.load(Ordering::Relaxed));
        round == Round::NONE || D::get().is_over(round)
    }

    /// Returns the place of a node's value, as a pointer to the whole.
    ///
    /// # Safety
    /// `node` is from [`Fresh::leak`] and alive.
    pub(super) unsafe fn value_of(node: *mut Self) -> *mut T {
        // SAFETY: inside of the allocation, by the caller.
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

/// A node that nobody else sees: a new one that is not in a list yet, or one whose readers have ended.
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
    /// From `leak`.
    node: NonNull<Node<T, D>>,
    owns: PhantomData<Box<T>>,
}

// SAFETY: it owns its node alone, as a box would.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Send for NodeBox<T, D> {}
// SAFETY: it owns its node alone, as a box would.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Sync for NodeBox<T, D> {}

impl<T: Send + Sync + 'static, D: StaticDomain> NodeBox<T, D> {
    /// Returns a new node.
    pub fn new(value: T) -> Self {
        // SAFETY: nobody else's.
        unsafe { NodeBox::of(Box::into_raw(Node::new(value))) }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        // SAFETY: from `Box::into_raw`, ours alone, and used once.
        let node = unsafe { Box::from_raw(self.leak()) };
        node.value
    }

    /// Leaves the node to whoever gets the address.
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
        // SAFETY: ours, and alive.
        unsafe { &self.node.as_ref().value }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> DerefMut for NodeBox<T, D> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: ours alone, and alive.
        unsafe { &mut self.node.as_mut().value }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> Drop for NodeBox<T, D> {
    fn drop(&mut self) {
        // SAFETY: from `Box::into_raw`, ours alone.
        drop(unsafe { Box::from_raw(self.node.as_ptr()) });
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> fmt::Debug for NodeBox<T, D> {
    /// Whatever `T` is: who pushes what cannot be shown may unwrap, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBox").finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> sealed::Sealed for NodeBox<T, D> {}

// SAFETY: the pointer of `into_raw` is to the value inside of the node, which stays where it is until the
// box of the node is dropped, which `from_raw` has made again.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> OwningPtr for NodeBox<T, D> {
    type Target = T;

    fn into_raw(this: Self) -> NonNull<()> {
        // SAFETY: alive; and inside of an allocation, so not null.
        unsafe { NonNull::new_unchecked(Node::value_of(this.leak()).cast()) }
    }
    /// Of a node that was taken out, too: what followed it is not its own any more.
    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: from `into_raw` or `value_of`, so a pointer to the whole node; by the caller it is ours
        // alone from now on.
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

/// Returns the value of a node, and what follows it.
///
/// # Safety
/// `node` is from [`NodeBox::leak`] and the caller's, and nobody else sees it.
pub(super) unsafe fn take_apart<T: Send + Sync + 'static, D: StaticDomain>(
    node: *mut Node<T, D>,
) -> (T, *mut Node<T, D>) {
    // SAFETY: from `leak`, and nobody else sees it, by the caller: so it may be changed, and made a box again.
    unsafe {
        let next = (*node).next.give_up();
        (NodeBox::of(node).into_inner(), next)
    }
}

/// Drops a node and all that follows: but what readers may still see who found it elsewhere is retired.
///
/// A loop, because a list may be longer than the stack is deep.
///
/// # Safety
/// `first` is null or from [`NodeBox::leak`] and the caller's, with all that it owns. Nobody sees it but who
/// found it elsewhere.
pub(super) unsafe fn release<T: Send + Sync + 'static, D: StaticDomain>(first: *mut Node<T, D>) {
    /// The rest of a chain, which is freed even if a value's drop panics.
    struct Rest<T: Send + Sync + 'static, D: StaticDomain>(*mut Node<T, D>);

    impl<T: Send + Sync + 'static, D: StaticDomain> Rest<T, D> {
        fn release(&mut self) {
            // SAFETY: null or alive and ours, by the contract of `release`; each once.
            while let Some(node) = unsafe { self.0.as_ref() } {
                if !node.is_over_elsewhere() {
                    // SAFETY: the node is alive and ours by the contract of `release`, with all that
                    // follows; the field is null from here on, so it is retired once.
                    return unsafe { retire(core::mem::replace(&mut self.0, ptr::null_mut())) };
                }
                let node = self.0;
                // SAFETY: alive and ours by the contract of `release`, and no reader sees it any more; from
                // `Box::into_raw`, freed once, as the field names the next one from here on.
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

/// Releases a node and all that follows after a grace period.
///
/// # Safety
/// As [`release`], but for those who found it here before.
pub(super) unsafe fn retire<T: Send + Sync + 'static, D: StaticDomain>(first: *mut Node<T, D>) {
    /// On its way to whoever frees it.
    struct Retired<T: Send + Sync + 'static, D: StaticDomain>(*mut Node<T, D>);
    // SAFETY: it owns nodes whose values may be sent.
    unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Send for Retired<T, D> {}

    let retired = Retired(first);
    let free = move || {
        let retired = retired;
        // SAFETY: called once, after a grace period that began after this call.
        unsafe { release(retired.0) };
    };
    D::get().enqueue(Callback::drop::<_, Node<T, D>>(free), true);
}
