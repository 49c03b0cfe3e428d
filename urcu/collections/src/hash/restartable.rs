//! Lookups that are one restartable sequence: no guard, no counter.
//!
//! The sequence ([`rseq_ops::ops::lookup`]) walks from the root to the entry and copies the value. If it meets a
//! bucket that was moved or has overflowed, or is interrupted again and again, the map takes a guard instead. The
//! sequence compares keys byte by byte, so it is used only for key types whose `Eq` is known to do the same.

use core::hash::{BuildHasher, Hash};
use core::mem::{MaybeUninit, offset_of};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::num::{NonZeroI32, NonZeroI64, NonZeroU32, NonZeroU64, NonZeroUsize};
use core::ptr;

use rseq_ops::ops::{Lookup, Place, can_look_up, can_look_up_inline, lookup, lookup_inline};
use urcu::InDomain;

use super::map::HashMap;
use super::pair::Pair;
use super::plain::kind;

/// The number of attempts.
const ATTEMPTS: u32 = 4;

/// Returns whether `Q` is `K`, and keys of this type are equal if and only if their bytes are.
#[inline(always)]
fn is_bytewise<K, Q: ?Sized>() -> bool {
    macro_rules! any_of {
        ($($type:ty),+ $(,)?) => {
            $(typeid::of::<K>() == typeid::of::<$type>())||+
        };
    }
    typeid::of::<K>() == typeid::of::<Q>()
        && any_of!(
            u32,
            i32,
            char,
            NonZeroU32,
            NonZeroI32,
            [u8; 4],
            [u16; 2],
            Ipv4Addr, //
            u64,
            i64,
            usize,
            isize,
            NonZeroU64,
            NonZeroI64,
            NonZeroUsize,
            [u8; 8],
            [u16; 4],
            [u32; 2],
            [u8; 16],
            [u16; 8],
            [u32; 4],
            [u64; 2],
            Ipv6Addr,
        )
}

/// Returns the key, if a sequence can look up keys and values of these types. Everything but the cast is decided at
/// compile time.
#[inline(always)]
pub(super) fn sequence_key<K, V, S, Q: ?Sized>(key: &Q) -> Option<&K> {
    let has_size = if kind::<K, V, S>().is_inline() {
        can_look_up_inline::<K, V>()
    } else {
        can_look_up::<K, V>()
    };
    let fits = has_size && offset_of!(Pair<K, V>, key) == 8;
    // SAFETY: the types are the same.
    (fits && is_bytewise::<K, Q>()).then(|| unsafe { &*ptr::from_ref(key).cast::<K>() })
}

impl<K, V, S, D> HashMap<K, V, S, D>
where
    K: Hash + Eq,
    V: Copy,
    S: BuildHasher,
    D: InDomain,
{
    /// Looks a key up by a sequence. Returns `None` if that is not possible and the caller has to take a guard.
    ///
    /// The key is from [`sequence_key`].
    #[inline(always)]
    pub(super) fn look_up(&self, key: &K) -> Option<Option<V>> {
        let handle = self.domain.domain().read_sequences()?;
        let place = Place {
            root: self.raw.root_word().cast(),
            hash: self.hash(key),
            offset: offset_of!(Pair<K, V>, value),
        };
        let mut value = MaybeUninit::<V>::uninit();
        for _ in 0..ATTEMPTS {
            // SAFETY: the handle belongs to this process. The root leads to tables as described, and the key has no
            // padding (`sequence_key`). An unlinked entry is freed, or its slot filled again, after a grace period
            // of the domain whose handle this is, or by a caller with exclusive access, which `&self` excludes. The
            // value is `Copy`, so its bytes do not change.
            let answer = unsafe {
                if kind::<K, V, S>().is_inline() {
                    lookup_inline(handle, &place, key, value.as_mut_ptr())
                } else {
                    lookup(handle, &place, key, value.as_mut_ptr())
                }
            };
            match answer {
                // SAFETY: all bytes were copied from a valid value.
                Lookup::Found => return Some(Some(unsafe { value.assume_init() })),
                Lookup::Missing => return Some(None),
                Lookup::Inconclusive => return None,
                Lookup::Aborted => {}
            }
        }
        None
    }
}
