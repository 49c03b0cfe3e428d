//! Reads a guest's output, and prints the table of results.

use std::time::Duration;

use super::kinds::{Arch, Guest, Runs};

const HEAD: [&str; 15] = [
    "arch", "kernel", "what", "owner", "bytes", "auxv", "own", "tests", "aborts", "plain", "reads",
    "periods", "errors", "time", "outcome",
];

const LEGEND: &str = "
bytes: of the rseq area that the kernel fills (28 and more have mm_cid). auxv: what it would fill, and
how it wants it aligned (AT_RSEQ_FEATURE_SIZE/ALIGN). own: the kind of a registration of ours (Original
or V2, of Linux 7.1), with which the tests ran again. aborts: of sequences, while restarts kept their
promise. plain: how often a membarrier that restarts nothing broke it.
reads, periods (grace periods), errors: of rcu-torture. time: the guest's seconds.";

/// The number of lines that are printed of a run that failed.
const LINES: usize = 60;

/// The results that a guest has printed.
#[derive(Debug)]
pub(crate) struct Row {
    kernel: Option<String>,
    /// From `owner` to `time`.
    figures: [String; 11],
    /// `ok`, or the reason why not.
    pub(crate) outcome: String,
    /// The end of the output of each run that failed, or of the whole output if none did. Empty if all is well.
    pub(crate) evidence: String,
}

impl Row {
    /// Returns the row of a guest that did not run.
    pub(crate) fn without_figures(outcome: String) -> Self {
        Row {
            kernel: None,
            figures: std::array::from_fn(|_| "-".into()),
            outcome,
            evidence: String::new(),
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.outcome.contains("FAILED")
    }

    /// Returns the row that a guest's output gives.
    pub(crate) fn of(guest: &Guest, output: &str, time: Duration, limit: Duration) -> Self {
        let run = match guest.runs {
            Runs::SingleStep => "single-step",
            Runs::Tests => "delays",
        };
        let kernel = output
            .lines()
            .find_map(|line| line.split("GUEST kernel=").nth(1));
        let aborts = lines(output, run).find_map(|line| {
            let rest = line.strip_prefix("aborts:")?;
            rest.rsplit_once("total=")
                .map(|(_, total)| total.to_owned())
        });
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        let size = shown(value(output, run, "kernel_size"));
        let alignment = shown(value(output, run, "alignment"));
        let figures = [
            shown(value(output, run, "owner")),
            shown(value(output, run, "feature_size")),
            format!("{size}/{alignment}"),
            shown(value(output, "own", "registration")),
            shown(total(output, "| test result: ", "", " passed")),
            shown(aborts.clone()),
            shown(value(output, "plain", "violations")),
            shown(total(output, "| rcu-torture: ", "reads=", "")),
            shown(total(output, "| rcu-torture: ", "grace_periods=", "")),
            shown(total(output, "| rcu-torture: ", "errors=", "")),
            time.as_secs().to_string(),
        ];
        let fault = fault(guest, output, limit, kernel, aborts.as_deref());
        Row {
            kernel: kernel.map(str::to_owned),
            figures,
            evidence: (fault.as_ref()).map_or_else(String::new, |_| evidence(output)),
            outcome: fault.map_or("ok".into(), |fault| format!("FAILED: {fault}")),
        }
    }
}

fn fault(
    guest: &Guest,
    output: &str,
    limit: Duration,
    kernel: Option<&str>,
    aborts: Option<&str>,
) -> Option<String> {
    let done = output
        .lines()
        .find_map(|line| line.strip_prefix("GUEST done runs="));
    let Some(runs) = done.and_then(|runs| runs.trim().parse::<usize>().ok()) else {
        let limit = limit.as_secs();
        return Some(format!("the guest died or took more than {limit} s"));
    };
    let results = output.lines().filter_map(result).count();
    let failures = failures(output);
    let went_off_line = || {
        let mut lines = lines(output, "torture-cpu-hotplug");
        lines.any(|line| line.contains("times off line"))
    };
    if !failures.is_empty() {
        let failures = failures.iter().map(|run| {
            let tests: Vec<&str> = failed_tests(output, run).collect();
            let tests = tests.join(", ");
            if tests.is_empty() {
                (*run).to_owned()
            } else {
                format!("{run} ({tests})")
            }
        });
        Some(failures.collect::<Vec<_>>().join(" "))
    } else if results != runs {
        // The kernel's messages may cut a result's line in two.
        Some(format!("only {results} of {runs} results can be read"))
    } else if guest.runs == Runs::Tests && guest.arch != Arch::Riscv64 && !went_off_line() {
        Some("no CPU went off line in the torture".into())
    } else if guest.kernel == "newest" && !is_new(kernel.unwrap_or("")) {
        Some("this kernel is not 7.1 or newer, as it should be".into())
    } else if matches!(aborts, None | Some("0")) {
        Some("no sequence was aborted, so nothing was shown".into())
    } else {
        None
    }
}

/// Returns the names of the runs that failed. `plain` is expected to.
fn failures(output: &str) -> Vec<&str> {
    let results = output.lines().filter_map(result);
    let failures = results.filter(|result| result.0 != "0" && result.1 != "plain");
    failures.map(|result| result.1).collect()
}

/// Returns the names of the tests that failed in a run.
fn failed_tests<'a>(output: &'a str, run: &'a str) -> impl Iterator<Item = &'a str> {
    lines(output, run).filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
}

/// Returns the ends of what the runs that failed have printed, or of the whole output if none did.
fn evidence(output: &str) -> String {
    let end = |lines: Vec<&str>| lines[lines.len().saturating_sub(LINES)..].join("\n");
    let is_dull = |line: &&str| line.starts_with("test ") && !line.ends_with("FAILED");
    let failures = failures(output);
    if failures.is_empty() {
        return end(output.lines().collect());
    }
    let ends = failures.iter().map(|run| {
        let lines = lines(output, run).filter(|line| !is_dull(line));
        format!("{run}:\n{}", end(lines.collect()))
    });
    ends.collect::<Vec<_>>().join("\n")
}

/// Returns the exit status and the name in `GUEST rc=0 NAME (from 1 to 2 s)`.
fn result(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("GUEST rc=")?.strip_suffix(" s)")?;
    let (status, rest) = line.split_once(' ')?;
    let (name, _) = rest.split_once(" (")?;
    status.parse::<u32>().is_ok().then_some((status, name))
}

/// Returns whether this is Linux 7.1 or newer.
fn is_new(kernel: &str) -> bool {
    let mut numbers = kernel.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    (next().unwrap_or(0), next().unwrap_or(0)) >= (7, 1)
}

/// Returns the lines that a run has printed.
fn lines<'a>(output: &'a str, run: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = output.lines();
    lines.filter_map(move |line| line.strip_prefix(run)?.strip_prefix("| "))
}

/// Returns the first word after `name=` in what a run has printed.
fn value(output: &str, run: &str, name: &str) -> Option<String> {
    let name = format!("{name}=");
    lines(output, run).find_map(|line| {
        let rest = line.rsplit_once(&name)?.1;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
        let word = &rest[..end.unwrap_or(rest.len())];
        (!word.is_empty()).then(|| word.to_owned())
    })
}

/// Sums the numbers between `before` and `after` in all lines with `what`. If `before` is empty, takes the
/// last word in front of `after`.
fn total(output: &str, what: &str, before: &str, after: &str) -> Option<String> {
    let numbers = output.lines().filter_map(|line| {
        let rest = line.split_once(what)?.1;
        if before.is_empty() {
            let (rest, _) = rest.split_once(after)?;
            rest.split_whitespace().last()?.parse::<u64>().ok()
        } else {
            let rest = rest.split_once(before)?.1;
            let end = rest.find(|c: char| !c.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].parse().ok()
        }
    });
    let numbers: Vec<u64> = numbers.collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum::<u64>().to_string())
}

/// Returns the table: a head, and a row for each guest. A guest without a result is a failure.
pub(crate) fn table(chosen: &[&'static Guest], rows: &[(&'static Guest, Row)]) -> String {
    let mut table = line(&HEAD.map(str::to_owned));
    for guest in chosen {
        let row = rows.iter().find(|(of, _)| std::ptr::eq(*of, *guest));
        let unknown = Row::without_figures("FAILED: no result".into());
        let row = row.map_or(&unknown, |(_, row)| row);
        let kernel = row
            .kernel
            .clone()
            .unwrap_or_else(|| guest.kernel.to_owned());
        let mut columns = vec![guest.arch.to_string(), kernel, guest.runs.to_string()];
        columns.extend(row.figures.iter().cloned());
        columns.push(row.outcome.clone());
        let columns: [String; 15] = columns.try_into().expect("as many as in the head");
        table += &line(&columns);
    }
    table + LEGEND
}

fn line(c: &[String; 15]) -> String {
    format!(
        "{:<7} {:<26} {:<11} {:<5} {:<5} {:<6} {:<8} {:>5} {:>8} {:>5} {:>9} {:>7} {:>6} {:>5}  {}\n",
        c[0],
        c[1],
        c[2],
        c[3],
        c[4],
        c[5],
        c[6],
        c[7],
        c[8],
        c[9],
        c[10],
        c[11],
        c[12],
        c[13],
        c[14]
    )
}

#[cfg(test)]
mod tests {
    use super::{Row, is_new, table};
    use crate::guests::kinds::GUESTS;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    const GOOD: &str = "\
GUEST kernel=5.10.0-39-cloud-amd64
delays| owner=Own feature_size=20 kernel_size=0 alignment=0
delays| aborts: add=3 total=45
GUEST rc=0 delays (from 1.0 to 2.0 s)
suite| test result: ok. 7 passed; 0 failed
suite| test result: ok. 5 passed; 0 failed
GUEST rc=0 suite (from 2.0 to 3.0 s)
own| registration=Original
torture-cpu-hotplug| 12 times off line
torture-cpu-hotplug| rcu-torture: scenario=x reads=10 grace_periods=3 errors=0
torture-steady| rcu-torture: scenario=y reads=20 grace_periods=4 errors=0
GUEST done runs=2
";

    fn outcome(output: &str) -> String {
        Row::of(&GUESTS[0], output, SECOND, SECOND).outcome
    }

    #[test]
    fn a_good_guest_has_its_figures_in_the_table() {
        let row = Row::of(&GUESTS[0], GOOD, SECOND * 9, SECOND);
        assert_eq!(row.outcome, "ok");
        let figures = [
            "Own", "20", "0/0", "Original", "12", "45", "-", "30", "7", "0", "9",
        ];
        assert_eq!(row.figures, figures);
        let table = table(&[&GUESTS[0], &GUESTS[1]], &[(&GUESTS[0], row)]);
        let mut lines = table.lines();
        assert!(lines.next().unwrap().starts_with("arch    kernel"));
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("amd64   5.10.0-39-cloud-amd64")
        );
        assert!(lines.next().unwrap().ends_with("FAILED: no result"));
    }

    #[test]
    fn a_failed_run_names_its_tests_and_shows_their_output() {
        let bad = GOOD.replace("rc=0 suite", "rc=101 suite").replace(
            "suite| test result: ok. 7 passed; 0 failed",
            "suite| test right ... ok\nsuite| test wrong ... FAILED\nsuite| the reason",
        );
        let row = Row::of(&GUESTS[0], &bad, SECOND, SECOND);
        assert_eq!(row.outcome, "FAILED: suite (wrong)");
        assert!(
            row.evidence
                .contains("suite:\ntest wrong ... FAILED\nthe reason"),
            "{row:?}"
        );
        assert!(!row.evidence.contains("right") && !row.evidence.contains("rcu-torture"));
        let died = Row::of(&GUESTS[0], "GUEST kernel=5.10.0\npanic", SECOND, SECOND);
        assert!(died.evidence.ends_with("panic"));
    }

    #[test]
    fn every_fault_is_named() {
        let changed = |from: &str, to: &str| outcome(&GOOD.replace(from, to));
        assert_eq!(changed("rc=0 suite", "rc=101 suite"), "FAILED: suite");
        assert_eq!(changed("rc=1 suite", "rc=1 plain"), "ok");
        assert_eq!(
            changed("runs=2", "runs=3"),
            "FAILED: only 2 of 3 results can be read"
        );
        assert_eq!(
            changed("off line", "up"),
            "FAILED: no CPU went off line in the torture"
        );
        let died = "FAILED: the guest died or took more than 1 s";
        assert_eq!(changed("GUEST done", "done"), died);
        let nothing = "FAILED: no sequence was aborted, so nothing was shown";
        assert_eq!(changed("total=45", "total=0"), nothing);
        let old = Row::of(&GUESTS[1], GOOD, SECOND, SECOND).outcome;
        assert!(old.contains("7.1 or newer"), "{old}");
        assert!(is_new("7.1.3-amd64") && is_new("10.0") && !is_new("6.12.1") && !is_new(""));
    }
}
