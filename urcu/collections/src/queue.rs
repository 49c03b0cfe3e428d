//! A lock-free queue of many producers and many consumers.
//!
//! The queue consists of segments of slots, each of which is used once. A producer claims the next slot with one
//! addition, writes its value, and marks the slot as full. A consumer claims the next slot with one addition, and
//! takes the value. The slot's state decides which of the two came first: if a consumer finds no value, it makes
//! the slot unusable, and the producer tries another slot. So no thread waits for another.
//!
//! When consumers have claimed all slots of a segment, it is unlinked, and freed after a grace period: threads that
//! still use it are inside sections. The idea of a queue of arrays with fetch-and-add is that of Ramalhete and
//! Correia's `FAAArrayQueue`.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use std::alloc::{alloc, handle_alloc_error};

use urcu::{Global, InDomain};

use crate::fork;
use crate::reclaim;
use crate::sync::{
    Alive, AtomicPtr, AtomicU8, AtomicUsize, Ordering, SEGMENT_SLOTS as SLOTS,
    SLOT_PATIENCE as PATIENCE, const_fn, pause,
};

#[cfg(test)]
mod tests;

const EMPTY: u8 = 0;
/// The producer has written the value. The state stays so when the consumer has taken it.
const FULL: u8 = 1;
/// The consumer came first, and does not come again.
const UNUSABLE: u8 = 2;

struct Slot<T> {
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    /// Waits for a moment until the slot is full. Otherwise makes it unusable, and returns false. Only the consumer
    /// that has claimed the slot may call this.
    fn is_full(&self) -> bool {
        let mut turns = 0;
        // Acquire: pairs with the producer's release. Only the caller can make the slot unusable, so a slot that is
        // not empty is full, and its state need not be written.
        while self.state.load(Ordering::Acquire) == EMPTY {
            if turns == PATIENCE {
                // Acquire: as above.
                return self.state.swap(UNUSABLE, Ordering::Acquire) == FULL;
            }
            pause(&mut turns);
        }
        true
    }
}

/// A value in cache lines of its own: two, because processors fetch them in pairs.
#[repr(align(128))]
struct Line<T>(T);

/// Bytes that keep the fields before and behind them in different pairs of cache lines. An alignment would do so,
/// too, but allocators take longer for memory that is aligned to more than 16 bytes.
type Gap = MaybeUninit<[u8; 128]>;

#[repr(C)]
struct Segment<T> {
    /// The number of this segment's first slot in the whole queue.
    first: usize,
    next: AtomicPtr<Segment<T>>,
    /// The fork generation of the process that has made this segment.
    generation: u32,
    _before_filled: Gap,
    /// The number of slots that producers have claimed, or tried to claim.
    filled: AtomicUsize,
    _behind_filled: Gap,
    /// The number of slots that consumers have claimed, or tried to claim.
    emptied: AtomicUsize,
    /// A value that `filled` had, or 0. While it is greater than `emptied`, consumers need not fetch the cache line
    /// of `filled` from the producers.
    known_filled: AtomicUsize,
    _behind_emptied: Gap,
    alive: Alive,
    slots: [Slot<T>; SLOTS],
}

impl<T> Segment<T> {
    fn allocate(first: usize) -> NonNull<Segment<T>> {
        let layout = Layout::new::<Segment<T>>();
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc(layout) }.cast::<Segment<T>>();
        let Some(segment) = NonNull::new(memory) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the memory is new and has this layout. Values may stay uninitialized.
        unsafe {
            (&raw mut (*memory).first).write(first);
            (&raw mut (*memory).next).write(AtomicPtr::new(ptr::null_mut()));
            (&raw mut (*memory).generation).write(fork::generation());
            (&raw mut (*memory).filled).write(AtomicUsize::new(0));
            (&raw mut (*memory).emptied).write(AtomicUsize::new(0));
            (&raw mut (*memory).known_filled).write(AtomicUsize::new(0));
            (&raw mut (*memory).alive).write(Alive::new());
            let slots = (&raw mut (*memory).slots).cast::<Slot<T>>();
            for number in 0..SLOTS {
                (&raw mut (*slots.add(number)).state).write(AtomicU8::new(EMPTY));
            }
        }
        segment
    }

    /// Puts a value into the next slot. Returns the value as the error if no slot is left.
    fn push(&self, mut value: T) -> Result<(), T> {
        self.alive.check();
        if self.generation != fork::generation() {
            self.close();
            return Err(value);
        }
        loop {
            // Relaxed: only one producer gets this number.
            let number = self.filled.fetch_add(1, Ordering::Relaxed);
            let Some(slot) = self.slots.get(number) else {
                return Err(value);
            };
            // SAFETY: only the producer with this number writes the slot, and no consumer reads it before it is
            // FULL.
            unsafe { (*slot.value.get()).write(value) };
            // Release: the consumer sees the value.
            match slot
                .state
                .compare_exchange(EMPTY, FULL, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                // SAFETY: the value was written above. A consumer that has found EMPTY does not read it.
                Err(_) => value = unsafe { (*slot.value.get()).assume_init_read() },
            }
        }
    }

    /// Leaves the remaining slots empty. In a forked child, consumers that are lost may have claimed some of them,
    /// and nobody would take the values.
    #[cold]
    fn close(&self) {
        // Relaxed: consumers find these slots empty, whenever they look.
        self.filled.fetch_max(SLOTS, Ordering::Relaxed);
    }

    /// Takes the value of the next slot that has one.
    fn pop(&self) -> Popped<T> {
        self.alive.check();
        loop {
            // Consumers first. Acquire: the producers' number, which is read next, is not older.
            let emptied = self.emptied.load(Ordering::Acquire);
            if emptied >= SLOTS {
                // Consumers that poll a queue whose last segment is used up must not count on: the number would wrap
                // around where `usize` has 32 bits, and they would take values a second time.
                return Popped::NoSlot;
            }
            if self.is_drained(emptied) {
                return Popped::Nothing;
            }
            // Relaxed: only one consumer gets this number.
            let number = self.emptied.fetch_add(1, Ordering::Relaxed);
            let Some(slot) = self.slots.get(number) else {
                return Popped::NoSlot;
            };
            if slot.is_full() {
                // SAFETY: a producer has written the value, and only the consumer with this number reads it.
                return Popped::Value(unsafe { (*slot.value.get()).assume_init_read() });
            }
        }
    }

    /// Returns whether consumers have claimed as many slots as producers.
    fn is_drained(&self, emptied: usize) -> bool {
        // Relaxed: `filled` only grows, so whatever value it had is a lower bound, however old it is.
        if emptied < self.known_filled.load(Ordering::Relaxed) {
            return false;
        }
        let filled = self.filled.load(Ordering::Relaxed);
        self.known_filled.store(filled, Ordering::Relaxed);
        emptied >= filled
    }
}

enum Popped<T> {
    Value(T),
    /// The queue is empty.
    Nothing,
    /// All slots of the segment have been claimed.
    NoSlot,
}

/// A lock-free queue of many producers and many consumers, without a bound.
///
/// It is first in, first out, and has the methods of `crossbeam_queue::SegQueue`. No operation waits for another: a
/// producer that is interrupted in the middle of a push blocks no consumer.
///
/// Values are moved in and out, and only their memory waits for a grace period. So `T` needs no bounds.
///
/// ```
/// let queue = urcu_collections::Queue::new();
/// queue.push('a');
/// queue.push('b');
/// assert_eq!((queue.len(), queue.pop(), queue.pop(), queue.pop()), (2, Some('a'), Some('b'), None));
/// ```
///
/// # Cost
/// A read-side section and two atomic instructions for a push, one for a pop; an allocation for every 128 values.
///
/// # Forks
/// A forked child may use the queue, whatever other threads were doing at the fork. Values that they were pushing or
/// popping may not be in the child's queue, or never be dropped there.
///
/// # Async-signal safety
/// Not safe in signal handlers: it allocates.
pub struct Queue<T, D = Global> {
    head: Line<AtomicPtr<Segment<T>>>,
    tail: Line<AtomicPtr<Segment<T>>>,
    domain: D,
}

// SAFETY: the queue owns its values, and only takes and returns them by value.
unsafe impl<T: Send, D: Send> Send for Queue<T, D> {}
// SAFETY: a shared queue only takes and returns values by value. One thread at a time has each value, so `T: Send`
// is enough.
unsafe impl<T: Send, D: Sync> Sync for Queue<T, D> {}

impl<T> Queue<T> {
    const_fn! {
        /// Creates an empty queue. Can be used in a `static`.
        pub fn new() -> Self {
            Queue::new_in(Global)
        }
    }
}

impl<T, D> Queue<T, D> {
    const_fn! {
        /// Creates an empty queue in the given domain.
        pub fn new_in(domain: D) -> Self {
            Queue {
                head: Line(AtomicPtr::new(ptr::null_mut())),
                tail: Line(AtomicPtr::new(ptr::null_mut())),
                domain,
            }
        }
    }
}

impl<T, D: InDomain> Queue<T, D> {
    /// Appends a value.
    pub fn push(&self, value: T) {
        let _section = self.domain.domain().read_lock();
        let mut value = value;
        loop {
            // SAFETY: the segment was loaded in this section.
            let tail = unsafe { self.tail().as_ref() };
            match tail.push(value) {
                Ok(()) => return,
                Err(back) => value = back,
            }
            self.advance_tail(tail);
        }
    }

    /// Removes the first value and returns it.
    pub fn pop(&self) -> Option<T> {
        let _section = self.domain.domain().read_lock();
        loop {
            // Acquire: pairs with the releases in `first_segment` and below.
            let head = NonNull::new(self.head.0.load(Ordering::Acquire))?;
            // SAFETY: the segment was loaded in this section, and is retired only after the head has moved on.
            match unsafe { head.as_ref() }.pop() {
                Popped::Value(value) => return Some(value),
                Popped::Nothing => return None,
                Popped::NoSlot => self.advance_head(head)?,
            }
        }
    }

    /// Returns the number of values. It is exact if nobody pushes or pops meanwhile. In a forked child it may be too
    /// high until the values from before the fork were popped.
    pub fn len(&self) -> usize {
        let _section = self.domain.domain().read_lock();
        let (head, tail) = (
            self.head.0.load(Ordering::Acquire),
            self.tail.0.load(Ordering::Acquire),
        );
        if head.is_null() || tail.is_null() {
            return 0;
        }
        // SAFETY: the segment was loaded in this section.
        let (head, tail) = unsafe { (&*head, &*tail) };
        let emptied = head.emptied.load(Ordering::Relaxed).min(SLOTS);
        let filled = tail.filled.load(Ordering::Relaxed).min(SLOTS);
        // The numbers of slots wrap around where `usize` has 32 bits. Less than none if others pop meanwhile.
        let ahead = tail.first.wrapping_sub(head.first) as isize;
        (ahead + filled as isize - emptied as isize).max(0) as usize
    }

    /// Returns whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the last known segment. The caller is inside a section.
    fn tail(&self) -> NonNull<Segment<T>> {
        // Acquire: pairs with the releases in `first_segment` and `advance_tail`.
        match NonNull::new(self.tail.0.load(Ordering::Acquire)) {
            Some(tail) => tail,
            None => self.first_segment(),
        }
    }

    #[cold]
    fn first_segment(&self) -> NonNull<Segment<T>> {
        let made = Segment::allocate(0);
        // The head first, so that consumers find the head if a producer finds a tail.
        let first = exchange_null(&self.head.0, made);
        // The head moves on only after the tail, and the tail only after it was set; in that case this does
        // nothing. Release: a thread that finds the segment sees it initialized. Acquire: we see another thread's
        // segment initialized.
        let set = self.tail.0.compare_exchange(
            ptr::null_mut(),
            first.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        let tail = set.map_or_else(NonNull::new, |_| Some(first));
        tail.expect("the tail is set")
    }

    /// Links a new segment behind `tail`, if none is there, and moves the tail on.
    #[cold]
    fn advance_tail(&self, tail: &Segment<T>) {
        let next = match NonNull::new(tail.next.load(Ordering::Acquire)) {
            Some(next) => next,
            None => {
                let made = Segment::allocate(tail.first.wrapping_add(SLOTS));
                exchange_null(&tail.next, made)
            }
        };
        self.move_tail(ptr::from_ref(tail).cast_mut(), next);
    }

    fn move_tail(&self, from: *mut Segment<T>, next: NonNull<Segment<T>>) {
        // Release: a thread that finds the segment sees it initialized, even one that another thread has linked and
        // we have acquired. The exchange fails if another thread has moved the tail.
        let _ =
            self.tail
                .0
                .compare_exchange(from, next.as_ptr(), Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Moves the head on from an emptied segment. Returns `None` if there is no other segment.
    #[cold]
    fn advance_head(&self, head: NonNull<Segment<T>>) -> Option<()> {
        // SAFETY: the segment was loaded in this section.
        let next = unsafe { head.as_ref() }.next.load(Ordering::Acquire);
        let next = NonNull::new(next)?;
        // The tail must not lag behind the head: otherwise sections that begin later would find a freed segment.
        self.move_tail(head.as_ptr(), next);
        let moved = self.head.0.compare_exchange(
            head.as_ptr(),
            next.as_ptr(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if moved.is_ok() {
            // SAFETY: neither the head nor the tail leads to the segment any more, and older segments, which do,
            // were retired before. Its values belong to the threads that have claimed their slots.
            unsafe { reclaim::retire_memory(self.domain.domain(), head) };
        }
        Some(())
    }
}

/// Stores a new segment if the place is null. Otherwise frees it, and returns the segment that is there.
fn exchange_null<T>(
    place: &AtomicPtr<Segment<T>>,
    made: NonNull<Segment<T>>,
) -> NonNull<Segment<T>> {
    // Release: a thread that finds the segment sees it initialized. Acquire: pairs with another thread's release.
    match place.compare_exchange(
        ptr::null_mut(),
        made.as_ptr(),
        Ordering::AcqRel,
        Ordering::Acquire,
    ) {
        Ok(_) => made,
        Err(first) => {
            // SAFETY: the segment was not published.
            unsafe { reclaim::free_memory(made) };
            // SAFETY: not null, because the exchange failed.
            unsafe { NonNull::new_unchecked(first) }
        }
    }
}

impl<T, D> Queue<T, D> {
    /// Removes the first value of a queue that nobody else uses, and returns it.
    fn pop_mut(&mut self) -> Option<T> {
        // Relaxed throughout: nobody else uses the queue.
        loop {
            let head = NonNull::new(self.head.0.load(Ordering::Relaxed))?;
            // SAFETY: the segment is freed below, and not before.
            let segment = unsafe { head.as_ref() };
            let next = NonNull::new(segment.next.load(Ordering::Relaxed));
            let filled = segment.filled.load(Ordering::Relaxed);
            let emptied = &segment.emptied;
            while let Some(slot) = segment.slots.get(emptied.load(Ordering::Relaxed)) {
                let number = emptied.load(Ordering::Relaxed);
                if next.is_none() && number >= filled {
                    return None;
                }
                emptied.store(number + 1, Ordering::Relaxed);
                if slot.state.load(Ordering::Relaxed) == FULL {
                    // SAFETY: the slot has a value, and nobody else claims its number.
                    return Some(unsafe { (*slot.value.get()).assume_init_read() });
                }
            }
            self.head.0.store(next?.as_ptr(), Ordering::Relaxed);
            // SAFETY: nobody else uses the segment, the tail is further on, and no value is left in it.
            unsafe { reclaim::free_memory(head) };
        }
    }
}

impl<T, D> Drop for Queue<T, D> {
    fn drop(&mut self) {
        /// Drops the rest even if a destructor panics.
        struct Rest<'a, T, D>(&'a mut Queue<T, D>);
        impl<T, D> Drop for Rest<'_, T, D> {
            fn drop(&mut self) {
                while self.0.pop_mut().is_some() {}
                if let Some(last) = NonNull::new(self.0.head.0.load(Ordering::Relaxed)) {
                    // SAFETY: nobody uses the segment any more, and no value is left in it.
                    unsafe { reclaim::free_memory(last) };
                }
            }
        }
        let rest = Rest(self);
        while rest.0.pop_mut().is_some() {}
    }
}

impl<T, D: Default> Default for Queue<T, D> {
    fn default() -> Self {
        Queue::new_in(D::default())
    }
}

impl<T, D: InDomain> fmt::Debug for Queue<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T, D: InDomain> Extend<T> for &Queue<T, D> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

impl<T> FromIterator<T> for Queue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let queue = Queue::new();
        (&queue).extend(values);
        queue
    }
}

impl<T, D> IntoIterator for Queue<T, D> {
    type Item = T;
    type IntoIter = IntoIter<T, D>;

    fn into_iter(self) -> IntoIter<T, D> {
        IntoIter(self)
    }
}

/// An owning iterator over the values of a [`Queue`], from the first to the last.
pub struct IntoIter<T, D = Global>(Queue<T, D>);

impl<T, D> Iterator for IntoIter<T, D> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.pop_mut()
    }
}

impl<T, D> fmt::Debug for IntoIter<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").finish_non_exhaustive()
    }
}
