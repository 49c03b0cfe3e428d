//! The report as a page: a single `index.html` with its plots inside, which needs no other file.

use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

use crate::losses;
use crate::plots;
use crate::report::NOTE;
use crate::run::Run;

/// The reason why the page could not be written.
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
pub fn write(run: &Run, directory: &Path) -> Result<(), PageError> {
    let path = directory.join("index.html");
    fs::write(&path, html(run))
        .map_err(|error| PageError(format!("cannot write {}: {error}", path.display())))
}

const STYLE: &str = "\
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1a1a; --line: #ccc; --ours: #1f77b4; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e6e6e6; --line: #444; --ours: #6cb2e8; }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem;
  background: var(--paper); color: var(--ink); }
figure { margin: 1rem 0; overflow-x: auto; } figure svg { min-width: 34rem; }
p { overflow-wrap: anywhere; }
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

fn html(run: &Run) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>urcu-percpu beside its peers</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>urcu-percpu beside its peers</h1>\n"
    );
    let _ = writeln!(html, "<p>{}</p>", escape(&run.machine_line()));
    for remark in run.remarks() {
        let _ = writeln!(html, "<p>{}</p>", escape(&remark));
    }
    let losses = losses::losses(&run.results);
    if !losses.is_empty() {
        html.push_str("<h2>Where others are better</h2>\n");
        let _ = writeln!(html, "<p>{}</p>", escape(LOSSES));
        html.push_str(&html_table(losses::table(&losses).rows()));
    }
    for part in &run.tables {
        let title = &part.title;
        let _ = writeln!(html, "<h2>{}</h2>", escape(title));
        for plot in plots::of_part(run, title) {
            let _ = writeln!(html, "<figure>\n{}\n</figure>", plot.svg);
            let _ = writeln!(html, "<p>{}</p>", escape(&plot.says));
        }
        html.push_str(&html_table(part.table.rows()));
    }
    for line in NOTE.trim_end().split(".\n") {
        let _ = writeln!(html, "<p>{}</p>", escape(line));
    }
    html.push_str("</body>\n</html>\n");
    html
}

/// The text above the first table.
pub(crate) const LOSSES: &str = "This table lists each peer in each bench in which it beats this library in some situation by \
         more than 3 %, the greatest factor first. In read_side, read_scaling and mixed, peers are \
         compared with the guard; elsewhere, with this library's fastest way.";

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

    use super::{escape, html, html_table};
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
    fn the_page_needs_nothing_else() {
        let mut report = Report::new(Machine::probe(), Effort::TEST);
        report.add_read_side(read_side::measure(&subjects::all(), &Effort::TEST));
        let html = html(&report.run());
        assert!(html.contains("<svg") && html.contains("etter than urcu guard"));
        for outside in ["src=", "href=", "@import", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
