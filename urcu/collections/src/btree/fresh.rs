//! Entries that are not in a map yet.

use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::node::Pair;

/// An entry that nobody else sees yet.
pub(super) struct Fresh<K, V> {
    pub(super) pair: NonNull<Pair<K, V>>,
    /// The map owns the entry, or may own it. Then this does not free it, even if a panic comes before
    /// [`Fresh::release`].
    pub(super) is_given: Cell<bool>,
    owns: PhantomData<Box<Pair<K, V>>>,
}

impl<K, V> Fresh<K, V> {
    pub(super) fn new(key: K, value: V) -> Self {
        let pair = NonNull::from(Box::leak(Box::new(Pair { key, value })));
        Fresh {
            pair,
            is_given: Cell::new(false),
            owns: PhantomData,
        }
    }

    pub(super) fn key(&self) -> &K {
        // SAFETY: the pair is from a box, and ours until it is published.
        &unsafe { self.pair.as_ref() }.key
    }

    /// Gives up the entry: to the map, or to a caller that takes it apart.
    pub(super) fn release(self) -> NonNull<Pair<K, V>> {
        let pair = self.pair;
        core::mem::forget(self);
        pair
    }

    pub(super) fn into_key(self) -> K {
        // SAFETY: the pair is from a box, and nobody else knows it.
        unsafe { Box::from_raw(self.release().as_ptr()) }.key
    }
}

impl<K, V> Drop for Fresh<K, V> {
    fn drop(&mut self) {
        if !self.is_given.get() {
            // SAFETY: the pair is from a box, and was not published.
            drop(unsafe { Box::from_raw(self.pair.as_ptr()) });
        }
    }
}
