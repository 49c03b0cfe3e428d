//! Compares the public items of two crates, as rustdoc's JSON tells them.
//!
//!     items ORIGINAL FACE [EXTRA...]
//!
//! Every item, signature, bound, trait implementation and deprecation of the original is to be in the face,
//! and nothing else but lines with an `EXTRA` in them; and every function of the face, but for those of traits,
//! has an example in its documentation. Exit status 1 if that is not so.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::Value;

/// A crate, and the lines that tell its items.
struct Crate {
    json: Value,
    lines: BTreeSet<String>,
    /// Functions whose documentation has no example.
    without_example: Vec<String>,
}

/// The last part of a path: where an item lies is not said alike.
fn last(path: &Value) -> &str {
    let path = path.as_str().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The only entry of an object: its name and what it holds. A text is a name that holds nothing.
fn one(value: &Value) -> (&str, &Value) {
    match value.as_object().and_then(|object| object.iter().next()) {
        Some((name, value)) => (name, value),
        None => (value.as_str().unwrap_or_default(), &Value::Null),
    }
}

fn joined(values: impl Iterator<Item = String>, between: &str) -> String {
    values.collect::<Vec<_>>().join(between)
}

fn arguments(value: &Value) -> String {
    let (kind, value) = one(value);
    match kind {
        "angle_bracketed" => {
            let all = joined(list(&value["args"]).map(argument), ", ");
            if all.is_empty() {
                all
            } else {
                format!("<{all}>")
            }
        }
        "parenthesized" => {
            let inputs = joined(list(&value["inputs"]).map(a_type), ", ");
            format!("({inputs}) -> {}", a_type(&value["output"]))
        }
        _ => String::new(),
    }
}

fn argument(value: &Value) -> String {
    match one(value) {
        ("type", of) => a_type(of),
        (_, other) => other.as_str().map_or(other.to_string(), str::to_string),
    }
}

fn a_type(value: &Value) -> String {
    let (kind, of) = one(value);
    let inner = || a_type(&of["type"]);
    match kind {
        "resolved_path" => format!("{}{}", last(&of["path"]), arguments(&of["args"])),
        "generic" | "primitive" => of.as_str().unwrap_or_default().to_string(),
        "tuple" => format!("({})", joined(list(of).map(a_type), ", ")),
        "slice" => format!("[{}]", a_type(of)),
        "borrowed_ref" => format!("&{} {} {}", of["lifetime"], of["is_mutable"], inner()),
        "raw_pointer" => format!("*{} {}", of["is_mutable"], inner()),
        "qualified_path" => format!("{}::{}", a_type(&of["self_type"]), of["name"]),
        "" => "()".to_string(),
        _ => value.to_string(),
    }
}

fn bound(value: &Value) -> String {
    match one(value) {
        ("trait_bound", of) => {
            let (name, to) = (last(&of["trait"]["path"]), arguments(&of["trait"]["args"]));
            format!("{} {name}{to}", of["modifier"])
        }
        (_, other) => other.to_string(),
    }
}

/// Parameters, and all bounds, wherever they are written.
fn generics(value: &Value) -> String {
    let mut bounds = BTreeSet::new();
    let mut names = Vec::new();
    for parameter in list(&value["params"]) {
        let name = parameter["name"].as_str().unwrap_or_default();
        names.push(name);
        for a in list(&parameter["kind"]["type"]["bounds"]) {
            bounds.insert(format!("{name}: {}", bound(a)));
        }
    }
    for predicate in list(&value["where_predicates"]) {
        let of = one(predicate).1;
        for a in list(&of["bounds"]) {
            bounds.insert(format!("{}: {}", a_type(&of["type"]), bound(a)));
        }
    }
    format!("<{}> {bounds:?}", names.join(", "))
}

impl Crate {
    fn read(path: &str) -> Crate {
        let text = std::fs::read_to_string(path).expect(path);
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let mut it = Crate {
            json,
            lines: BTreeSet::new(),
            without_example: Vec::new(),
        };
        let root = it.json["root"].clone();
        it.add(&root, "");
        it
    }

    fn item(&self, id: &Value) -> Value {
        self.json["index"][id.to_string()].clone()
    }

    fn add_all(&mut self, ids: &Value, within: &str) {
        list(ids).for_each(|id| self.add(id, within));
    }

    fn add(&mut self, id: &Value, within: &str) {
        let item = self.item(id);
        let (kind, of) = one(&item["inner"]);
        let deprecated = if item["deprecation"].is_null() {
            ""
        } else {
            "deprecated "
        };
        let name = item["name"].as_str().unwrap_or_default();
        let here = format!("{within}::{name}");
        let mut tell = |what: String| {
            self.lines
                .insert(format!("{deprecated}{kind} {here}{what}"))
        };
        match kind {
            "module" => self.add_all(&of["items"], within),
            "use" => self.add(&of["id"], within),
            "function" => {
                let inputs = joined(
                    list(&of["sig"]["inputs"]).map(|input| a_type(&input[1])),
                    ", ",
                );
                let output = a_type(&of["sig"]["output"]);
                if !item["docs"]
                    .as_str()
                    .is_some_and(|docs| docs.contains("```"))
                {
                    self.without_example.push(here.clone());
                }
                let (header, generics) = (&of["header"], generics(&of["generics"]));
                let (constant, is_unsafe) = (&header["is_const"], &header["is_unsafe"]);
                tell(format!(
                    "({inputs}) -> {output}, const {constant}, unsafe {is_unsafe}, {generics}"
                ));
            }
            "struct" => {
                tell(generics(&of["generics"]));
                self.add_all(&of["kind"]["plain"]["fields"], &here);
                list(&of["impls"]).for_each(|id| self.add_impl(id, &here));
            }
            "trait" => {
                tell(format!(
                    "{}, unsafe {}",
                    generics(&of["generics"]),
                    of["is_unsafe"]
                ));
                let without = self.without_example.len();
                self.add_all(&of["items"], &here);
                self.without_example.truncate(without);
                list(&of["implementations"]).for_each(|id| self.add_impl(id, &here));
            }
            "type_alias" => {
                tell(format!(
                    "{} = {}",
                    generics(&of["generics"]),
                    a_type(&of["type"])
                ));
            }
            "struct_field" => {
                tell(format!(": {}", a_type(of)));
            }
            _ => {
                tell(format!(" {}", a_type(&of["type"])));
            }
        }
    }

    fn add_impl(&mut self, id: &Value, within: &str) {
        let item = self.item(id);
        let of = &item["inner"]["impl"];
        if !of["blanket_impl"].is_null() {
            return;
        }
        if of["trait"].is_null() {
            return self.add_all(&of["items"], &format!("{within} {}", a_type(&of["for"])));
        }
        let name = last(&of["trait"]["path"]);
        // Synthetic traits (unwind-safe, frozen and so on) follow from the fields, and promise less.
        if of["is_synthetic"] == true && !["Send", "Sync", "Unpin"].contains(&name) {
            return;
        }
        let (to, target) = (arguments(&of["trait"]["args"]), a_type(&of["for"]));
        // `Self` as an argument may be written out.
        let to = if to == format!("<{target}>") {
            String::new()
        } else {
            to
        };
        let (negative, generics) = (&of["is_negative"], generics(&of["generics"]));
        self.lines.insert(format!(
            "impl {within}: {name}{to} for {target}, negative {negative}, {generics}"
        ));
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [original, face, extras @ ..] = arguments.as_slice() else {
        eprintln!("items ORIGINAL FACE [EXTRA...]");
        return ExitCode::FAILURE;
    };
    let (original, face) = (Crate::read(original).lines, Crate::read(face));
    let (face, without_example) = (face.lines, face.without_example);
    let missing: Vec<_> = original.difference(&face).collect();
    let is_known = |line: &&String| extras.iter().any(|extra| line.contains(extra));
    let more: Vec<_> = face
        .difference(&original)
        .filter(|line| !is_known(line))
        .collect();
    missing.iter().for_each(|line| println!("missing: {line}"));
    more.iter().for_each(|line| println!("too many: {line}"));
    let say = |name: &String| println!("without an example: {name}");
    without_example.iter().for_each(say);
    println!(
        "items: {} of the original, {} missing",
        original.len(),
        missing.len()
    );
    let well = missing.is_empty() && more.is_empty() && without_example.is_empty();
    if well && original.len() > 20 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
