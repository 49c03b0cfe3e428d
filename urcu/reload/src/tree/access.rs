//! Access to lists, tables and variants of the tree, item by item.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::de::Mismatch;
use super::env::is_same_name;
use super::{Entry, Node, Source, Value};

pub(super) struct Items<'de> {
    items: std::slice::Iter<'de, Node>,
    number: usize,
}

impl<'de> Items<'de> {
    pub(super) fn new(items: &'de [Node]) -> Self {
        Items {
            items: items.iter(),
            number: 0,
        }
    }

    /// Fails if there are more items than were taken.
    pub(super) fn end(self) -> Result<(), Mismatch> {
        match self.items.len() {
            0 => Ok(()),
            more => {
                let expected = format!("{} in the list", self.number);
                Err(de::Error::invalid_length(
                    self.number + more,
                    &expected.as_str(),
                ))
            }
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mismatch> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let index = self.number;
        self.number += 1;
        match seed.deserialize(item) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.at(item.place).within(format!("[{index}]"))),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

pub(super) struct TableAccess<'de> {
    entries: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
    /// The fields of the structure that is wanted.
    fields: &'static [&'static str],
}

impl<'de> TableAccess<'de> {
    pub(super) fn new(entries: &'de [Entry], fields: &'static [&'static str]) -> Self {
        TableAccess {
            entries: entries.iter(),
            current: None,
            fields,
        }
    }

    /// Finds the field that a variable means. The variable's name is in upper case with underscores, whatever the
    /// spelling of the field's name.
    fn field(&self, entry: &'de Entry) -> &'de str {
        let is_variable = matches!(
            entry.place.map(|place| place.source),
            Some(Source::Variable(_))
        );
        if !is_variable {
            return &entry.key;
        }
        let mut fields = self.fields.iter();
        fields
            .find(|field| is_same_name(field, &entry.key))
            .copied()
            .unwrap_or(&entry.key)
    }
}

impl<'de> MapAccess<'de> for TableAccess<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let Some(entry) = self.entries.next() else {
            return Ok(None);
        };
        self.current = Some(entry);
        let key = seed.deserialize(MapKey(self.field(entry)));
        key.map(Some).map_err(|error| error.at(entry.place))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let Some(entry) = self.current.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        let value = seed.deserialize(&entry.node);
        value.map_err(|error| {
            error
                .at(entry.node.place.or(entry.place))
                .within(entry.key.clone())
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A key. In the type it may be a number, as in `HashMap<u16, _>`.
struct MapKey<'de>(&'de str);

macro_rules! key_scalars {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for MapKey<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_str(self.0)
    }

    key_scalars! {
        deserialize_bool visit_bool bool,
        deserialize_i8 visit_i64 i64, deserialize_i16 visit_i64 i64, deserialize_i32 visit_i64 i64,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u64 u64, deserialize_u16 visit_u64 u64,
        deserialize_u32 visit_u64 u64, deserialize_u64 visit_u64 u64
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        StrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// A table with one key, which is the name of a variant, and the variant's content.
pub(super) struct Variant<'de>(pub(super) &'de Entry);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        let name = seed.deserialize(StrDeserializer::new(&self.0.key));
        name.map(|name| (name, self.0))
            .map_err(|error: Mismatch| error.at(self.0.place))
            .map(|(name, entry)| (name, Variant(entry)))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        match &self.0.node.value {
            Value::Null => Ok(()),
            Value::Table(entries) if entries.is_empty() => Ok(()),
            _ => {
                let error: Mismatch = de::Error::custom("this variant has no content");
                Err(error.at(self.0.node.place).within(self.0.key.clone()))
            }
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        seed.deserialize(&self.0.node)
            .map_err(|error| error.within(self.0.key.clone()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        let value = self.0.node.deserialize_tuple(len, visitor);
        value.map_err(|error| error.within(self.0.key.clone()))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let value = self.0.node.deserialize_struct("", fields, visitor);
        value.map_err(|error| error.within(self.0.key.clone()))
    }
}
