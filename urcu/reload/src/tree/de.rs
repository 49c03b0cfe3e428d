//! Deserializes the tree to the user's type. An error gets the place of the innermost value that it passes on its way
//! out, and the key that leads to that value.

use std::fmt;

use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{Items, TableAccess, Variant};
use super::{Node, Place, Value};

/// Makes a `T` from a tree.
pub(crate) fn deserialize<T: DeserializeOwned>(tree: &Node) -> Result<T, Mismatch> {
    T::deserialize(tree)
}

/// The reason why the tree does not fit the type.
#[derive(Debug)]
pub(crate) struct Mismatch {
    pub(crate) reason: String,
    pub(crate) place: Option<Place>,
    /// The parts of the key, from the last to the first, which is the order in which the error meets them.
    parts: Vec<String>,
    has_place: bool,
}

impl Mismatch {
    /// Sets the place, unless the error already has one from further in.
    pub(super) fn at(mut self, place: Option<Place>) -> Self {
        if !self.has_place {
            self.place = place;
            self.has_place = true;
        }
        self
    }

    /// Adds the key, or the number of an item, within whose value the error is.
    pub(super) fn within(mut self, part: String) -> Self {
        self.parts.push(part);
        self
    }

    /// Returns the whole key, such as `route[3].weight`.
    pub(crate) fn key(&self) -> Option<String> {
        let mut key = String::new();
        for part in self.parts.iter().rev() {
            if !key.is_empty() && !part.starts_with('[') {
                key.push('.');
            }
            key.push_str(part);
        }
        Some(key).filter(|key| !key.is_empty())
    }
}

impl de::Error for Mismatch {
    fn custom<M: fmt::Display>(reason: M) -> Self {
        Mismatch {
            reason: reason.to_string(),
            place: None,
            parts: Vec::new(),
            has_place: false,
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Mismatch {}

/// The `toml` crate's type for dates and times asks for a structure of this name with one field.
const TOML_DATE_TIME: (&str, &str) = ("$__toml_private_Datetime", "$__toml_private_datetime");

impl Node {
    fn any<'de, V: Visitor<'de>>(
        &'de self,
        visitor: V,
        fields: &'static [&'static str],
    ) -> Result<V::Value, Mismatch> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => integer(*value, visitor),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(value) | Value::DateTime(value) => visitor.visit_borrowed_str(value),
            Value::Text(text) => guess(text, visitor),
            Value::List(items) => {
                let mut access = Items::new(items);
                let value = visitor.visit_seq(&mut access)?;
                access.end().map(|()| value)
            }
            Value::Table(entries) => visitor.visit_map(TableAccess::new(entries, fields)),
        }
    }

    /// Returns a number or a boolean, which may come from the text of a variable.
    fn scalar<'de, V: Visitor<'de>, S>(
        &'de self,
        visitor: V,
        visit: impl FnOnce(V, S) -> Result<V::Value, Mismatch>,
    ) -> Result<V::Value, Mismatch>
    where
        S: std::str::FromStr,
    {
        match &self.value {
            Value::Text(text) => match text.trim().parse() {
                Ok(value) => visit(visitor, value),
                Err(_) => Err(de::Error::invalid_value(Unexpected::Str(text), &visitor)),
            },
            _ => self.any(visitor, &[]),
        }
    }
}

fn integer<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value, Mismatch> {
    if let Ok(value) = i64::try_from(value) {
        visitor.visit_i64(value)
    } else if let Ok(value) = u64::try_from(value) {
        visitor.visit_u64(value)
    } else {
        visitor.visit_i128(value)
    }
}

/// Guesses the type of a variable's text, for types that do not say what they want.
fn guess<'de, V: Visitor<'de>>(text: &'de str, visitor: V) -> Result<V::Value, Mismatch> {
    if let Ok(value) = text.parse() {
        visitor.visit_bool(value)
    } else if let Ok(value) = text.parse() {
        integer(value, visitor)
    } else if let Ok(value) = text.parse() {
        visitor.visit_f64(value)
    } else {
        visitor.visit_borrowed_str(text)
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            let result = self.scalar(visitor, |visitor, value: $type| visitor.$visit(value));
            result.map_err(|error| error.at(self.place))
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.any(visitor, &[]).map_err(|error| error.at(self.place))
    }

    scalars! {
        deserialize_bool visit_bool bool,
        deserialize_i8 visit_i64 i64, deserialize_i16 visit_i64 i64, deserialize_i32 visit_i64 i64,
        deserialize_i64 visit_i64 i64, deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u64 u64, deserialize_u16 visit_u64 u64, deserialize_u32 visit_u64 u64,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128,
        deserialize_f32 visit_f64 f64, deserialize_f64 visit_f64 f64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let result = match &self.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            _ => self.any(visitor, &[]),
        };
        result.map_err(|error| error.at(self.place))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    /// Returns the items of a list. In the text of a variable, they are separated by commas.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Text(text) = &self.value else {
            return self.deserialize_any(visitor);
        };
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let items: Vec<Part<'de>> = parts.map(Part).collect();
        let result = visitor.visit_seq(de::value::SeqDeserializer::new(items.into_iter()));
        result.map_err(|error: Mismatch| error.at(self.place))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let result = match &self.value {
            Value::DateTime(text) if name == TOML_DATE_TIME.0 => {
                let fields = std::iter::once((TOML_DATE_TIME.1, text.as_str()));
                visitor.visit_map(de::value::MapDeserializer::new(fields))
            }
            _ => self.any(visitor, fields),
        };
        result.map_err(|error| error.at(self.place))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let result = match &self.value {
            Value::String(name) | Value::Text(name) => {
                visitor.visit_enum(name.as_str().into_deserializer())
            }
            Value::Table(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            _ => Err(de::Error::custom(
                "expected the name of a variant, or a table with one",
            )),
        };
        result.map_err(|error| error.at(self.place))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct map identifier }
}

/// An item of a variable's list.
struct Part<'de>(&'de str);

impl<'de> IntoDeserializer<'de, Mismatch> for Part<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! part_scalars {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(de::Error::invalid_value(Unexpected::Str(self.0), &visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Part<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        guess(self.0, visitor)
    }

    part_scalars! {
        deserialize_bool visit_bool bool,
        deserialize_i8 visit_i64 i64, deserialize_i16 visit_i64 i64, deserialize_i32 visit_i64 i64,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u64 u64, deserialize_u16 visit_u64 u64,
        deserialize_u32 visit_u64 u64, deserialize_u64 visit_u64 u64,
        deserialize_f32 visit_f64 f64, deserialize_f64 visit_f64 f64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_enum(self.0.into_deserializer())
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

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}
