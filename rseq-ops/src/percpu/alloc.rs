//! Small per-CPU objects, many to a page.
//!
//! # Implementation
//! A *chunk* is an [`Area`] with a stride of 64 KiB: an object is at the same offset in each
//! CPU's stretch. All objects of a chunk have one size, a power of two. A bit map in the chunk's header
//! says which objects are in use, so an allocation is one compare-and-exchange, without a lock. A chunk
//! never moves, and is not unmapped before the allocator is dropped.
//!
//! # The limit
//! All chunks are in one list, and each has a number, one more than that of the chunk behind it. So
//! the compare-and-exchange that adds a chunk also counts it, and a thread that finds that the limit is
//! reached also finds all chunks that are counted. A search that finds no free object is repeated if an
//! object was given back meanwhile, because it may lie where the search had already been.

use core::alloc::Layout;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use super::area::{AllocError, Area};

/// The distance from one CPU's object to the next CPU's, in bytes, as a power of two.
pub(super) const SHIFT: u32 = 16;
/// The size of a chunk for each CPU, in bytes. No object is larger.
const CHUNK: usize = 1 << SHIFT;
/// The alignment of a chunk, in bytes. No object has a larger alignment.
const ALIGNMENT: usize = 4096;
/// The size of the smallest objects, in bytes, as a power of two.
const SMALLEST: u32 = 3;
/// The number of words of a bit map for the smallest objects.
const WORDS: usize = CHUNK >> SMALLEST >> 6;

/// The contents of per-CPU memory in a forked child.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use rseq_ops::percpu::{Allocator, AllocError, Fork, PerCpu};
///
/// let wiped = Allocator::new(Fork::Wipe);
/// assert_eq!(wiped.fork(), Fork::Wipe);
/// // Memory that a fork wipes can only hold types for which zeroes are a valid value.
/// let refused = PerCpu::new(&wiped, |_| AtomicU64::new(1)).unwrap_err();
/// assert_eq!(refused, AllocError::Wiped);
/// assert!(matches!(PerCpu::<AtomicU64>::zeroed(&wiped), Ok(_) | Err(AllocError::CannotWipe(_))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// The child finds a copy of the parent's contents.
    Keep,
    /// The child finds zeroes.
    Wipe,
}

/// The header of a chunk.
#[repr(C)]
struct Chunk {
    /// The next chunk in the list. This and the following three fields are set before the chunk is published.
    next: *mut Chunk,
    /// The number of chunks from this one on to the end of the list.
    number: usize,
    /// The address of the memory of index 0.
    base: usize,
    /// The size of an object, in bytes.
    size: usize,
    /// The number of free objects. It may be out of date while objects are taken or given back.
    free: AtomicUsize,
    /// The number of objects ever given back. It changes after the object has become free.
    given_back: AtomicUsize,
    used: [AtomicU64; WORDS],
}

/// Memory for per-CPU objects: one object is `size` bytes *for each possible CPU*.
///
/// Sizes are rounded up to a power of two of at least 8 bytes. The memory comes in zeroed chunks of
/// 64 KiB for each CPU. The kernel provides a page when its CPU first writes to it, on that CPU's memory
/// node (under the default memory policy). Objects never move. Objects of one CPU lie side by side; objects
/// of different CPUs never share a cache line.
///
/// # With `mlockall`
/// After `mlockall(MCL_FUTURE)` the kernel provides a whole chunk at once: 64 KiB for each *possible* CPU and
/// each size in use, which is 16 MiB for 256 possible CPUs. `MCL_FUTURE | MCL_ONFAULT` (Linux 4.4) locks only
/// what is written to. A program that must not have page faults later has to write to the memory beforehand, on
/// each CPU.
///
/// # Async-signal safety
/// No method takes a lock or uses the heap. So all are async-signal-safe, and all work in a forked child,
/// whatever other threads did at the moment of the fork.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use rseq_ops::percpu::{Allocator, Fork, PerCpu};
///
/// static MEMORY: Allocator = Allocator::new(Fork::Keep);
/// let hits = PerCpu::<AtomicU64>::zeroed(&MEMORY).unwrap();
/// hits.current().fetch_add(1, Relaxed);
/// assert_eq!(hits.iter().map(|hit| hit.load(Relaxed)).sum::<u64>(), 1);
/// ```
#[derive(Debug)]
pub struct Allocator {
    /// The newest chunk.
    chunks: AtomicPtr<Chunk>,
    /// The largest allowed number of chunks.
    most: usize,
    fork: Fork,
}

/// An object: its address for index 0, and the place of its bit.
#[derive(Debug)]
pub(super) struct Object {
    base: usize,
    size: usize,
    chunk: NonNull<Chunk>,
    /// True if whole values were written there: their padding bytes must not be read.
    pub(super) written: bool,
}

impl Allocator {
    /// Creates an allocator that has no memory yet, and no limit.
    pub const fn new(fork: Fork) -> Self {
        Allocator {
            chunks: AtomicPtr::new(ptr::null_mut()),
            most: usize::MAX,
            fork,
        }
    }

    /// Creates an allocator that takes at most `bytes` for each CPU (rounded down to whole chunks of
    /// 64 KiB).
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use rseq_ops::percpu::{Allocator, AllocError, Fork, PerCpu};
    ///
    /// let memory = Allocator::with_limit(Fork::Keep, 100_000);
    /// let words = PerCpu::<[AtomicU64; 100]>::zeroed(&memory).unwrap();
    /// assert_eq!(memory.reserved(), 64 << 10);
    /// // Other sizes need a chunk of their own.
    /// let refused = PerCpu::<AtomicU64>::zeroed(&memory).unwrap_err();
    /// assert_eq!(refused, AllocError::Limit(64 << 10));
    /// # drop(words);
    /// ```
    pub const fn with_limit(fork: Fork, bytes: usize) -> Self {
        let mut allocator = Allocator::new(fork);
        allocator.most = bytes >> SHIFT;
        allocator
    }

    /// Returns the allocator that this crate's own structures use. It has no limit, and a forked child keeps a
    /// copy of its memory.
    ///
    /// ```
    /// use rseq_ops::percpu::{Allocator, Fork};
    ///
    /// assert_eq!(Allocator::global().fork(), Fork::Keep);
    /// ```
    pub fn global() -> &'static Allocator {
        static GLOBAL: Allocator = Allocator::new(Fork::Keep);
        &GLOBAL
    }

    /// Returns what a forked child finds in its memory.
    pub fn fork(&self) -> Fork {
        self.fork
    }

    /// Returns how many bytes of address space are reserved for each CPU. Pages that were never written to take
    /// no memory.
    pub fn reserved(&self) -> usize {
        self.chunks().next().map_or(0, |(_, chunk)| chunk.number) << SHIFT
    }

    pub(super) fn allocate(&self, layout: Layout) -> Result<Object, AllocError> {
        if layout.align() > ALIGNMENT {
            return Err(AllocError::Object {
                asked: layout.align(),
                most: ALIGNMENT,
            });
        }
        let size = size_class(layout);
        if size > CHUNK {
            return Err(AllocError::Object {
                asked: layout.size(),
                most: CHUNK,
            });
        }
        self.claim(size)
            .map_or_else(|| self.search_or_grow(size, || self.claim(size)), Ok)
    }

    #[cold]
    fn search_or_grow(
        &self,
        size: usize,
        mut search: impl FnMut() -> Option<Object>,
    ) -> Result<Object, AllocError> {
        loop {
            // Acquire: pairs with the release in `grow`.
            let newest = self.chunks.load(Ordering::Acquire);
            let before = self.given_back(size);
            if let Some(object) = search() {
                return Ok(object);
            }
            if self.given_back(size) == before {
                self.grow(newest, size)?;
            }
        }
    }

    /// Returns how many objects of a size were given back so far. If the number is the same before and after a
    /// search, no object became free where the search had already been.
    fn given_back(&self, size: usize) -> usize {
        self.chunks()
            .filter(|(_, chunk)| chunk.size == size)
            // Acquire: pairs with the release in `free`: a later search finds the objects that were given back.
            .map(|(_, chunk)| chunk.given_back.load(Ordering::Acquire))
            .fold(0, usize::wrapping_add)
    }

    fn claim(&self, size: usize) -> Option<Object> {
        let mut fitting = self.chunks().filter(|(_, chunk)| chunk.size == size);
        fitting.find_map(|(at, chunk)| {
            Some(Object {
                base: chunk.base + chunk.claim()? * size,
                size,
                chunk: at,
                written: false,
            })
        })
    }

    /// Returns the object in use whose memory of index 0 is at `address`.
    pub(super) fn find(&self, base: usize, layout: Layout) -> Option<Object> {
        let size = size_class(layout);
        let of_it = |chunk: &Chunk| (chunk.base..chunk.base + CHUNK).contains(&base);
        self.chunks()
            .find(|(_, chunk)| chunk.size == size && of_it(chunk))
            .map(|(chunk, _)| Object {
                base,
                size,
                chunk,
                written: false,
            })
    }

    /// Adds a chunk for objects of `size` bytes, in front of the one that was the newest when the caller found no
    /// room. If another chunk is the newest by now, the caller must search that one first.
    #[cold]
    fn grow(&self, newest: *mut Chunk, size: usize) -> Result<(), AllocError> {
        // SAFETY: a published chunk lives as long as the allocator.
        let number = unsafe { newest.as_ref() }.map_or(0, |chunk| chunk.number);
        if number >= self.most {
            return Err(AllocError::Limit(self.most << SHIFT));
        }
        let area = Area::new(size_of::<Chunk>(), CHUNK)?;
        if self.fork == Fork::Wipe {
            area.wipe_on_fork()?;
        }
        let base = area.base().expose_provenance().get();
        let chunk = area.header().cast::<Chunk>().as_ptr();
        let objects = CHUNK / size;
        // SAFETY: the header is ours alone until it is published. It is zeroed, page-aligned and large enough,
        // and zeroes are a valid bit map.
        unsafe {
            (*chunk).next = newest;
            (*chunk).number = number + 1;
            (*chunk).base = base;
            (*chunk).size = size;
            *(*chunk).free.get_mut() = objects;
            for (word, bits) in (*chunk).used.iter_mut().enumerate() {
                let here = objects.saturating_sub(word * 64).min(64);
                *bits.get_mut() = if here == 64 { 0 } else { u64::MAX << here };
            }
        }
        // Release: a thread that sees the chunk sees its header, and the chunks behind it.
        let published =
            self.chunks
                .compare_exchange(newest, chunk, Ordering::Release, Ordering::Relaxed);
        if published.is_ok() {
            area.into_header();
        }
        Ok(())
    }

    /// Returns the chunks, the newest first.
    fn chunks(&self) -> impl Iterator<Item = (NonNull<Chunk>, &Chunk)> {
        // Acquire: pairs with the release in `grow`.
        let mut next = self.chunks.load(Ordering::Acquire);
        core::iter::from_fn(move || {
            let at = NonNull::new(next)?;
            // SAFETY: a published chunk lives as long as the allocator, which the list is part of.
            let chunk = unsafe { at.as_ref() };
            next = chunk.next;
            Some((at, chunk))
        })
    }
}

/// Returns how many bytes an object takes in the memory of each CPU.
fn size_class(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(1 << SMALLEST);
    size.checked_next_power_of_two().unwrap_or(usize::MAX)
}

impl Chunk {
    /// Takes a free object, and returns its number.
    ///
    /// The loads are acquires: if a thread finds an object taken, its next [`Allocator::given_back`] sees all
    /// objects that the taker had given back before.
    fn claim(&self) -> Option<usize> {
        if self.free.load(Ordering::Acquire) == 0 {
            return None;
        }
        for (word, bits) in self.used.iter().enumerate() {
            let mut seen = bits.load(Ordering::Acquire);
            while seen != u64::MAX {
                let bit = seen.trailing_ones() as usize;
                let taken = seen | 1 << bit;
                // Acquire: pairs with the release in `Object::free`: the object is zero again.
                // Release: see above.
                match bits.compare_exchange_weak(seen, taken, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => {
                        self.free.fetch_sub(1, Ordering::Release);
                        return Some(word * 64 + bit);
                    }
                    Err(other) => seen = other,
                }
            }
        }
        None
    }
}

impl Object {
    /// Returns the address of the object of an index.
    pub(super) fn at(&self, index: usize) -> usize {
        self.base + (index << SHIFT)
    }

    /// Makes the object zero again and gives it back.
    ///
    /// # Safety
    /// Nobody uses the object any more, and its allocator is alive.
    pub(super) unsafe fn free(self) {
        for index in 0..super::possible_cpus() {
            if self.written {
                let value = ptr::with_exposed_provenance_mut::<u8>(self.at(index));
                // SAFETY: within the object, which is the caller's alone.
                unsafe { value.write_bytes(0, self.size) };
                continue;
            }
            for word in (0..self.size).step_by(size_of::<u64>()) {
                let word = ptr::with_exposed_provenance_mut::<u64>(self.at(index) + word);
                // SAFETY: within the object, which is the caller's alone. It is zeroed memory, of which only
                // initialised fields were written. Only words that are not zero are written, so that pages that
                // nobody wrote to still take no memory.
                unsafe {
                    if *word != 0 {
                        *word = 0;
                    }
                }
            }
        }
        // SAFETY: the allocator is alive, so the chunk is.
        let chunk = unsafe { self.chunk.as_ref() };
        let bit = (self.base - chunk.base) / self.size;
        // Release: pairs with the next taker's acquire.
        chunk.used[bit / 64].fetch_and(!(1 << (bit % 64)), Ordering::Release);
        chunk.free.fetch_add(1, Ordering::Relaxed);
        // Release: pairs with `Allocator::given_back`.
        chunk.given_back.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Allocator {
    fn drop(&mut self) {
        let mut chunk = *self.chunks.get_mut();
        while let Some(at) = NonNull::new(chunk) {
            // SAFETY: all objects borrow the allocator, so they are gone, or leaked and never used again. The
            // header is that of an area of these sizes.
            unsafe {
                chunk = at.as_ref().next;
                drop(Area::from_header(at.cast(), size_of::<Chunk>(), CHUNK));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::PerCpu;
    use super::*;
    use std::vec::Vec;

    /// Fills a chunk, which is all that the limit allows.
    fn filled(memory: &Allocator) -> Vec<PerCpu<'_, [AtomicU64; 64]>> {
        let object = || PerCpu::zeroed(memory).unwrap();
        (0..CHUNK / 512).map(|_| object()).collect()
    }

    #[test]
    fn an_object_that_became_free_behind_a_search_is_found_by_the_next() {
        let memory = Allocator::with_limit(Fork::Keep, CHUNK);
        let mut objects = filled(&memory);
        let mut searches = 0;
        let found = memory.search_or_grow(512, || {
            searches += 1;
            if searches == 1 {
                // While we search the end, the first one is given back.
                drop(objects.swap_remove(0));
                return None;
            }
            memory.claim(512)
        });
        assert_eq!(found.map(|object| object.size), Ok(512));
        assert_eq!(searches, 2);
    }

    #[test]
    fn a_chunk_that_another_made_is_searched_before_anybody_is_refused() {
        let memory = Allocator::with_limit(Fork::Keep, CHUNK);
        let mut searches = 0;
        let found = memory.search_or_grow(512, || {
            searches += 1;
            if searches == 1 {
                // After our search, another thread makes the only chunk that there may be.
                memory.grow(ptr::null_mut(), 512).unwrap();
                return None;
            }
            memory.claim(512)
        });
        assert_eq!(found.map(|object| object.size), Ok(512));
        assert_eq!(memory.reserved(), CHUNK);
    }

    /// Bytes of address space that this process uses.
    #[cfg(all(target_os = "linux", not(miri)))]
    fn mapped() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = pages.split(' ').next().unwrap().parse().unwrap();
        pages * 4096 // At least.
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn a_chunk_that_came_too_late_is_unmapped() {
        const ROUNDS: usize = 20_000;
        let memory = Allocator::new(Fork::Keep);
        memory.grow(ptr::null_mut(), 512).unwrap();
        let before = mapped();
        for _ in 0..ROUNDS {
            // As one that found no chunk yet, when another had put the first there.
            memory.grow(ptr::null_mut(), 512).unwrap();
        }
        assert_eq!(memory.reserved(), CHUNK, "one chunk");
        // Other tests map much less meanwhile than all of these.
        let grown = mapped().saturating_sub(before);
        assert!(grown < ROUNDS * CHUNK, "{grown} bytes more");
    }

    #[test]
    fn a_full_allocator_refuses_after_one_search() {
        let memory = Allocator::with_limit(Fork::Keep, CHUNK);
        let _objects = filled(&memory);
        let mut searches = 0;
        let refused = memory.search_or_grow(512, || {
            searches += 1;
            memory.claim(512)
        });
        assert_eq!(
            refused.map(|object| object.size),
            Err(AllocError::Limit(CHUNK))
        );
        assert_eq!(searches, 1);
    }
}
