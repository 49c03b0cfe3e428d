//! Plots of some of a run's figures, with their text.

use crate::bars::{self, Bar};
use crate::curves::{self, Axes, Curve};
use crate::record::Record;
use crate::results::figures::is_ours;
use crate::run::Run;

/// A plot and its text.
#[derive(Clone, Debug)]
pub struct Plot {
    /// A name for a file.
    pub name: &'static str,
    /// The drawing.
    pub svg: String,
    /// A paragraph: what the plot shows, and where this library loses.
    pub says: String,
}

/// Returns a bench's figures of one metric, in situations that have all of these parameters.
pub(super) fn find<'r>(
    run: &'r Run,
    bench: &str,
    metric: &str,
    with: &[(&str, &str)],
) -> Vec<&'r Record> {
    let has = |record: &Record| {
        with.iter().all(|(name, value)| {
            let text = record.params.get(*name).map(|it| match it {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            text.as_deref() == Some(value)
        })
    };
    let records = run.results.iter();
    let found = records.filter(|it| it.bench == bench && it.metric == metric && has(it));
    found.collect()
}

pub(super) fn bar(label: String, record: &Record) -> Option<Bar> {
    let value = record.value?;
    // The spread is the range of the middle half, divided by the median.
    let half = record.spread.map(|spread| spread * value / 2.0);
    Some(Bar {
        label,
        value,
        middle: half.map(|half| (value - half, value + half)),
        ours: is_ours(&record.subject),
    })
}

pub(super) fn bars_of(records: &[&Record]) -> Vec<Bar> {
    let bars = records
        .iter()
        .map(|record| bar(record.subject.clone(), record));
    bars.flatten().collect()
}

/// Returns a sentence that says which bars are better than `ours`, and by how much. Less is better.
pub(super) fn losses(bars: &[Bar], ours: &str) -> String {
    let Some(own) = bars.iter().find(|bar| bar.label == ours) else {
        return String::new();
    };
    let ahead = bars
        .iter()
        .filter(|bar| !bar.ours && bar.value < own.value && !bar.label.starts_with("floor"));
    let mut ahead: Vec<&Bar> = ahead.collect();
    ahead.sort_by(|left, right| left.value.total_cmp(&right.value));
    let names: Vec<String> = ahead
        .iter()
        .map(|bar| format!("{} ({:.2} x)", bar.label, bar.value / own.value))
        .collect();
    match &*names {
        [] => format!("Nothing here is better than {ours}."),
        names => format!("Better than {ours}: {}.", names.join(", ")),
    }
}

pub(super) fn plot_of_bars(
    name: &'static str,
    title: &str,
    bars: &[Bar],
    says: String,
) -> Option<Plot> {
    (!bars.is_empty()).then(|| Plot {
        name,
        svg: bars::chart(title, bars),
        says,
    })
}

/// A curve: its name, its points, and the spread of each.
pub(super) type Drawn<'r> = (&'r str, Vec<(f64, f64)>, Vec<f64>);

/// Points by a parameter that is a number, on a scale of powers of two.
pub(super) fn points<'r>(records: &[&Record], subject: &'r str, by: &str) -> Drawn<'r> {
    let own = records.iter().filter(|it| it.subject == subject);
    let points = own.filter_map(|it| {
        let at = it.params.get(by)?.as_f64()?.log2();
        Some(((at, it.value?), it.spread.unwrap_or(0.0)))
    });
    let (points, spread) = points.unzip();
    (subject, points, spread)
}

pub(super) fn plot_of_curves(
    name: &'static str,
    title: &str,
    axes: Axes<'_>,
    all: &[Drawn<'_>],
    says: String,
) -> Option<Plot> {
    let curves: Vec<Curve<'_>> = all
        .iter()
        .filter(|(_, points, _)| !points.is_empty())
        .map(|(label, points, spread)| Curve {
            label,
            points,
            spread,
        })
        .collect();
    (!curves.is_empty()).then(|| Plot {
        name,
        svg: curves::chart(title, axes, &curves),
        says,
    })
}

#[cfg(test)]
mod tests {
    use super::{Bar, losses};

    #[test]
    fn who_is_better_is_named() {
        let bar = |label: &str, value| Bar {
            label: label.to_owned(),
            value,
            middle: None,
            ours: label.starts_with("urcu"),
        };
        let bars = [
            bar("urcu guard", 2.0),
            bar("a", 1.0),
            bar("b", 3.0),
            bar("c", 0.5),
        ];
        assert_eq!(
            losses(&bars, "urcu guard"),
            "Better than urcu guard: c (0.25 x), a (0.50 x)."
        );
        assert!(losses(&bars[..1], "urcu guard").starts_with("Nothing"));
    }
}
