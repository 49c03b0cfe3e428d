//! The report as a page: one `index.html` that needs nothing else, with its plots inside.

use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

use crate::bars::{self, Bar};
use crate::curves::{self, Curve};
use crate::measure::{median, quantile};
use crate::report::{NOTE, Report};
use crate::subjects::{GUARD, SNAPSHOT};

/// Why the page could not be written.
#[derive(Debug)]
pub struct PageError(String);

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PageError {}

/// Writes the page into `directory`, which is there already.
///
/// # Errors
///
/// Fails if the file cannot be written; the error names it.
pub fn write(report: &Report, directory: &Path) -> Result<(), PageError> {
    let path = directory.join("index.html");
    fs::write(&path, html(report))
        .map_err(|error| PageError(format!("cannot write {}: {error}", path.display())))
}

/// A plot, and what it says.
struct Plot {
    svg: String,
    says: String,
}

/// Returns the plots of the part of the report that has this title.
fn plots(report: &Report, title: &str) -> Vec<Plot> {
    match title {
        "Read side" => vec![read_side(report)],
        "Reads by many threads" => vec![scaling(report)],
        "Grace periods" => vec![grace(report)],
        "Updates" => vec![updates(report)],
        "Memory" => memory(report),
        "A large value, reloaded" => vec![reload(report)],
        _ => Vec::new(),
    }
}

fn rounds(label: &str, rounds: &[f64]) -> Bar {
    Bar {
        label: label.to_owned(),
        value: median(rounds),
        middle: Some((quantile(rounds, 0.25), quantile(rounds, 0.75))),
        ours: label.starts_with("urcu"),
    }
}

/// Says who is better than `ours` among the bars, by how much; `better` says whether less is.
fn losses(bars: &[Bar], ours: &str) -> String {
    let Some(own) = bars.iter().find(|bar| bar.label == ours) else {
        return String::new();
    };
    let ahead = bars.iter().filter(|bar| !bar.ours && bar.value < own.value);
    let ahead: Vec<String> = ahead
        .map(|bar| format!("{} ({:.2} x)", bar.label, bar.value / own.value))
        .collect();
    match &*ahead {
        [] => format!("Nothing here is faster than {ours}."),
        names => format!("Faster than {ours}: {}.", names.join(", ")),
    }
}

fn read_side(report: &Report) -> Plot {
    let results = report.read_side.iter();
    let bars: Vec<Bar> = results
        .map(|result| rounds(result.kind.name, &result.rounds))
        .collect();
    Plot {
        svg: bars::chart("A read-side section, one thread (median, ns)", &bars),
        says: format!(
            "Begin, load a pointer, read the value behind it, end; everything is in the cache, and nobody \
             writes. {} {}",
            losses(&bars, GUARD),
            losses(&bars, SNAPSHOT)
        ),
    }
}

fn scaling(report: &Report) -> Plot {
    let mut names: Vec<&str> = Vec::new();
    for result in &report.scaling {
        if !names.contains(&result.kind.name) {
            names.push(result.kind.name);
        }
    }
    let points: Vec<(&str, Vec<(f64, f64)>)> = names
        .into_iter()
        .map(|name| {
            let own = report.scaling.iter().filter(|it| it.kind.name == name);
            let points = own.map(|it| ((it.threads as f64).log2(), median(&it.rounds)));
            (name, points.collect())
        })
        .collect();
    let curves: Vec<Curve<'_>> = points
        .iter()
        .map(|(label, points)| Curve { label, points })
        .collect();
    Plot {
        svg: curves::chart(
            "Reads of all threads in a microsecond",
            ("threads, power of two", "reads/us"),
            &curves,
        ),
        says: format!(
            "There are {} CPUs: beyond as many threads, more threads show what switching costs, not what \
             more CPUs would bring. Higher is better; the table has every figure.",
            report.machine.cpus
        ),
    }
}

fn grace(report: &Report) -> Plot {
    let results = report.synchronize.iter();
    let bars: Vec<Bar> = results
        .map(|result| {
            rounds(
                &format!("{}, {}", result.library, result.label()),
                &result.rounds,
            )
        })
        .collect();
    Plot {
        svg: bars::chart("synchronize, one caller (median, us)", &bars),
        says: format!(
            "What a writer waits for. The system call alone is what no design with a membarrier can be \
             below. {}",
            losses(&bars, "urcu, idle")
        ),
    }
}

fn updates(report: &Report) -> Plot {
    let results = report.updates.iter();
    let bars: Vec<Bar> = results
        .map(|result| rounds(result.name, &result.rounds))
        .collect();
    Plot {
        svg: bars::chart(
            "Swap a 24-byte box and retire the old one (median, ns)",
            &bars,
        ),
        says: format!(
            "One thread; malloc and free are part of it. {}",
            losses(&bars, "urcu")
        ),
    }
}

fn memory(report: &Report) -> Vec<Plot> {
    let plot = |title, stalled, says: &str| {
        let results = report.memory.iter().filter(|it| it.stalled == stalled);
        let curves: Vec<Curve<'_>> = results
            .map(|result| Curve {
                label: &result.library,
                points: &result.samples,
            })
            .collect();
        (!curves.is_empty()).then(|| Plot {
            svg: curves::chart(title, ("seconds", "MiB"), &curves),
            says: says.to_owned(),
        })
    };
    [
        plot(
            "2 threads replace 1 KiB: MiB resident",
            false,
            "Lower is better. The throughput differs too: see the table.",
        ),
        plot(
            "The same with a long-running reader for half of the time: MiB resident",
            true,
            "A budget bounds what urcu keeps while a reader stalls, by holding the writers up; the others \
             grow until this program holds their writers up at 1 GiB.",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn reload(report: &Report) -> Plot {
    let most = report.reload.iter().map(|it| it.rate).max().unwrap_or(0);
    let results = report.reload.iter().filter(|it| it.rate == most);
    let bars: Vec<Bar> = results
        .map(|result| Bar {
            label: result.library.to_owned(),
            value: quantile(&result.latencies, 0.9999),
            middle: None,
            ours: result.library == "urcu",
        })
        .collect();
    Plot {
        svg: bars::chart(
            &format!("Reads of a value replaced {most} times a second (99.99 in 100, ns)"),
            &bars,
        ),
        says: format!(
            "The tail of reading 64 KiB that another thread replaces; interrupts and lost CPUs are in \
             it. {}",
            losses(&bars, "urcu")
        ),
    }
}

const STYLE: &str = "\
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1a1a; --line: #ccc; --ours: #1f77b4; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e6e6e6; --line: #444; --ours: #6cb2e8; }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem;
  background: var(--paper); color: var(--ink); }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; }
svg text { fill: var(--ink) !important; }
svg [fill=\"#FFFFFF\"] { fill: var(--paper); }
svg [stroke=\"#FFFFFF\"] { stroke: var(--paper); }
svg [stroke=\"#000000\"] { stroke: var(--ink); }
svg [fill=\"#1F77B4\"] { fill: var(--ours); }
svg [stroke=\"#1F77B4\"] { stroke: var(--ours); }
";

fn html(report: &Report) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>urcu-percpu beside its peers</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>urcu-percpu beside its peers</h1>\n"
    );
    let _ = writeln!(html, "<p>{}</p>", escape(&report.machine_line()));
    for remark in report.remarks() {
        let _ = writeln!(html, "<p>{}</p>", escape(&remark));
    }
    for part in report.parts() {
        let title = part.title;
        let _ = writeln!(html, "<h2>{title}</h2>");
        for plot in plots(report, title) {
            let _ = writeln!(html, "<figure>\n{}\n</figure>", plot.svg);
            let _ = writeln!(html, "<p>{}</p>", escape(&plot.says));
        }
        html.push_str(&html_table(part.table.rows()));
    }
    let _ = writeln!(html, "<p>{}</p>\n</body>\n</html>", escape(NOTE.trim_end()));
    html
}

fn html_table(table: &[Vec<String>]) -> String {
    let mut html = String::from("<div class=\"scroll\"><table>\n");
    for (index, row) in table.iter().enumerate() {
        let tag = if index == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        for cell in row {
            let _ = write!(html, "<{tag}>{}</{tag}>", escape(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use urcu_host::machine::Machine;

    use super::{Bar, escape, html, html_table, losses};
    use crate::measure::Effort;
    use crate::report::Report;
    use crate::results::read_side;
    use crate::subjects;

    #[test]
    fn html_is_escaped() {
        assert_eq!(escape("a<b & c>d"), "a&lt;b &amp; c&gt;d");
        let html = html_table(&[vec!["<x>".to_owned()]]);
        assert!(html.contains("<th>&lt;x&gt;</th>"));
    }

    #[test]
    fn who_is_faster_is_named() {
        let bar = |label: &str, value| Bar {
            label: label.to_owned(),
            value,
            middle: None,
            ours: label.starts_with("urcu"),
        };
        let bars = [bar("urcu guard", 2.0), bar("a", 1.0), bar("b", 3.0)];
        assert_eq!(
            losses(&bars, "urcu guard"),
            "Faster than urcu guard: a (0.50 x)."
        );
        assert!(losses(&bars[..1], "urcu guard").starts_with("Nothing"));
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let mut report = Report::new(Machine::probe(), Effort::TEST);
        report.add_read_side(read_side::measure(&subjects::all(), &Effort::TEST));
        let html = html(&report);
        assert!(html.contains("<svg") && html.contains("aster than urcu guard"));
        for outside in ["src=", "href=", "@import", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
