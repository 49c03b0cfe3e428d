//! What RCU is for: readers at full speed, and an update now and then.

use urcu::Domain;

use crate::torture::Scenario;
use crate::torture::engine::Run;
use crate::torture::updaters::WAYS;
use crate::torture::{readers, updaters};

pub(super) const SCENARIO: Scenario =
    Scenario::new("steady", "readers at full speed, updates now and then", run);

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("steady")), 2);
    readers::start(run, run.settings.threads, &places);
    updaters::start(run, 1, &places, &WAYS, Some(10));
    Ok(())
}
