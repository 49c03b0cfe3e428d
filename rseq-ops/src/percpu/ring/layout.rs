//! The layout of rings in memory.

use core::ptr;
use core::sync::atomic::AtomicUsize;

use crate::percpu::area::{AllocError, Area};
use crate::percpu::lock::Lock;

/// The number of rings for threads that cannot use sequences.
pub(super) const SHARED: usize = 4;
/// The number of parts of a ring.
pub(super) const PARTS: usize = 8;
/// Bytes before a record's payload.
pub(super) const HEAD: usize = 16;
/// The size of the smallest ring, in bytes.
pub(super) const SMALLEST: usize = 4096;
/// The size of the largest ring, in bytes.
pub(super) const LARGEST: usize = 64 << 20;

/// In a header: the record is being written. (The low 32 bits of a header are the record's size in bytes.)
pub(super) const BUSY: usize = 1 << 32;
/// In a header: padding, without a second word. Only the size counts.
pub(super) const PADDING: usize = 1 << 33;
/// In a header: a part begins here. The next word is the number of the part's first record.
pub(super) const START: usize = 1 << 34;
/// In a header: the record was reserved and then discarded.
pub(super) const UNWANTED: usize = 1 << 35;
/// In a header: the lowest bit of the payload's length in bytes, which takes all higher bits too.
pub(super) const PAYLOAD: u32 = 36;

/// The behaviour when a record finds its ring full.
///
/// ```
/// use rseq_ops::percpu::{Mode, Ring};
///
/// for mode in [Mode::Discard, Mode::Overwrite] {
///     let ring = Ring::new(mode, 4096).unwrap();
///     let kept = (0..1000).filter(|_| ring.write(b"a record").is_ok()).count();
///     assert_eq!(kept == 1000, mode == Mode::Overwrite);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The new record is dropped, and counted.
    Discard,
    /// The oldest records are overwritten. The consumer counts the records that it did not get.
    Overwrite,
}

/// The start of a ring. The ring's bytes follow.
#[repr(C, align(128))]
pub(super) struct Control {
    /// The end of what is reserved, as a position. Written by sequences on this ring's CPU, or under the lock
    /// in a shared ring.
    pub(super) reserved: AtomicUsize,
    pub(super) lock: Lock,
    pub(super) dropped: AtomicUsize,
    /// The consumer's words, in a cache line of their own. Only the consumer writes them.
    pub(super) reader: Reader,
}

#[repr(C, align(64))]
pub(super) struct Reader {
    /// The position up to which the consumer has read.
    pub(super) position: AtomicUsize,
    /// The number of the record at that position.
    pub(super) number: AtomicUsize,
    pub(super) consumed: AtomicUsize,
    pub(super) overwritten: AtomicUsize,
}

/// The memory of all rings.
pub(super) struct Rings {
    pub(super) area: Area,
    pub(super) mode: Mode,
    /// The size of a ring in bytes: a power of two.
    pub(super) size: usize,
    /// The size of a part in bytes.
    pub(super) part: usize,
    pub(super) clock: fn() -> u64,
}

impl Rings {
    pub(super) fn new(mode: Mode, size: usize, clock: fn() -> u64) -> Result<Self, AllocError> {
        if size > LARGEST {
            return Err(AllocError::Object {
                asked: size,
                most: LARGEST,
            });
        }
        let size = size.max(SMALLEST).next_power_of_two();
        let stride = (size + size_of::<Control>()).next_power_of_two();
        Ok(Rings {
            // The area's header holds the shared rings, and the consumer's copy of a record.
            area: Area::new((SHARED + 1) * stride, stride)?,
            mode,
            size,
            part: size / PARTS,
            clock,
        })
    }

    /// Returns the number of rings.
    pub(super) fn count(&self) -> usize {
        self.area.cpus() + SHARED
    }

    pub(super) fn control(&self, ring: usize) -> &Control {
        let cpus = self.area.cpus();
        let (start, n) = if ring < cpus {
            (self.area.base(), ring)
        } else {
            (self.area.header(), ring - cpus)
        };
        // SAFETY: within the area, which lives as long as `self`. Zeroed memory is a valid `Control`, and all
        // of its words are atomics.
        unsafe { start.add(n * self.area.stride()).cast().as_ref() }
    }

    /// Returns the address of the word at `position` of the ring that begins with `control`.
    pub(super) fn at(&self, control: &Control, position: usize) -> *mut usize {
        let bytes = ptr::from_ref(control).expose_provenance() + size_of::<Control>();
        ptr::with_exposed_provenance_mut(bytes + (position & (self.size - 1)))
    }
}

/// Returns the size in bytes of a record with a payload of `length` bytes.
#[inline]
pub(super) fn whole(length: usize) -> usize {
    HEAD + length.next_multiple_of(size_of::<usize>())
}

/// Returns the header that a record with a payload of `length` bytes has while it is being written.
#[inline]
pub(super) fn busy_header(length: usize) -> usize {
    BUSY | whole(length) | length << PAYLOAD
}

/// Returns a reference to a word of a ring.
///
/// # Safety
/// `at` is an aligned word of a ring that is alive during `'a`.
#[inline(always)]
pub(super) unsafe fn word<'a>(at: *mut usize) -> &'a AtomicUsize {
    // SAFETY: the caller promises an aligned word that stays alive. All accesses to it are atomic, or are made
    // by sequences while nobody reads it.
    unsafe { AtomicUsize::from_ptr(at) }
}
