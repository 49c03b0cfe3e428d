//! Digests: eight bytes of a key that nodes store, in the same order as the keys.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ptr;

/// The digest of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    /// A lesser digest means a lesser key. For equal digests the keys have to be compared.
    Prefix(u64),
    /// Digests are in the same order as the keys, and equal if and only if the keys are.
    Exact(u64),
}

impl Digest {
    pub(super) fn bits(self) -> u64 {
        match self {
            Digest::Prefix(bits) | Digest::Exact(bits) => bits,
        }
    }
}

fn of_bytes(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = bytes.len().min(8);
    first[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(first)
}

/// Returns the digest of a key, if the order of its type is known. Only the value is computed at run time.
#[inline(always)]
pub(super) fn digest<Q: ?Sized>(key: &Q) -> Option<Digest> {
    macro_rules! exact {
        ($($type:ty => $bits:expr),+ $(,)?) => {
            $(if typeid::of::<Q>() == typeid::of::<$type>() {
                // SAFETY: the key has this type.
                let key = unsafe { *ptr::from_ref(key).cast::<$type>() };
                let bits: fn($type) -> u64 = $bits;
                return Some(Digest::Exact(bits(key)));
            })+
        };
    }
    macro_rules! prefix {
        ($($type:ty => $bits:expr),+ $(,)?) => {
            $(if typeid::of::<Q>() == typeid::of::<$type>() {
                // SAFETY: the key has this type.
                let key = unsafe { &*ptr::from_ref(key).cast::<$type>() };
                let bits: fn(&$type) -> u64 = $bits;
                return Some(Digest::Prefix(bits(key)));
            })+
        };
    }
    exact! {
        u64 => |key| key,
        u32 => u64::from,
        u16 => u64::from,
        u8 => u64::from,
        usize => |key| key as u64,
        i64 => |key| key as u64 ^ 1 << 63,
        i32 => |key| i64::from(key) as u64 ^ 1 << 63,
        i16 => |key| i64::from(key) as u64 ^ 1 << 63,
        i8 => |key| i64::from(key) as u64 ^ 1 << 63,
        isize => |key| key as i64 as u64 ^ 1 << 63,
        char => u64::from,
        bool => u64::from,
        Ipv4Addr => |key| u64::from(key.to_bits()),
        [u8; 4] => |key| of_bytes(&key),
        [u8; 8] => |key| of_bytes(&key),
    }
    prefix! {
        u128 => |key| (key >> 64) as u64,
        i128 => |key| (key >> 64) as u64 ^ 1 << 63,
        Ipv6Addr => |key| (key.to_bits() >> 64) as u64,
        [u8; 16] => |key| of_bytes(key),
        [u8; 32] => |key| of_bytes(key),
        String => |key| of_bytes(key.as_bytes()),
        Vec<u8> => |key| of_bytes(key),
        Box<str> => |key| of_bytes(key.as_bytes()),
        Box<[u8]> => |key| of_bytes(key),
    }
    unsized_digest(key)
}

#[inline(always)]
fn unsized_digest<Q: ?Sized>(key: &Q) -> Option<Digest> {
    let size = size_of_val(key);
    let is_text = typeid::of::<Q>() == typeid::of::<str>();
    if is_text || typeid::of::<Q>() == typeid::of::<[u8]>() {
        // SAFETY: the key is a string or a byte slice of `size` bytes.
        let bytes = unsafe { core::slice::from_raw_parts(ptr::from_ref(key).cast::<u8>(), size) };
        return Some(Digest::Prefix(of_bytes(bytes)));
    }
    // SAFETY: `Q` is `&str` with some lifetime, and differs from `&'static str` in nothing else.
    (typeid::of::<Q>() == typeid::of::<&'static str>())
        .then(|| unsafe { *ptr::from_ref(key).cast::<&str>() })
        .map(|text| Digest::Prefix(of_bytes(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_order<T: Ord>(keys: &[T]) {
        for pair in keys.windows(2) {
            let [less, more] = [&pair[0], &pair[1]].map(|key| digest(key).unwrap());
            assert!(pair[0] < pair[1]);
            match less {
                Digest::Exact(_) => assert!(less.bits() < more.bits()),
                Digest::Prefix(_) => assert!(less.bits() <= more.bits()),
            }
        }
    }

    #[test]
    fn digests_are_in_the_order_of_the_keys() {
        in_order(&[i64::MIN, -1, 0, 1, i64::MAX]);
        in_order(&[i8::MIN, -1, 0, 1, i8::MAX]);
        in_order(&[0, 1, u64::MAX]);
        in_order(&[i128::MIN, -1 << 64, -1, 0, 1 << 64, i128::MAX]);
        in_order(&["", "\0", "a", "aaaaaaaa", "aaaaaaaab", "b"]);
        in_order(&["", "\0", "a", "é"].map(String::from));
        in_order(&[vec![], vec![0u8], vec![0, 0], vec![1], vec![255; 9]]);
        in_order(&[[0u8; 4], [0, 0, 1, 0], [1, 0, 0, 0]]);
        assert_eq!(digest("a"), digest(&String::from("a")));
        assert_eq!(digest(&[1u8, 2][..]), digest(&vec![1u8, 2]));
        assert_eq!(digest(&(1, 2)), None);
    }
}
