//! All kinds of load where rseq or membarrier are not as usual.

use urcu::Domain;

use crate::environment::Environment;
use crate::readers;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::updaters::{self, WAYS};

pub(super) const LIBC_REGISTERED: Scenario = Scenario::new(
    "libc-registered",
    "all kinds of load, where libc registers threads for rseq",
    run,
)
.under(Environment::LibcRegistered);

pub(super) const SELF_REGISTERED: Scenario =
    Scenario::new("self-registered", "the same where this library does", run)
        .under(Environment::SelfRegistered);

pub(super) const NO_RSEQ: Scenario =
    Scenario::new("no-rseq", "the same where rseq is refused", run).under(Environment::NoRseq);

pub(super) const NO_MEMBARRIER: Scenario =
    Scenario::new("no-membarrier", "the same where membarrier is refused", run)
        .under(Environment::NoMembarrier);

pub(super) const NEITHER: Scenario =
    Scenario::new("neither", "the same where both are refused", run).under(Environment::Neither);

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("environment")), 2);
    readers::start(run, run.settings.threads, &places);
    updaters::start(run, 2, &places, &WAYS, Some(6));
    super::guards::start(run, &places, 2, |_| ());
    super::snapshots::run(run)
}
