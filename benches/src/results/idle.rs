//! Grace periods among 10 to 10,000 threads that have read and sleep. They show what a library with a list of its
//! threads pays for each.

use std::sync::Arc;

use crate::grace::{Data, IdleThreads, Library, sample};
use crate::measure::{Effort, median};
use crate::record::Record;
use crate::results::figures::Situation;

/// Measures every library among every number of threads, in interleaved rounds. If there were fewer threads than
/// wanted, also returns the reason.
///
/// # Panics
///
/// Panics if an idle thread panics.
#[must_use]
pub fn measure(
    libraries: &[Library],
    data: &Arc<Data>,
    effort: &Effort,
) -> (Vec<Record>, Option<String>) {
    let names: Vec<&str> = libraries.iter().map(|library| library.name).collect();
    let mut records = Vec::new();
    for &wanted in effort.idle {
        let (threads, error) = IdleThreads::spawn(wanted, Some(data));
        let situation = Situation::new("grace_period", "time", "us")
            .with("scenario", "idle threads, by number")
            .with("threads", threads.len());
        let rounds = effort.grace_rounds.min(5);
        records.extend(situation.interleaved(rounds, &names, |index| {
            median(&sample(libraries[index].synchronize, effort))
        }));
        if let Some(error) = error {
            let there = threads.len();
            let shortage = format!("{} of {wanted} idle threads: {error}", wanted - there);
            return (records, Some(shortage));
        }
    }
    (records, None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::measure;
    use crate::grace::{Data, measured};
    use crate::measure::Effort;

    #[test]
    fn every_library_is_measured_among_every_number_of_threads() {
        let libraries = measured();
        let data = Arc::new(Data::new(42));
        let (records, shortage) = measure(&libraries, &data, &Effort::TEST);
        assert_eq!(records.len(), Effort::TEST.idle.len() * libraries.len());
        assert!(shortage.is_none());
        assert!(
            records
                .iter()
                .all(|record| record.value.is_some_and(|us| us > 0.0))
        );
    }
}
