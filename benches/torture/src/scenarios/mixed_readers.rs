//! Readers with sequences and readers without, which pass guards to each other.
//!
//! It runs where the library registers each thread: in some threads a filter refuses the registration.

use urcu::Domain;
use urcu_host::seccomp::Filter;

use crate::environment::Environment;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::updaters::{self, WAYS};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "mixed-readers",
    "readers with sequences beside readers whose registration is refused",
    run,
)
.under(Environment::SelfRegistered);

fn run(run: &'static Run) -> Result<(), String> {
    // In a thread of its own, which ends: a filter cannot be removed.
    let tried = std::thread::spawn(|| Filter::new(&[libc::SYS_rseq], libc::EPERM).install());
    if let Ok(Err(error)) = tried.join() {
        return Err(format!("cannot install a filter in a thread: {error}"));
    }
    let places = run.places(run.domain(Domain::named("mixed")), 3);
    super::guards::start(run, &places, run.settings.threads.max(2) + 2, |number| {
        if number % 2 == 1
            && let Err(error) = Filter::new(&[libc::SYS_rseq], libc::EPERM).install()
        {
            panic!("cannot install a filter: {error}");
        }
    });
    updaters::start(run, 2, &places, &WAYS, Some(6));
    run.join();
    let counts = run.counts();
    if counts.fallbacks == 0 || counts.fallbacks >= counts.reads {
        run.fault("readers", "all readers were of one kind");
    }
    Ok(())
}
