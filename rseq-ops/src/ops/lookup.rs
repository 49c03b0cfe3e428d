//! A whole lookup in a hash table, as one sequence.

use core::ptr;

use crate::arch;
use crate::handle::Handle;
use crate::lookup::Answer;

pub use crate::lookup::{Lookup, Place};

/// Returns whether [`lookup`] can look for such keys and copy such values: keys of 4, 8 or 16 bytes,
/// values of 1, 2, 4, 8 or 16.
///
/// ```
/// use rseq_ops::ops::can_look_up;
///
/// const { assert!(can_look_up::<u64, u32>() && can_look_up::<[u8; 16], *const str>()) };
/// assert!(!can_look_up::<String, u64>());
/// ```
pub const fn can_look_up<K, V>() -> bool {
    matches!(size_of::<K>(), 4 | 8 | 16) && matches!(size_of::<V>(), 1 | 2 | 4 | 8 | 16)
}

/// Looks a key up in a hash table and copies its value, in one sequence: a read-side section without a
/// guard and without a counter.
///
/// `value` is written if the answer is [`Lookup::Found`], and else not. After [`Lookup::Inconclusive`]
/// and, some attempts later, [`Lookup::Aborted`], the caller takes a guard and looks for itself.
///
/// # What a table looks like
/// All distances are in bytes; every word has 8 and is little-endian.
///
/// | | at | |
/// |---|---|---|
/// | table | 0 | (number of buckets - 1) x 64; the number is a power of two |
/// | | 64 | the first bucket. That of a hash is `(hash << 6) & mask` bytes further on |
/// | bucket | 0 | header: bit 1 is set if the bucket has moved to another table; byte 2 + n is the tag of slot n, 0 if that is empty |
/// | | 8 + 8n | slot n, of six: the address of an entry, or 0 |
/// | | 56 | the address of an overflow bucket, or 0 |
/// | entry | 8 | key |
/// | | [`Place::offset`] | value |
///
/// A tag is the highest byte of the hash, or 2 if that is less. It is stored before the entry's address
/// is, and cleared after it.
///
/// # Ordering
/// Loads of the root and of the header are acquires. An entry, its key and its value are found by
/// addresses that were loaded: whoever stored them with release has filled them before.
///
/// # Safety
/// * `handle` is as for [`copy_through`](super::copy_through): this thread's or this process's. Its
///   bound does not matter.
/// * [`can_look_up`] says yes, or the answer is [`Lookup::Inconclusive`]. Two keys are equal if their bytes are, so they have no padding.
/// * `place.root` is valid for reads and points to a table as above. Buckets are aligned to 64 bytes,
///   entries to 8. `place.offset` is where a `V` is in each entry, aligned or not. Entries do not
///   change after their address was stored.
/// * A table, an overflow bucket and an entry stay valid until nothing leads to them any more
///   **and** [`crate::membarrier::restart`] has returned since.
/// * `value` is valid for a write of a `V`, which may be copied byte by byte.
///
/// # Cost
/// A lookup that finds its key touches two cache lines: bucket and entry. Some 25 instructions, none
/// of them atomic.
///
/// # Async-signal safety
/// Async-signal-safe.
///
/// ```
/// use std::mem::MaybeUninit;
/// use rseq_ops::ops::{self, Lookup, Place};
///
/// #[repr(C)]
/// struct Entry { hash: u64, key: u64, value: u32 }
/// #[repr(C, align(64))]
/// struct Table { mask: usize, _rest: [usize; 7], header: u64, slots: [*const Entry; 6], next: usize }
///
/// let hash = 0x7700_0000_0000_0000;
/// let entry = Entry { hash, key: 1234, value: 5 };
/// let table = Table {
///     mask: 0, // One bucket.
///     _rest: [0; 7],
///     header: 0x77 << 16,
///     slots: [&entry, ptr::null(), ptr::null(), ptr::null(), ptr::null(), ptr::null()],
///     next: 0,
/// };
/// # use std::ptr;
/// let root = (&raw const table).cast::<u8>();
/// let place = Place { root: &root, hash, offset: std::mem::offset_of!(Entry, value) };
/// if let Some(handle) = rseq_ops::current_thread() {
///     let mut value = MaybeUninit::<u32>::uninit();
///     // SAFETY: this thread's handle; a table as described, which nobody changes.
///     let mut look = |key: u64| ops::retry(|| unsafe {
///         ops::lookup(handle, &place, &key, value.as_mut_ptr())
///     });
///     assert!(matches!(look(4321), Lookup::Missing | Lookup::Aborted));
///     if look(1234) == Lookup::Found {
///         // SAFETY: found.
///         assert_eq!(unsafe { value.assume_init() }, 5);
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn lookup<K, V>(handle: Handle, place: &Place, key: &K, value: *mut V) -> Lookup {
    // Not an assertion: generic callers cannot keep the compiler from looking at this.
    if !const { can_look_up::<K, V>() } {
        return Lookup::Inconclusive;
    }
    // SAFETY: a key of one of these sizes, without padding.
    let key = unsafe { words(key) };
    // SAFETY: the caller promises the handle and a table as described, in which keys and values have
    // these sizes.
    let answer = unsafe { arch::lookup(handle, place, key, size_of::<K>(), size_of::<V>()) };
    // SAFETY: `value` is valid for a write, and such a value was copied.
    unsafe { take(answer, value) }
}

/// Returns whether [`lookup_inline`] can look for such keys and copy such values: keys of 4 or 8 bytes,
/// values of 1, 2, 4 or 8.
///
/// ```
/// use rseq_ops::ops::can_look_up_inline;
///
/// const { assert!(can_look_up_inline::<u64, u32>()) };
/// assert!(!can_look_up_inline::<[u8; 16], u64>());
/// ```
pub const fn can_look_up_inline<K, V>() -> bool {
    matches!(size_of::<K>(), 4 | 8) && matches!(size_of::<V>(), 1 | 2 | 4 | 8)
}

/// Does what [`lookup`] does in a table whose pairs lie in the buckets.
///
/// # What a table looks like
/// As that of [`lookup`], but for the buckets:
///
/// | | at | |
/// |---|---|---|
/// | table | 0 | (number of buckets - 1) x 128; the number is a power of two |
/// | | 64 | the first bucket, aligned to 128. That of a hash is `(hash << 7) & mask` bytes further on |
/// | bucket | 0 | header: bit 1 is set if the bucket has moved to another table; byte 2 + n is the tag of slot n, of six, or 0 |
/// | | 8 | the address of the first entry that found no room, or 0 |
/// | | 8 + 16n | the entry of slot n, but for its first word, which is another's: key and value lie in 16 bytes from 16 + 16n on |
/// | entry | 0 | the address of the next entry that found no room, or 0 |
/// | | 8 | key |
/// | | [`Place::offset`] | value |
///
/// A tag is the highest byte of the hash, or 2 if that is less. Where there is one, the slot does not change.
///
/// # Safety
/// As for [`lookup`], with [`can_look_up_inline`]. Besides:
/// * A slot whose tag was stored does not change before the tag is cleared **and**
///   [`crate::membarrier::restart`] has returned since.
/// * An entry that found no room is linked with all that is in it, and does not change as long as it is
///   linked, nor until a restart after it; but for its first word. A pair that is moved from a slot to the
///   list is linked before its tag is cleared; and none is moved from the list to a slot.
///
/// # Cost
/// One cache line for an entry in the first three slots, or for none; two for one in the others.
///
/// # Async-signal safety
/// Async-signal-safe.
///
/// ```
/// use std::mem::MaybeUninit;
/// use rseq_ops::ops::{self, Lookup, Place};
///
/// #[repr(C, align(128))]
/// struct Table {
///     _before: [u64; 8],
///     mask: usize,
///     _rest: [usize; 7],
///     header: u64,
///     list: usize,
///     slots: [[u64; 2]; 6],
///     _stamps: [u64; 2],
/// }
///
/// let hash = 0x7700_0000_0000_0000;
/// let table = Table {
///     _before: [0; 8],
///     mask: 0, // One bucket.
///     _rest: [0; 7],
///     header: 0x77 << 24,
///     list: 0,
///     slots: [[0, 0], [1234, 5], [0, 0], [0, 0], [0, 0], [0, 0]],
///     _stamps: [0; 2],
/// };
/// let root = (&raw const table).cast::<u8>().wrapping_add(64);
/// let place = Place { root: &root, hash, offset: 16 };
/// if let Some(handle) = rseq_ops::current_thread() {
///     let mut value = MaybeUninit::<u64>::uninit();
///     // SAFETY: this thread's handle; a table as described, which nobody changes.
///     let found = ops::retry(|| unsafe {
///         ops::lookup_inline(handle, &place, &1234u64, value.as_mut_ptr())
///     });
///     if found == Lookup::Found {
///         // SAFETY: found.
///         assert_eq!(unsafe { value.assume_init() }, 5);
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn lookup_inline<K, V>(handle: Handle, place: &Place, key: &K, value: *mut V) -> Lookup {
    if !const { can_look_up_inline::<K, V>() } {
        return Lookup::Inconclusive;
    }
    // SAFETY: a key of one of these sizes, without padding.
    let [key, _] = unsafe { words(key) };
    // SAFETY: the caller promises the handle and a table as described, in which keys and values have
    // these sizes.
    let answer = unsafe { arch::lookup_inline(handle, place, key, size_of::<K>(), size_of::<V>()) };
    // SAFETY: `value` is valid for a write, and such a value was copied.
    unsafe { take(answer, value) }
}

/// Returns the bytes of a key.
///
/// # Safety
/// It has 4, 8 or 16, and no padding.
#[inline(always)]
unsafe fn words<K>(key: &K) -> [u64; 2] {
    let key = ptr::from_ref(key);
    // SAFETY: reads as many bytes as a key has.
    unsafe {
        match size_of::<K>() {
            4 => [u64::from(key.cast::<u32>().read_unaligned()), 0],
            8 => [key.cast::<u64>().read_unaligned(), 0],
            _ => key.cast::<[u64; 2]>().read_unaligned(),
        }
    }
}

/// Writes the value, if the sequence has copied one.
///
/// # Safety
/// The answer is about such values, of 1, 2, 4, 8 or 16 bytes, and `value` is valid for a write.
#[inline(always)]
unsafe fn take<V>(answer: Answer, value: *mut V) -> Lookup {
    let lookup = answer.lookup();
    if lookup == Lookup::Found {
        let [low, high] = answer.value;
        // SAFETY: `value` is valid for a write of its size. Processors with sequences are little-endian.
        unsafe {
            match size_of::<V>() {
                1 => value.cast::<u8>().write_unaligned(low.addr() as u8),
                2 => value.cast::<u16>().write_unaligned(low.addr() as u16),
                4 => value.cast::<u32>().write_unaligned(low.addr() as u32),
                8 => value.cast::<*mut ()>().write_unaligned(low),
                _ => value.cast::<[*mut (); 2]>().write_unaligned([low, high]),
            }
        }
    }
    lookup
}
