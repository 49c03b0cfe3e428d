//! The overlay: environment variables that override values of the files.

use super::{Entry, Node, Place, Source, Value};

/// Separates the parts of a key in the name of a variable, as in `SERVICE_DATABASE__PORT`.
const SEPARATOR: &str = "__";

/// The variables of a prefix: their names, the keys that they set, and their texts.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    is_asked: bool,
    variables: Vec<(String, Vec<String>, String)>,
}

impl Overlay {
    /// Takes the variables whose names begin with `prefix`, in the order of their names.
    pub(crate) fn new(prefix: &str, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all: Vec<_> = (variables.into_iter())
            .filter_map(|(name, text)| {
                let key = name.strip_prefix(prefix).filter(|key| !key.is_empty())?;
                let parts = key.split(SEPARATOR).map(str::to_ascii_lowercase).collect();
                Some((name, parts, text))
            })
            .collect();
        all.sort();
        Overlay {
            is_asked: true,
            variables: all,
        }
    }

    /// Returns whether an overlay was asked for, even if there are no such variables.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Returns the name of a variable.
    pub(crate) fn name(&self, number: u32) -> &str {
        &self.variables[number as usize].0
    }

    /// Puts all variables into the tree.
    pub(crate) fn apply(&self, tree: &mut Node) {
        for (number, (_, parts, text)) in (0..).zip(&self.variables) {
            let place = Some(Place {
                source: Source::Variable(number),
                offset: None,
            });
            set(tree, parts, text, place);
        }
    }
}

/// Sets the value of a key, and creates the tables that lead to it. An item of a list is named by its number.
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

/// Returns whether a part of a variable's name means a key. `MAX_CONNECTIONS` means `max-connections`, `maxConnections`
/// and `max_connections`.
pub(super) fn is_same_name(key: &str, part: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = char> {
        let names = name.chars().filter(|c| !matches!(c, '-' | '_'));
        names.flat_map(char::to_lowercase)
    }
    letters(key).eq(letters(part))
}
