//! Children, grandchildren and great-grandchildren, forked while other threads are inside sections, grace
//! periods and callbacks. Each child must be able to do everything right away.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use urcu::Domain;
use urcu_host::patience::Patience;
use urcu_host::threads;

use crate::breaks::Break;
use crate::counts::Counts;
use crate::readers;
use crate::run::{Run, Thread, write_error};
use crate::scenario::Scenario;
use crate::updaters::{self, WAYS};
use crate::versions::{Fault, Place};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "fork-generations",
    "three generations of forked children, forked amid sections and callbacks",
    run,
);

const GENERATIONS: u32 = 3;
/// The number of rounds in each process: verified reads, and a grace period.
const ROUNDS: u64 = 20;
const READS: u64 = 200;

fn run(run: &'static Run) -> Result<(), String> {
    if run.library_is_broken() {
        return Err("it queues callbacks, which must not reach a broken library".into());
    }
    let places = run.places(run.domain(Domain::named("forked")), 2);
    readers::start(run, run.settings.threads, &places);
    updaters::start(run, 2, &places, &WAYS, Some(8));
    run.spawn("forker", move |thread| {
        while !thread.over() {
            let place = *thread.random.pick(&places);
            let open = thread.random.one_in(2).then(|| place.domain().read_lock());
            let failed = fork(thread, place, GENERATIONS);
            drop(open);
            if let Some(failed) = failed {
                return thread.run.fault(&thread.name, failed);
            }
            thread.run.tally("families of three generations", 1);
            let generations = u64::from(GENERATIONS);
            thread.run.add_counts(&Counts {
                reads: generations * ROUNDS * READS,
                grace_periods: generations * ROUNDS,
                ..Counts::default()
            });
        }
    });
    Ok(())
}

/// Exit codes of a child.
const GOOD: i32 = 0;
const SAW_A_FAULT: i32 = 3;
const LOST_A_CALLBACK: i32 = 4;
const HAS_NO_HEIR: i32 = 5;
const PANICKED: i32 = 6;

/// Forks a child that does everything, and waits for it. Returns how it failed, if it did.
fn fork(thread: &Thread, place: &'static Place, generations: u32) -> Option<String> {
    let hangs = thread.run.broken(Break::ChildHangs);
    let patience = thread.run.settings.patience();
    // SAFETY: the child does what the library allows in forked children, and allocates, which glibc
    // allows; it takes none of this program's locks that other threads may hold.
    let process = unsafe { libc::fork() };
    match process {
        0 => {
            // The parent gives up earlier, unless it was killed.
            // SAFETY: no handler is installed for SIGALRM, so it ends the child if it hangs.
            unsafe { libc::alarm((patience * 10).as_secs() as libc::c_uint) };
            let body = std::panic::AssertUnwindSafe(|| child(thread, place, generations, hangs));
            let code = std::panic::catch_unwind(body).unwrap_or(PANICKED);
            // SAFETY: `_exit` ends the process at once, without handlers.
            unsafe { libc::_exit(code) }
        }
        -1 => Some(format!("cannot fork: {}", io::Error::last_os_error())),
        _ => {
            let number = GENERATIONS - generations + 1;
            // Older generations get more time, so that the report names the process that hangs.
            let patience = patience / 4 * generations;
            let failed = failure(wait(process, patience)?);
            Some(format!("a process of generation {number} {failed}"))
        }
    }
}

/// The way in which a failing child ended.
enum Failed {
    /// It hung, and was killed. Says what its threads were doing.
    Hung(String),
    Status(libc::c_int),
    NotWaitedFor(io::Error),
}

/// Waits for a child. Returns `None` if it succeeded.
fn wait(process: libc::pid_t, patience: Duration) -> Option<Failed> {
    let mut patience = Patience::new(patience, Duration::from_millis(20));
    let status = loop {
        match ended(process, libc::WNOHANG) {
            Ok(None) if patience.is_over() => {
                let threads = threads::threads(process).join("; ");
                // SAFETY: a child that is not waited for yet.
                unsafe { libc::kill(process, libc::SIGKILL) };
                let ended = ended(process, 0);
                return Some(ended.map_or_else(Failed::NotWaitedFor, |_| Failed::Hung(threads)));
            }
            Ok(None) => std::thread::sleep(Duration::from_micros(200)),
            Ok(Some(status)) => break status,
            Err(error) => return Some(Failed::NotWaitedFor(error)),
        }
    };
    (status != 0).then_some(Failed::Status(status))
}

/// Returns a child's status, if it has ended.
fn ended(process: libc::pid_t, flags: libc::c_int) -> io::Result<Option<libc::c_int>> {
    let mut status = 0;
    loop {
        // SAFETY: the status is valid for the write.
        match unsafe { libc::waitpid(process, &raw mut status, flags) } {
            0 => return Ok(None),
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            _ => return Ok(Some(status)),
        }
    }
}

fn failure(how: Failed) -> String {
    let status = match how {
        Failed::Hung(threads) => return format!("hangs; its threads: {threads}"),
        Failed::NotWaitedFor(error) => return format!("cannot be waited for: {error}"),
        Failed::Status(status) => status,
    };
    if libc::WIFSIGNALED(status) {
        return format!("died of signal {}", libc::WTERMSIG(status));
    }
    // The child has written its message to standard error.
    let what = match libc::WEXITSTATUS(status) {
        SAW_A_FAULT => "saw a fault",
        LOST_A_CALLBACK => "lost a callback",
        HAS_NO_HEIR => "had a child that failed",
        PANICKED => "panicked",
        _ => "failed",
    };
    what.to_owned()
}

/// Runs in a child. Returns its exit code.
fn child(thread: &Thread, inherited: &'static Place, generations: u32, hangs: bool) -> i32 {
    let domain = inherited.domain();
    if hangs {
        std::mem::forget(domain.read_lock());
    }
    // No other thread replaces the current version here, but the lock of the versions may be held.
    let place = Place::leak(domain);
    let all = || -> Result<bool, Fault> {
        let ran = Arc::new(AtomicU64::new(0));
        for _ in 0..ROUNDS {
            for _ in 0..READS {
                let guard = domain.read_lock();
                inherited.glance(&guard)?;
                place.glance(&guard)?;
            }
            let guard = domain.read_lock();
            let seen = place.look(&guard)?;
            let retired = place.publish(false)?;
            seen.whole()?;
            drop(guard);
            domain.synchronize();
            retired.reclaim()?;
            let retired = place.publish(false)?;
            let grace_period = domain.start_poll();
            while !grace_period.wait_timeout(Duration::from_millis(1)) {}
            retired.reclaim()?;
            let retired = place.publish(false)?;
            let count = Arc::clone(&ran);
            domain.call(move || {
                if let Err(fault) = retired.reclaim() {
                    return write_error(&format!("in a callback of a child: {fault}"));
                }
                count.fetch_add(1, SeqCst);
            });
        }
        domain.barrier();
        Ok(ran.load(SeqCst) == ROUNDS)
    };
    match all() {
        Err(fault) => {
            let number = GENERATIONS - generations + 1;
            // The parent gets only the exit code.
            write_error(&format!("a process of generation {number}: {fault}"));
            return SAW_A_FAULT;
        }
        Ok(false) => return LOST_A_CALLBACK,
        Ok(true) => {}
    }
    if generations > 1 {
        let guard = domain.read_lock();
        let failed = fork(thread, place, generations - 1);
        drop(guard);
        if let Some(failed) = failed {
            write_error(&failed);
            return HAS_NO_HEIR;
        }
    }
    GOOD
}
