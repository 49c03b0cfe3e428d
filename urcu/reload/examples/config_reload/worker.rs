//! The workers: they answer lookups as fast as they can, and check every answer.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::store::Store;
use crate::table::{Method, Table};
use crate::writer::pick;

/// The number of requests that a worker goes through, over and over.
const REQUESTS: usize = 1024;
/// After so many reads the whole table is checked instead of what was looked up only.
const READS_PER_FULL_CHECK: u64 = 1 << 15;
/// After so many reads a worker looks whether it is to stop.
const BATCH: usize = 128;

/// A request to a worker.
#[derive(Debug)]
pub(crate) struct Request {
    host: Box<str>,
    path: Box<str>,
    method: Method,
    user: u32,
    feature: Option<Box<str>>,
}

/// Requests for what the file has: most of them for a few of the routes, as in life.
pub(crate) fn requests(config: &Config, seed: u64) -> Vec<Request> {
    let mut random = seed + 1;
    let mut request = || {
        let below = 1 + pick(&mut random, config.route.len());
        let route = &config.route[pick(&mut random, below)];
        let feature = config.feature.get(pick(&mut random, config.feature.len()));
        let user = pick(&mut random, 1_000_000) as u32;
        let prefix = route.path.trim_end_matches('/');
        Request {
            host: route.host.as_str().into(),
            path: format!("{prefix}/{user}").into(),
            method: route.method,
            user,
            feature: feature.map(|feature| feature.name.as_str().into()),
        }
    };
    (0..REQUESTS).map(|_| request()).collect()
}

/// The kind of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Answers a request: a route and a feature.
    Lookup,
    /// Reads the version only: next to nothing but the price of getting at the table.
    VersionOnly,
}

/// A worker's counts, on cache lines of their own: other threads look at them while it works.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Tally {
    reads: AtomicU64,
    stale: AtomicU64,
}

impl Tally {
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    pub(crate) fn stale(&self) -> u64 {
        self.stale.load(Ordering::Relaxed)
    }
}

/// Reads until `stop`; returns for how long.
pub(crate) fn run<S: Store>(
    store: &S,
    work: Work,
    requests: &[Request],
    published: &AtomicU64,
    tally: &Tally,
    stop: &AtomicBool,
) -> Duration {
    let begun = Instant::now();
    let (mut reads, mut stale, mut next_full_check) = (0, 0, READS_PER_FULL_CHECK);
    let mut batches = requests.chunks(BATCH).cycle();
    while !stop.load(Ordering::Relaxed) {
        for request in batches.next().unwrap_or_default() {
            // The `replace` of this version had returned before the read began.
            let floor = published.load(Ordering::Acquire);
            let good = store.with_read(|table| match work {
                Work::Lookup => table.version() >= floor && answer(table, request),
                Work::VersionOnly => table.version() >= floor,
            });
            reads += 1;
            stale += u64::from(!good);
        }
        if work == Work::Lookup && reads >= next_full_check {
            next_full_check += READS_PER_FULL_CHECK;
            stale += u64::from(!store.with_read(Table::is_whole));
        }
        tally.reads.store(reads, Ordering::Relaxed);
        tally.stale.store(stale, Ordering::Relaxed);
    }
    begun.elapsed()
}

/// Answers a request; `false` if what it found is not whole.
fn answer(table: &Table, request: &Request) -> bool {
    let version = table.version();
    let Some(route) = table.route(&request.host, &request.path, request.method) else {
        return false; // Every version has the routes that are asked for.
    };
    let feature_is_whole = match request.feature.as_deref().map(|name| table.feature(name)) {
        Some(Some(feature)) => {
            black_box(feature.is_on_for(request.user));
            feature.is_of(version)
        }
        Some(None) => false,
        None => true,
    };
    // The version again, last: a table that was dropped under our hands would have lost it.
    route.is_of(version) && feature_is_whole && table.version() == version
}
