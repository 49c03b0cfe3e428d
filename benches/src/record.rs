//! Records: figures with their parameters, for programs, in one form for all benches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::measure::{median, quantile};
use crate::table::{Table, cell};

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The bench: `read_side`, `grace_period`, ...
    pub bench: String,
    /// The subject of the measurement: `urcu guard`, `crossbeam-epoch`, ...
    pub subject: String,
    /// The other parameters: threads, parts of updates, ...
    pub params: BTreeMap<String, Value>,
    /// The meaning of the figure: `time`, `throughput`, `p99`, ...
    pub metric: String,
    /// The figure; `None` if it is infinite or unknown.
    pub value: Option<f64>,
    /// Its unit: `ns`, `us`, `MiB`, `1/s`, ...
    pub unit: String,
    /// The spread of the rounds: the range of their middle half, divided by their median. `None` without rounds.
    pub spread: Option<f64>,
}

impl Record {
    /// Returns a figure without rounds.
    #[must_use]
    pub fn new(bench: &str, subject: &str, metric: &str, value: f64, unit: &str) -> Self {
        Self {
            bench: bench.to_owned(),
            subject: subject.to_owned(),
            params: BTreeMap::new(),
            metric: metric.to_owned(),
            value: Some(value).filter(|value| value.is_finite()),
            unit: unit.to_owned(),
            spread: None,
        }
    }

    /// Returns the median of rounds, with their spread.
    #[must_use]
    pub fn of(bench: &str, subject: &str, metric: &str, rounds: &[f64], unit: &str) -> Self {
        Self {
            spread: Some(spread(rounds)).filter(|spread| spread.is_finite()),
            ..Self::new(bench, subject, metric, median(rounds), unit)
        }
    }

    /// Adds a parameter on which the figure depends.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    fn is_of(&self, other: &Self) -> bool {
        (&self.bench, &self.subject, &self.metric, &self.params)
            == (&other.bench, &other.subject, &other.metric, &other.params)
    }

    /// Returns the figure's parameters and its metric.
    #[must_use]
    pub fn situation(&self) -> String {
        let params = self.params.iter();
        let params: Vec<String> = params
            .map(|(name, value)| match value {
                Value::String(text) => text.clone(),
                other => format!("{name} {other}"),
            })
            .collect();
        match &*params {
            [] => self.metric.clone(),
            params => format!("{}: {}", params.join(", "), self.metric),
        }
    }

    fn label(&self) -> String {
        format!("{}, {}", self.subject, self.situation())
    }
}

/// Returns the spread of rounds: the range of their middle half, divided by their median, or NaN without rounds.
#[must_use]
pub fn spread(rounds: &[f64]) -> f64 {
    (quantile(rounds, 0.75) - quantile(rounds, 0.25)) / median(rounds)
}

/// Returns the table of `new` figures beside the `old` ones that have the same name.
#[must_use]
pub fn comparison(new: &[Record], old: &[Record]) -> Table {
    let mut table = Table::new(&[
        "compared with before",
        "bench",
        "unit",
        "before",
        "now",
        "x",
    ]);
    for record in new {
        let before = old.iter().find(|before| before.is_of(record));
        let Some(before) = before.and_then(|before| before.value) else {
            continue;
        };
        table.row([
            record.label(),
            record.bench.clone(),
            record.unit.clone(),
            cell(Some(before)),
            cell(record.value),
            cell(
                record
                    .value
                    .map(|now| now / before)
                    .filter(|x| x.is_finite()),
            ),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{Record, comparison, spread};

    #[test]
    fn figures_without_end_are_none() {
        assert_eq!(Record::new("b", "s", "m", f64::INFINITY, "ns").value, None);
        assert_eq!(Record::of("b", "s", "m", &[], "ns").spread, None);
    }

    #[test]
    fn the_spread_is_that_of_the_middle_half() {
        assert_eq!(spread(&[1.0, 2.0, 2.0, 100.0]), 0.5);
        assert_eq!(spread(&[3.0]), 0.0);
    }

    #[test]
    fn figures_are_compared_with_those_of_the_same_name() {
        let of = |threads: u64, value| {
            Record::new("read_side", "urcu guard", "time", value, "ns").with("threads", threads)
        };
        let table = comparison(&[of(1, 3.0), of(2, 5.0)], &[of(1, 2.0), of(4, 9.0)]);
        assert_eq!(table.rows().len(), 2);
        assert_eq!(table.rows()[1][5], "1.50");
        let text = serde_json::to_string(&of(1, 3.0)).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), of(1, 3.0));
    }
}
