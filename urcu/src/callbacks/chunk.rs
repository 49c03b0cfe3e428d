//! Chunks: pages of callbacks, which a CPU fills by restartable sequences, and which wait for a grace
//! period as one.

use core::mem::size_of;
use core::num::NonZeroUsize;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

use super::record::Callback;
// The end of a full chunk is a multiple of this.
use crate::sync::{AtomicU32, Ordering};
use crate::sys::CHUNK as SIZE;
use crate::sys::Record;

#[repr(C, align(64))]
struct Header {
    /// The number of callbacks that have not run. Set when the chunk is sealed.
    unfinished: AtomicU32,
}

/// The number of callbacks that a chunk holds.
pub(super) const ROOM: usize = (SIZE - size_of::<Header>()) / size_of::<Record>();

/// A page of callbacks. Dropping it gives the page back and leaks the callbacks in it.
#[derive(Debug)]
pub(super) struct Chunk(NonNull<Header>);

// SAFETY: it owns its page; callbacks may be sent.
unsafe impl Send for Chunk {}

/// The end of the filled part of a chunk in a CPU's slot: the address behind its last callback, which tells
/// the chunk and how many callbacks are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct ChunkEnd(NonZeroUsize);

impl ChunkEnd {
    /// Returns the end that a slot's word stands for; `None` for 0: the slot has no chunk.
    pub(super) fn of_word(word: usize) -> Option<Self> {
        NonZeroUsize::new(word).map(ChunkEnd)
    }

    /// Returns the word for a slot. Never 0.
    pub(super) fn word(self) -> usize {
        self.0.get()
    }

    /// Returns the address of the chunk. The end of a full one is where the next page begins.
    fn base(self) -> usize {
        (self.word() - 1) & !(SIZE - 1)
    }

    /// Returns how many callbacks are in the chunk.
    pub(super) fn length(self) -> usize {
        (self.word() - self.base() - size_of::<Header>()) / size_of::<Record>()
    }

    /// Returns the chunk that [`Chunk::leave`] left, and how many callbacks are in it.
    ///
    /// # Safety
    /// Called once, by whoever has taken this end out of a CPU's slot.
    pub(super) unsafe fn take_chunk(self) -> (Chunk, usize) {
        let header = core::ptr::with_exposed_provenance_mut::<Header>(self.base());
        let chunk = Chunk(NonNull::new(header).expect("a chunk's end"));
        (chunk, self.length())
    }
}

const LAYOUT: Layout = match Layout::from_size_align(SIZE, SIZE) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

impl Chunk {
    pub(super) fn new() -> Self {
        // SAFETY: the size is not 0.
        let page = unsafe { alloc(LAYOUT) };
        let Some(header) = NonNull::new(page.cast::<Header>()) else {
            handle_alloc_error(LAYOUT)
        };
        // SAFETY: a new page.
        unsafe {
            header.write(Header {
                unfinished: AtomicU32::new(0),
            });
        }
        Chunk(header)
    }

    /// Returns the end of the chunk while it is empty: the address of the first callback.
    pub(super) fn start(&self) -> ChunkEnd {
        let first = self.0.as_ptr().expose_provenance() + size_of::<Header>();
        ChunkEnd::of_word(first).expect("an address")
    }

    /// Leaves the chunk to a CPU's slot.
    pub(super) fn leave(self) {
        core::mem::forget(self);
    }

    fn place(&self, number: usize) -> *mut Callback {
        debug_assert!(number < ROOM);
        // SAFETY: within the page.
        unsafe { self.0.add(1).cast::<Callback>().add(number).as_ptr() }
    }

    /// Puts a callback in a free place.
    pub(super) fn put(&mut self, number: usize, callback: Callback) {
        // SAFETY: the place is in the page, and nobody reads it before.
        unsafe { self.place(number).write(callback) };
    }

    /// # Safety
    /// A callback was put in this place, which is not taken away meanwhile.
    pub(super) unsafe fn peek(&self, number: usize) -> &Callback {
        // SAFETY: a callback lies in this place while the reference lives: the caller promises that.
        unsafe { &*self.place(number) }
    }

    /// Seals the chunk: so many callbacks are to be finished.
    pub(super) fn seal(&self, length: usize) {
        // SAFETY: the chunk is alive. Published with the lock of the stripe.
        unsafe { self.0.as_ref() }
            .unfinished
            .store(length as u32, Ordering::Relaxed);
    }

    /// Returns `count` callbacks of a sealed chunk, from number `first` on, to be run by the caller.
    ///
    /// # Safety
    /// Callbacks were put there, and nobody else gets them.
    pub(super) unsafe fn part(&self, first: usize, count: usize) -> Part {
        Part {
            header: self.0,
            first: self.place(first),
            count,
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: from `new`, and nobody uses it any more.
        unsafe { dealloc(self.0.as_ptr().cast(), LAYOUT) };
    }
}

/// Some callbacks of a chunk. The page is there until all parts are finished.
#[derive(Debug)]
pub(super) struct Part {
    header: NonNull<Header>,
    first: *mut Callback,
    count: usize,
}

impl Part {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Runs one of the callbacks.
    ///
    /// # Safety
    /// The number is less than the count, and each is run once.
    pub(super) unsafe fn run(&self, number: usize) {
        // SAFETY: the chunk is there until all parts are finished, the number is below the count, so there is a
        // callback, and it is read once: the caller promises the last two.
        unsafe { self.first.add(number).read() }.run();
    }

    /// Returns the chunk, if these callbacks were its last.
    ///
    /// # Safety
    /// All of them were run.
    pub(super) unsafe fn finish(self) -> Option<Chunk> {
        // AcqRel: whoever reuses the page comes after all who took callbacks out of it.
        // SAFETY: until the last are accounted for the page is there.
        let before = unsafe { self.header.as_ref() }
            .unfinished
            .fetch_sub(self.count as u32, Ordering::AcqRel);
        (before as usize == self.count).then(|| Chunk(self.header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_chunk_tells_the_chunk_and_its_length() {
        let mut chunk = Chunk::new();
        let start = chunk.start().word();
        let end = |length| ChunkEnd::of_word(start + length * size_of::<Record>()).unwrap();
        for number in 0..ROOM {
            chunk.put(number, Callback::call(|| ()));
        }
        assert_eq!(end(ROOM).word() % SIZE, 0);
        chunk.leave();
        for length in [0, 1, ROOM] {
            // SAFETY: left above, and left again.
            let (again, found) = unsafe { end(length).take_chunk() };
            assert_eq!((again.start(), found), (end(0), length));
            again.leave();
        }
        // SAFETY: the chunk was left to this end above, and is taken from it once, here.
        let (chunk, length) = unsafe { end(ROOM).take_chunk() };
        assert_eq!(length, ROOM);
        chunk.seal(ROOM);
        // SAFETY: put above; each is run once.
        unsafe {
            let (first, rest) = (chunk.part(0, 1), chunk.part(1, ROOM - 1));
            chunk.leave();
            first.run(0);
            assert!(first.finish().is_none());
            (0..rest.count()).for_each(|number| rest.run(number));
            assert!(rest.finish().is_some());
        }
    }
}
