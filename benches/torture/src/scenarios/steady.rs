//! The usual load of RCU: readers at full speed, and an update now and then.

use std::time::Duration;

use urcu::Domain;

use crate::breaks::Break;
use crate::run::{Run, write_error};
use crate::scenario::Scenario;
use crate::updaters::WAYS;
use crate::{readers, updaters};

pub(super) const SCENARIO: Scenario =
    Scenario::new("steady", "readers at full speed, updates now and then", run);

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("steady")), 2);
    readers::start(run, run.settings.threads, &places);
    updaters::start(run, 1, &places, &WAYS, Some(10));
    if run.broken(Break::ProcessDies) {
        run.spawn("killer", |_| die());
    }
    Ok(())
}

/// Kills the process, as the system does when memory runs out. Prints lines before that are no messages.
fn die() {
    std::thread::sleep(Duration::from_millis(200));
    println!("the last words on standard output");
    write_error("the last words on standard error");
    // SAFETY: the signal ends this process, and touches no memory.
    unsafe { libc::raise(libc::SIGKILL) };
}
