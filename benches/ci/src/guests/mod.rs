//! Runs the tests and the torture program in virtual machines with other kernels and processors.
//!
//! The kernels are Debian's. The kernels, busybox and cross compilers come from the mirror that this system's
//! apt uses, through an apt state of our own, and are unpacked into `.ci/cache`; nothing for other processors
//! is installed. Guests whose parts cannot be fetched are skipped, and the table says why. The exit status is
//! 1 if a guest's tests failed or something does not build, 2 if no line of the list contains any of the
//! words, and 0 otherwise. The guests' output is in `.ci/cache/logs`.

mod init;
mod kinds;
mod machine;
mod packages;
mod plan;
mod programs;
mod report;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fs;
use std::sync::{Condvar, Mutex};
use std::thread;

use crate::run::{Status, cache, say, target};
use kinds::{Arch, GUESTS, Guest};
use packages::{Files, Packages};
use plan::Plan;
use report::Row;

/// The next piece of work of a worker.
#[derive(Debug)]
enum Work {
    Build(Arch),
    Guest(&'static Guest, Files),
}

/// The state that the workers share.
#[derive(Debug, Default)]
struct Shared {
    /// For each processor: whether its programs could be built. Empty until that is known.
    built: Mutex<HashMap<Arch, bool>>,
    one_more: Condvar,
    rows: Mutex<Vec<(&'static Guest, Row)>>,
    /// The work to be done, once it is known.
    work: Mutex<Option<VecDeque<Work>>>,
    ordered: Condvar,
}

impl Shared {
    fn put(&self, guest: &'static Guest, row: Row) {
        say(format_args!("{guest}: {}", row.outcome));
        self.rows.lock().unwrap().push((guest, row));
    }

    /// Waits until the programs of a processor are built, or cannot be.
    fn are_built(&self, arch: Arch) -> bool {
        let built = self.built.lock().unwrap();
        let unknown = |built: &mut HashMap<Arch, bool>| !built.contains_key(&arch);
        self.one_more.wait_while(built, unknown).unwrap()[&arch]
    }
}

impl Shared {
    /// Sets the work to be done, in this order.
    fn order(&self, work: VecDeque<Work>) {
        *self.work.lock().unwrap() = Some(work);
        self.ordered.notify_all();
    }

    /// Waits until the work is known. Returns the next piece.
    fn next(&self) -> Option<Work> {
        let work = self.work.lock().unwrap();
        let unknown = |work: &mut Option<VecDeque<Work>>| work.is_none();
        let mut work = self.ordered.wait_while(work, unknown).unwrap();
        work.as_mut()?.pop_front()
    }
}

impl Work {
    fn perform(self, plan: &Plan, shared: &Shared) {
        match self {
            Work::Build(arch) => {
                say(format_args!("building for {arch}"));
                let built = programs::build(plan, arch);
                let not = if built { "" } else { "not " };
                say(format_args!("{not}built for {arch}"));
                shared.built.lock().unwrap().insert(arch, built);
                shared.one_more.notify_all();
            }
            Work::Guest(guest, files) => {
                let row = if shared.are_built(guest.arch) {
                    let run = machine::run(plan, guest, &files);
                    run.unwrap_or_else(|error| Row::without_figures(format!("FAILED: {error}")))
                } else {
                    Row::without_figures("FAILED: it does not build".into())
                };
                shared.put(guest, row);
            }
        }
    }
}

/// Returns all work in the order in which it begins. Two pieces run at a time: the programs of the next
/// processor are built while guests run.
fn in_order(ready: Vec<(&'static Guest, Files)>) -> VecDeque<Work> {
    let mut others = Vec::new();
    for (guest, _) in &ready {
        if guest.arch != Arch::Amd64 && !others.contains(&guest.arch) {
            others.push(guest.arch);
        }
    }
    let mut others = others.into_iter();
    let mut work = VecDeque::new();
    let mut previous = None;
    for (guest, files) in ready {
        if previous.replace(guest.arch) != Some(guest.arch) {
            work.extend(others.next().map(Work::Build));
        }
        work.push_back(Work::Guest(guest, files));
    }
    work
}

/// Fetches what the guests need. Returns the guests that have everything.
fn prepare(chosen: &[&'static Guest], shared: &Shared) -> Vec<(&'static Guest, Files)> {
    let packages = Packages::new(chosen);
    let mut ready = Vec::new();
    for guest in chosen {
        match packages.prepare(guest) {
            Ok(files) => ready.push((*guest, files)),
            Err(missing) => {
                shared.put(
                    guest,
                    Row::without_figures(format!("skipped: cannot get {missing}")),
                );
            }
        }
    }
    ready
}

/// Runs the chosen guests.
pub(crate) fn main(arguments: &[String]) -> Status {
    let short = arguments.iter().any(|word| word == "--short");
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let words: Vec<&str> = words
        .into_iter()
        .filter(|word| *word != "--short")
        .collect();
    let chosen: Vec<&'static Guest> = GUESTS
        .iter()
        .filter(|guest| guest.is_wanted(short, &words))
        .collect();
    if chosen.is_empty() {
        say(format_args!(
            "no guest's line contains any of: {}",
            words.join(" ")
        ));
        return Ok(2);
    }
    let plan = Plan {
        short,
        logs: cache().join("logs"),
        target: target("guests")?,
    };
    fs::create_dir_all(&plan.logs)?;
    let shared = Shared::default();
    thread::scope(|scope| {
        // The programs of this processor need nothing that is fetched meanwhile.
        let is_chosen = chosen.iter().any(|guest| guest.arch == Arch::Amd64);
        for first in [is_chosen.then_some(Work::Build(Arch::Amd64)), None] {
            let (plan, shared) = (&plan, &shared);
            scope.spawn(move || {
                let mut next = first.or_else(|| shared.next());
                while let Some(work) = next {
                    work.perform(plan, shared);
                    next = shared.next();
                }
            });
        }
        shared.order(in_order(prepare(&chosen, &shared)));
    });
    let rows = shared.rows.into_inner().unwrap_or_default();
    println!("\n{}", report::table(&chosen, &rows));
    for (guest, row) in rows.iter().filter(|(_, row)| row.has_failed()) {
        println!("\n{guest}: {}\n{}", row.outcome, row.evidence);
    }
    say("over");
    // A failed build counts even if no guest would have run the programs.
    let all_built = shared.built.into_inner().unwrap_or_default().into_values();
    let failed =
        rows.iter().any(|(_, row)| row.has_failed()) || all_built.into_iter().any(|built| !built);
    Ok((failed || rows.len() != chosen.len()).into())
}

#[cfg(test)]
mod tests {
    use super::{Work, in_order};
    use crate::guests::kinds::GUESTS;
    use crate::guests::packages::Files;

    #[test]
    fn what_is_built_is_built_before_it_is_waited_for() {
        let ready = GUESTS.iter().map(|guest| (guest, Files::default()));
        let mut built = vec![super::Arch::Amd64];
        let mut guests = 0;
        for work in in_order(ready.collect()) {
            match work {
                Work::Build(arch) => built.push(arch),
                Work::Guest(guest, _) => {
                    assert!(built.contains(&guest.arch), "{guest}");
                    guests += 1;
                }
            }
        }
        assert_eq!((built.len(), guests), (3, GUESTS.len()));
    }
}
