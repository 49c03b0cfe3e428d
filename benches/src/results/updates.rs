//! Updates: what it costs to replace a boxed value of 24 bytes and to retire the old one, by one
//! thread and by two at once.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use urcu_host::machine::cpu_time;

use crate::cells::{Cell, Epoch, Hazard, Kovan, Seize, Swap, Urcu};
use crate::measure::{Effort, Ratio, median, minimum};
use crate::memb;
use crate::record::Record;
use crate::subjects::{ARC_SWAP, CROSSBEAM, MEMB};
use crate::table::{Table, cell};
use crate::target::Target;
use crate::window::{Stretch, together};

/// The value that is replaced.
pub type Value = [u64; 3];

/// The number of updates between two readings of the clock.
const BATCH: u64 = 64;

/// The library's update: `Rcu::store`.
pub const STORE: &str = "urcu";
/// seize's update: `swap` and `defer_retire`.
pub const SEIZE: &str = "seize";
/// The name of an allocation that is freed at once.
pub const FLOOR: &str = "floor: malloc + free";

/// One way to update.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// Lets so many threads do so for so long, each on a cell of its own.
    pub run: fn(usize, Duration) -> Stretch,
    /// Waits until what was retired is freed, or does the next best thing.
    pub drain: fn(),
}

/// Every way to update that can be measured here, the library's own first.
#[must_use]
pub fn all() -> Vec<Peer> {
    fn peer<C: Cell<Value>>(name: &'static str) -> Peer {
        Peer {
            name,
            run: run::<C>,
            drain: C::drain,
        }
    }
    let mut peers = vec![
        peer::<Urcu<Value>>(STORE),
        peer::<Epoch<Value>>(CROSSBEAM),
        peer::<Seize<Value>>(SEIZE),
        peer::<Kovan<Value>>("kovan"),
        peer::<Hazard<Value>>("haphazard"),
        peer::<Swap<Value>>(ARC_SWAP),
    ];
    if memb::AVAILABLE {
        peers.push(Peer {
            name: MEMB,
            run: liburcu_memb,
            drain: memb::barrier,
        });
    }
    peers.push(Peer {
        name: FLOOR,
        run: floor,
        drain: || (),
    });
    peers
}

fn run<C: Cell<Value>>(threads: usize, time: Duration) -> Stretch {
    let step = |cell: &mut C| {
        for count in 0..BATCH {
            cell.replace(black_box([count; 3]));
        }
        BATCH
    };
    together(threads, || C::new([0; 3]), step, || thread::sleep(time))
}

fn liburcu_memb(threads: usize, time: Duration) -> Stretch {
    let step = |slot: &mut memb::Slot| {
        slot.swaps(BATCH);
        BATCH
    };
    together(threads, memb::Slot::default, step, || thread::sleep(time))
}

fn floor(threads: usize, time: Duration) -> Stretch {
    let step = |(): &mut ()| {
        for count in 0..BATCH {
            drop(black_box(Box::new(black_box([count; 3]))));
        }
        BATCH
    };
    together(threads, || (), step, || thread::sleep(time))
}

/// The rounds of one peer, in nanoseconds an update.
#[derive(Clone, Debug, Default)]
struct Series {
    one: Vec<f64>,
    cpu: Vec<f64>,
    two: Vec<f64>,
}

/// One peer's updates.
#[derive(Clone, Debug)]
pub struct UpdateResult {
    /// The subject of the measurement.
    pub name: &'static str,
    /// The rounds with one thread, in nanoseconds an update.
    pub rounds: Vec<f64>,
    /// Their median.
    pub median_ns: f64,
    /// The least of them.
    pub min_ns: f64,
    /// The CPU time of the whole process for an update by one thread, until what can be waited
    /// for was freed, in nanoseconds: the median of the rounds.
    pub cpu_ns: f64,
    /// The median of the rounds with two threads: nanoseconds for an update by either.
    pub two_threads_ns: f64,
    /// The ratio of two threads' throughput to one thread's.
    pub gain: Ratio,
    /// One thread's time compared with that of crossbeam-epoch.
    pub to_crossbeam: Option<Ratio>,
    /// The same for seize.
    pub to_seize: Option<Ratio>,
    /// The same for arc-swap.
    pub to_arc_swap: Option<Ratio>,
    /// The same for liburcu-memb.
    pub to_memb: Option<Ratio>,
}

/// Measures all peers, in interleaved rounds.
#[must_use]
pub fn measure(peers: &[Peer], effort: &Effort) -> Vec<UpdateResult> {
    let time = Duration::from_millis(effort.window_ms);
    let mut series = vec![Series::default(); peers.len()];
    for _ in 0..effort.window_rounds {
        for (peer, series) in peers.iter().zip(&mut series) {
            let begin = cpu_time();
            let one = (peer.run)(1, time);
            (peer.drain)();
            let used = cpu_time().saturating_sub(begin);
            series
                .cpu
                .push(used.as_nanos() as f64 / one.total.max(1) as f64);
            series.one.push(one.ns_each());
            series.two.push((peer.run)(2, time).ns_each());
            (peer.drain)();
        }
    }
    let result = |(peer, ours): (&Peer, &Series)| {
        let to = |name: &str| {
            let index = peers.iter().position(|peer| peer.name == name)?;
            Some(Ratio::of(&ours.one, &series[index].one))
        };
        UpdateResult {
            name: peer.name,
            rounds: ours.one.clone(),
            median_ns: median(&ours.one),
            min_ns: minimum(&ours.one),
            cpu_ns: median(&ours.cpu),
            two_threads_ns: median(&ours.two),
            gain: Ratio::of(&ours.one, &ours.two),
            to_crossbeam: to(CROSSBEAM),
            to_seize: to(SEIZE),
            to_arc_swap: to(ARC_SWAP),
            to_memb: to(MEMB),
        }
    };
    peers.iter().zip(&series).map(result).collect()
}

/// Returns the table of the results.
#[must_use]
pub fn table(results: &[UpdateResult]) -> Table {
    let mut table = Table::new(&[
        "swap a 24-byte box, retire the old one",
        "median ns",
        "min ns",
        "cpu ns",
        "x crossbeam",
        "x seize",
        "x arc-swap",
        "x liburcu-memb",
        "2 threads ns",
        "gain",
    ]);
    for result in results {
        let ratio = |ratio: Option<Ratio>| cell(ratio.map(|ratio| ratio.rounds));
        table.row([
            result.name.to_owned(),
            cell(Some(result.median_ns)),
            cell(Some(result.min_ns)),
            cell(Some(result.cpu_ns)),
            ratio(result.to_crossbeam),
            ratio(result.to_seize),
            ratio(result.to_arc_swap),
            ratio(result.to_memb),
            cell(Some(result.two_threads_ns)),
            cell(Some(result.gain.rounds)),
        ]);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[UpdateResult]) -> Vec<Record> {
    let of = |result: &UpdateResult| {
        let name = result.name;
        [
            Record::of("retire", name, "time", &result.rounds, "ns").with("threads", 1),
            Record::new("retire", name, "cpu time", result.cpu_ns, "ns").with("threads", 1),
            Record::new("retire", name, "time", result.two_threads_ns, "ns").with("threads", 2),
        ]
    };
    results.iter().flat_map(of).collect()
}

/// Returns the library's aims, met or not.
#[must_use]
pub fn targets(results: &[UpdateResult]) -> Vec<Target> {
    let ours = results.iter().find(|result| result.name == STORE);
    let at_most = |name, limit, ratio: fn(&UpdateResult) -> Option<Ratio>| {
        Target::at_most(
            format!("{STORE} store / {name}"),
            limit,
            ours.and_then(ratio),
        )
    };
    vec![
        at_most(CROSSBEAM, 0.5, |ours| ours.to_crossbeam),
        at_most(ARC_SWAP, 0.25, |ours| ours.to_arc_swap),
        at_most(MEMB, 0.25, |ours| ours.to_memb),
        Target::at_least(
            format!("{STORE} store, throughput of 2 threads / 1"),
            1.7,
            ours.map(|ours| ours.gain),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::{all, measure, table, targets};
    use crate::measure::Effort;

    #[test]
    fn every_peer_updates() {
        let peers = all();
        let results = measure(&peers, &Effort::TEST);
        assert_eq!(results.len(), peers.len());
        for result in &results {
            assert!(result.median_ns > 0.0, "{}", result.name);
            assert!(result.two_threads_ns.is_finite(), "{}", result.name);
        }
        assert_eq!(table(&results).rows().len(), 1 + peers.len());
        assert!(
            targets(&results)
                .iter()
                .all(|target| target.measured.is_some() || !crate::memb::AVAILABLE)
        );
    }
}
