//! CPUs that go off line and come back.
//!
//! They come back in any case: the process puts them back on line when it ends, and its parent does if the
//! process was killed.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use urcu::Domain;

use crate::readers;
use crate::run::{Run, Thread};
use crate::scenario::{Need, Scenario};
use crate::updaters::{self, WAYS};

pub(super) const SCENARIO: Scenario =
    Scenario::new("cpu-hotplug", "CPUs go off line and come back", run)
        .needs(&[Need::Root, Need::TwoCpus])
        .remember(remember);

/// The greatest number of CPUs that are taken off line.
const MOST: usize = 3;

fn is_on(switch: &PathBuf) -> bool {
    fs::read_to_string(switch).is_ok_and(|state| state.trim() == "1")
}

/// Returns the switches of the CPUs that are on line, without the first.
fn switches() -> Vec<PathBuf> {
    let all =
        (1..1024).map(|cpu| PathBuf::from(format!("/sys/devices/system/cpu/cpu{cpu}/online")));
    all.take_while(|switch| switch.exists())
        .filter(is_on)
        .take(MOST)
        .collect()
}

/// Takes a CPU off line, and on line again when it is dropped.
struct Off<'s>(&'s PathBuf);

impl<'s> Off<'s> {
    fn new(switch: &'s PathBuf) -> io::Result<Self> {
        // Made first: whatever happens from now on, the CPU comes back.
        let off = Off(switch);
        fs::write(switch, "0")?;
        Ok(off)
    }
}

impl Drop for Off<'_> {
    fn drop(&mut self) {
        let _ = fs::write(self.0, "1");
    }
}

/// Remembers, in the parent, which CPUs are on line. The closure puts them back on line if need be.
fn remember() -> Box<dyn FnOnce()> {
    let before = switches();
    Box::new(move || {
        for switch in before.iter().filter(|switch| !is_on(switch)) {
            let _ = fs::write(switch, "1");
        }
    })
}

fn run(run: &'static Run) -> Result<(), String> {
    let switches = switches();
    let Some(first) = switches.first() else {
        return Err("no CPU of this system can be taken off line".into());
    };
    // The parent handles interrupts: it kills this process, and puts the CPUs back on line.
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let places = run.places(run.domain(Domain::named("hotplug")), 2);
    readers::start(run, run.settings.threads, &places);
    updaters::start(run, 2, &places, &WAYS, Some(6));
    if let Err(error) = Off::new(first) {
        run.stop();
        return Err(format!("no CPU of this system can be taken off line: {error}"));
    }
    run.spawn("hotplug", move |thread| plug(thread, &switches));
    Ok(())
}

fn plug(thread: &mut Thread, switches: &[PathBuf]) {
    // The check above was one attempt. On a busy machine that alone can take the whole run.
    let mut times = 1;
    while !thread.over() {
        let all = thread.random.one_in(4);
        let some = if all {
            switches
        } else {
            std::slice::from_ref(thread.random.pick(switches))
        };
        let off: Vec<_> = some.iter().map(Off::new).collect();
        times += off.iter().filter(|off| off.is_ok()).count();
        let pause = Duration::from_millis(1 + thread.random.skewed(4));
        std::thread::sleep(pause);
        drop(off);
        std::thread::sleep(pause);
    }
    thread.run.tally("times off line and back", times as u64);
}
