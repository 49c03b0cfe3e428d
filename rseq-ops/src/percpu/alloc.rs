//! Small per-CPU objects, many to a page.
//!
//! # Implementation
//! A *chunk* is an [`Area`] with a stride of 64 KiB: an object is at the same offset in each
//! CPU's stretch. Every chunk holds objects of one size, a power of two, and a bit map in its
//! header says which are in use; so an allocation is one compare-and-exchange, without a lock. Chunks
//! are never moved and never unmapped before the allocator goes.

use core::alloc::Layout;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use super::area::{Area, Error};

/// Bytes from one CPU's object to the next CPU's, as a power of two.
pub(super) const SHIFT: u32 = 16;
/// Bytes of a chunk for each CPU; no object is larger.
const CHUNK: usize = 1 << SHIFT;
/// Alignment of a chunk; no object is aligned more.
const ALIGNMENT: usize = 4096;
/// The smallest objects, as a power of two.
const SMALLEST: u32 = 3;
const CLASSES: usize = (SHIFT - SMALLEST + 1) as usize;
/// Words of a bit map for the smallest objects.
const WORDS: usize = CHUNK >> SMALLEST >> 6;

/// What a forked child finds in per-CPU memory.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use rseq_ops::percpu::{Allocator, Error, Fork, PerCpu};
///
/// let wiped = Allocator::new(Fork::Wipe);
/// assert_eq!(wiped.fork(), Fork::Wipe);
/// // What a fork wipes can only be what zeroes are a value of.
/// let refused = PerCpu::new(&wiped, |_| AtomicU64::new(1)).unwrap_err();
/// assert_eq!(refused, Error::Wiped);
/// assert!(matches!(PerCpu::<AtomicU64>::zeroed(&wiped), Ok(_) | Err(Error::CannotWipe(_))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// A copy of the parent's.
    Keep,
    /// Zeroes.
    Wipe,
}

/// The header of a chunk.
#[repr(C)]
struct Chunk {
    /// Set before the chunk is published.
    next: *mut Chunk,
    /// Address of the memory of index 0.
    base: usize,
    /// How many objects are free, give or take what happens now.
    free: AtomicUsize,
    used: [AtomicU64; WORDS],
}

/// Memory for per-CPU objects: one object is `size` bytes *for each possible CPU*.
///
/// Sizes are rounded up to a power of two of at least 8 bytes. The memory comes in chunks of
/// 64 KiB for each CPU, zeroed, and a page becomes real when its CPU first writes to it, on that
/// CPU's memory node (under the default memory policy). Objects never move. Objects of one CPU lie
/// side by side; objects of different CPUs never share a cache line.
///
/// No method takes a lock or uses the heap: all are async-signal-safe and work in a child of a
/// fork whatever other threads did at that moment.
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
    chunks: [AtomicPtr<Chunk>; CLASSES],
    /// How many chunks there are.
    count: AtomicUsize,
    /// How many there may be.
    most: usize,
    fork: Fork,
}

/// An object: where it lies for index 0, and where its bit is.
#[derive(Debug)]
pub(super) struct Object {
    base: usize,
    size: usize,
    chunk: NonNull<Chunk>,
}

impl Allocator {
    /// An allocator without memory yet, and without a limit.
    pub const fn new(fork: Fork) -> Self {
        Allocator {
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CLASSES],
            count: AtomicUsize::new(0),
            most: usize::MAX,
            fork,
        }
    }

    /// An allocator that takes at most `bytes` for each CPU (rounded down to whole chunks of
    /// 64 KiB).
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use rseq_ops::percpu::{Allocator, Error, Fork, PerCpu};
    ///
    /// let memory = Allocator::with_limit(Fork::Keep, 100_000);
    /// let words = PerCpu::<[AtomicU64; 100]>::zeroed(&memory).unwrap();
    /// assert_eq!(memory.reserved(), 64 << 10);
    /// // Other sizes need a chunk of their own.
    /// let refused = PerCpu::<AtomicU64>::zeroed(&memory).unwrap_err();
    /// assert_eq!(refused, Error::Limit(64 << 10));
    /// # drop(words);
    /// ```
    pub const fn with_limit(fork: Fork, bytes: usize) -> Self {
        let mut allocator = Allocator::new(fork);
        allocator.most = bytes >> SHIFT;
        allocator
    }

    /// The one that this crate's own structures use. Without a limit; a forked child keeps a copy.
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

    /// What a forked child finds.
    pub fn fork(&self) -> Fork {
        self.fork
    }

    /// How much address space is reserved for each CPU. Bytes. What was never written to takes no
    /// memory.
    pub fn reserved(&self) -> usize {
        self.count.load(Ordering::Relaxed) << SHIFT
    }

    pub(super) fn allocate(&self, layout: Layout) -> Result<Object, Error> {
        if layout.align() > ALIGNMENT {
            return Err(Error::Object {
                asked: layout.align(),
                most: ALIGNMENT,
            });
        }
        let size = size_class(layout);
        if size > CHUNK {
            return Err(Error::Object {
                asked: layout.size(),
                most: CHUNK,
            });
        }
        let list = &self.chunks[(size.ilog2() - SMALLEST) as usize];
        loop {
            let claimed = chunks(list).find_map(|(at, chunk)| {
                let bit = chunk.claim()?;
                Some(Object {
                    base: chunk.base + bit * size,
                    size,
                    chunk: at,
                })
            });
            match claimed {
                Some(object) => return Ok(object),
                None => self.grow(list, size)?,
            }
        }
    }

    /// The object in use whose memory of index 0 is at an address.
    pub(super) fn find(&self, base: usize, layout: Layout) -> Option<Object> {
        let size = size_class(layout);
        let list = &self.chunks[(size.ilog2() - SMALLEST) as usize];
        let of_it = |chunk: &Chunk| (chunk.base..chunk.base + CHUNK).contains(&base);
        chunks(list)
            .find(|(_, chunk)| of_it(chunk))
            .map(|(chunk, _)| Object { base, size, chunk })
    }

    /// One more chunk for objects of `size` bytes.
    #[cold]
    fn grow(&self, list: &AtomicPtr<Chunk>, size: usize) -> Result<(), Error> {
        let more = |count: usize| (count < self.most).then_some(count + 1);
        if self
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_err()
        {
            return Err(Error::Limit(self.most << SHIFT));
        }
        let area = Area::new(size_of::<Chunk>(), CHUNK).and_then(|area| match self.fork {
            Fork::Keep => Ok(area),
            Fork::Wipe => area.wipe_on_fork().map(|()| area),
        });
        let area = match area {
            Ok(area) => area,
            Err(error) => {
                self.count.fetch_sub(1, Ordering::Relaxed);
                return Err(error);
            }
        };
        let base = area.base().expose_provenance().get();
        let chunk = area.into_header().cast::<Chunk>().as_ptr();
        let objects = CHUNK / size;
        // SAFETY: the header is ours alone until it is published; it is zeroed, page-aligned and
        // large enough, and zeroes are a valid bit map.
        unsafe {
            (*chunk).base = base;
            *(*chunk).free.get_mut() = objects;
            for (word, bits) in (*chunk).used.iter_mut().enumerate() {
                let here = objects.saturating_sub(word * 64).min(64);
                *bits.get_mut() = if here == 64 { 0 } else { u64::MAX << here };
            }
        }
        let mut first = list.load(Ordering::Relaxed);
        loop {
            // SAFETY: as above.
            unsafe { (*chunk).next = first };
            // Release: who sees the chunk sees its header.
            match list.compare_exchange(first, chunk, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => first = other,
            }
        }
    }
}

/// Bytes that an object takes in the memory of each CPU.
fn size_class(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(1 << SMALLEST);
    size.checked_next_power_of_two().unwrap_or(usize::MAX)
}

/// The chunks of a list.
fn chunks(list: &AtomicPtr<Chunk>) -> impl Iterator<Item = (NonNull<Chunk>, &Chunk)> {
    // Acquire: pairs with the release in `grow`.
    let mut next = list.load(Ordering::Acquire);
    core::iter::from_fn(move || {
        let at = NonNull::new(next)?;
        // SAFETY: a published chunk lives as long as the allocator, which the list is part of.
        let chunk = unsafe { at.as_ref() };
        next = chunk.next;
        Some((at, chunk))
    })
}

impl Chunk {
    /// Takes a free object: its number.
    fn claim(&self) -> Option<usize> {
        if self.free.load(Ordering::Relaxed) == 0 {
            return None;
        }
        for (word, bits) in self.used.iter().enumerate() {
            let mut seen = bits.load(Ordering::Relaxed);
            while seen != u64::MAX {
                let bit = seen.trailing_ones() as usize;
                // Acquire: pairs with the release in `Object::free`: the object is zero again.
                match bits.compare_exchange_weak(
                    seen,
                    seen | 1 << bit,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        self.free.fetch_sub(1, Ordering::Relaxed);
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
    /// Address of the object of an index.
    pub(super) fn at(&self, index: usize) -> usize {
        self.base + (index << SHIFT)
    }

    /// Makes the object zero again and gives it back.
    ///
    /// # Safety
    /// Nobody uses it any more, and its allocator is alive.
    pub(super) unsafe fn free(self) {
        for index in 0..super::possible_cpus() {
            for word in (0..self.size).step_by(size_of::<u64>()) {
                let word = ptr::with_exposed_provenance_mut::<u64>(self.at(index) + word);
                // SAFETY: within the object, which is the caller's alone. Only what is not zero is
                // written, so that pages nobody wrote to stay unreal.
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
        chunk.used[bit / 64].fetch_and(!(1 << (bit % 64)), Ordering::Release);
        chunk.free.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Allocator {
    fn drop(&mut self) {
        for list in &mut self.chunks {
            let mut chunk = *list.get_mut();
            while let Some(at) = NonNull::new(chunk) {
                // SAFETY: all objects borrow the allocator, so they are gone, or leaked and never
                // used again; the header comes from such an area.
                unsafe {
                    chunk = at.as_ref().next;
                    drop(Area::from_header(at.cast(), size_of::<Chunk>(), CHUNK));
                }
            }
        }
    }
}
