//! Figures of many subjects in many situations. They are measured in rounds in which all subjects take turns, and shown
//! with a row for each situation and a column for each subject.

use serde_json::Value;

use crate::record::Record;
use crate::table::{Table, cell};

/// Everything that figures depend on, except the subject.
#[derive(Clone, Debug)]
pub struct Situation {
    bench: &'static str,
    metric: String,
    unit: &'static str,
    params: Vec<(&'static str, Value)>,
}

impl Situation {
    /// Returns a situation of a bench, without parameters.
    #[must_use]
    pub fn new(bench: &'static str, metric: impl Into<String>, unit: &'static str) -> Self {
        Self {
            bench,
            metric: metric.into(),
            unit,
            params: Vec::new(),
        }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.params.push((name, value.into()));
        self
    }

    /// Returns the figure of one subject.
    #[must_use]
    pub fn figure(&self, subject: &str, rounds: &[f64]) -> Record {
        let record = Record::of(self.bench, subject, &self.metric, rounds, self.unit);
        let params = self.params.iter();
        params.fold(record, |record, (name, value)| {
            record.with(name, value.clone())
        })
    }

    /// Measures all subjects in rounds in which all take turns. `measure` gets the index of a subject.
    pub fn interleaved(
        &self,
        rounds: usize,
        names: &[&str],
        mut measure: impl FnMut(usize) -> f64,
    ) -> Vec<Record> {
        let mut all = vec![Vec::with_capacity(rounds); names.len()];
        for round in 0..rounds {
            for step in 0..names.len() {
                // Each round begins with another subject.
                let index = (round + step) % names.len();
                all[index].push(measure(index));
            }
        }
        let figures = names.iter().zip(&all);
        figures
            .map(|(name, rounds)| self.figure(name, rounds))
            .collect()
    }
}

/// Returns whether a subject is this library's.
#[must_use]
pub fn is_ours(subject: &str) -> bool {
    subject == "urcu" || subject.starts_with("urcu ")
}

/// Returns whether a subject protects nothing, and only serves for comparison.
#[must_use]
pub fn is_a_floor(subject: &str) -> bool {
    subject.starts_with("floor") || subject == "membarrier alone"
}

/// A situation's figures.
#[derive(Clone, Debug)]
pub struct Row<'r> {
    /// A name: the parameters and the metric.
    pub label: String,
    /// Their unit.
    pub unit: &'r str,
    /// One for each subject.
    pub records: Vec<&'r Record>,
}

impl Row<'_> {
    /// Returns the figure of a subject.
    #[must_use]
    pub fn of(&self, subject: &str) -> Option<f64> {
        self.records.iter().find(|it| it.subject == subject)?.value
    }

    /// Returns our least figure, and the others' least figure with its name.
    #[must_use]
    pub fn best(&self) -> Option<(f64, f64, &str)> {
        let least = |ours: bool| {
            let known = self
                .records
                .iter()
                .filter(|it| is_ours(&it.subject) == ours);
            let known = known
                .filter(|it| !is_a_floor(&it.subject))
                .filter_map(|it| Some((it.value?, &*it.subject)));
            known.min_by(|left, right| left.0.total_cmp(&right.0))
        };
        let (ours, (theirs, name)) = (least(true)?.0, least(false)?);
        Some((ours, theirs, name))
    }
}

/// Returns the situations in the order in which they were measured.
#[must_use]
pub fn rows(records: &[Record]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for record in records {
        let label = record.situation();
        match rows.iter_mut().find(|row| row.label == label) {
            Some(row) => row.records.push(record),
            None => rows.push(Row {
                label,
                unit: &record.unit,
                records: vec![record],
            }),
        }
    }
    rows
}

/// Returns the subjects in the order in which they were measured.
#[must_use]
pub fn subjects(records: &[Record]) -> Vec<&str> {
    let mut subjects: Vec<&str> = Vec::new();
    for record in records {
        if !subjects.contains(&&*record.subject) {
            subjects.push(&record.subject);
        }
    }
    subjects
}

/// Returns the table: a row for each situation, a column for each subject, and the ratio of our best figure to
/// the others' best.
#[must_use]
pub fn table(title: &str, records: &[Record]) -> Table {
    let subjects = subjects(records);
    let mut header = vec![title.to_owned(), "unit".to_owned()];
    header.extend(subjects.iter().map(|name| (*name).to_owned()));
    header.extend(["best peer", "x best peer"].map(str::to_owned));
    let mut table = Table::new(&header);
    for row in rows(records) {
        let mut cells = vec![row.label.clone(), row.unit.to_owned()];
        cells.extend(subjects.iter().map(|name| cell(row.of(name))));
        let best = row.best();
        cells.push(best.map_or("-".to_owned(), |(_, _, name)| name.to_owned()));
        cells.push(cell(best.map(|(ours, theirs, _)| ours / theirs)));
        table.row(cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{Situation, is_ours, rows, table};

    #[test]
    fn situations_become_rows_and_subjects_columns() {
        let situation =
            |entries: u64| Situation::new("hash_map", "lookup", "ns").with("entries", entries);
        let mut turns = Vec::new();
        let mut records = situation(1).interleaved(2, &["urcu Map", "a", "b"], |index| {
            turns.push(index);
            index as f64 + 1.0
        });
        assert_eq!(turns, [0, 1, 2, 1, 2, 0]);
        records.extend(situation(2).interleaved(1, &["urcu Map", "b"], |index| 3.0 - index as f64));
        let rows = rows(&records);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].best(), Some((1.0, 2.0, "a")));
        assert_eq!(rows[1].best(), Some((3.0, 2.0, "b")));
        assert_eq!(rows[1].of("a"), None);
        let table = table("title", &records);
        assert_eq!(
            table.rows()[2],
            ["entries 2: lookup", "ns", "3.00", "-", "2.00", "b", "1.50"]
        );
        assert!(is_ours("urcu") && is_ours("urcu read") && !is_ours("urcu2"));
    }
}
