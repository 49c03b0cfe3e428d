//! A routing table for IPv4 and IPv6, looked up by longest prefix, changed route by route, and reloaded as a
//! whole from text, while packets are forwarded.
//!
//! ```text
//! cargo run --release -p urcu-collections --example routing_table -- --seconds 5
//! ```
//!
//! * For each length of prefix there is a [`HashMap`] from the prefix to the next hop; a lookup tries the lengths
//!   in use, the longest first, and each step copies the next hop without a guard ([`HashMap::get_copied`]).
//! * Announcing or withdrawing a route is an insertion into one of the maps or a removal from it.
//! * A reload makes a new table and publishes it in an [`Rcu`], so each packet is forwarded by either the old table
//!   or the new one.
//!
//! Every table has a number, which its hops contain, so a lookup that mixes two tables is noticed. Some addresses
//! are also looked up route by route. The last line prints counts.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use urcu::Rcu;
use urcu_collections::HashMap;

/// The number of the table in the high bits, and that of the hop in the low bits.
type Hop = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Prefix {
    /// The bits of the prefix, from the most significant bit on. An IPv4 address uses the 32 highest.
    bits: u128,
    length: u8,
    is_v6: bool,
}

fn address_bits(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, false),
        IpAddr::V6(address) => (address.to_bits(), true),
    }
}

/// Returns the first bits of an address, and zeros.
fn cut(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

impl Prefix {
    /// Reads `192.0.2.0/24` or `2001:db8::/32`.
    fn parse(text: &str) -> Option<Prefix> {
        let (address, length) = text.split_once('/')?;
        let (bits, is_v6) = address_bits(address.parse().ok()?);
        let length = length
            .parse()
            .ok()
            .filter(|&length| length <= if is_v6 { 128 } else { 32 })?;
        let bits = cut(bits, length);
        Some(Prefix {
            bits,
            length,
            is_v6,
        })
    }

    fn matches(&self, address: IpAddr) -> bool {
        let (bits, is_v6) = address_bits(address);
        is_v6 == self.is_v6 && cut(bits, self.length) == self.bits
    }
}

/// The routes of one family.
struct Family {
    /// The lengths in use, the longest first, each with its routes. A prefix is an array of 16 bytes, because a
    /// restartable sequence can compare that.
    lengths: Vec<(u8, HashMap<[u64; 2], Hop>)>,
}

struct Table {
    v4: Family,
    v6: Family,
}

fn key(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

impl Family {
    fn new(routes: &[(Prefix, Hop)], is_v6: bool) -> Self {
        let mine = || routes.iter().filter(|(prefix, _)| prefix.is_v6 == is_v6);
        let lengths: BTreeSet<u8> = mine().map(|(prefix, _)| prefix.length).collect();
        let of = |length| {
            let routes = mine().filter(|(prefix, _)| prefix.length == length);
            (
                length,
                routes
                    .map(|(prefix, hop)| (key(prefix.bits), *hop))
                    .collect(),
            )
        };
        Family {
            lengths: lengths.into_iter().rev().map(of).collect(),
        }
    }

    fn lookup(&self, bits: u128) -> Option<Hop> {
        let mut lengths = self.lengths.iter();
        lengths.find_map(|(length, routes)| routes.get_copied(&key(cut(bits, *length))))
    }
}

impl Table {
    fn new(routes: &[(Prefix, Hop)]) -> Self {
        Table {
            v4: Family::new(routes, false),
            v6: Family::new(routes, true),
        }
    }

    fn family(&self, is_v6: bool) -> &Family {
        if is_v6 { &self.v6 } else { &self.v4 }
    }

    fn lookup(&self, address: IpAddr) -> Option<Hop> {
        let (bits, is_v6) = address_bits(address);
        self.family(is_v6).lookup(bits)
    }

    /// Announces a route, or withdraws it. A route whose length is not in use has to wait for the next reload.
    fn change(&self, prefix: &Prefix, hop: Option<Hop>) {
        let mut lengths = self.family(prefix.is_v6).lengths.iter();
        if let Some((_, routes)) = lengths.find(|(length, _)| *length == prefix.length) {
            match hop {
                Some(hop) => _ = routes.pin().insert(key(prefix.bits), hop),
                None => _ = routes.pin().remove(&key(prefix.bits)),
            }
        }
    }
}

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (number >> 32)
}

/// Returns a table as text, in the format of a file of routes.
fn dump(number: u64, routes: u64) -> String {
    let mut text = String::from("0.0.0.0/0 1\n::/0 2\n");
    for route in 0..routes {
        let bits = mix(route);
        let hop = 3 + bits % 61;
        _ = if route % 4 == 3 {
            let length = [32, 40, 48, 48, 64][(bits >> 8) as usize % 5];
            let address = 0x2001_0000_u128 << 96 | u128::from(bits) << 48;
            writeln!(
                text,
                "{}/{length} {hop}",
                std::net::Ipv6Addr::from_bits(address)
            )
        } else {
            let length = [8, 16, 20, 22, 24, 24, 24][(bits >> 8) as usize % 7];
            let address = std::net::Ipv4Addr::from_bits((bits >> 16) as u32);
            writeln!(text, "{address}/{length} {hop}")
        };
    }
    _ = writeln!(text, "# table {number}");
    text
}

fn parse(number: u64, text: &str) -> Vec<(Prefix, Hop)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (prefix, hop) = line.split_once(' ')?;
            Some((
                Prefix::parse(prefix)?,
                number << 16 | hop.parse::<u64>().ok()?,
            ))
        })
        .collect()
}

/// Returns an address that is likely to have a route of its own.
fn destination(random: u64, routes: u64) -> IpAddr {
    let route = random % routes;
    let bits = mix(route);
    if route % 4 == 3 {
        let address = 0x2001_0000_u128 << 96 | u128::from(bits) << 48 | u128::from(random >> 48);
        IpAddr::V6(address.into())
    } else {
        IpAddr::V4((((bits >> 16) as u32) ^ (random >> 56) as u32).into())
    }
}

/// Forwards packets. Returns the number of packets, and how many of them were forwarded wrongly.
fn forward(table: &Rcu<Table>, routes: u64, seed: u64, done: &AtomicBool) -> (u64, u64) {
    let (mut packets, mut errors, mut random) = (0, 0, seed);
    while !done.load(Relaxed) {
        let guard = urcu::read_lock();
        let table = table.load(&guard);
        let mut first = None;
        for _ in 0..64 {
            random = mix(random.wrapping_add(seed));
            // There is a default route, so the lookup finds a hop.
            let hop = table.lookup(destination(random, routes));
            let is_of_table = hop.is_some_and(|hop| hop >> 16 == *first.get_or_insert(hop >> 16));
            errors += u64::from(!is_of_table);
            packets += 1;
        }
    }
    (packets, errors)
}

/// Looks some addresses up in the table and route by route. Returns how many results differ.
fn check(table: &Table, routes: &[(Prefix, Hop)], number: u64) -> u64 {
    let differ = |probe: &u64| {
        let address = destination(mix(number << 8 | probe), routes.len() as u64);
        let matching = routes.iter().filter(|(prefix, _)| prefix.matches(address));
        // Of several lines for one prefix the last one counts.
        let longest = matching
            .max_by_key(|(prefix, _)| prefix.length)
            .map(|(_, hop)| *hop);
        table.lookup(address) != longest
    };
    (0..8).filter(differ).count() as u64
}

fn main() -> ExitCode {
    let argument = |name: &str| {
        std::env::args()
            .skip_while(|argument| argument != name)
            .nth(1)
    };
    let seconds =
        argument("--seconds").map_or(3.0, |seconds| seconds.parse().expect("a number of seconds"));
    let routes =
        argument("--routes").map_or(40_000, |routes| routes.parse().expect("a number of routes"));
    let mut current = parse(0, &dump(0, routes));
    let table = Rcu::new(Table::new(&current));
    let (done, changes) = (AtomicBool::new(false), AtomicU64::new(0));
    let workers = thread::available_parallelism().map_or(2, |workers| workers.get().clamp(2, 8));
    let (mut packets, mut errors, mut reloads, mut slowest) = (0, 0, 0, Duration::ZERO);
    thread::scope(|scope| {
        let threads: Vec<_> = (1..=workers as u64)
            .map(|seed| {
                let (table, done) = (&table, &done);
                scope.spawn(move || forward(table, routes, seed, done))
            })
            .collect();
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            // Routes come and go.
            let guard = urcu::read_lock();
            for (prefix, hop) in current.iter().skip(2).step_by(97).take(200) {
                table.load(&guard).change(prefix, None);
                table.load(&guard).change(prefix, Some(*hop));
                changes.fetch_add(2, Relaxed);
            }
            drop(guard);
            // The whole table is reloaded.
            reloads += 1;
            let text = dump(reloads, routes);
            let start = Instant::now();
            current = parse(reloads, &text);
            table.store(Table::new(&current));
            slowest = slowest.max(start.elapsed());
            errors += check(table.load(&urcu::read_lock()), &current, reloads);
            thread::sleep(Duration::from_millis(50));
        }
        done.store(true, Relaxed);
        for thread in threads {
            let (forwarded, wrongly) = thread.join().expect("a worker");
            packets += forwarded;
            errors += wrongly;
        }
    });
    println!(
        "{workers} workers: {:.0} ns a packet, {} routes; a reload at most {:.1} ms",
        seconds * 1e9 * workers as f64 / packets as f64,
        current.len(),
        slowest.as_secs_f64() * 1e3,
    );
    println!(
        "routing_table: packets={packets} reloads={reloads} changes={} errors={errors}",
        changes.load(Relaxed)
    );
    ExitCode::from(u8::from(errors > 0))
}
