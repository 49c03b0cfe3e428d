//! `Serialize` and `Deserialize`.

use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use urcu::{Global, InDomain};

use super::{HashMap, HashMapRef, HashSet, HashSetRef};

/// The greatest size hint that is trusted: the input may lie about its length.
const BELIEVED: usize = 4096;

impl<K: Serialize, V: Serialize, S, D: InDomain> Serialize for HashMapRef<'_, K, V, S, D> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        serializer.collect_map(self)
    }
}

impl<K: Serialize, V: Serialize, S, D: InDomain> Serialize for HashMap<K, V, S, D> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        self.pin().serialize(serializer)
    }
}

impl<K: Serialize, S, D: InDomain> Serialize for HashSetRef<'_, K, S, D> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        serializer.collect_seq(self)
    }
}

impl<K: Serialize, S, D: InDomain> Serialize for HashSet<K, S, D> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        self.pin().serialize(serializer)
    }
}

struct Reader<T>(PhantomData<T>);

impl<'de, K, V, S> Visitor<'de> for Reader<HashMap<K, V, S, Global>>
where
    K: Deserialize<'de> + Hash + Eq + Send + 'static,
    V: Deserialize<'de> + Send + 'static,
    S: BuildHasher + Default,
{
    type Value = HashMap<K, V, S, Global>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
        let expected = pairs.size_hint().unwrap_or(0).min(BELIEVED);
        let map = HashMap::with_capacity_and_hasher(expected, S::default());
        while let Some((key, value)) = pairs.next_entry()? {
            map.pin().insert(key, value);
        }
        Ok(map)
    }
}

impl<'de, K, V, S> Deserialize<'de> for HashMap<K, V, S, Global>
where
    K: Deserialize<'de> + Hash + Eq + Send + 'static,
    V: Deserialize<'de> + Send + 'static,
    S: BuildHasher + Default,
{
    fn deserialize<T: Deserializer<'de>>(deserializer: T) -> Result<Self, T::Error> {
        deserializer.deserialize_map(Reader::<Self>(PhantomData))
    }
}

impl<'de, K, S> Visitor<'de> for Reader<HashSet<K, S, Global>>
where
    K: Deserialize<'de> + Hash + Eq + Send + 'static,
    S: BuildHasher + Default,
{
    type Value = HashSet<K, S, Global>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of keys")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut keys: A) -> Result<Self::Value, A::Error> {
        let expected = keys.size_hint().unwrap_or(0).min(BELIEVED);
        let set = HashSet::with_capacity_and_hasher(expected, S::default());
        while let Some(key) = keys.next_element()? {
            set.pin().insert(key);
        }
        Ok(set)
    }
}

impl<'de, K, S> Deserialize<'de> for HashSet<K, S, Global>
where
    K: Deserialize<'de> + Hash + Eq + Send + 'static,
    S: BuildHasher + Default,
{
    fn deserialize<T: Deserializer<'de>>(deserializer: T) -> Result<Self, T::Error> {
        deserializer.deserialize_seq(Reader::<Self>(PhantomData))
    }
}
