//! Reports of grace periods that take long, and of threads that may wait for themselves. The hook and
//! the timeout are the process's, so each test here is a process of its own.

mod deadlocks;
mod hooks;
mod lines;
mod reports;

use std::sync::mpsc;

use urcu::Domain;
use urcu::stall::{self, Report};

static DOMAIN: Domain = Domain::named("stalled");

/// True if sections are traced in this build.
const TRACED: bool = cfg!(any(debug_assertions, feature = "stall-trace"));

fn reports() -> mpsc::Receiver<Report> {
    let (sender, receiver) = mpsc::channel();
    stall::set_hook(move |report| {
        let _ = sender.send(report.clone());
    });
    receiver
}
