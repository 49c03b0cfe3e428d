//! The plots of what protects a value.

use super::draw::{Plot, bar, bars_of, find, losses, plot_of_bars, plot_of_curves, points};
use crate::bars::Bar;
use crate::curves::Axes;
use crate::results::figures::is_ours;
use crate::results::memory;
use crate::run::Run;
use crate::subjects::{ARC_SWAP, CROSSBEAM, GUARD, MEMB, SNAPSHOT};

pub(super) fn read_side(run: &Run) -> Option<Plot> {
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

/// The subjects that are drawn where all would be too many.
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

pub(super) fn scaling(run: &Run) -> Option<Plot> {
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
        .map(|name| points(&records, name, "threads"))
        .collect();
    plot_of_curves(
        "read-scaling",
        "Reads of all threads in a microsecond",
        Axes {
            right: "threads",
            up: "reads/us",
            powers: true,
        },
        &all,
        says,
    )
}

pub(super) fn mixed(run: &Run) -> Option<Plot> {
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

pub(super) fn grace(run: &Run) -> Option<Plot> {
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

pub(super) fn crowd(run: &Run) -> Option<Plot> {
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

pub(super) fn updates(run: &Run) -> Option<Plot> {
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

pub(super) fn reclaim(run: &Run) -> Option<Plot> {
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

pub(super) fn curve_of_memory(run: &Run, stalled: bool) -> Option<Plot> {
    let situation = memory::situation(stalled);
    let of_situation = run
        .curves
        .iter()
        .filter(|it| it.bench == "retire" && it.situation == situation);
    let all: Vec<_> = of_situation
        .map(|it| (&*it.subject, it.points.clone(), Vec::new()))
        .collect();
    let text = if stalled { "true" } else { "false" };
    let with = [("long-running reader", text)];
    let bars = bars_of(&find(run, "retire", "peak memory", &with));
    let (name, title, says) = if stalled {
        (
            "memory-stalled",
            "The same with a long-running reader for half of the time: MiB resident",
            "A budget bounds what urcu keeps while a reader stalls, by holding the writers up: they do less meanwhile, and \
             a program that would rather grow sets another budget. A reader of haphazard's holds the one value that it \
             reads. Who has no bound grows until this program holds its writers up at 1 GiB (the table says who). At their peaks: ",
        )
    } else {
        (
            "memory",
            "2 threads replace 1 KiB: MiB resident",
            "Lower is better. The throughput differs too: see the table. At their peaks: ",
        )
    };
    let says = format!("{says}{}", losses(&bars, "urcu"));
    plot_of_curves(
        name,
        title,
        Axes {
            right: "seconds",
            up: "MiB",
            powers: false,
        },
        &all,
        says,
    )
}

pub(super) fn reload(run: &Run) -> Option<Plot> {
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
