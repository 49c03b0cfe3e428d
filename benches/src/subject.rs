//! A subject: one value as a library keeps it, which is read and replaced.

use std::fmt::{self, Debug, Formatter};
use std::time::{Duration, Instant};

/// A value that threads read while others replace it.
pub trait Subject: Send + Sync {
    /// Makes a subject that holds `value`.
    fn new(value: u64) -> Self
    where
        Self: Sized;

    /// Replaces the value. The old one is freed when nobody reads it any more.
    fn store(&self, value: u64);

    /// Reads once, and runs `body` with the value before the read ends.
    fn held(&self, body: &mut dyn FnMut(u64));

    /// Returns the sum of what `count` reads find: each begins, loads the pointer, reads the value
    /// behind it, and ends.
    fn sum(&self, count: u64) -> u64;

    /// Reads `count` times. Returns how long that took, and the sum of what was read.
    fn time(&self, count: u64) -> (Duration, u64) {
        let start = Instant::now();
        let sum = self.sum(count);
        (start.elapsed(), sum)
    }
}

/// A kind of subject, and its description for tables.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name in tables and in JSON.
    pub name: &'static str,
    /// The package on the registry, or the library.
    pub package: &'static str,
    /// The way in which it is read and replaced here, in words.
    pub how: &'static str,
    make: fn(u64) -> Box<dyn Subject>,
}

impl Debug for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish()
    }
}

impl Kind {
    pub(crate) const fn of<S: Subject + 'static>(
        name: &'static str,
        package: &'static str,
        how: &'static str,
    ) -> Self {
        Self {
            name,
            package,
            how,
            make: |value| Box::new(S::new(value)),
        }
    }

    /// Makes a subject of this kind.
    #[must_use]
    pub fn make(&self, value: u64) -> Box<dyn Subject> {
        (self.make)(value)
    }

    /// Returns the version that was built in, or `None` if the lock file does not have the package.
    #[must_use]
    pub fn version(&self) -> Option<&'static str> {
        version(self.package)
    }
}

/// Returns the version of a package in the lock file that this was built with: of several, the one that the
/// benchmarks themselves depend on. If they depend on several, the package's name is followed by the beginning
/// of a version.
#[must_use]
pub fn version(package: &str) -> Option<&'static str> {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let own = LOCK.split("name = \"urcu-benches\"").nth(1)?;
    let dependencies = own.split("]").next()?;
    // The lock file says the version only where there are several of the name.
    let mut quoted = dependencies.split('"').skip(1).step_by(2);
    let is_meant = |dependency: &&str| {
        let rest = dependency.strip_prefix(package);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '.']))
    };
    if let Some(version) = quoted.find(is_meant).and_then(|it| it.split(' ').nth(1)) {
        return Some(version);
    }
    let name = format!("name = \"{}\"", package.split(' ').next()?);
    let mut lines = LOCK.lines();
    lines.find(|line| **line == *name)?;
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}

/// This library's guard.
pub const GUARD: &str = "urcu guard";
/// This library's `Rcu::read`.
pub const READ: &str = "urcu read";
/// This library's `Rcu::snapshot`.
pub const SNAPSHOT: &str = "urcu snapshot";
/// liburcu's usual flavour.
pub const MEMB: &str = "liburcu-memb";
/// The library that most Rust structures use.
pub const CROSSBEAM: &str = "crossbeam-epoch";
/// The library that most Rust services use.
pub const ARC_SWAP: &str = "arc-swap";
/// The least that two counted words cost.
pub const FLOOR: &str = "floor: two increments";
