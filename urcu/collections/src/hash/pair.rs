//! Entries: a key, a value and the hash.

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::bucket::Node;

/// An entry in an allocation of its own. It does not change while it is published.
///
/// Pairs in buckets have the same fields at the same offsets, except for the hash: in its place are bytes that do
/// not belong to the pair.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Pair<K, V> {
    /// First, as in [`Node`].
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) value: V,
}

impl<K, V> Pair<K, V> {
    /// Frees an entry.
    ///
    /// # Safety
    /// The address is that of a [`Fresh::Apart`] of these types that was published. Nobody uses it any more.
    pub(crate) unsafe fn free(this: NonNull<()>) {
        // SAFETY: the address is from a box.
        drop(unsafe { Box::from_raw(this.cast::<Self>().as_ptr()) });
    }

    /// Returns the key and the value of a node.
    ///
    /// # Safety
    /// The node is a pair of these types, in a bucket or in an allocation of its own, and does not change within
    /// `'g`.
    #[inline(always)]
    pub(crate) unsafe fn of<'g>(node: NonNull<Node>) -> Found<'g, K, V> {
        let pair = node.cast::<Self>().as_ptr();
        // SAFETY: key and value are there and do not change. What lies before the key is not accessed.
        unsafe {
            Found {
                key: &(*pair).key,
                value: &(*pair).value,
            }
        }
    }
}

/// A pair that was found.
#[derive(Debug)]
pub(crate) struct Found<'g, K, V> {
    pub(crate) key: &'g K,
    pub(crate) value: &'g V,
}

impl<K, V> Clone for Found<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Found<'_, K, V> {}

/// An entry that nobody else sees yet.
#[derive(Debug)]
pub(crate) enum Fresh<K, V> {
    /// An entry in an allocation of its own.
    Apart(Own<K, V>),
    /// A pair that will be copied into a bucket.
    Inline { hash: u64, key: K, value: V },
}

impl<K, V> Fresh<K, V> {
    #[inline]
    pub(crate) fn new(hash: u64, key: K, value: V, is_inline: bool) -> Self {
        if is_inline {
            return Fresh::Inline { hash, key, value };
        }
        let pair = Box::new(Pair { hash, key, value });
        Fresh::Apart(Own {
            pair: NonNull::from(Box::leak(pair)),
            owns: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn key(&self) -> &K {
        match self {
            // SAFETY: the pair is from a box, and ours until it is published.
            Fresh::Apart(own) => unsafe { &(*own.pair.as_ptr()).key },
            Fresh::Inline { key, .. } => key,
        }
    }

    /// Returns the key and the value.
    pub(crate) fn into_parts(self) -> (K, V) {
        match self {
            Fresh::Apart(own) => {
                // SAFETY: the address is from a box, and nobody else knows it.
                let pair = *unsafe { Box::from_raw(own.publish().cast::<Pair<K, V>>().as_ptr()) };
                let Pair { key, value, .. } = pair;
                (key, value)
            }
            Fresh::Inline { key, value, .. } => (key, value),
        }
    }
}

/// An allocation that nobody else sees yet. Not a `Box`, which would still claim to be the only pointer while the
/// entry is being published.
#[derive(Debug)]
pub(crate) struct Own<K, V> {
    pair: NonNull<Pair<K, V>>,
    owns: PhantomData<Box<Pair<K, V>>>,
}

impl<K, V> Own<K, V> {
    #[inline]
    pub(crate) fn node(&self) -> NonNull<Node> {
        self.pair.cast()
    }

    /// Gives up ownership: the entry is published and belongs to the map.
    #[inline]
    pub(crate) fn publish(self) -> NonNull<Node> {
        let node = self.node();
        core::mem::forget(self);
        node
    }
}

impl<K, V> Drop for Own<K, V> {
    fn drop(&mut self) {
        // SAFETY: the address is from a box, and was not published.
        drop(unsafe { Box::from_raw(self.pair.as_ptr()) });
    }
}
