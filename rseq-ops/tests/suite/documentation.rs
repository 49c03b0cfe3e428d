//! Every public name of this crate stands in an example that the documentation tests run: its own,
//! or one of the same module.

use std::fs;
use std::path::{Path, PathBuf};

/// The kinds of items that need an example.
const KINDS: [&str; 7] = ["fn", "struct", "enum", "trait", "const", "static", "type"];

/// The examples and the public items (with their files) of a module and the modules below it.
#[derive(Default)]
struct Module {
    examples: String,
    items: Vec<(String, String)>,
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

impl Module {
    fn read(&mut self, file: &Path) {
        let mut in_example = false;
        for line in fs::read_to_string(file).unwrap().lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("///").or(line.strip_prefix("//!")) {
                if text.trim().starts_with("```") {
                    in_example = !in_example;
                } else if in_example {
                    self.examples += text;
                    self.examples.push('\n');
                }
            } else if let Some(item) = line.strip_prefix("pub ") {
                let mut item = words(item);
                let mut kind = item.find(|word| !["unsafe", "extern", "C", ""].contains(word));
                let mut name = item.next();
                if kind == Some("const")
                    && name.is_some_and(|name| KINDS.contains(&name) || name == "unsafe")
                {
                    kind = name;
                    name = item.next();
                }
                if kind.is_some_and(|kind| KINDS.contains(&kind)) {
                    let name = name.unwrap_or_default().to_owned();
                    self.items.push((name, file.display().to_string()));
                }
            }
        }
    }

    fn read_below(&mut self, folder: &Path) {
        for path in entries(folder) {
            if path.is_dir() {
                self.read_below(&path);
            } else {
                self.read(&path);
            }
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// A module is a file here or in a folder of `src`; or a folder below those, as a whole.
fn modules(folder: &Path, depth: usize) -> Vec<Module> {
    let mut modules = Vec::new();
    for path in entries(folder) {
        if path.is_file() {
            let mut module = Module::default();
            module.read(&path);
            modules.push(module);
        } else if depth == 0 {
            modules.extend(self::modules(&path, 1));
        } else {
            let mut module = Module::default();
            module.read_below(&path);
            modules.push(module);
        }
    }
    modules
}

#[test]
fn every_public_item_is_in_an_example() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    if !source.exists() {
        return println!("skipped: the sources are elsewhere");
    }
    let modules = modules(&source, 0);
    let count: usize = modules.iter().map(|module| module.items.len()).sum();
    assert!(count > 100, "{count} items");
    for module in modules {
        for (name, file) in module.items {
            let used = words(&module.examples).any(|word| word == name);
            assert!(used, "{file}: no example uses {name}");
        }
    }
}
