//! Which entries lie in the buckets themselves: those of small, well-known types.
//!
//! A pair in a bucket is found in one cache line and needs no allocation. But there is no room for its hash, which
//! a resize has to compute again. That happens under locks, where user code must not run, and keys are compared
//! there, too. Also, pairs are copied, so their types must not have interior mutability. No trait bound expresses
//! all of this. So only the types in these lists are stored in buckets.

use core::hash::{BuildHasher, Hash};
use core::mem::offset_of;
use core::net::Ipv4Addr;
use core::num::{NonZeroI32, NonZeroI64, NonZeroU32, NonZeroU64, NonZeroUsize};
use core::ptr;

use super::kind::Kind;
use super::pair::Pair;

/// Calls a macro with the types of keys that have 4 or 8 bytes and are equal if and only if their bytes are.
macro_rules! with_small_keys {
    ($call:ident) => {
        $call! {
            u64, u32, usize, i64, i32, isize, char, Ipv4Addr,
            NonZeroU64, NonZeroU32, NonZeroUsize, NonZeroI64, NonZeroI32,
            [u8; 8], [u8; 4], [u16; 4], [u16; 2], [u32; 2],
        }
    };
}

/// Calls a macro with the hashers that always return the same hash for such a key, and have no side effects.
macro_rules! with_hashers {
    ($call:ident) => {
        $call! {
            foldhash::fast::RandomState, foldhash::fast::FixedState,
            foldhash::quality::RandomState, foldhash::quality::FixedState,
            std::hash::RandomState,
        }
    };
}

/// Returns whether a type is one of a list, at compile time.
macro_rules! is_any {
    ($type:ident: $($one:ty),+ $(,)?) => {
        $(typeid::of::<$type>() == typeid::of::<$one>())||+
    };
}

#[inline(always)]
pub(super) fn is_small_key<K>() -> bool {
    macro_rules! is_one { ($($one:tt)+) => { is_any!(K: $($one)+) }; }
    with_small_keys!(is_one)
}

/// Returns whether values of a type have no padding and no interior mutability.
#[inline(always)]
fn is_small_value<V>() -> bool {
    macro_rules! is_one { ($($one:tt)+) => { is_any!(V: $($one)+) }; }
    with_small_keys!(is_one)
        || is_any!(V: (), bool, u8, i8, u16, i16, f32, f64, [u8; 1], [u8; 2], [u8; 3], [u8; 5], [u8; 6], [u8; 7])
}

#[inline(always)]
fn is_known_hasher<S>() -> bool {
    macro_rules! is_one { ($($one:tt)+) => { is_any!(S: $($one)+) }; }
    with_hashers!(is_one)
}

/// Returns the layout of a map's entries. This is a constant after inlining.
#[inline(always)]
pub(super) fn kind<K, V, S>() -> Kind {
    if is_small_key::<K>() && is_small_value::<V>() && is_known_hasher::<S>() {
        let mut bytes = [0; 8];
        let mut byte = 0;
        while byte < size_of::<K>() {
            bytes[byte] = 0xff;
            byte += 1;
        }
        Kind::inline(u64::from_ne_bytes(bytes))
    } else {
        Kind::APART
    }
}

/// Returns the words of a pair as they are stored in a bucket: what an entry has behind its first word.
#[inline(always)]
pub(super) fn words<K, V>(key: &K, value: &V) -> [u64; 2] {
    let mut words = [0u64; 2];
    let at = offset_of!(Pair<K, V>, value) - 8;
    assert!(offset_of!(Pair<K, V>, key) == 8 && size_of::<K>() <= 8 && at + size_of::<V>() <= 16);
    // SAFETY: key and value fit into the words, as just asserted, and have no padding, by the lists above.
    unsafe {
        let start = words.as_mut_ptr().cast::<u8>();
        start.cast::<K>().copy_from_nonoverlapping(key, 1);
        let value = ptr::from_ref(value).cast::<u8>();
        start
            .add(at)
            .copy_from_nonoverlapping(value, size_of::<V>());
    }
    words
}

/// Returns what `BuildHasher::hash_one` returns for a key. The types of the hasher and the key are in the lists
/// above.
pub(super) fn rehash<K, S>(hasher: &S, key: &K) -> u64 {
    macro_rules! with_each {
        ($($one:ty),+ $(,)?) => {
            $(if typeid::of::<S>() == typeid::of::<$one>() {
                // SAFETY: the value has this type.
                return hash_with(unsafe { &*ptr::from_ref(hasher).cast::<$one>() }, key);
            })+
        };
    }
    with_hashers!(with_each);
    unreachable!("a hasher of the list")
}

fn hash_with<K, S: BuildHasher>(hasher: &S, key: &K) -> u64 {
    fn hash<K: Hash, S: BuildHasher>(hasher: &S, key: &K) -> u64 {
        hasher.hash_one(key)
    }
    macro_rules! each {
        ($($one:ty),+ $(,)?) => {
            $(if typeid::of::<K>() == typeid::of::<$one>() {
                // SAFETY: the value has this type.
                return hash(hasher, unsafe { &*ptr::from_ref(key).cast::<$one>() });
            })+
        };
    }
    with_small_keys!(each);
    unreachable!("a key of the list")
}
