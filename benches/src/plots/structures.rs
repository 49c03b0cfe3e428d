//! The plots of maps and queues.

use super::draw::{Drawn, Plot, bar, bars_of, find, losses, plot_of_bars, plot_of_curves, points};
use crate::bars::Bar;
use crate::curves::Axes;
use crate::record::Record;
use crate::results::figures::is_ours;
use crate::results::{hash_map, ordered_map, queues};
use crate::run::Run;

/// Returns a sentence that says in which situations another map or queue is better than our best.
fn losses_by<'r>(records: &[&'r Record], by: &str) -> String {
    let mut parts = Vec::new();
    let mut values: Vec<&serde_json::Value> = Vec::new();
    for value in records.iter().filter_map(|it| it.params.get(by)) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    for value in values {
        let here = || records.iter().filter(|it| it.params.get(by) == Some(value));
        let least = |ours: bool| -> Option<&'r Record> {
            let known = here().filter(|it| is_ours(&it.subject) == ours && it.value.is_some());
            known
                .min_by(|left, right| left.value.partial_cmp(&right.value).expect("no NaN"))
                .copied()
        };
        let Some((ours, theirs)) = least(true).zip(least(false)) else {
            continue;
        };
        let ratio = theirs.value.unwrap_or(f64::NAN) / ours.value.unwrap_or(f64::NAN);
        if ratio < 1.0 {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            parts.push(format!(
                "{by} {value}: {} ({ratio:.2} x our best)",
                theirs.subject
            ));
        }
    }
    match &*parts {
        [] => "No peer here is better than our best.".to_owned(),
        parts => format!("Better than our best: {}.", parts.join("; ")),
    }
}

fn curves_of_all<'r>(records: &[&'r Record], by: &str) -> Vec<Drawn<'r>> {
    let mut names: Vec<&'r str> = Vec::new();
    for record in records {
        if !names.contains(&&*record.subject) {
            names.push(&record.subject);
        }
    }
    names
        .into_iter()
        .map(|name| points(records, name, by))
        .collect()
}

const BY_ENTRIES: Axes<'static> = Axes {
    right: "entries",
    up: "ns",
    powers: true,
};

const NUMBERS: (&str, &str) = ("types", "u64 to u64");

pub(super) fn map_sizes(run: &Run) -> Option<Plot> {
    let with = [NUMBERS, ("spread", "uniform"), ("pin", "a section each")];
    let records = find(run, hash_map::BENCH, "hit", &with);
    let says = format!(
        "One lookup that finds its key, in a section or under a lock of its own; all keys are equally \
         likely. Small maps show the cost of entering, large maps the number of cache lines that a lookup \
         touches. {}",
        losses_by(&records, "entries")
    );
    plot_of_curves(
        "hash-map-sizes",
        "Hash maps: a hit, one thread (median, ns)",
        BY_ENTRIES,
        &curves_of_all(&records, "entries"),
        says,
    )
}

pub(super) fn map_updates(run: &Run) -> Option<Plot> {
    let of = |threads: &str| {
        let with = [
            NUMBERS,
            ("entries", "65536"),
            ("threads", threads),
            ("updates", "0.1"),
        ];
        find(run, hash_map::BENCH, "operation", &with)
    };
    let bars = bars_of(&of("2"));
    let ours = "urcu HashMap";
    let says = format!(
        "65,536 entries; one operation in ten inserts or removes a key. {} With 64 threads: {} Updates here \
         allocate an entry and retire it; maps that lock and write in place need neither.",
        losses(&bars, ours),
        losses(&bars_of(&of("64")), ours)
    );
    plot_of_bars(
        "hash-map-updates",
        "Hash maps: 10 % updates, 2 threads (median, ns)",
        &bars,
        says,
    )
}

pub(super) fn map_bytes(run: &Run) -> Option<Plot> {
    let with = [NUMBERS, ("entries", "65536")];
    let bars = bars_of(&find(run, hash_map::BENCH, "bytes an entry", &with));
    let says = format!(
        "The memory from malloc for 65,536 pairs of eight bytes each, in a map that grew from empty. It \
         includes what a library has not yet freed. {}",
        losses(&bars, "urcu HashMap")
    );
    plot_of_bars("hash-map-bytes", "Hash maps: bytes an entry", &bars, says)
}

pub(super) fn map_growth(run: &Run) -> Option<Plot> {
    let with = [("types", "growing from none")];
    let bars = bars_of(&find(run, hash_map::BENCH, "insert, p99.99", &with));
    let lookups = bars_of(&find(
        run,
        hash_map::BENCH,
        "lookup meanwhile, p99.99",
        &with,
    ));
    let ours = "urcu HashMap";
    let says = format!(
        "Insertions into a map that grows from empty, while another thread looks keys up. The tail shows \
         which maps move their entries all at once. {} Lookups meanwhile: {}",
        losses(&bars, ours),
        losses(&lookups, ours)
    );
    plot_of_bars(
        "hash-map-growth",
        "Hash maps: an insertion while growing (99.99 in 100, ns)",
        &bars,
        says,
    )
}

pub(super) fn tree_lookups(run: &Run) -> Option<Plot> {
    let of = |metric: &str| find(run, ordered_map::BENCH, metric, &[]);
    let records = of("hit");
    let says = format!(
        "One lookup that finds its key. {} Ranges of 100 entries: {} Insertions and removals: {}",
        losses_by(&records, "entries"),
        losses_by(&of("range of 100"), "entries"),
        losses_by(&of("insert and remove"), "entries")
    );
    plot_of_curves(
        "ordered-map-sizes",
        "Ordered maps: a hit, one thread (median, ns)",
        BY_ENTRIES,
        &curves_of_all(&records, "entries"),
        says,
    )
}

pub(super) fn tree_updates(run: &Run) -> Option<Plot> {
    let of = |updates: &str| {
        let with = [("entries", "65536"), ("threads", "2"), ("updates", updates)];
        bars_of(&find(run, ordered_map::BENCH, "operation", &with))
    };
    let bars = of("0.1");
    let ours = "urcu BTreeMap";
    let says = format!(
        "65,536 entries; one operation in ten inserts or removes a key, by copying the path from the \
         root. {} If half of the operations are updates: {}",
        losses(&bars, ours),
        losses(&of("0.5"), ours)
    );
    plot_of_bars(
        "ordered-map-updates",
        "Ordered maps: 10 % updates, 2 threads (median, ns)",
        &bars,
        says,
    )
}

pub(super) fn queue_loads(run: &Run) -> Option<Plot> {
    let records = find(run, queues::BENCH, "a value in and out", &[]);
    let bars = records.iter().filter_map(|it| {
        let load = it.params.get("load")?.as_str()?;
        let one = load.starts_with("1 in");
        one.then(|| bar(it.subject.clone(), it)).flatten()
    });
    let bars: Vec<Bar> = bars.collect();
    let says = format!(
        "One thread pushes values, another pops them. {} In all loads: {}",
        losses(&bars, "urcu Queue"),
        losses_by(&records, "load")
    );
    plot_of_bars(
        "queues",
        "Queues: a value in and out, 2 threads (median, ns)",
        &bars,
        says,
    )
}
