//! The subjects: one value as each library keeps it, read and replaced as that library's
//! documentation recommends.

// There is no C face elsewhere.
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod c_face;
mod collected;
mod counted;
pub mod elsewhere;
mod floor;
mod liburcu;
mod locked;
mod ours;

pub use crate::subject::{ARC_SWAP, CROSSBEAM, FLOOR, GUARD, Kind, MEMB, READ, SNAPSHOT, Subject};
pub use ours::guard_sections;

/// Returns every kind that can be measured in this process, the library's own first, the floor last. Those of
/// [`elsewhere`] can be timed too.
#[must_use]
pub fn all() -> Vec<Kind> {
    let mut kinds = ours::KINDS.to_vec();
    kinds.push(collected::FACE);
    #[cfg(all(
        target_os = "linux",
        target_env = "gnu",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    kinds.extend(c_face::kinds());
    kinds.extend(liburcu::kinds());
    kinds.extend(collected::KINDS);
    kinds.extend(counted::KINDS);
    kinds.extend(locked::KINDS);
    kinds.extend(floor::KINDS);
    kinds
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::all;
    use crate::subject::{Kind, version};

    #[test]
    fn every_subject_reads_what_was_stored_last() {
        for kind in all() {
            let subject = kind.make(42);
            assert_eq!(subject.sum(1000), 42_000, "{}", kind.name);
            assert_eq!(subject.sum(0), 0, "{}", kind.name);
            let mut held = 0;
            subject.held(&mut |value| held = value);
            assert_eq!(held, 42, "{}", kind.name);
            for value in 1..100 {
                subject.store(value);
                assert_eq!(subject.sum(3), 3 * value, "{}", kind.name);
                let elsewhere = thread::scope(|scope| scope.spawn(|| subject.sum(1)).join());
                assert_eq!(elsewhere.unwrap(), value, "{}", kind.name);
            }
        }
    }

    #[test]
    fn subjects_are_read_while_they_are_replaced() {
        for kind in all() {
            let subject = kind.make(1);
            thread::scope(|scope| {
                let reader = scope.spawn(|| subject.sum(200_000));
                for _ in 0..200 {
                    subject.store(1);
                }
                assert_eq!(reader.join().unwrap(), 200_000, "{}", kind.name);
            });
        }
    }

    #[test]
    fn names_are_unique_and_versions_known() {
        let names: HashSet<_> = all().iter().map(|kind: &Kind| kind.name).collect();
        assert_eq!(names.len(), all().len());
        for kind in all() {
            let known = kind.version().is_some();
            assert!(
                known || ["liburcu", "std", "none"].contains(&kind.package),
                "{kind:?}"
            );
        }
        assert_eq!(version("no-such-package"), None);
        for (package, begins) in [("seize", "0.5."), ("dashmap 6", "6."), ("dashmap 7", "7.")] {
            assert!(
                version(package).is_some_and(|version| version.starts_with(begins)),
                "{package}"
            );
        }
    }
}
