//! The overlay: environment variables that take the place of what the files say.

use super::{Entry, Node, Place, Source, Value};

/// Between the parts of a key in the name of a variable: `SERVICE_DATABASE__PORT`.
const SEPARATOR: &str = "__";

/// The variables of a prefix: what they are called, the key they are for, and their text.
#[derive(Debug, Default)]
pub(crate) struct Overlay(Vec<(String, Vec<String>, String)>);

impl Overlay {
    /// Takes those variables that begin with `prefix`, in the order of their names.
    pub(crate) fn new(prefix: &str, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all: Vec<_> = (variables.into_iter())
            .filter_map(|(name, text)| {
                let key = name.strip_prefix(prefix).filter(|key| !key.is_empty())?;
                let parts = key.split(SEPARATOR).map(str::to_ascii_lowercase).collect();
                Some((name, parts, text))
            })
            .collect();
        all.sort();
        Overlay(all)
    }

    /// Returns the name of a variable.
    pub(crate) fn name(&self, number: u32) -> &str {
        &self.0[number as usize].0
    }

    /// Puts all of them into the tree.
    pub(crate) fn apply(&self, tree: &mut Node) {
        for (number, (_, parts, text)) in (0..).zip(&self.0) {
            let place = Some(Place {
                source: Source::Variable(number),
                offset: None,
            });
            set(tree, parts, text, place);
        }
    }
}

/// Sets the value of a key, and makes the tables on the way. An item of a list is named by its number.
fn set(node: &mut Node, parts: &[String], text: &str, place: Option<Place>) {
    let Some((part, rest)) = parts.split_first() else {
        *node = Node {
            place,
            value: Value::Text(text.into()),
        };
        return;
    };
    if let Value::List(items) = &mut node.value
        && let Some(item) = part
            .parse()
            .ok()
            .and_then(|index: usize| items.get_mut(index))
    {
        return set(item, rest, text, place);
    }
    if !matches!(node.value, Value::Table(_)) {
        *node = Node {
            place,
            value: Value::Table(Vec::new()),
        };
    }
    let Value::Table(entries) = &mut node.value else {
        return;
    };
    let known = entries
        .iter_mut()
        .find(|entry| is_same_name(&entry.key, part));
    match known {
        Some(entry) => set(&mut entry.node, rest, text, place),
        None => {
            let mut node = Node {
                place,
                value: Value::Table(Vec::new()),
            };
            set(&mut node, rest, text, place);
            entries.push(Entry {
                key: part.clone(),
                place,
                node,
            });
        }
    }
}

/// Returns whether a key is meant by a variable's part: `max-connections`, `maxConnections` and
/// `max_connections` by `MAX_CONNECTIONS`.
pub(super) fn is_same_name(key: &str, part: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = char> {
        let names = name.chars().filter(|c| !matches!(c, '-' | '_'));
        names.flat_map(char::to_lowercase)
    }
    letters(key).eq(letters(part))
}
