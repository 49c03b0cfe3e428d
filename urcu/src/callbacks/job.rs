//! Who does a domain's work behind its callers' backs.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::machine;
use crate::tasks::{Step, Tasks};

/// Who drives a domain's grace periods that nobody waits for, and runs its callbacks:
/// [`Domain::run_by`](crate::Domain::run_by).
///
/// With each of them [`Domain::barrier`](crate::Domain::barrier) and the end of the domain do the
/// work that is left.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub enum Runner {
    /// A background thread for all such domains (`urcu-callbacks`), which starts when it is first
    /// needed; and threads that retire values drop some of those that were retired before them (not
    /// those that call [`Domain::call`](crate::Domain::call) or
    /// [`Domain::try_call`](crate::Domain::try_call)).
    ///
    /// Callbacks may block: a second thread then drives the grace periods of all domains, and wakes
    /// futures. (It is started when a callback runs while there is more to do, and mostly sleeps.) But
    /// callbacks of all these domains run one after the other.
    ///
    /// If the system refuses to start the thread, every later call on the domain that queues, waits or
    /// polls tries again, but for those that follow a failed attempt at once (they wait twice as long
    /// as that took). If there is no later call, callbacks wait for
    /// [`Domain::barrier`](crate::Domain::barrier) or the end of the domain.
    #[default]
    Shared,
    /// A background thread for this domain's callbacks alone. Its grace periods are driven by the thread of
    /// `Shared`, which also tries again until the domain's own can be started.
    OwnThread,
    /// Whoever calls [`Domain::run_callbacks`](crate::Domain::run_callbacks), and nobody else. No thread
    /// is started. Grace periods are driven by whoever waits for, polls or awaits one.
    Caller,
    /// An executor of the program's. No thread is started.
    Executor(&'static dyn Executor),
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Runner::Shared => "Shared",
            Runner::OwnThread => "OwnThread",
            Runner::Caller => "Caller",
            Runner::Executor(_) => "Executor",
        })
    }
}

/// Something of the program's that can run a [`Job`] at a time of its choice.
///
/// With tokio, for instance (the example `tokio_executor` is a whole program):
/// ```ignore
/// impl urcu::Executor for Tokio {
///     fn execute(&self, mut job: urcu::Job) {
///         self.0.spawn(async move {
///             while let Some(pause) = job.run() {
///                 tokio::time::sleep(pause).await;
///             }
///         });
///     }
/// }
/// ```
pub trait Executor: Sync {
    /// Has [`Job::run`] called, again and again, until there is nothing left, and also while a
    /// callback of another domain blocks, or what that waits for may never come; not in this call,
    /// which comes from a thread that queues callbacks, perhaps inside a read-side section and with
    /// locks of the program's held. None of this library's is held. A job that is dropped, also because
    /// this panics, is done later, with the next one.
    fn execute(&self, job: Job);
}

/// What a domain has to do.
#[derive(Debug)]
pub struct Job(Option<Arc<Tasks>>);

impl Job {
    pub(crate) fn new(tasks: Arc<Tasks>) -> Self {
        tasks.drives();
        Job(Some(tasks))
    }

    /// Does what can be done without waiting, about a thousand callbacks at most. Call it again
    /// after the time that it answers; `None`: there is nothing left, and will be another job.
    #[track_caller]
    pub fn run(&mut self) -> Option<Duration> {
        /// Nobody is told when a reader ends its section.
        const LOOK_AGAIN: Duration = Duration::from_millis(1);
        match self.0.as_ref()?.turn() {
            Step::More | Step::Ready => Some(Duration::ZERO),
            Step::Waiting { patience } => Some(patience.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)),
            Step::Refused(refused) => machine::cannot_end(refused),
            Step::Over => {
                self.0.take()?.drives_no_more();
                None
            }
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(tasks) = &self.0 {
            tasks.unschedule();
            tasks.drives_no_more();
        }
    }
}
