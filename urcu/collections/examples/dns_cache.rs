//! A DNS-like cache whose records expire. All workers read it, a worker fills in a name that is missing, and a
//! background thread sweeps it.
//!
//! ```text
//! cargo run --release -p urcu-collections --example dns_cache -- --seconds 5
//! ```
//!
//! * Records are in a [`HashMap`]; a lookup is wait-free.
//! * There is a [`List`] of expiry times for each time-to-live, so each list is in order, and a sweep only looks at
//!   the front.
//!
//! Every answer is checked: it has to be the right one for the name, and fresh. The last line prints counts.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use urcu_collections::{HashMap, List};

const NAMES: u64 = 20_000;
/// The times for which records may be used, in milliseconds.
const TIMES_TO_LIVE: [u64; 3] = [40, 150, 600];

type Name = Arc<str>;

#[derive(Clone, Copy)]
struct Record {
    address: Ipv4Addr,
    /// The time of expiry, in milliseconds since the start.
    expires: u64,
}

/// The time when a record expires. If the record was replaced meanwhile, the sweep does nothing.
struct Expiry {
    name: Name,
    at: u64,
}

struct Cache {
    start: Instant,
    records: HashMap<Name, Record>,
    expiries: [List<Expiry>; TIMES_TO_LIVE.len()],
    queries: AtomicU64,
    swept: AtomicU64,
}

/// Returns the authoritative answer for a name.
fn authority(number: u64) -> (Ipv4Addr, usize) {
    let address = Ipv4Addr::from_bits(0x0a00_0000 | number as u32);
    (address, (number % TIMES_TO_LIVE.len() as u64) as usize)
}

impl Cache {
    fn new() -> Self {
        Cache {
            start: Instant::now(),
            records: HashMap::new(),
            expiries: Default::default(),
            queries: AtomicU64::new(0),
            swept: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Returns a record that was fresh at `now`, and whether it was there.
    fn resolve(&self, name: &Name, number: u64, now: u64) -> (Record, bool) {
        let found = self.records.read(name, |record| *record);
        match found.filter(|record| record.expires > now) {
            Some(record) => (record, true),
            None => (self.query(name, number), false),
        }
    }

    /// Queries the authority, and stores the answer. If two threads query the same name at once, the later answer
    /// stays.
    fn query(&self, name: &Name, number: u64) -> Record {
        self.queries.fetch_add(1, Relaxed);
        let (address, class) = authority(number);
        let list = self.expiries[class].pin();
        // No lock is held, so two answers may swap places in the list. Their times differ too little to matter to a
        // sweep.
        let expires = self.now() + TIMES_TO_LIVE[class];
        let record = Record { address, expires };
        self.records.pin().insert(name.clone(), record);
        list.push_back(Expiry {
            name: name.clone(),
            at: expires,
        });
        record
    }

    /// Removes expired records.
    fn sweep(&self) {
        let now = self.now();
        for list in &self.expiries {
            let mut list = list.pin();
            while list.front().is_some_and(|first| first.at <= now) {
                let Some(first) = list.pop_front() else { break };
                let removed = self
                    .records
                    .pin()
                    .remove_if(&first.name, |_, record| record.expires <= first.at)
                    .is_ok_and(|removed| removed.is_some());
                self.swept.fetch_add(u64::from(removed), Relaxed);
                // Lets memory be freed during a long sweep.
                list.refresh();
            }
        }
    }
}

#[derive(Default)]
struct Answers {
    lookups: u64,
    hits: u64,
    errors: u64,
}

/// Looks names up, a few of them very often.
fn work(cache: &Cache, names: &[Name], seed: u64, done: &AtomicBool) -> Answers {
    let (mut answers, mut random) = (Answers::default(), seed);
    while !done.load(Relaxed) {
        for _ in 0..64 {
            random = random
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(seed | 1);
            let share = (random >> 11) as f64 / (1u64 << 53) as f64;
            let number = (share * share * share * NAMES as f64) as u64;
            let now = cache.now();
            let (record, hit) = cache.resolve(&names[number as usize], number, now);
            let is_right = record.address == authority(number).0 && record.expires > now;
            answers.lookups += 1;
            answers.hits += u64::from(hit);
            answers.errors += u64::from(!is_right);
        }
    }
    answers
}

fn main() -> ExitCode {
    let seconds = std::env::args()
        .skip_while(|argument| argument != "--seconds")
        .nth(1);
    let seconds = seconds.map_or(3.0, |seconds| seconds.parse().expect("a number of seconds"));
    let names: Vec<Name> = (0..NAMES)
        .map(|number| format!("host-{number}.example").into())
        .collect();
    let (cache, done) = (Cache::new(), AtomicBool::new(false));
    let workers = thread::available_parallelism().map_or(2, |workers| workers.get().clamp(2, 8));
    let mut all = Answers::default();
    let mut largest = (0, 0);
    thread::scope(|scope| {
        let threads: Vec<_> = (1..=workers as u64)
            .map(|seed| {
                scope.spawn({
                    let (cache, names, done) = (&cache, &names, &done);
                    move || work(cache, names, seed, done)
                })
            })
            .collect();
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
            cache.sweep();
            largest = largest.max((cache.records.len(), cache.records.memory_usage()));
        }
        done.store(true, Relaxed);
        for thread in threads {
            let answers = thread.join().expect("a worker");
            all.lookups += answers.lookups;
            all.hits += answers.hits;
            all.errors += answers.errors;
        }
    });
    thread::sleep(Duration::from_millis(TIMES_TO_LIVE[2] + 1));
    cache.sweep();
    // By now all records have expired, and all were removed.
    all.errors +=
        (cache.records.len() + cache.expiries.iter().map(List::len).sum::<usize>()) as u64;
    println!(
        "{workers} workers: {:.0} ns a lookup, {:.1} % hits; at most {} records in {} KiB",
        seconds * 1e9 * workers as f64 / all.lookups as f64,
        100.0 * all.hits as f64 / all.lookups as f64,
        largest.0,
        largest.1 / 1024,
    );
    println!(
        "dns_cache: lookups={} hits={} queries={} swept={} errors={}",
        all.lookups,
        all.hits,
        cache.queries.load(Relaxed),
        cache.swept.load(Relaxed),
        all.errors
    );
    ExitCode::from(u8::from(all.errors > 0))
}
