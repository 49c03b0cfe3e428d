//! Rows of figures, for which all subjects take turns.

use std::time::Instant;

pub(crate) struct Row {
    pub(crate) name: String,
    /// For each map its name, whether it is ours, and the figure in nanoseconds or bytes.
    pub(crate) results: Vec<(&'static str, bool, f64)>,
}

impl Row {
    pub(crate) fn print(&self) {
        let best = self.results.iter().filter(|(_, ours, _)| !ours);
        let best = best.map(|&(_, _, figure)| figure).fold(f64::MAX, f64::min);
        print!("{:<34}", self.name);
        for (_, ours, figure) in &self.results {
            if *ours {
                print!(" {figure:>8.2} {:>5.2}", figure / best);
            } else {
                print!(" {figure:>9.2}");
            }
        }
        println!();
    }
}

const ROUNDS: usize = 9;

pub(crate) fn wanted(name: &str) -> bool {
    std::env::args()
        .nth(1)
        .is_none_or(|wanted| name.contains(&wanted))
}

/// A subject of measurement: its name, whether it is ours, and the work.
pub(crate) type Subject<'a> = (&'static str, bool, Box<dyn Fn() + 'a>);

/// Measures all subjects in turns, and prints the minimum of the rounds, in nanoseconds per operation.
pub(crate) fn side_by_side(name: &str, operations: usize, subjects: &[Subject<'_>]) {
    if !wanted(name) {
        return;
    }
    let mut least = vec![f64::MAX; subjects.len()];
    for _ in 0..ROUNDS {
        for ((_, _, work), least) in subjects.iter().zip(&mut least) {
            let start = Instant::now();
            work();
            *least = least.min(start.elapsed().as_secs_f64() * 1e9 / operations as f64);
        }
    }
    let results = subjects.iter().zip(least);
    let results = results.map(|((name, ours, _), least)| (*name, *ours, least));
    Row {
        name: name.to_owned(),
        results: results.collect(),
    }
    .print();
}
