//! TOML.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, MAX_DEPTH, Node, Place, Source, SyntaxError, Value};

pub(super) fn parse(text: &str, source: Source) -> Result<Node, SyntaxError> {
    let table = DeTable::parse(text).map_err(|error| SyntaxError {
        // An error without a place is about the end of the text, where something is missing.
        offset: Some(error.span().map_or(text.len(), |span| span.start)),
        reason: match error.message().trim() {
            "" => "this is not TOML".into(),
            message => message.into(),
        },
    })?;
    Ok(Node {
        place: None,
        value: convert_table(table.into_inner(), source, 0)?,
    })
}

fn convert(value: Spanned<DeValue<'_>>, source: Source, depth: usize) -> Result<Node, SyntaxError> {
    let offset = value.span().start;
    let refuse = |reason: String| SyntaxError {
        offset: Some(offset),
        reason,
    };
    if depth > MAX_DEPTH {
        return Err(refuse("nested too deeply".into()));
    }
    let value = match value.into_inner() {
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(value) => {
            let parsed = i128::from_str_radix(value.as_str(), value.radix());
            Value::Integer(parsed.map_err(|error| refuse(error.to_string()))?)
        }
        DeValue::Float(value) => {
            let parsed = value.as_str().parse::<f64>();
            Value::Float(parsed.map_err(|error| refuse(error.to_string()))?)
        }
        DeValue::String(value) => Value::String(value.into_owned()),
        DeValue::Datetime(value) => Value::DateTime(value.to_string()),
        DeValue::Array(items) => {
            let items = items
                .into_iter()
                .map(|item| convert(item, source, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => convert_table(table, source, depth)?,
    };
    Ok(Node {
        place: place(source, offset),
        value,
    })
}

fn convert_table(table: DeTable<'_>, source: Source, depth: usize) -> Result<Value, SyntaxError> {
    let entries = table.into_iter().map(|(key, value)| {
        Ok(Entry {
            place: place(source, key.span().start),
            key: key.into_inner().into_owned(),
            node: convert(value, source, depth + 1)?,
        })
    });
    Ok(Value::Table(entries.collect::<Result<_, _>>()?))
}

fn place(source: Source, offset: usize) -> Option<Place> {
    let offset = u32::try_from(offset).ok();
    Some(Place { source, offset })
}
