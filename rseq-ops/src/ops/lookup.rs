//! Lookups in hash tables, each one sequence.

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
/// `value` is written only if the answer is [`Lookup::Found`]. After [`Lookup::Inconclusive`], or after
/// several attempts that end in [`Lookup::Aborted`], the caller should take a guard and search by itself.
///
/// # What a table looks like
/// All distances are in bytes. Every word has 8 bytes and is little-endian.
///
/// | | at | |
/// |---|---|---|
/// | table | 0 | (number of buckets - 1) x 64; the number is a power of two |
/// | | 64 | the first bucket; the bucket of a hash is `(hash << 6) & mask` bytes further on, where `mask` is the word at 0 |
/// | bucket | 0 | header: bit 1 is set if the bucket has moved to another table; byte 2 + n is the tag of slot n, or 0 if the slot is empty |
/// | | 8 + 8n | slot n, of six: the address of an entry, or 0 |
/// | | 56 | the address of an overflow bucket, or 0 |
/// | entry | 8 | key |
/// | | [`Place::offset`] | value |
///
/// A tag is the highest byte of the hash, or 2 if that byte is less than 2. A tag is stored before the
/// address of its entry is stored, and cleared after that address is cleared.
///
/// # Ordering
/// Loads of the root and of the header are acquires. The sequence reaches an entry through an address that
/// it has loaded. So an entry that is filled before its address is stored with release is seen as filled.
///
/// # Safety
/// * `handle` is this thread's or this process's, as for [`copy_through`](super::copy_through). Its
///   bound does not matter.
/// * Keys are compared byte by byte, so they have no padding, and equal keys have equal bytes. (For types
///   that [`can_look_up`] does not allow, the answer is always [`Lookup::Inconclusive`].)
/// * `place.root` is valid for reads and points to a table as above. Buckets are aligned to 64 bytes and
///   entries to 8. Each entry has a `V` at `place.offset`, aligned or not. An entry does not change after
///   its address has been stored.
/// * A table, an overflow bucket and an entry stay valid until nothing leads to them any more
///   **and** [`crate::membarrier::restart`] has been called and has returned after that.
/// * `value` is valid for a write of a `V`, which may be copied byte by byte.
///
/// # Cost
/// A lookup that finds its key touches two cache lines: the bucket's and the entry's. It takes some 25
/// instructions, none of them atomic.
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
///         // SAFETY: the lookup found the key, so it has written the value.
///         assert_eq!(unsafe { value.assume_init() }, 5);
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn lookup<K, V>(handle: Handle, place: &Place, key: &K, value: *mut V) -> Lookup {
    // Not a `const` assertion: in generic callers this is compiled for types that never come here.
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

/// Does what [`lookup`] does, in a table whose buckets hold the pairs themselves.
///
/// # What a table looks like
/// Like the table of [`lookup`], except for the buckets:
///
/// | | at | |
/// |---|---|---|
/// | table | 0 | (number of buckets - 1) x 128; the number is a power of two |
/// | | 64 | the first bucket, aligned to 128; the bucket of a hash is `(hash << 7) & mask` bytes further on, where `mask` is the word at 0 |
/// | bucket | 0 | header: bit 1 is set if the bucket has moved to another table; byte 2 + n is the tag of slot n, of six, or 0 if the slot is empty |
/// | | 8 | the address of the bucket's first overflow entry, or 0 |
/// | | 16 + 16n | slot n: the key, and then the value as an entry that begins at 8 + 16n would have it. Both lie in these 16 bytes |
/// | entry | 0 | the address of the next overflow entry, or 0 |
/// | | 8 | key |
/// | | [`Place::offset`] | value |
///
/// A tag is the highest byte of the hash, or 2 if that byte is less than 2. A slot that has a tag does not
/// change.
///
/// # Safety
/// The requirements of [`lookup`], with [`can_look_up_inline`] in the place of
/// [`can_look_up`]. In addition:
/// * A slot whose tag has been stored does not change until the tag is cleared **and**
///   [`crate::membarrier::restart`] has been called and has returned after that.
/// * An overflow entry is filled before it is linked. Apart from its first word, it does not change while it
///   is linked, nor after that until a restart has returned.
/// * A pair that moves from a slot to the list is linked there before its tag is cleared. No pair moves from
///   the list to a slot.
///
/// # Cost
/// One cache line if the key is in one of the first three slots, or missing; two if it is in one
/// of the other slots.
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
///         // SAFETY: the lookup found the key, so it has written the value.
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
/// A key has 4, 8 or 16 bytes, and no padding.
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
/// The answer is that of a lookup of such values, of 1, 2, 4, 8 or 16 bytes, and `value` is valid for a write.
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
