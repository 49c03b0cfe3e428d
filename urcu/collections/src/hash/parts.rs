//! The key and the value of an entry that may turn out not to be needed.

use super::pair::Fresh;

/// A key, and perhaps a value for it.
pub(super) enum Parts<K, V> {
    Apart(K, Option<V>),
    Joined(Fresh<K, V>),
}

impl<K, V> Parts<K, V> {
    pub(super) fn key(&self) -> &K {
        match self {
            Parts::Apart(key, _) => key,
            Parts::Joined(fresh) => fresh.key(),
        }
    }

    pub(super) fn take(self) -> (K, Option<V>) {
        match self {
            Parts::Apart(key, value) => (key, value),
            Parts::Joined(fresh) => {
                let (key, value) = fresh.into_parts();
                (key, Some(value))
            }
        }
    }

    pub(super) fn join(self, hash: u64, is_inline: bool, make: impl FnOnce() -> V) -> Fresh<K, V> {
        match self {
            Parts::Joined(fresh) => fresh,
            Parts::Apart(key, Some(value)) => Fresh::new(hash, key, value, is_inline),
            Parts::Apart(key, None) => {
                let value = make();
                Fresh::new(hash, key, value, is_inline)
            }
        }
    }
}
