//! The imports between the source files of a crate, and whether they respect its layers.
//!
//! [`Imports::of`] reads the paths in all files below a folder `src`: those of `use` declarations and those
//! written out. It follows re-exports to the file that they come from, and leaves out what is built only
//! for tests. [`Imports::faults`] compares the imports with floors: a file may import from the floors below
//! its own, and within its own room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

mod paths;
mod tokens;

use paths::{Reading, Used};

/// The module path of a file: `a::b` for `a/b.rs`, empty for `lib.rs`.
type Module = String;

/// The imports between the files of a crate.
#[derive(Clone, Debug, Default)]
pub struct Imports {
    /// For each importing file and each file that it imports: the first line that does so.
    arrows: BTreeMap<Module, BTreeMap<Module, usize>>,
}

impl Imports {
    /// Reads the files of a crate. `src` is the folder of its `lib.rs`.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn of(src: &Path) -> io::Result<Self> {
        let mut texts = BTreeMap::new();
        read(src, "", &mut texts)?;
        Ok(Self::of_texts(&texts))
    }

    /// Reads files that are given as texts under their module paths.
    #[must_use]
    pub fn of_texts(texts: &BTreeMap<String, String>) -> Self {
        let mut readings: BTreeMap<&str, Reading> = texts
            .iter()
            .map(|(module, text)| (module.as_str(), paths::read(text)))
            .collect();
        let tests: Vec<Module> = readings
            .iter()
            .flat_map(|(module, reading)| reading.tests.iter().map(|test| join(module, test)))
            .collect();
        readings.retain(|module, _| !tests.iter().any(|test| is_in(module, test)));
        let mut imports = Self::default();
        for (module, reading) in &readings {
            let arrows = imports.arrows.entry((*module).to_owned()).or_default();
            for used in &reading.used {
                if let Some(to) = target(&readings, module, used, 8)
                    && to != *module
                {
                    arrows.entry(to).or_insert(used.line);
                }
            }
        }
        imports
    }

    /// Returns the files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.arrows.keys().map(String::as_str)
    }

    /// Returns the imports: the importing file, and the imported one.
    pub fn arrows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.arrows.iter().flat_map(|(from, all)| {
            let all = all.keys();
            all.map(move |to| (from.as_str(), to.as_str()))
        })
    }

    /// Returns these imports with one of them reversed.
    #[must_use]
    pub fn turned(&self, from: &str, to: &str) -> Self {
        let mut turned = self.clone();
        let line = turned
            .arrows
            .get_mut(from)
            .and_then(|arrows| arrows.remove(to));
        let arrows = turned.arrows.entry(to.to_owned()).or_default();
        arrows.insert(from.to_owned(), line.unwrap_or(0));
        turned
    }

    /// Returns these imports with all files of a module merged into one, for types that contain each other.
    #[must_use]
    pub fn merged(&self, module: &str) -> Self {
        let name = |file: &str| if is_in(file, module) { module } else { file }.to_owned();
        let mut merged = Self::default();
        for (from, all) in &self.arrows {
            let arrows = merged.arrows.entry(name(from)).or_default();
            for (to, line) in all.iter().filter(|(to, _)| name(to) != name(from)) {
                arrows.entry(name(to)).or_insert(*line);
            }
        }
        merged
    }

    /// Returns the files of a circle, if there is one: each imports the next, and the last imports the first.
    #[must_use]
    pub fn circle(&self) -> Option<Vec<&str>> {
        // A file that imports no file that is left is in no circle.
        let mut left: BTreeSet<&str> = self.files().collect();
        loop {
            let (rest, gone): (BTreeSet<&str>, BTreeSet<&str>) = left
                .iter()
                .partition(|from| self.arrows[**from].keys().any(|to| left.contains(&**to)));
            left = rest;
            if gone.is_empty() {
                break;
            }
        }
        let mut way = vec![*left.first()?];
        loop {
            let last = way[way.len() - 1];
            let next = self.arrows[last].keys().find(|to| left.contains(&***to))?;
            if let Some(begin) = way.iter().position(|file| file == next) {
                return Some(way.split_off(begin));
            }
            way.push(next);
        }
    }

    /// Returns the violations: imports that do not go down, files on no floor, rooms without a file, and a
    /// circle. `floors` are listed from the top, and each names its rooms: a module with everything below it,
    /// or `lib`.
    #[must_use]
    pub fn faults(&self, floors: &[&[&str]]) -> Vec<String> {
        let mut faults = Vec::new();
        let place = |file: &str| {
            let mut all = floors.iter().enumerate();
            all.find_map(|(floor, rooms)| {
                let room = rooms.iter().find(|room| is_in(name(file), room));
                room.map(|room| (floor, *room))
            })
        };
        for room in floors.iter().copied().flatten() {
            if !self.files().any(|file| is_in(name(file), room)) {
                faults.push(format!("{room} is no file"));
            }
        }
        for file in self.files().filter(|file| place(file).is_none()) {
            faults.push(format!("{} stands on no floor", name(file)));
        }
        for (from, to) in self.arrows() {
            if let (Some((above, room)), Some((below, other))) = (place(from), place(to))
                && above >= below
                && room != other
            {
                let (line, from, to) = (self.arrows[from][to], name(from), name(to));
                faults.push(format!(
                    "{from}, line {line}: imports {to}, which is not below"
                ));
            }
        }
        if let Some(circle) = self.circle() {
            let circle: Vec<&str> = circle.into_iter().map(name).collect();
            faults.push(format!("a circle: {}", circle.join(" -> ")));
        }
        faults
    }
}

/// Returns the module path of a file as it is written in floors.
fn name(module: &str) -> &str {
    if module.is_empty() { "lib" } else { module }
}

fn join(module: &str, name: &str) -> Module {
    if module.is_empty() {
        name.to_owned()
    } else {
        format!("{module}::{name}")
    }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// Returns whether a module is this room or lies in it.
fn is_in(module: &str, room: &str) -> bool {
    let rest = module.strip_prefix(room);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Reads the files in the folder of a module.
fn read(folder: &Path, module: &str, texts: &mut BTreeMap<Module, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        // Programs are crates of their own.
        if module.is_empty() && (stem == "bin" || stem == "main") {
            continue;
        }
        if path.is_dir() {
            read(&path, &join(module, stem), texts)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let this = if stem == "mod" || (module.is_empty() && stem == "lib") {
                module.to_owned()
            } else {
                join(module, stem)
            };
            texts.insert(this, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Returns the file that a path leads to, or `None` if it leads out of the crate.
fn target(
    readings: &BTreeMap<&str, Reading>,
    from: &str,
    used: &Used,
    depth: usize,
) -> Option<Module> {
    let mut segments = used.path.iter().map(String::as_str).peekable();
    let mut at = from.to_owned();
    match segments.next()? {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            // The first `super`s leave modules within the file.
            let mut inner = used.inner;
            let mut up = 1;
            while segments.next_if_eq(&"super").is_some() {
                up += 1;
            }
            for _ in 0..up {
                if inner > 0 {
                    inner -= 1;
                } else {
                    at = parent(&at).to_owned();
                }
            }
        }
        child => {
            at = join(&at, child);
            if !readings.contains_key(at.as_str()) {
                return None;
            }
        }
    }
    while let Some(segment) = segments.peek() {
        let below = join(&at, segment);
        if !readings.contains_key(below.as_str()) {
            break;
        }
        at = below;
        segments.next();
    }
    // The rest of the path is a name in that file, which may re-export it.
    if let Some(name) = segments.next()
        && depth > 0
        && at != from
        && let Some(reading) = readings.get(at.as_str())
    {
        let mut sources = reading.used.iter();
        if let Some(source) = sources.find(|source| source.exported.as_deref() == Some(name)) {
            return target(readings, &at, source, depth - 1).or(Some(at));
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests;
