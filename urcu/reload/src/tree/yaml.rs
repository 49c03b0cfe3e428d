//! YAML.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::{Entry, MAX_DEPTH, Node, Place, Source, SyntaxError, Value};

pub(super) fn parse(text: &str, source: Source) -> Result<Node, SyntaxError> {
    let parse = Parse {
        text,
        lines: line_starts(text),
        source,
    };
    let documents = MarkedYaml::load_from_str(text).map_err(|error| SyntaxError {
        offset: Some(parse.offset(error.marker().line(), error.marker().col())),
        reason: error.info().into(),
    })?;
    let mut documents = documents.into_iter();
    let document = documents.next();
    if let Some(second) = documents.next() {
        return Err(parse.refuse(&second, "a second document"));
    }
    match document {
        Some(document) if !matches!(document.data, YamlData::Value(Scalar::Null)) => {
            parse.node(document, 0)
        }
        _ => Ok(Node::empty()),
    }
}

/// Returns the offset at which each line begins.
fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0)
        .chain(ends.map(|(at, _)| at + 1))
        .collect()
}

struct Parse<'t> {
    text: &'t str,
    lines: Vec<usize>,
    source: Source,
}

impl Parse<'_> {
    fn node(&self, yaml: MarkedYaml<'_>, depth: usize) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.refuse(&yaml, "nested too deeply"));
        }
        let place = self.place(&yaml);
        let refused = |reason| Err(self.refuse(&yaml, reason));
        let value = match yaml.data {
            YamlData::Value(Scalar::Null) => Value::Null,
            YamlData::Value(Scalar::Boolean(value)) => Value::Bool(value),
            YamlData::Value(Scalar::Integer(value)) => Value::Integer(value.into()),
            YamlData::Value(Scalar::FloatingPoint(value)) => Value::Float(value.into()),
            YamlData::Value(Scalar::String(value)) => Value::String(value.into_owned()),
            YamlData::Sequence(items) => {
                let items = items.into_iter().map(|item| self.node(item, depth + 1));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            YamlData::Mapping(entries) => {
                let entries = entries
                    .into_iter()
                    .map(|(key, value)| self.entry(key, value, depth));
                Value::Table(entries.collect::<Result<_, _>>()?)
            }
            YamlData::Tagged(_, inner) => return self.node(*inner, depth + 1),
            YamlData::Representation(..) | YamlData::Alias(_) => return refused("not supported"),
            YamlData::BadValue => return refused("not a value of its tag"),
        };
        Ok(Node { place, value })
    }

    fn entry(
        &self,
        key: MarkedYaml<'_>,
        value: MarkedYaml<'_>,
        depth: usize,
    ) -> Result<Entry, SyntaxError> {
        let place = self.place(&key);
        let name = match &key.data {
            YamlData::Value(Scalar::String(name)) => name.clone().into_owned(),
            YamlData::Value(Scalar::Integer(number)) => number.to_string(),
            YamlData::Value(Scalar::Boolean(value)) => value.to_string(),
            _ => return Err(self.refuse(&key, "a key that is not a name")),
        };
        Ok(Entry {
            key: name,
            place,
            node: self.node(value, depth + 1)?,
        })
    }

    fn refuse(&self, yaml: &MarkedYaml<'_>, reason: &str) -> SyntaxError {
        let start = yaml.span.start;
        SyntaxError {
            offset: Some(self.offset(start.line(), start.col())),
            reason: reason.into(),
        }
    }

    fn place(&self, yaml: &MarkedYaml<'_>) -> Option<Place> {
        let start = yaml.span.start;
        let offset = u32::try_from(self.offset(start.line(), start.col())).ok();
        Some(Place {
            source: self.source,
            offset,
        })
    }

    /// Returns the byte at a line, counted from 1, and a column in characters, counted from 0.
    fn offset(&self, line: usize, column: usize) -> usize {
        let Some(&start) = self.lines.get(line.saturating_sub(1)) else {
            return self.text.len();
        };
        let line = &self.text[start..];
        start
            + line
                .char_indices()
                .nth(column)
                .map_or(line.len(), |(at, _)| at)
    }
}
