//! Tables: rows of cells, and their layout as text.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Returns a figure as text with its significant digits, or `-` for `None`.
#[must_use]
pub fn cell(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(large) if large.abs() >= 1000.0 => format!("{large:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// A table: rows of cells, header first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// Returns a table with this header and no rows.
    #[must_use]
    pub fn new(header: &[impl AsRef<str>]) -> Self {
        let cells = header.iter().map(|cell| cell.as_ref().to_owned());
        Self(vec![cells.collect()])
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl Into<Vec<String>>) {
        self.0.push(cells.into());
    }

    /// Returns the rows, header first.
    #[must_use]
    pub fn rows(&self) -> &[Vec<String>] {
        &self.0
    }

    /// Returns whether the table has only its header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() < 2
    }
}

/// Returns the rows as text with padded cells: the first column to the left, numbers to the right.
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
