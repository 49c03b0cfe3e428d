//! Finds where others are better: compares each figure of a peer with ours in the same situation.

use crate::record::Record;
use crate::results::constants;
use crate::results::figures::{Row, is_a_floor, is_ours, rows};
use crate::subjects::GUARD;
use crate::table::Table;

/// Returns whether less of a unit is better (`true`) or more (`false`), or `None` if neither is.
fn less_is_better(unit: &str) -> Option<bool> {
    match unit {
        "ns" | "us" | "cpu ns" | "B" | "MiB" | "x liburcu-memb" => Some(true),
        "1/us" | "1/s" => Some(false),
        _ => None,
    }
}

/// Returns whether a figure repeats another one in a different way, or is the longest single latency, which is an
/// accident.
fn is_left_out(label: &str) -> bool {
    let metrics = ["least time", "cpu time", ", most"];
    metrics.iter().any(|metric| label.ends_with(metric))
}

/// A peer that is better than this library in a bench.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The bench.
    pub bench: String,
    /// The peer.
    pub peer: String,
    /// The number of situations in which it is better.
    pub situations: usize,
    /// The number of situations in which both were measured.
    pub of: usize,
    /// The situation in which it is better by most.
    pub worst: String,
    /// The peer's figure there.
    pub theirs: f64,
    /// Ours.
    pub ours: f64,
    /// Their unit.
    pub unit: String,
    /// The factor by which it is better there.
    pub factor: f64,
}

/// Returns our figure in a situation: the guard's if it was measured, because it corresponds to the others' sections;
/// otherwise the best of ours.
fn ours(row: &Row<'_>, less: bool) -> Option<f64> {
    if let Some(guard) = row.of(GUARD) {
        return Some(guard);
    }
    let ours = row.records.iter().filter(|record| is_ours(&record.subject));
    let figures = ours.filter_map(|record| record.value);
    figures.reduce(if less { f64::min } else { f64::max })
}

/// Returns by what factor a peer's figure is better than ours.
fn factor(ours: f64, theirs: f64, less: bool) -> Option<f64> {
    let factor = if less { ours / theirs } else { theirs / ours };
    factor.is_finite().then_some(factor)
}

/// A difference within the noise of a quiet machine is no loss.
const NOISE: f64 = 1.03;

/// Returns where each peer is better in each bench, the greatest factor first.
#[must_use]
pub fn losses(results: &[Record]) -> Vec<Loss> {
    let mut losses: Vec<Loss> = Vec::new();
    for bench in benches(results)
        .into_iter()
        .filter(|bench| bench != constants::BENCH)
    {
        let of_bench: Vec<Record> = results
            .iter()
            .filter(|it| it.bench == bench)
            .cloned()
            .collect();
        let mut of_peers: Vec<Loss> = Vec::new();
        for row in rows(&of_bench)
            .iter()
            .filter(|row| !is_left_out(&row.label))
        {
            add_row(row, &mut of_peers);
        }
        losses.extend(of_peers.into_iter().filter(|loss| loss.situations > 0));
    }
    losses.sort_by(|left, right| right.factor.total_cmp(&left.factor));
    losses
}

fn benches(results: &[Record]) -> Vec<String> {
    let mut benches: Vec<String> = results.iter().map(|record| record.bench.clone()).collect();
    benches.sort_unstable();
    benches.dedup();
    benches
}

fn add_row(row: &Row<'_>, of_peers: &mut Vec<Loss>) {
    let Some(less) = less_is_better(row.unit) else {
        return;
    };
    let Some(ours) = ours(row, less) else {
        return;
    };
    let peers = row.records.iter();
    for record in peers.filter(|it| !is_ours(&it.subject) && !is_a_floor(&it.subject)) {
        let Some((theirs, factor)) = record
            .value
            .and_then(|theirs| Some((theirs, factor(ours, theirs, less)?)))
        else {
            continue;
        };
        let known = of_peers.iter().position(|loss| loss.peer == record.subject);
        let index = known.unwrap_or_else(|| {
            of_peers.push(Loss {
                bench: record.bench.clone(),
                peer: record.subject.clone(),
                situations: 0,
                of: 0,
                worst: String::new(),
                theirs: f64::NAN,
                ours: f64::NAN,
                unit: row.unit.to_owned(),
                factor: 0.0,
            });
            of_peers.len() - 1
        });
        let loss = &mut of_peers[index];
        loss.of += 1;
        loss.situations += usize::from(factor > NOISE);
        if factor > loss.factor {
            *loss = Loss {
                worst: row.label.clone(),
                theirs,
                ours,
                unit: row.unit.to_owned(),
                factor,
                ..loss.clone()
            };
        }
    }
}

/// Returns the table of the losses.
#[must_use]
pub fn table(losses: &[Loss]) -> Table {
    let mut table = Table::new(&[
        "better than urcu",
        "bench",
        "by at most",
        "situations",
        "theirs",
        "ours",
        "unit",
        "most of all in",
    ]);
    for loss in losses {
        table.row([
            loss.peer.clone(),
            loss.bench.clone(),
            format!("{:.2} x", loss.factor),
            format!("{} of {}", loss.situations, loss.of),
            digits(loss.theirs),
            digits(loss.ours),
            loss.unit.clone(),
            loss.worst.clone(),
        ]);
    }
    table
}

/// Returns a figure with three significant digits.
#[must_use]
pub fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        some if some >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{losses, table};
    use crate::record::Record;

    #[test]
    fn every_peer_that_is_better_anywhere_is_named() {
        let record = |subject: &str, metric: &str, value, unit: &str| {
            Record::new("read_side", subject, metric, value, unit)
        };
        let results = [
            record("urcu guard", "time", 2.0, "ns"),
            record("urcu snapshot", "time", 0.5, "ns"),
            record("a", "time", 1.0, "ns"),
            record("b", "time", 3.0, "ns"),
            record("floor: nothing", "time", 0.1, "ns"),
            record("urcu guard", "throughput", 10.0, "1/us"),
            record("a", "throughput", 5.0, "1/us"),
            record("b", "throughput", 40.0, "1/us"),
            record("urcu guard", "stale", 1.0, "1"),
            record("a", "stale", 0.0, "1"),
        ];
        let losses = losses(&results);
        let named: Vec<_> = losses
            .iter()
            .map(|loss| (&*loss.peer, loss.situations, loss.of))
            .collect();
        assert_eq!(named, [("b", 1, 2), ("a", 1, 2)]);
        assert_eq!((losses[0].factor, &*losses[0].worst), (4.0, "throughput"));
        assert_eq!((losses[1].factor, losses[1].theirs), (2.0, 1.0));
        assert_eq!(table(&losses).rows().len(), 3);
    }
}
