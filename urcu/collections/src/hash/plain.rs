//! Which entries lie in the buckets themselves: those of small types of which everything is known.
//!
//! A pair in a bucket is found in one line, and takes no allocation. But it has no room for its hash, which a
//! resize needs again, under locks, where nothing of the program's own may run; keys have to be compared there
//! too; and pairs are copied, which those must not be that can be changed through a shared reference. None of
//! that can be asked of a generic type. So it is done for the types in these lists, and for no others.

use core::hash::{BuildHasher, Hash};
use core::mem::offset_of;
use core::net::Ipv4Addr;
use core::num::{NonZeroI32, NonZeroI64, NonZeroU32, NonZeroU64, NonZeroUsize};
use core::ptr;

use super::kind::Kind;
use super::pair::Pair;

/// Calls a macro with the types of keys that are equal if and only if their bytes are, and have 4 or 8.
macro_rules! with_small_keys {
    ($call:ident) => {
        $call! {
            u64, u32, usize, i64, i32, isize, char, Ipv4Addr,
            NonZeroU64, NonZeroU32, NonZeroUsize, NonZeroI64, NonZeroI32,
            [u8; 8], [u8; 4], [u16; 4], [u16; 2], [u32; 2],
        }
    };
}

/// Calls a macro with hashers whose hashes of such keys are always the same, and which do nothing else.
macro_rules! with_hashers {
    ($call:ident) => {
        $call! {
            foldhash::fast::RandomState, foldhash::fast::FixedState,
            foldhash::quality::RandomState, foldhash::quality::FixedState,
            std::hash::RandomState,
        }
    };
}

/// Whether a type is one of some. Decided when the program is compiled.
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

/// Without padding, and without anything in it that could be changed.
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

/// Returns how the entries of such a map lie. A constant, after inlining.
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

/// Returns the words of a pair, as they lie in a bucket: what is behind the first word of an entry.
#[inline(always)]
pub(super) fn words<K, V>(key: &K, value: &V) -> [u64; 2] {
    let mut words = [0u64; 2];
    let at = offset_of!(Pair<K, V>, value) - 8;
    assert!(offset_of!(Pair<K, V>, key) == 8 && size_of::<K>() <= 8 && at + size_of::<V>() <= 16);
    // SAFETY: both lie within the words, as just asserted, and have no padding, by the lists above.
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

/// Returns the hash of a key, both of whose types are in the lists: what `BuildHasher::hash_one` returns.
pub(super) fn rehash<K, S>(hasher: &S, key: &K) -> u64 {
    macro_rules! with_each {
        ($($one:ty),+ $(,)?) => {
            $(if typeid::of::<S>() == typeid::of::<$one>() {
                // SAFETY: it is of this type.
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
                // SAFETY: it is of this type.
                return hash(hasher, unsafe { &*ptr::from_ref(key).cast::<$one>() });
            })+
        };
    }
    with_small_keys!(each);
    unreachable!("a key of the list")
}
