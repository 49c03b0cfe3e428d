//! What rings look like in memory.

use core::ptr;
use core::sync::atomic::AtomicUsize;

use crate::percpu::area::{AllocError, Area};
use crate::percpu::lock::Lock;

/// Rings for threads that cannot use sequences.
pub(super) const SHARED: usize = 4;
/// Parts of a ring.
pub(super) const PARTS: usize = 8;
/// Bytes before a record's payload.
pub(super) const HEAD: usize = 16;
/// The smallest ring. Bytes.
pub(super) const SMALLEST: usize = 4096;
/// The largest ring. Bytes.
pub(super) const LARGEST: usize = 64 << 20;

/// In a header: being written. The low 32 bits are the bytes of the record.
pub(super) const BUSY: usize = 1 << 32;
/// In a header: nothing but a distance.
pub(super) const PADDING: usize = 1 << 33;
/// In a header: a part begins; the next word is the number of its first record.
pub(super) const START: usize = 1 << 34;
/// In a header: a record that was reserved and not wanted.
pub(super) const UNWANTED: usize = 1 << 35;
/// In a header: where the bytes of the payload are, from here up.
pub(super) const PAYLOAD: u32 = 36;

/// The fate of records that find the ring full.
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
    /// The new one is dropped, and counted.
    Discard,
    /// The oldest ones are overwritten; the consumer counts those it did not get.
    Overwrite,
}

/// The start of a ring; its bytes come after.
#[repr(C, align(128))]
pub(super) struct Control {
    /// Position of the end of what is reserved. Written by sequences on this ring's CPU (or under
    /// the lock, for the shared rings).
    pub(super) reserved: AtomicUsize,
    pub(super) lock: Lock,
    pub(super) dropped: AtomicUsize,
    /// The consumer's, which alone writes them: a cache line of its own.
    pub(super) reader: Reader,
}

#[repr(C, align(64))]
pub(super) struct Reader {
    /// Position up to which the consumer has what it wants.
    pub(super) position: AtomicUsize,
    /// The number of the record there.
    pub(super) number: AtomicUsize,
    pub(super) consumed: AtomicUsize,
    pub(super) overwritten: AtomicUsize,
}

/// The memory of all rings.
pub(super) struct Rings {
    pub(super) area: Area,
    pub(super) mode: Mode,
    /// Bytes of a ring, a power of two.
    pub(super) size: usize,
    /// Bytes of a part.
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
            // In the header: the shared rings, and the consumer's copy of a record.
            area: Area::new((SHARED + 1) * stride, stride)?,
            mode,
            size,
            part: size / PARTS,
            clock,
        })
    }

    /// Returns how many there are.
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
        // SAFETY: within the area, which lives as long as `self`; zeroes are a valid ring, and all
        // of its words are atomics.
        unsafe { start.add(n * self.area.stride()).cast().as_ref() }
    }

    /// Returns the address of a position.
    pub(super) fn at(&self, control: &Control, position: usize) -> *mut usize {
        let bytes = ptr::from_ref(control).expose_provenance() + size_of::<Control>();
        ptr::with_exposed_provenance_mut(bytes + (position & (self.size - 1)))
    }
}

/// Bytes of a record with a payload of `length`.
#[inline]
pub(super) fn whole(length: usize) -> usize {
    HEAD + length.next_multiple_of(size_of::<usize>())
}

/// Returns the header of such a record while it is written.
#[inline]
pub(super) fn busy_header(length: usize) -> usize {
    BUSY | whole(length) | length << PAYLOAD
}

/// # Safety
/// `at` is an aligned word of a ring that is alive during 'a.
#[inline(always)]
pub(super) unsafe fn word<'a>(at: *mut usize) -> &'a AtomicUsize {
    // SAFETY: the caller promises an aligned word that lives. All accesses to it are atomic, or by
    // sequences while nobody reads.
    unsafe { AtomicUsize::from_ptr(at) }
}
