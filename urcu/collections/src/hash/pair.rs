//! What an entry is: a key, a value and the hash, in one allocation.

use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use super::bucket::Node;

/// An entry. Nothing of it changes while it is published.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Pair<K, V> {
    /// First, as in [`Node`].
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) value: V,
}

impl<K, V> Pair<K, V> {
    pub(crate) fn node(this: NonNull<Self>) -> NonNull<Node> {
        this.cast()
    }

    /// Frees an entry.
    ///
    /// # Safety
    /// The address is of a [`Fresh`] of these types that was published, and nobody uses it any more.
    pub(crate) unsafe fn free(this: NonNull<()>) {
        // SAFETY: the address is of a box.
        drop(unsafe { Box::from_raw(this.cast::<Self>().as_ptr()) });
    }
}

/// An entry that nobody else sees yet. Not a `Box`, which would go on to claim that it is the only one
/// while it is being published.
#[derive(Debug)]
pub(crate) struct Fresh<K, V> {
    pair: NonNull<Pair<K, V>>,
    owns: PhantomData<Box<Pair<K, V>>>,
}

impl<K, V> Fresh<K, V> {
    #[inline]
    pub(crate) fn new(hash: u64, key: K, value: V) -> Self {
        let pair = Box::new(Pair { hash, key, value });
        Fresh {
            pair: NonNull::from(Box::leak(pair)),
            owns: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn pair(&self) -> NonNull<Pair<K, V>> {
        self.pair
    }

    /// It is published: it belongs to the map.
    #[inline]
    pub(crate) fn publish(self) -> NonNull<Pair<K, V>> {
        let pair = self.pair;
        core::mem::forget(self);
        pair
    }

    /// Takes it apart.
    pub(crate) fn into_parts(self) -> (K, V) {
        // SAFETY: the address of a box, which nobody else knows.
        let Pair { key, value, .. } = *unsafe { Box::from_raw(self.publish().as_ptr()) };
        (key, value)
    }
}

impl<K, V> Deref for Fresh<K, V> {
    type Target = Pair<K, V>;

    #[inline]
    fn deref(&self) -> &Pair<K, V> {
        // SAFETY: from a box, and ours until it is published.
        unsafe { self.pair.as_ref() }
    }
}

impl<K, V> Drop for Fresh<K, V> {
    fn drop(&mut self) {
        // SAFETY: the address of a box, which was not published.
        drop(unsafe { Box::from_raw(self.pair.as_ptr()) });
    }
}
