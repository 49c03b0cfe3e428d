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

fn cell(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.2}"))
}

impl Report {
    /// The read-side sections, header first.
    #[must_use]
    pub fn section_table(&self) -> Vec<Vec<String>> {
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
        table
    }

    /// The grace periods, header first.
    #[must_use]
    pub fn grace_table(&self) -> Vec<Vec<String>> {
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
            table.push(row);
        }
        table
    }

    /// The targets, header first.
    #[must_use]
    pub fn target_table(&self) -> Vec<Vec<String>> {
        let mut table = vec![
            ["target", "at most", "measured", "quiet", "met"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for target in &self.targets {
            table.push(vec![
                target.what.clone(),
                target
                    .limit
                    .map_or("not growing".to_owned(), |limit| format!("{limit:.2}")),
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
    use super::align;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = align(&[row(["name", "ns"]), row(["a", "10.5"])]);
        assert_eq!(text, "name    ns\na     10.5\n");
    }
}
