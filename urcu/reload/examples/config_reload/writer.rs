//! The other side: somebody who rewrites the file all the time, and now and then gets it wrong.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;
use std::{fs, io};

use serde::Deserialize;
use toml::Spanned;

use crate::ledger::{Fault, Ledger, Written};
use crate::service::lock;

/// One write in so many is broken on purpose.
const FAULT_EVERY: usize = 10;
/// The number of weights that a new version changes.
const CHANGES: usize = 20;

/// The places in the text of the values that the writer changes.
#[derive(Debug, Deserialize)]
struct Places {
    version: Spanned<u64>,
    #[serde(default)]
    backend: Vec<BackendPlaces>,
    #[serde(default)]
    route: Vec<RoutePlaces>,
}

#[derive(Debug, Deserialize)]
struct BackendPlaces {
    name: Spanned<String>,
}

#[derive(Debug, Deserialize)]
struct RoutePlaces {
    backend: Spanned<String>,
    weight: Spanned<u32>,
}

/// Writes new versions of a valid file, whatever its layout: it knows the places in the text of the
/// values that it changes.
#[derive(Debug)]
pub(crate) struct Writer {
    file: PathBuf,
    text: String,
    version: Range<usize>,
    weights: Vec<Range<usize>>,
    targets: Vec<Range<usize>>,
    backends: Vec<Range<usize>>,
    random: u64,
    writes: usize,
}

impl Writer {
    /// A writer of a file that has this text now.
    pub(crate) fn new(file: &Path, text: String) -> Result<Self, toml::de::Error> {
        let places: Places = toml::from_str(&text)?;
        let routes = places.route.iter();
        Ok(Self {
            file: file.into(),
            version: places.version.span(),
            weights: routes.clone().map(|route| route.weight.span()).collect(),
            targets: routes.map(|route| route.backend.span()).collect(),
            backends: places
                .backend
                .iter()
                .map(|backend| backend.name.span())
                .collect(),
            text,
            random: 1,
            writes: 0,
        })
    }

    /// The next write of the run: mostly valid, now and then broken.
    pub(crate) fn write(&mut self, ledger: &Mutex<Ledger>) -> io::Result<()> {
        self.writes += 1;
        let broken = self.writes.is_multiple_of(FAULT_EVERY);
        let fault = broken.then(|| Fault::ALL[self.writes / FAULT_EVERY % Fault::ALL.len()]);
        self.put(ledger, fault)
    }

    /// A write that is valid for certain.
    pub(crate) fn write_valid(&mut self, ledger: &Mutex<Ledger>) -> io::Result<()> {
        self.put(ledger, None)
    }

    /// Puts the next version in place at once: whoever opens the file gets the old text or the new
    /// one, never a part. (No `fsync`: after a power failure nobody misses these versions.)
    fn put(&mut self, ledger: &Mutex<Ledger>, fault: Option<Fault>) -> io::Result<()> {
        let enter = |line| {
            let written = Written {
                at: Instant::now(),
                fault: fault.map(|fault| (fault, line)),
            };
            lock(ledger).enter(written);
        };
        if fault == Some(Fault::NoFile) {
            enter(0);
            return fs::remove_file(&self.file);
        }
        let version = lock(ledger).newest() + 1;
        let (text, fault_at) = self.compose(version, fault);
        let aside = self.file.with_extension("new");
        fs::write(&aside, text)?;
        enter(line_of(&self.text, fault_at));
        fs::rename(&aside, &self.file)
    }

    /// The text of a version, and where it is broken, as a place in the original text.
    fn compose(&mut self, version: u64, fault: Option<Fault>) -> (String, usize) {
        let mut edits = BTreeMap::new();
        let mut edit = |place: &Range<usize>, value: &str| {
            edits.insert(place.start, (place.end, value.to_owned()));
            place.start
        };
        edit(&self.version, &version.to_string());
        let changes = if fault == Some(Fault::CutShort) {
            0
        } else {
            CHANGES
        };
        for _ in 0..changes {
            let weight = 1 + pick(&mut self.random, 200);
            edit(
                &self.weights[pick(&mut self.random, self.weights.len())],
                &weight.to_string(),
            );
        }
        let route = pick(&mut self.random, self.weights.len());
        let fault_at = match (fault, &self.backends[..]) {
            (Some(Fault::BadSyntax), _) => edit(&self.weights[route], "= 7"),
            (Some(Fault::WrongType), _) => edit(&self.weights[route], "\"heavy\""),
            (Some(Fault::UnknownBackend), _) => edit(&self.targets[route], "\"nowhere\""),
            (Some(Fault::NameTaken), [first, .., last]) => edit(last, &self.text[first.clone()]),
            // With a single backend no name can be taken: take its own away.
            (Some(Fault::NameTaken), _) => edit(&self.targets[route], "\"nowhere\""),
            (Some(Fault::CutShort), _) => {
                // After the version and before the last weight: at the end of a line too.
                let last = self
                    .weights
                    .last()
                    .map_or(self.text.len(), |place| place.start);
                let mut cut = self.version.end + pick(&mut self.random, last - self.version.end);
                while !self.text.is_char_boundary(cut) {
                    cut += 1;
                }
                edit(&(cut..self.text.len()), "")
            }
            (None | Some(Fault::NoFile), _) => 0,
        };

        let mut text = String::with_capacity(self.text.len() + 16 * edits.len());
        let mut done = 0;
        for (start, (end, value)) in edits {
            text.push_str(&self.text[done..start]);
            text.push_str(&value);
            done = end;
        }
        text.push_str(&self.text[done..]);
        (text, fault_at)
    }
}

/// The line, counted from 1, that a place in the text is on.
fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// A random number below `below`, good enough for a test (xorshift).
pub(crate) fn pick(random: &mut u64, below: usize) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random >> 16) as usize % below.max(1)
}
