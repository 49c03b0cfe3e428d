//! The published figures: `FIGURES.md` and its plots, and the tables of the README, all made from the runs in `runs`.

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
/// Fails if a file cannot be read or is not a run.
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

/// Returns all files that are made from the runs. The README is that of the repository with new tables.
///
/// # Errors
///
/// Fails if there is no run, or if the README lacks the marks around its tables.
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
    // The model uses the newest run that has all constants.
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

All runs are kept with their date and machine: [runs](runs). To measure your machine, and to get a page like this in
about a quarter of an hour (two minutes with `--quick`):

```sh
cargo run --release -p urcu-benches --bin rcu-compare -- --json mine.json --report mine
```

**This version was not measured on Intel, AArch64 or RISC-V machines, because none was available.** A run that says \"an
earlier version\" measured one. [Performance](../urcu/src/docs/performance.rs) has more figures of earlier versions, on an
Ice Lake and a Zen 4. [SCALE.md](SCALE.md) says what to expect of machines with more CPUs.

";

const SCALE_HEAD: &str = "\
# A model of scale: 1 to 512 CPUs, 1 to 100,000 threads

<!-- Made of the runs in benches/runs by `cargo run -p urcu-benches --bin rcu-publish`. Do not edit. -->

The machines that were available have two CPUs. This page predicts larger machines from the algorithms and from
constants measured on the small ones. It is a model with an uncertainty, not a measurement. The program is
`benches/src/scale.rs`. To get the tables for your machine, measure it (`rcu-compare --json benches/runs/mine.json`) and
publish the run (`rcu-publish`).

## Counts for each operation

| | this library | liburcu-memb, as a design that knows its threads |
|---|---|---|
| a section | two increments on lines of the CPU's own | two stores to a line of the thread's own |
| a grace period, barriers | 1 | 2 |
| ... interrupts of a barrier | one for each other CPU that runs the process | the same |
| ... lines looked at | 2 for each possible CPU | 2 for each registered thread |

`cargo run -p urcu-torture --example counts` checked the counts of barriers and interrupts in otherwise idle guests
(qemu, Linux 6.1), and `.ci/guests` checks them in every run. All guests had one barrier for each grace period. The
interrupts for each barrier, by the number of CPUs that run threads of the process, were:

| virtual CPUs | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
|---|---|---|---|---|---|---|---|---|
| the model | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
| 2 | 0.00 | 0.97 | | | | | | |
| 4 | 0.00 | 1.44 | 2.16 | 3.00 | | | | |
| 8 | 0.00 | 1.21 | 2.16 | 3.14 | 4.07 | 5.11 | 6.07 | 7.00 |

(Numbers above the model include the kernel's own interrupts, of which there are more soon after the start.) An emulator
shows nothing about times, so times are not checked.

## What is not known

* **Interrupts overlap**: the first costs what was measured, and each further one 2 % (low) to 50 % (high) of that.
* **Cache lines come from further away** on machines with several sockets: at the cost measured here (low) up to three
  times that (high).
* Interrupts cost more in a virtual machine than on real hardware, on some hosts several times as much.
* The model leaves out readers in a section, and threads that lost their CPU in one: every design waits for those.

So the ranges below go from all low values to all high ones. Trust orders of magnitude, but not factors of two.

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
        "Sections that write only lines of their own scale with the CPUs in every design that has them; a \
         lock that readers share does not.\n\n## Grace periods\n\n",
    );
    markdown(&scale::grace_periods(c), &mut text);
    text.push_str(
        "With one thread no CPU is interrupted and liburcu-memb looks at one line, so it is as fast \
         there. With hundreds of threads and more, its time grows with its list of threads; this \
         library's time does not depend on the number of threads.\n\n\
         ## What should be changed for 512 CPUs\n\n",
    );
    markdown(&scale::changes(c), &mut text);
    let ((few_low, few_high), (all_low, all_high)) =
        (scale::gain_of_bound(c, 4.0), scale::gain_of_bound(c, 512.0));
    let _ = writeln!(
        text,
        "* **Bounding the scan by the highest index seen** shortens the grace period of a process on 4 of 512 CPUs by \
         a factor of {few_low:.1} to {few_high:.1}, and that of one on all of them by {all_low:.1} to {all_high:.1}. \
         It needs one store by the first reader on a CPU, in the slow path that sets memory up, and \
         nothing in the fast path. It helps only while the kernel keeps a process on low CPU numbers, as \
         it does if the process is bound to them (cgroups, `taskset`).\n\
         * **A two-level sum** would make readers write a line that 63 other CPUs write too, at {:.0} times \
         the present cost of a section. The scan is never worth that.\n\
         * **The barrier** makes up the rest, and belongs to the kernel. Its cost is shared: concurrent callers of \
         `synchronize` share grace periods, and retired values share them by the thousand.",
        scale::cost_of_two_levels(c)
    );
    text
}

/// Adds the section of one run.
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
        let _ = writeln!(text, "* {}", plain(&remark));
    }
    let _ = writeln!(text, "\n### Where others are better\n\n{LOSSES}\n");
    markdown(&losses::table(&losses::losses(&run.results)), text);
    for part in &run.tables {
        let _ = writeln!(text, "### {}\n", part.title);
        for plot in plots::of_part(run, &part.title) {
            let file = format!("{}-{}.svg", kept.name, plot.name);
            let _ = writeln!(
                text,
                "![{}](plots/{file})\n\n{}\n",
                plot.name,
                plain(&plot.says)
            );
            files.insert(Path::new(PLOTS).join(file), plot.svg);
        }
        markdown(&part.table, text);
    }
}

/// Returns a text as Markdown that shows it as it is: `RwLock<HashMap>` must not become a `RwLock` and an unknown tag.
fn plain(text: &str) -> String {
    // What is between backticks is shown as it is already, except that a bar would end the cell.
    let parts = text.replace('|', "\\|");
    let parts = parts
        .split('`')
        .enumerate()
        .map(|(index, part)| match index % 2 {
            0 => part.replace('<', "\\<"),
            _ => part.to_owned(),
        });
    parts.collect::<Vec<_>>().join("`")
}

/// Writes a table as Markdown.
fn markdown(table: &Table, text: &mut String) {
    for (index, row) in table.rows().iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text.push('\n');
}

/// Returns the name of the processor, with its microarchitecture if the family tells it.
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

/// Returns a figure of a run. The oldest runs kept only ratios.
fn figure<'r>(run: &'r Run, bench: &str, subject: &str, metric: &str) -> Option<(f64, &'r str)> {
    let mut records = run.results.iter();
    let one =
        |it: &&crate::record::Record| it.params.get("threads").is_none_or(|threads| threads == 1);
    let found = records
        .find(|it| (&*it.bench, &*it.subject, &*it.metric) == (bench, subject, metric) && one(it));
    let found = found?;
    Some((found.value?, &found.unit))
}

/// A row of a table: its name, whether it is this library's, and the subjects whose figures it shows.
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

/// Returns whether a run kept the times of any of these lines. The oldest runs kept only ratios of some benches.
fn has_times(run: &Run, lines: &[Line], bench: &str) -> bool {
    let mut subjects = lines.iter().flat_map(|(_, _, subjects)| *subjects);
    subjects
        .any(|subject| figure(run, bench, subject, "time").is_some_and(|(_, unit)| unit == "ns"))
}

/// Returns a table of figures and of their ratios to those of `reference`, two columns for each run, or one if it kept
/// only ratios.
fn small(head: &str, lines: &[Line], kept: &[Kept], bench: &str, reference: &str) -> String {
    let mut text = format!("| {head} |");
    let mut rule = "|---|".to_owned();
    for Kept { run, .. } in kept {
        let machine = architecture(&run.machine);
        if has_times(run, lines, bench) {
            let _ = write!(text, " {machine}: ns | x {reference} |");
            rule.push_str("---|---|");
        } else {
            let _ = write!(text, " {machine}: x {reference} |");
            rule.push_str("---|");
        }
    }
    let _ = write!(text, "\n{rule}\n");
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
            if has_times(run, lines, bench) {
                let _ = write!(text, " {strong}{}{strong} |", cells(&ns));
            }
            let _ = write!(text, " {strong}{}{strong} |", cells(&ratio));
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

/// Returns a paragraph that says where others are better.
fn faster(run: &Run) -> String {
    let losses = losses::losses(&run.results);
    let mut parts = Vec::new();
    for (bench, what) in [
        ("read_side", "A section, compared with the guard"),
        ("retire", "retiring"),
        ("hash_map", "hash maps"),
        ("ordered_map", "ordered maps"),
        ("queues", "queues"),
    ] {
        let of_bench = losses.iter().filter(|loss| loss.bench == bench);
        let named: Vec<String> = of_bench
            .map(|loss| format!("{} ({} x)", plain(&loss.peer), factor(loss.factor)))
            .collect();
        if !named.is_empty() {
            parts.push(format!("{what}: {}", named.join(", ")));
        }
    }
    let parts = parts.join("; ");
    format!(
        "**Where others are better**, and by what factor in the situation that suits each best. {parts}. [All figures, losses first]({FIGURES}).\n"
    )
}

/// Returns a factor with two or three digits, so that none is shown as 1.0.
fn factor(factor: f64) -> String {
    match factor {
        ..1.1 => format!("{factor:.2}"),
        10.0.. => format!("{factor:.0}"),
        _ => format!("{factor:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use urcu_host::machine::Machine;

    use super::{BEGIN, END, Kept, architecture, between, factor, files, plain};
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
    fn names_are_shown_as_they_are() {
        assert_eq!(plain("a|`b<c>`: RwLock<d>"), "a\\|`b<c>`: RwLock\\<d>");
        assert_eq!([1.04, 3.86, 4345.7].map(factor), ["1.04", "3.9", "4346"]);
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
