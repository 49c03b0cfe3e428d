//! The plots of a run, and what each says.

use crate::bars::{self, Bar};
use crate::curves::{self, Curve};
use crate::record::Record;
use crate::results::figures::{is_ours, subjects};
use crate::results::{hash_map, memory, ordered_map, queues};
use crate::run::Run;
use crate::subjects::{ARC_SWAP, CROSSBEAM, GUARD, MEMB, SNAPSHOT};

/// A plot, and what it says.
#[derive(Clone, Debug)]
pub struct Plot {
    /// A name for a file.
    pub name: &'static str,
    /// The drawing.
    pub svg: String,
    /// What it shows, and where this library loses.
    pub says: String,
}

/// Returns the plots of the part of the report that has this title.
#[must_use]
pub fn of_part(run: &Run, title: &str) -> Vec<Plot> {
    let plots = match title {
        "Read side" => vec![read_side(run)],
        "Reads by many threads" => vec![scaling(run)],
        "Reads and updates" => vec![mixed(run)],
        "Grace periods" => vec![grace(run)],
        "More readers than CPUs" => vec![crowd(run)],
        "Updates" => vec![updates(run)],
        "Reclamation" => vec![reclaim(run)],
        "Memory" => vec![curve_of_memory(run, false), curve_of_memory(run, true)],
        "A large value, reloaded" => vec![reload(run)],
        "Hash maps" => vec![
            map_sizes(run),
            map_updates(run),
            map_bytes(run),
            map_growth(run),
        ],
        "Ordered maps" => vec![tree_lookups(run), tree_updates(run)],
        "Queues" => vec![queue_loads(run)],
        _ => Vec::new(),
    };
    plots.into_iter().flatten().collect()
}

/// Returns the figures of a bench that say this, in situations that have all of these parameters.
fn find<'r>(run: &'r Run, bench: &str, metric: &str, with: &[(&str, &str)]) -> Vec<&'r Record> {
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

fn bar(label: String, record: &Record) -> Option<Bar> {
    let value = record.value?;
    // The spread is the range of the middle half, in parts of the median.
    let half = record.spread.map(|spread| spread * value / 2.0);
    Some(Bar {
        label,
        value,
        middle: half.map(|half| (value - half, value + half)),
        ours: is_ours(&record.subject),
    })
}

fn bars_of(records: &[&Record]) -> Vec<Bar> {
    let bars = records
        .iter()
        .map(|record| bar(record.subject.clone(), record));
    bars.flatten().collect()
}

/// Says who is better than `ours` among the bars, by how much. Less is better.
fn losses(bars: &[Bar], ours: &str) -> String {
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

fn plot_of_bars(name: &'static str, title: &str, bars: &[Bar], says: String) -> Option<Plot> {
    (!bars.is_empty()).then(|| Plot {
        name,
        svg: bars::chart(title, bars),
        says,
    })
}

fn read_side(run: &Run) -> Option<Plot> {
    let bars = bars_of(&find(run, "read_side", "time", &[]));
    let says = format!(
        "Begin, load a pointer, read the value behind it, end, by one thread: everything is in the cache, and \
         nobody writes. {} {} The portable fallback and threads that this library has to register itself are \
         slower than a lock that nobody contends for.",
        losses(&bars, GUARD),
        losses(&bars, SNAPSHOT)
    );
    plot_of_bars(
        "read-side",
        "A read-side section, one thread (median, ns)",
        &bars,
        says,
    )
}

/// Who is drawn where all would be too many.
const DRAWN: [&str; 8] = [
    GUARD,
    SNAPSHOT,
    MEMB,
    CROSSBEAM,
    "seize",
    "kovan",
    ARC_SWAP,
    "std RwLock",
];

/// Points by a parameter that is a number, on a scale of powers of two.
fn points(records: &[&Record], subject: &str, by: &str) -> Vec<(f64, f64)> {
    let own = records.iter().filter(|it| it.subject == subject);
    let points = own.filter_map(|it| Some((it.params.get(by)?.as_f64()?.log2(), it.value?)));
    points.collect()
}

fn plot_of_curves(
    name: &'static str,
    title: &str,
    axes: (&str, &str),
    all: &[(&str, Vec<(f64, f64)>)],
    says: String,
) -> Option<Plot> {
    let curves: Vec<Curve<'_>> = all
        .iter()
        .filter(|(_, points)| !points.is_empty())
        .map(|(label, points)| Curve { label, points })
        .collect();
    (!curves.is_empty()).then(|| Plot {
        name,
        svg: curves::chart(title, axes, &curves),
        says,
    })
}

fn scaling(run: &Run) -> Option<Plot> {
    let records = find(run, "read_scaling", "throughput", &[]);
    let most = records
        .iter()
        .filter_map(|it| it.params.get("threads")?.as_f64());
    let most = most.fold(0.0, f64::max);
    let of = |subject: &str| {
        let own = records.iter().filter(|it| it.subject == subject);
        let mut own = own.filter(|it| it.params["threads"].as_f64() == Some(most));
        own.next().and_then(|it| it.value)
    };
    let mut ahead = Vec::new();
    if let Some(own) = of(GUARD) {
        for name in records.iter().map(|it| &*it.subject) {
            let better = of(name).filter(|value| *value > own && !is_ours(name));
            if let Some(value) = better
                && !name.starts_with("floor")
                && !ahead.iter().any(|(known, _)| *known == name)
            {
                ahead.push((name, value / own));
            }
        }
    }
    let ahead: Vec<String> = ahead
        .iter()
        .map(|(name, x)| format!("{name} ({x:.2} x)"))
        .collect();
    let losses = match &*ahead {
        [] => format!("With {most} threads nobody reads more than {GUARD}."),
        names => format!(
            "With {most} threads more is read than by {GUARD} with: {}.",
            names.join(", ")
        ),
    };
    let says = format!(
        "There are {} CPUs: beyond as many threads, more threads show what switching costs, not what more CPUs \
         would bring. Higher is better; eight of the subjects are drawn, the table has all. {losses}",
        run.machine.cpus
    );
    let all: Vec<_> = DRAWN
        .iter()
        .map(|name| (*name, points(&records, name, "threads")))
        .collect();
    plot_of_curves(
        "read-scaling",
        "Reads of all threads in a microsecond",
        ("threads, as a power of two", "reads/us"),
        &all,
        says,
    )
}

fn mixed(run: &Run) -> Option<Plot> {
    let of = |updates: &str, section: &str| {
        let with = [("updates", updates), ("section_ns", section)];
        bars_of(&find(run, "mixed", "time", &with))
    };
    let bars = of("0.1", "0");
    let says = format!(
        "Two threads on one value, one operation in ten replaces it: allocation, retiring and the transfer of its \
         line are in it. {} With half of the operations updates and sections of 10 us: {}",
        losses(&bars, GUARD),
        losses(&of("0.5", "10000"), GUARD)
    );
    plot_of_bars(
        "mixed",
        "Reads and 10 % updates, 2 threads (median, ns an operation)",
        &bars,
        says,
    )
}

fn grace(run: &Run) -> Option<Plot> {
    let records = find(run, "grace_period", "time", &[]);
    let bars = records.iter().filter_map(|it| {
        let scenario = it.params.get("scenario")?.as_str()?;
        let idle = it
            .params
            .get("idle_threads")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0);
        let scenario = if idle > 0 {
            format!("{idle} {scenario}")
        } else {
            scenario.to_owned()
        };
        bar(format!("{}, {scenario}", it.subject), it)
    });
    let bars: Vec<Bar> = bars.collect();
    let says = format!(
        "What a writer waits for. The system call alone is what no design with a membarrier can be below. {}",
        losses(&bars, "urcu, idle")
    );
    plot_of_bars(
        "grace-period",
        "synchronize, one caller (median, us)",
        &bars,
        says,
    )
}

fn crowd(run: &Run) -> Option<Plot> {
    let records = find(run, "grace_period", "p99", &[]);
    let crowd = records
        .into_iter()
        .filter(|it| it.params.contains_key("readers"));
    let bars = crowd.filter_map(|it| {
        let scenario = it.params.get("scenario")?.as_str()?;
        bar(format!("{}, {scenario}", it.subject), it)
    });
    let bars: Vec<Bar> = bars.collect();
    let says = format!(
        "Many more readers than CPUs: a grace period waits for threads that lost their CPU in a section, whichever \
         library counts them. {} The table has what the readers get done meanwhile.",
        losses(&bars, "urcu, readers that yield")
    );
    plot_of_bars(
        "crowd",
        "synchronize among a crowd of readers (99 in 100, us)",
        &bars,
        says,
    )
}

fn updates(run: &Run) -> Option<Plot> {
    let bars = bars_of(&find(run, "retire", "time", &[("threads", "1")]));
    let says = format!(
        "One thread; malloc and free are part of it. {}",
        losses(&bars, "urcu")
    );
    plot_of_bars(
        "retire",
        "Swap a 24-byte box and retire the old one (median, ns)",
        &bars,
        says,
    )
}

fn reclaim(run: &Run) -> Option<Plot> {
    let bars_of_load = |metric: &str| {
        let records = find(run, "retire", metric, &[]);
        let bars = records.iter().filter_map(|it| {
            let load = it.params.get("load")?.as_str()?;
            bar(format!("{}, {load}", it.subject), it)
        });
        bars.collect::<Vec<Bar>>()
    };
    let bars = bars_of_load("p50 to the drop");
    let mut says = "From retiring a value to its drop, the median. Who is missing had not dropped half of its values \
                    when the measurement ended: the table says how many are left."
        .to_owned();
    for load in ["light: one in 10 ms", "heavy: two threads in a loop"] {
        let of_load: Vec<Bar> = bars
            .iter()
            .filter(|bar| bar.label.ends_with(load))
            .cloned()
            .collect();
        says.push(' ');
        says.push_str(&losses(&of_load, &format!("urcu, {load}")));
    }
    plot_of_bars(
        "reclaim",
        "From retiring to the drop (median, us)",
        &bars,
        says,
    )
}

fn curve_of_memory(run: &Run, stalled: bool) -> Option<Plot> {
    let situation = memory::situation(stalled);
    let of_situation = run
        .curves
        .iter()
        .filter(|it| it.bench == "retire" && it.situation == situation);
    let all: Vec<_> = of_situation
        .map(|it| (&*it.subject, it.points.clone()))
        .collect();
    let text = if stalled { "true" } else { "false" };
    let with = [("long-running reader", text)];
    let bars = bars_of(&find(run, "retire", "peak memory", &with));
    let (name, title, says) = if stalled {
        (
            "memory-stalled",
            "The same with a long-running reader for half of the time: MiB resident",
            "A budget bounds what urcu keeps while a reader stalls, by holding the writers up; the others grow until \
             this program holds their writers up at 1 GiB. So urcu's writers do less meanwhile, and a program that \
             would rather grow sets another budget. At their peaks: ",
        )
    } else {
        (
            "memory",
            "2 threads replace 1 KiB: MiB resident",
            "Lower is better. The throughput differs too: see the table. At their peaks: ",
        )
    };
    let says = format!("{says}{}", losses(&bars, "urcu"));
    plot_of_curves(name, title, ("seconds", "MiB"), &all, says)
}

fn reload(run: &Run) -> Option<Plot> {
    let records = find(run, "reload", "p99.99", &[]);
    let rates = records
        .iter()
        .filter_map(|it| it.params.get("rate")?.as_u64());
    let most = rates.max()?.to_string();
    let bars = bars_of(&find(run, "reload", "p99.99", &[("rate", &most)]));
    let says = format!(
        "The tail of reading 64 KiB that another thread replaces; interrupts and lost CPUs are in it, and a look at \
         the clock. {}",
        losses(&bars, "urcu")
    );
    let title = format!("Reads of a value replaced {most} times a second (99.99 in 100, ns)");
    plot_of_bars("reload", &title, &bars, says)
}

/// Says who of the maps or queues is better than our best in which of the situations.
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
        [] => "Nobody here is better than our best.".to_owned(),
        parts => format!("Better than our best: {}.", parts.join("; ")),
    }
}

fn curves_of_all<'r>(records: &[&'r Record], by: &str) -> Vec<(&'r str, Vec<(f64, f64)>)> {
    let owned: Vec<Record> = records.iter().map(|record| (*record).clone()).collect();
    let names: Vec<String> = subjects(&owned).into_iter().map(str::to_owned).collect();
    let of = |name: &String| {
        let record = records.iter().find(|it| it.subject == *name)?;
        Some((&*record.subject, points(records, name, by)))
    };
    names.iter().filter_map(of).collect()
}

const NUMBERS: (&str, &str) = ("types", "u64 to u64");

fn map_sizes(run: &Run) -> Option<Plot> {
    let with = [NUMBERS, ("spread", "uniform"), ("pin", "a section each")];
    let records = find(run, hash_map::BENCH, "hit", &with);
    let says = format!(
        "One lookup that finds its key, with a section or a lock of its own; keys are drawn evenly. Small maps \
         show what entering costs, large ones how many lines of memory a lookup touches. {}",
        losses_by(&records, "entries")
    );
    plot_of_curves(
        "hash-map-sizes",
        "Hash maps: a hit, one thread (median, ns)",
        ("entries, as a power of two", "ns"),
        &curves_of_all(&records, "entries"),
        says,
    )
}

fn map_updates(run: &Run) -> Option<Plot> {
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
        "65,536 entries; one operation in ten inserts a key or removes it. {} With 64 threads: {} Updates here \
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

fn map_bytes(run: &Run) -> Option<Plot> {
    let with = [NUMBERS, ("entries", "65536")];
    let bars = bars_of(&find(run, hash_map::BENCH, "bytes an entry", &with));
    let says = format!(
        "What malloc has given out for 65,536 pairs of eight bytes each, after growing from none; what a library \
         has not freed yet is in it. {}",
        losses(&bars, "urcu HashMap")
    );
    plot_of_bars("hash-map-bytes", "Hash maps: bytes an entry", &bars, says)
}

fn map_growth(run: &Run) -> Option<Plot> {
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
        "Insertions into a map that grows from none, while another thread looks keys up: the tail shows who moves \
         its entries in one go. {} Lookups meanwhile: {}",
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

fn tree_lookups(run: &Run) -> Option<Plot> {
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
        ("entries, as a power of two", "ns"),
        &curves_of_all(&records, "entries"),
        says,
    )
}

fn tree_updates(run: &Run) -> Option<Plot> {
    let of = |updates: &str| {
        let with = [("entries", "65536"), ("threads", "2"), ("updates", updates)];
        bars_of(&find(run, ordered_map::BENCH, "operation", &with))
    };
    let bars = of("0.1");
    let ours = "urcu BTreeMap";
    let says = format!(
        "65,536 entries; one operation in ten inserts a key or removes it, by copying the way from the root. {} With \
         half of the operations updates: {}",
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

fn queue_loads(run: &Run) -> Option<Plot> {
    let records = find(run, queues::BENCH, "a value in and out", &[]);
    let bars = records.iter().filter_map(|it| {
        let load = it.params.get("load")?.as_str()?;
        let one = load.starts_with("1 in");
        one.then(|| bar(it.subject.clone(), it)).flatten()
    });
    let bars: Vec<Bar> = bars.collect();
    let says = format!(
        "One thread puts values in, another takes them out. {} In all loads: {}",
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
