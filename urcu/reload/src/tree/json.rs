//! JSON. `serde_json` does not tell the places of values, but it can return a value as a slice of the text. The offset
//! of that slice in the text is the place.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Entry, MAX_DEPTH, Node, Place, Source, SyntaxError, Value};

pub(super) fn parse(text: &str, source: Source) -> Result<Node, SyntaxError> {
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| describe(&error, text, 0))?;
    Parse { text, source }.node(whole.get(), 0)
}

struct Parse<'t> {
    text: &'t str,
    source: Source,
}

impl<'t> Parse<'t> {
    fn node(&self, raw: &'t str, depth: usize) -> Result<Node, SyntaxError> {
        let offset = self.offset(raw);
        if depth > MAX_DEPTH {
            return Err(SyntaxError {
                offset: Some(offset),
                reason: "nested too deeply".into(),
            });
        }
        let wrong = |error: serde_json::Error| describe(&error, raw, offset);
        let value = match raw.as_bytes().first() {
            Some(b'{') => {
                let Entries(entries) = serde_json::from_str(raw).map_err(wrong)?;
                self.table(entries, depth)?
            }
            Some(b'[') => {
                let Items(items) = serde_json::from_str(raw).map_err(wrong)?;
                let items = items
                    .into_iter()
                    .map(|item| self.node(item.get(), depth + 1));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::String(serde_json::from_str(raw).map_err(wrong)?),
            Some(b't' | b'f') => Value::Bool(serde_json::from_str(raw).map_err(wrong)?),
            Some(b'n') => Value::Null,
            _ => match raw.parse::<i128>() {
                Ok(integer) => Value::Integer(integer),
                Err(_) => Value::Float(serde_json::from_str(raw).map_err(wrong)?),
            },
        };
        Ok(Node {
            place: self.place(offset),
            value,
        })
    }

    fn table(
        &self,
        entries: Vec<(Key<'t>, &'t RawValue)>,
        depth: usize,
    ) -> Result<Value, SyntaxError> {
        let mut table: Vec<Entry> = Vec::with_capacity(entries.len());
        let mut known = std::collections::HashSet::new();
        for (Key(key), raw) in entries {
            let value_at = self.offset(raw.get());
            // A key with escapes is not a slice of the text. The place of its value is near enough.
            let key_at = match &key {
                Cow::Borrowed(key) => self.offset(key) - 1,
                Cow::Owned(_) => value_at,
            };
            if !known.insert(key.clone()) {
                let reason = format!("a second key `{key}`");
                return Err(SyntaxError {
                    offset: Some(key_at),
                    reason,
                });
            }
            table.push(Entry {
                key: key.into_owned(),
                place: self.place(key_at),
                node: self.node(raw.get(), depth + 1)?,
            });
        }
        Ok(Value::Table(table))
    }

    /// Returns the offset at which a part of the text begins.
    fn offset(&self, part: &str) -> usize {
        part.as_ptr().addr() - self.text.as_ptr().addr()
    }

    fn place(&self, offset: usize) -> Option<Place> {
        let offset = u32::try_from(offset).ok();
        Some(Place {
            source: self.source,
            offset,
        })
    }
}

/// Returns an error in a part of the text that begins at `start`.
fn describe(error: &serde_json::Error, part: &str, start: usize) -> SyntaxError {
    let line = error.line().saturating_sub(1);
    let line: usize = part.split_inclusive('\n').take(line).map(str::len).sum();
    // The error's message ends with a place, which counts from the start of the part.
    let message = error.to_string();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    SyntaxError {
        offset: Some(start + line + error.column().saturating_sub(1)),
        reason: message[..end].into(),
    }
}

/// The entries of an object in their order. Their values are not parsed.
struct Entries<'t>(Vec<(Key<'t>, &'t RawValue)>);

/// The items of an array. They are not parsed.
struct Items<'t>(Vec<&'t RawValue>);

/// A key, as a slice of the text if possible.
struct Key<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.into())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;
        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(ItemsVisitor)
    }
}
