//! The published figures: `FIGURES.md` and its plots, and the tables of the README, all made of the runs that are
//! kept in `runs`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use urcu_host::machine::Machine;

use crate::losses::{self, digits};
use crate::page::LOSSES;
use crate::plots;
use crate::report::NOTE;
use crate::run::Run;
use crate::scale::{self, Constants};
use crate::subjects::{ARC_SWAP, CROSSBEAM, GUARD, MEMB, READ, SNAPSHOT};
use crate::table::Table;

/// Files by their paths in the repository.
pub type Files = BTreeMap<PathBuf, String>;

/// The folder of the runs that are kept, in the repository.
pub const RUNS: &str = "benches/runs";
const FIGURES: &str = "benches/FIGURES.md";
const SCALE: &str = "benches/SCALE.md";
const PLOTS: &str = "benches/plots";
const README: &str = "README.md";

/// A run that is kept, with the name of its file.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The file's name, without its ending.
    pub name: String,
    /// The run.
    pub run: Run,
}

/// Reads the runs that are kept in the repository, the newest first.
///
/// # Errors
///
/// Fails if a file cannot be read, or is no run.
pub fn kept(repository: &Path) -> Result<Vec<Kept>, String> {
    let folder = repository.join(RUNS);
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut kept = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let cannot = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| cannot(&error))?;
        let run = Run::read(&text).map_err(|error| cannot(&error))?;
        let name = path.file_stem().unwrap_or_default();
        kept.push(Kept {
            name: name.to_string_lossy().into_owned(),
            run,
        });
    }
    kept.sort_by(|left, right| (&right.run.date, &left.name).cmp(&(&left.run.date, &right.name)));
    Ok(kept)
}

/// Returns all files that are made of the runs, with the README as it is in the repository but for its tables.
///
/// # Errors
///
/// Fails if there is no run, or if the README has not the marks between which its tables are.
pub fn files(readme: &str, kept: &[Kept]) -> Result<Files, String> {
    if kept.is_empty() {
        return Err(format!("no run in {RUNS}"));
    }
    let mut files = Files::new();
    let mut text = String::from(HEAD);
    for kept in kept {
        section(kept, &mut text, &mut files);
    }
    let _ = writeln!(text, "## How it is measured\n\n{}", NOTE.trim_end());
    files.insert(FIGURES.into(), text);
    // Of the newest run that has all constants.
    let constants = kept
        .iter()
        .find_map(|kept| Some((kept, Constants::of(&kept.run)?)));
    if let Some((kept, constants)) = constants {
        files.insert(SCALE.into(), scale_page(kept, &constants));
    }
    let parts = [read_side(kept), updates(kept), faster(&kept[0].run)];
    files.insert(README.into(), between(readme, &parts.join("\n"))?);
    Ok(files)
}

const HEAD: &str = "\
# Figures: urcu-percpu beside its peers

<!-- Made of the runs in benches/runs by `cargo run -p urcu-benches --bin rcu-publish`. Do not edit. -->

Every run is kept with its date and machine: [runs](runs). To measure yours, which gives a page of the same in about
a quarter of an hour (`--quick`: two minutes):

```sh
cargo run --release -p urcu-benches --bin rcu-compare -- --json mine.json --report mine
```

**For this version no Intel processor, no AArch64 and no RISC-V machine was to be had**: a run below that says \"an earlier
version\" is of one. More of earlier versions, on an Ice Lake and a Zen 4, is in
[performance](../urcu/src/docs/performance.rs). What to expect of machines with more CPUs: [SCALE.md](SCALE.md).

";

const SCALE_HEAD: &str = "\
# A model of scale: 1 to 512 CPUs, 1 to 100,000 threads

<!-- Made of the runs in benches/runs by `cargo run -p urcu-benches --bin rcu-publish`. Do not edit. -->

The machines that were to be had have two CPUs. This is what the algorithms and the constants measured there say of
larger ones: a model, with its uncertainty, and no measurement. The program is `benches/src/scale.rs`; to have the
tables of your machine, measure (`rcu-compare --json benches/runs/mine.json`) and publish (`rcu-publish`).

## What happens how often

| | this library | liburcu-memb, as a design that knows its threads |
|---|---|---|
| a section | two increments on lines of the CPU's own | two stores to a line of the thread's own |
| a grace period, barriers | 1 | 2 |
| ... interrupts of a barrier | one for each other CPU that runs the process | the same |
| ... lines looked at | 2 for each possible CPU | 2 for each registered thread |

The counts of barriers and interrupts were checked by `cargo run -p urcu-torture --example counts` in guests (qemu,
Linux 6.1) in which nothing else ran, and are checked by `.ci/guests` from then on: one barrier a grace period in all
of them, and interrupts for each barrier, with threads of the process on so many CPUs:

| virtual CPUs | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
|---|---|---|---|---|---|---|---|---|
| the model | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
| 2 | 0.00 | 0.97 | | | | | | |
| 4 | 0.00 | 1.44 | 2.16 | 3.00 | | | | |
| 8 | 0.00 | 1.21 | 2.16 | 3.14 | 4.07 | 5.11 | 6.07 | 7.00 |

(What is above the model are the kernel's own interrupts: more of them soon after the start.) An emulator says nothing
of times, so those are not checked.

## What is not known

* **Interrupts overlap**: the first costs what was measured; each further one 2 % of that (low) to 50 % (high).
* **Lines come from further away** on machines with several sockets: as far as here (low) to three times (high).
* A virtual machine's interrupts are dearer than a real one's, on some hosts several times.
* Readers that are in a section, and threads that lost their CPU there, are not in it: every design waits for those.

So ranges below are from all low to all high. Orders of magnitude can be trusted, factors of two cannot.

";

/// Returns the page of the model of scale.
fn scale_page(kept: &Kept, c: &Constants) -> String {
    let mut text = String::from(SCALE_HEAD);
    let machine = architecture(&kept.run.machine);
    let _ = writeln!(text, "## Constants: {machine}, {}\n", kept.run.date);
    markdown(&scale::constants(c), &mut text);
    text.push_str("## Reads\n\n");
    markdown(&scale::reads(c), &mut text);
    text.push_str(
        "Sections that write lines of their own grow with the CPUs in every design that has them; a lock that \
         readers share does not.\n\n## Grace periods\n\n",
    );
    markdown(&scale::grace_periods(c), &mut text);
    text.push_str(
        "With one thread nobody is interrupted, and liburcu-memb looks at one line: there it is as fast. From \
         hundreds of threads on its list is what counts; here the number of threads does not occur.\n\n\
         ## What should be changed for 512 CPUs\n\n",
    );
    markdown(&scale::changes(c), &mut text);
    let ((few_low, few_high), (all_low, all_high)) =
        (scale::gain_of_bound(c, 4.0), scale::gain_of_bound(c, 512.0));
    let _ = writeln!(
        text,
        "* **Bounding the scan by the highest index seen** shortens the grace period of a process on 4 of 512 CPUs by \
         a factor of {few_low:.1} to {few_high:.1}, and that of one on all of them by {all_low:.1} to {all_high:.1}. \
         It needs a store by whoever first reads on a CPU, in the slow way that sets memory up: nothing in the fast \
         way. It helps only while the kernel keeps a process on low CPU numbers, which it does where the process is \
         bound to them (cgroups, `taskset`).\n\
         * **A two-level sum** would have readers change a line that 63 other CPUs change: {:.0} times what a section \
         takes now. The scan is never worth that.\n\
         * **The barrier** is the rest, and is the kernel's: callers share grace periods (`synchronize` of many \
         callers), and updates that are retired share them by the thousand.",
        scale::cost_of_two_levels(c)
    );
    text
}

/// Adds what one run found.
fn section(kept: &Kept, text: &mut String, files: &mut Files) {
    let run = &kept.run;
    let title = format!("{}, {}", architecture(&run.machine), run.date);
    let _ = writeln!(text, "## {title}\n");
    let _ = writeln!(
        text,
        "[{}.json](runs/{}.json). {}.\n",
        kept.name,
        kept.name,
        run.machine_line()
    );
    for remark in run.remarks() {
        let _ = writeln!(text, "* {remark}");
    }
    let _ = writeln!(text, "\n### Where others are better\n\n{LOSSES}\n");
    markdown(&losses::table(&losses::losses(&run.results)), text);
    for part in &run.tables {
        let _ = writeln!(text, "### {}\n", part.title);
        for plot in plots::of_part(run, &part.title) {
            let file = format!("{}-{}.svg", kept.name, plot.name);
            let _ = writeln!(text, "![{}](plots/{file})\n\n{}\n", plot.name, plot.says);
            files.insert(Path::new(PLOTS).join(file), plot.svg);
        }
        markdown(&part.table, text);
    }
}

/// Writes a table as Markdown.
fn markdown(table: &Table, text: &mut String) {
    for (index, row) in table.rows().iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text.push('\n');
}

/// Returns the microarchitecture, where its family tells it, with the name of the processor.
#[must_use]
pub fn architecture(machine: &Machine) -> String {
    let family = machine.family.as_deref().unwrap_or_default();
    let is_amd = machine.cpu.contains("AMD");
    let known = match family.split(',').next().unwrap_or_default() {
        "family 26" if is_amd => Some("Zen 5"),
        "family 25" if is_amd => Some("Zen 3 or 4"),
        "family 23" if is_amd => Some("Zen or Zen 2"),
        "family 6" => match family.split(", ").nth(1).unwrap_or_default() {
            "model 85" => Some("Skylake or Cascade Lake"),
            "model 106" => Some("Ice Lake"),
            "model 143" => Some("Sapphire Rapids"),
            "model 207" => Some("Emerald Rapids"),
            _ => None,
        },
        _ => None,
    };
    known.map_or(machine.cpu.clone(), |known| {
        format!("{} {known}", machine.cpu)
    })
}

const BEGIN: &str =
    "<!-- figures: made by `cargo run -p urcu-benches --bin rcu-publish` of benches/runs -->\n";
const END: &str = "<!-- end -->";

/// Returns the text with what is between the two marks replaced.
fn between(text: &str, new: &str) -> Result<String, String> {
    let cut = || {
        let (before, rest) = text.split_once(BEGIN)?;
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}{new}{END}{after}"))
    };
    cut().ok_or_else(|| format!("{README} has no {} ... {END}", BEGIN.trim_end()))
}

/// A figure of a run. Of the oldest runs only ratios were kept.
fn figure<'r>(run: &'r Run, bench: &str, subject: &str, metric: &str) -> Option<(f64, &'r str)> {
    let mut records = run.results.iter();
    let one =
        |it: &&crate::record::Record| it.params.get("threads").is_none_or(|threads| threads == 1);
    let found = records
        .find(|it| (&*it.bench, &*it.subject, &*it.metric) == (bench, subject, metric) && one(it));
    let found = found?;
    Some((found.value?, &found.unit))
}

/// A row of a table: what it is called, whether it is ours, and the subjects whose figures it has.
type Line = (&'static str, bool, &'static [&'static str]);

const READS: [Line; 6] = [
    ("`Rcu::snapshot` of a small value", true, &[SNAPSHOT]),
    (
        "liburcu-memb (C, inlined, registered thread)",
        false,
        &[MEMB],
    ),
    ("`read_lock` guard; `Rcu::read`", true, &[GUARD, READ]),
    (
        "`crossbeam_epoch::pin`; seize; kovan",
        false,
        &[CROSSBEAM, "seize", "kovan"],
    ),
    (
        "`RwLock::read`; `ArcSwap::load`",
        false,
        &["std RwLock", ARC_SWAP],
    ),
    (
        "arc-swap's and our `Cache::load`",
        false,
        &["arc-swap Cache", "urcu Cache"],
    ),
];

const UPDATES: [Line; 2] = [
    ("`Rcu::store`", true, &["urcu"]),
    (
        "crossbeam-epoch; seize; liburcu `call_rcu`",
        false,
        &[CROSSBEAM, "seize", MEMB],
    ),
];

/// Returns a table of figures and of their ratios to those of `reference`, two columns for each run.
fn small(head: &str, lines: &[Line], kept: &[Kept], bench: &str, reference: &str) -> String {
    let mut text = format!("| {head} |");
    for Kept { run, .. } in kept {
        let _ = write!(
            text,
            " {}: ns | x {reference} |",
            architecture(&run.machine)
        );
    }
    let _ = write!(text, "\n|---|{}\n", "---|---|".repeat(kept.len()));
    for (what, ours, subjects) in lines {
        let strong = if *ours { "**" } else { "" };
        let _ = write!(text, "| {strong}{what}{strong} |");
        for Kept { run, .. } in kept {
            let any = |subject: &str| figure(run, bench, subject, "time");
            let ns = |subject: &str| {
                any(subject)
                    .filter(|(_, unit)| *unit == "ns")
                    .map(|(ns, _)| ns)
            };
            let cells = |of: &dyn Fn(&str) -> Option<f64>| {
                let cells: Vec<String> = subjects
                    .iter()
                    .map(|subject| of(subject).map_or("-".to_owned(), digits))
                    .collect();
                cells.join("; ")
            };
            let ratio = |subject: &str| Some(any(subject)?.0 / any(reference)?.0);
            let (ns, ratios) = (cells(&ns), cells(&ratio));
            let _ = write!(text, " {strong}{ns}{strong} | {strong}{ratios}{strong} |");
        }
        text.push('\n');
    }
    text
}

fn read_side(kept: &[Kept]) -> String {
    let head = "a read-side section: begin, load, dereference, end";
    small(head, &READS, kept, "read_side", MEMB)
}

fn updates(kept: &[Kept]) -> String {
    let head = "replace a boxed 24-byte value, retire the old one";
    small(head, &UPDATES, kept, "retire", CROSSBEAM)
}

/// Says in one paragraph where others are better.
fn faster(run: &Run) -> String {
    let losses = losses::losses(&run.results);
    let mut parts = Vec::new();
    for (bench, what) in [
        ("read_side", "a section, compared with the guard"),
        ("retire", "retiring"),
        ("hash_map", "hash maps"),
        ("ordered_map", "ordered maps"),
        ("queues", "queues"),
    ] {
        let of_bench = losses.iter().filter(|loss| loss.bench == bench);
        let named: Vec<String> = of_bench
            .map(|loss| format!("{} ({:.1} x)", loss.peer, loss.factor))
            .collect();
        if !named.is_empty() {
            parts.push(format!("{what}: {}", named.join(", ")));
        }
    }
    let parts = parts.join("; ");
    format!(
        "**Where others are better**, at most, in {parts}. [All figures, losses first]({FIGURES}).\n"
    )
}

#[cfg(test)]
mod tests {
    use urcu_host::machine::Machine;

    use super::{BEGIN, END, Kept, architecture, between, files};
    use crate::measure::Effort;
    use crate::report::Report;
    use crate::results::read_side;
    use crate::subjects;

    #[test]
    fn what_is_between_the_marks_is_replaced_and_nothing_else() {
        let readme = format!("a\n{BEGIN}stale text\n{END}\nc\n");
        let new = between(&readme, "new\n").unwrap();
        assert_eq!(new, readme.replace("stale text\n", "new\n"));
        assert!(between("a\n", "").is_err());
    }

    #[test]
    fn all_is_made_of_the_runs() {
        let mut report = Report::new(Machine::probe(), Effort::TEST);
        report.add_read_side(read_side::measure(&subjects::all(), &Effort::TEST));
        let run = report.run();
        let name = "here".to_owned();
        let text = format!("a\n{BEGIN}stale text\n{END}\nc\n");
        let files = files(&text, &[Kept { name, run }]).unwrap();
        let named: Vec<_> = files
            .keys()
            .map(|path| path.display().to_string())
            .collect();
        let expected = [
            "README.md",
            "benches/FIGURES.md",
            "benches/plots/here-read-side.svg",
        ];
        assert_eq!(named, expected);
        let readme = &files[std::path::Path::new("README.md")];
        assert!(readme.starts_with("a\n") && readme.ends_with("c\n"));
        assert!(readme.contains("`Rcu::snapshot`") && !readme.contains("stale text"));
        assert!(super::files(&text, &[]).is_err());
    }

    #[test]
    fn processors_have_names() {
        let mut machine = Machine::probe();
        machine.cpu = "AMD EPYC".to_owned();
        machine.family = Some("family 26, model 2, stepping 1".to_owned());
        assert_eq!(architecture(&machine), "AMD EPYC Zen 5");
        machine.cpu = "Intel(R) Xeon(R)".to_owned();
        machine.family = Some("family 6, model 106, stepping 6".to_owned());
        assert_eq!(architecture(&machine), "Intel(R) Xeon(R) Ice Lake");
    }
}
