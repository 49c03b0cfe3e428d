//! The tables of a report, as rows of cells, and how they are laid out as text.

use std::fmt::Write;

use crate::report::Report;
use crate::sections;

/// What sections are compared with, the first that was measured also by its best round.
const REFERENCES: [&str; 3] = [sections::MEMB, sections::CROSSBEAM, sections::FLOOR];

fn short(reference: &'static str) -> &'static str {
    match reference {
        sections::CROSSBEAM => "crossbeam pin",
        sections::FLOOR => "floor",
        other => other,
    }
}

/// A figure, with as many digits as say something.
#[must_use]
pub fn cell(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(large) if large.abs() >= 1000.0 => format!("{large:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// A table: rows of cells, header first.
#[derive(Clone, Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// A table with this header.
    #[must_use]
    pub fn new(header: &[&str]) -> Self {
        Self(vec![header.iter().map(|&cell| cell.to_owned()).collect()])
    }

    /// One more row.
    pub fn row<const CELLS: usize>(&mut self, cells: [String; CELLS]) {
        self.0.push(cells.into());
    }

    /// The rows, header first.
    #[must_use]
    pub fn rows(&self) -> &[Vec<String>] {
        &self.0
    }

    /// Whether there is nothing but the header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() < 2
    }
}

impl Report {
    /// The read-side sections, header first.
    #[must_use]
    pub fn section_table(&self) -> Table {
        let references: Vec<&str> = REFERENCES
            .into_iter()
            .filter(|name| self.sections.iter().any(|section| section.name == *name))
            .collect();
        let mut header: Vec<String> = ["read-side section", "median ns", "min ns"]
            .map(str::to_owned)
            .to_vec();
        for (index, reference) in references.iter().enumerate() {
            header.push(format!("x {}", short(reference)));
            if index == 0 {
                header.push("quiet x".to_owned());
            }
        }
        let mut table = vec![header];
        for section in &self.sections {
            let mut row = vec![
                section.name.to_owned(),
                format!("{:.3}", section.median_ns),
                format!("{:.3}", section.min_ns),
            ];
            for (index, reference) in references.iter().enumerate() {
                let ratio = section.ratios.get(reference);
                row.push(cell(ratio.map(|ratio| ratio.rounds)));
                if index == 0 {
                    row.push(cell(ratio.map(|ratio| ratio.quiet)));
                }
            }
            table.push(row);
        }
        Table(table)
    }

    /// The grace periods, header first.
    #[must_use]
    pub fn grace_table(&self) -> Table {
        let mut header: Vec<String> = ["synchronize", "library", "median us", "min us", "x idle"]
            .map(str::to_owned)
            .to_vec();
        let peer = self
            .synchronize
            .iter()
            .any(|result| result.to_memb.is_some());
        if peer {
            header.push(format!("x {}", sections::MEMB));
        }
        header.push("- membarrier ns".to_owned());
        let mut table = vec![header];
        for result in &self.synchronize {
            let mut row = vec![
                result.label(),
                result.library.to_owned(),
                format!("{:.2}", result.median_us),
                format!("{:.2}", result.min_us),
                cell(Some(result.to_idle.rounds)),
            ];
            if peer {
                row.push(cell(result.to_memb.map(|ratio| ratio.rounds)));
            }
            row.push(cell(result.above_membarrier_ns.map(|above| above.rounds)));
            table.push(row);
        }
        Table(table)
    }

    /// The targets, header first.
    #[must_use]
    pub fn target_table(&self) -> Table {
        let mut table = Table::new(&["target", "aim", "measured", "quiet", "met"]);
        for target in &self.targets {
            let aim = match (target.limit, target.at_least) {
                (Some(limit), _) => format!("<= {limit:.2}"),
                (None, Some(least)) => format!(">= {least:.2}"),
                (None, None) => "not growing".to_owned(),
            };
            table.row([
                target.what.clone(),
                aim,
                cell(target.measured.map(|ratio| ratio.rounds)),
                cell(target.measured.map(|ratio| ratio.quiet)),
                target
                    .met
                    .map_or("-", |met| if met { "yes" } else { "no" })
                    .to_owned(),
            ]);
        }
        table
    }
}

/// The rows with their cells padded: the first column to the left, numbers to the right.
#[must_use]
pub fn align(table: &[Vec<String>]) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        table
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in table {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                0 => write!(line, "{cell:width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Table, align, cell};

    #[test]
    fn a_table_without_rows_is_empty() {
        let mut table = Table::new(&["name", "ns"]);
        assert!(table.is_empty());
        table.row(["a", "b"].map(str::to_owned));
        assert!(!table.is_empty());
        assert_eq!(table.rows().len(), 2);
    }

    #[test]
    fn figures_have_the_digits_that_say_something() {
        assert_eq!(cell(None), "-");
        assert_eq!(cell(Some(0.125)), "0.12");
        assert_eq!(cell(Some(-123_456.7)), "-123457");
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = align(&[row(["name", "ns"]), row(["a", "10.5"])]);
        assert_eq!(text, "name    ns\na     10.5\n");
    }
}
