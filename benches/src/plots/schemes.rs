//! The plots of schemes that protect a value.

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
        "One thread begins a section, loads a pointer, reads the value behind it and ends the section. \
         Everything is in the cache, and no thread writes. {} {} The portable fallback, and sections in \
         threads that this library must register itself, are \
         slower than an uncontended lock.",
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

/// The subjects in plots for which all subjects would be too many.
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
        [] => format!("With {most} threads no peer reads more than {GUARD}."),
        names => format!(
            "With {most} threads these read more than {GUARD}: {}.",
            names.join(", ")
        ),
    };
    let says = format!(
        "There are {} CPUs. More threads than CPUs show the cost of switching, not the gain of more CPUs. Higher is \
         better. The plot has eight of the subjects, the table has all. {losses}",
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
        "Two threads work on one value, and one operation in ten replaces it. The times include \
         allocation, retiring and the transfer of the value's cache line. {} If half of the operations are \
         updates, and sections take 10 us: {}",
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
        "The time that a writer waits. No design with a membarrier can take less than the system call \
         alone. {}",
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
        "There are many more readers than CPUs. With every library, a grace period waits for threads that \
         lost their CPU in a section. {} The table also says how much the readers read meanwhile.",
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
        "One thread; the times include malloc and free. {}",
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
    let mut says = "The median time from retiring a value to its drop. A library without a bar had not dropped half \
         of its values when the measurement ended; the table says how many were left."
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
            "A budget bounds what urcu keeps while a reader stalls: it holds the writers up, so they do less \
         meanwhile. A program that would rather use more memory sets another budget. A reader of \
         haphazard holds only the value that it reads. A library without a bound grows until this program \
         holds its writers up at 1 GiB (see the table). At their peaks: ",
        )
    } else {
        (
            "memory",
            "2 threads replace 1 KiB: MiB resident",
            "Lower is better. Throughput differs too (see the table). At their peaks: ",
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
        "The slowest reads of 64 KiB that another thread replaces. The times include interrupts, lost \
         CPUs and one reading of the clock. {}",
        losses(&bars, "urcu")
    );
    let title = format!("Reads of a value replaced {most} times a second (99.99 in 100, ns)");
    plot_of_bars("reload", &title, &bars, says)
}
