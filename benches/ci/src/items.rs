//! The public items of crates, read from rustdoc's JSON. They are compared with another crate's (the face of
//! crossbeam-epoch with the original), or with a list in the repository (the published packages with what
//! they promised).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::run::Status;

/// A crate, and the lines that describe its items.
struct Crate {
    json: Value,
    lines: BTreeSet<String>,
    /// Functions whose documentation has no example.
    without_example: Vec<String>,
    /// True if the lines name the module of an item.
    modules: bool,
}

/// Returns the last part of a path: the crates may have an item in different modules.
fn last(path: &Value) -> &str {
    let path = path.as_str().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Returns the only entry of an object: its name and its value. A string is a name without a value.
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
            let constraint = |of: &Value| {
                let name = of["name"].as_str().unwrap_or_default();
                match one(&of["binding"]) {
                    ("equality", value) => format!("{name} = {}", argument(value)),
                    (_, bounds) => format!("{name}: {}", joined(list(bounds).map(bound), " + ")),
                }
            };
            let arguments = list(&value["args"]).map(argument);
            let all = arguments.chain(list(&value["constraints"]).map(constraint));
            let all = joined(all, ", ");
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

/// Returns the word if `is_so` is true, and an empty text otherwise.
fn word<'a>(is_so: &Value, word: &'a str) -> &'a str {
    if is_so == true { word } else { "" }
}

fn a_type(value: &Value) -> String {
    let (kind, of) = one(value);
    let inner = || a_type(&of["type"]);
    match kind {
        "resolved_path" => format!("{}{}", last(&of["path"]), arguments(&of["args"])),
        "generic" | "primitive" => of.as_str().unwrap_or_default().to_string(),
        "tuple" => format!("({})", joined(list(of).map(a_type), ", ")),
        "slice" => format!("[{}]", a_type(of)),
        "array" => {
            let length = of["len"].as_str().unwrap_or_default();
            format!("[{}; {length}]", inner())
        }
        "impl_trait" => format!("impl {}", joined(list(of).map(bound), " + ")),
        "dyn_trait" => {
            let traits = list(&of["traits"]).map(|one| a_trait(&one["trait"]));
            let lifetime = of["lifetime"].as_str().map(str::to_owned);
            format!("dyn {}", joined(traits.chain(lifetime), " + "))
        }
        "function_pointer" => {
            let inputs = list(&of["sig"]["inputs"]).map(|input| a_type(&input[1]));
            let is_unsafe = word(&of["header"]["is_unsafe"], "unsafe ");
            let abi = one(&of["header"]["abi"]).0;
            let output = a_type(&of["sig"]["output"]);
            format!("{is_unsafe}{abi} fn({}) -> {output}", joined(inputs, ", "))
        }
        "borrowed_ref" => {
            let lifetime = of["lifetime"].as_str().map(|name| format!("{name} "));
            let mutable = word(&of["is_mutable"], "mut ");
            format!("&{}{mutable}{}", lifetime.unwrap_or_default(), inner())
        }
        "raw_pointer" if of["is_mutable"] == true => format!("*mut {}", inner()),
        "raw_pointer" => format!("*const {}", inner()),
        "qualified_path" => {
            let name = of["name"].as_str().unwrap_or_default();
            format!("{}::{name}", a_type(&of["self_type"]))
        }
        "" => "()".to_string(),
        _ => value.to_string(),
    }
}

/// Returns a trait with its arguments.
fn a_trait(value: &Value) -> String {
    format!("{}{}", last(&value["path"]), arguments(&value["args"]))
}

fn bound(value: &Value) -> String {
    match one(value) {
        ("trait_bound", of) => {
            let mark = match of["modifier"].as_str() {
                Some("none") => "",
                Some("maybe") => "?",
                _ => "~",
            };
            format!("{mark}{}", a_trait(&of["trait"]))
        }
        (_, other) => other.as_str().map_or(other.to_string(), str::to_owned),
    }
}

/// Returns the parameters, and all bounds wherever they are written.
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
    if names.is_empty() && bounds.is_empty() {
        return String::new();
    }
    let bounds = joined(bounds.into_iter(), ", ");
    format!("<{}> where {bounds}", names.join(", "))
}

impl Crate {
    fn read(path: &str, modules: bool) -> Result<Crate, Box<dyn std::error::Error>> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let json: Value = serde_json::from_str(&text)?;
        let mut it = Crate {
            json,
            lines: BTreeSet::new(),
            without_example: Vec::new(),
            modules,
        };
        let root = it.json["root"].clone();
        it.add_all(&it.item(&root)["inner"]["module"]["items"], "");
        Ok(it)
    }

    fn item(&self, id: &Value) -> Value {
        self.json["index"][id.to_string()].clone()
    }

    fn add_all(&mut self, ids: &Value, within: &str) {
        list(ids).for_each(|id| self.add(id, within));
    }

    fn add(&mut self, id: &Value, within: &str) {
        let item = self.item(id);
        if item.is_null() {
            return; // A private field of a tuple.
        }
        self.add_as(&item, item["name"].as_str().unwrap_or_default(), within);
    }

    /// Adds the items that a re-export shows under its name.
    fn add_use(&mut self, of: &Value, within: &str) {
        let item = self.item(&of["id"]);
        match (item.is_null(), of["is_glob"] == true) {
            // The item is of another crate.
            (true, _) => {
                let (name, source) = (&of["name"], &of["source"]);
                self.lines.insert(format!("use {within}::{name} {source}"));
            }
            (false, true) => self.add_all(&item["inner"]["module"]["items"], within),
            (false, false) => {
                self.add_as(&item, of["name"].as_str().unwrap_or_default(), within);
            }
        }
    }

    fn add_as(&mut self, item: &Value, name: &str, within: &str) {
        let (kind, of) = one(&item["inner"]);
        let deprecated = if item["deprecation"].is_null() {
            ""
        } else {
            "deprecated "
        };
        let here = format!("{within}::{name}");
        let mut tell = |what: String| {
            self.lines
                .insert(format!("{deprecated}{kind} {here}{what}"))
        };
        match kind {
            "module" => {
                let within = if self.modules { &here } else { within };
                self.add_all(&of["items"], within);
            }
            "use" => self.add_use(of, within),
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
                let constant = word(&header["is_const"], " const");
                let is_unsafe = word(&header["is_unsafe"], " unsafe");
                let is_async = word(&header["is_async"], " async");
                let after = format!("{constant}{is_unsafe}{is_async} {generics}");
                let what = format!("({inputs}) -> {output}{after}");
                tell(what.trim_end().to_owned());
            }
            "struct" => {
                tell(generics(&of["generics"]));
                self.add_all(&of["kind"]["plain"]["fields"], &here);
                self.add_all(&of["kind"]["tuple"], &here);
                list(&of["impls"]).for_each(|id| self.add_impl(id, &here));
            }
            "enum" => {
                tell(generics(&of["generics"]));
                self.add_all(&of["variants"], &here);
                list(&of["impls"]).for_each(|id| self.add_impl(id, &here));
            }
            "variant" => {
                tell(String::new());
                self.add_all(&of["kind"]["struct"]["fields"], &here);
                self.add_all(&of["kind"]["tuple"], &here);
            }
            "macro" => {
                tell(format!(" {of}"));
            }
            "trait" => {
                let is_unsafe = word(&of["is_unsafe"], " unsafe");
                tell(format!("{}{is_unsafe}", generics(&of["generics"])));
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
        // Synthetic implementations (unwind-safe, frozen and so on) follow from the fields, and are no promise.
        if of["is_synthetic"] == true && !["Send", "Sync", "Unpin"].contains(&name) {
            return;
        }
        let (to, target) = (arguments(&of["trait"]["args"]), a_type(&of["for"]));
        // Either crate may write out `Self` as an argument.
        let to = if to == format!("<{target}>") {
            String::new()
        } else {
            to
        };
        let negative = word(&of["is_negative"], "not ");
        let generics = generics(&of["generics"]);
        self.lines.insert(format!(
            "impl {within}: {negative}{name}{to} for {target}{generics}"
        ));
    }
}

/// Compares the items of two crates. The second must have every item, signature, bound, trait implementation
/// and deprecation of the first, and nothing more except lines that contain one of `extras`. Every function of
/// the second, except those of traits, must have an example in its documentation.
pub(crate) fn compare(original: &str, face: &str, extras: &[String]) -> Status {
    let (original, face) = (
        Crate::read(original, false)?.lines,
        Crate::read(face, false)?,
    );
    let missing: Vec<_> = original.difference(&face.lines).collect();
    let is_known = |line: &&String| extras.iter().any(|extra| line.contains(extra));
    let more = face.lines.difference(&original);
    let more: Vec<_> = more.filter(|line| !is_known(line)).collect();
    missing.iter().for_each(|line| println!("missing: {line}"));
    more.iter()
        .for_each(|line| println!("not in the original: {line}"));
    let without_example = &face.without_example;
    let say = |name: &String| println!("documented without an example: {name}");
    without_example.iter().for_each(say);
    println!(
        "items: the original has {}, of which {} are missing",
        original.len(),
        missing.len()
    );
    let well = missing.is_empty() && more.is_empty() && without_example.is_empty();
    Ok((!well || original.len() <= 20).into())
}

/// Returns the items of a crate, one on each line.
pub(crate) fn of(json: &str) -> Result<String, Box<dyn std::error::Error>> {
    let lines = Crate::read(json, true)?.lines;
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// Returns the name of an item in a line: `Type::function`, a trait with what implements it, or the name alone.
fn name_of(line: &str) -> Option<String> {
    let (kind, line) = line.split_once(" ::")?;
    match kind {
        "function" => {
            let of = line.split(['<', ' ', ':', '(']).next()?;
            let (_, function) = line.split_once(">::")?;
            Some(format!("{of}::{}", function.split('(').next()?))
        }
        "impl" => {
            let (_, implementation) = line.split_once(": ")?;
            let (which, whom) = implementation.split_once(" for ")?;
            let (reference, whom) = match whom.strip_prefix('&') {
                // The lifetime may have another name.
                Some(whom) if whom.starts_with('\'') => ("&", whom.split_once(' ')?.1),
                Some(whom) => ("&", whom),
                None => ("", whom),
            };
            let which = which.split('<').next()?;
            let whom = whom.split(['<', ' ']).next()?;
            Some(format!("{which} for {reference}{whom}"))
        }
        "variant" => Some(line.to_owned()),
        // A type may be an alias, or one of another crate.
        _ => line
            .split(['<', ' '])
            .next()
            .map(|name| name.replace('"', "")),
    }
}

/// Compares the names in two lists of items. The second must have all of the first, except those in `without`,
/// which it must not have.
pub(crate) fn names(original: &str, ours: &str, without: &[&str]) -> Status {
    let all = |text: &str| -> BTreeSet<String> { text.lines().filter_map(name_of).collect() };
    let (original, ours) = (all(original), all(ours));
    let is_known = |name: &&String| without.contains(&name.as_str());
    let (known, missing): (Vec<_>, Vec<_>) = original.difference(&ours).partition(is_known);
    missing.iter().for_each(|name| println!("missing: {name}"));
    println!(
        "names: the original has {}, of which {} are missing, and {} more with a reason",
        original.len(),
        missing.len(),
        known.len()
    );
    let well = missing.is_empty() && known.len() == without.len() && original.len() > 100;
    Ok((!well).into())
}
