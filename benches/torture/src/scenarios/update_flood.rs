//! Updaters that run as fast as they can and share grace periods, with one reader thread fewer than usual.

use urcu::Domain;

use crate::run::Run;
use crate::scenario::Scenario;
use crate::updaters::{WAYS, Way};
use crate::{readers, updaters};

pub(super) const SCENARIO: Scenario =
    Scenario::new("update-flood", "three updaters, as fast as they can", run);

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("flood")), 4);
    readers::start(run, (run.settings.threads - 1).max(1), &places);
    updaters::start(run, 2, &places[..2], &[Way::Synchronize], None);
    updaters::start(run, 1, &places[1..], &WAYS, None);
    Ok(())
}
