//! All kinds of load in environments whose rseq or membarrier differ from the usual.

use urcu::Domain;

use crate::environment::Environment;
use crate::readers;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::updaters::{self, WAYS};

pub(super) const LIBC_REGISTERED: Scenario = Scenario::new(
    "libc-registered",
    "all kinds of load, with threads registered for rseq by libc",
    run,
)
.under(Environment::LibcRegistered);

pub(super) const SELF_REGISTERED: Scenario =
    Scenario::new("self-registered", "the same, with threads registered by urcu", run)
        .under(Environment::SelfRegistered);

pub(super) const NO_RSEQ: Scenario =
    Scenario::new("no-rseq", "the same, with rseq refused", run).under(Environment::NoRseq);

pub(super) const NO_MEMBARRIER: Scenario =
    Scenario::new("no-membarrier", "the same, with membarrier refused", run)
        .under(Environment::NoMembarrier);

pub(super) const NEITHER: Scenario =
    Scenario::new("neither", "the same, with both refused", run).under(Environment::Neither);

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("environment")), 2);
    readers::start(run, run.settings.threads, &places);
    updaters::start(run, 2, &places, &WAYS, Some(6));
    super::guards::start(run, &places, 2, |_| ());
    super::snapshots::run(run)
}
