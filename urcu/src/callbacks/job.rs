//! Who does a domain's work behind its callers' backs.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::tasks::{Tasks, Turn};

/// Who drives a domain's grace periods that nobody waits for, and runs its callbacks:
/// [`Domain::run_by`](crate::Domain::run_by).
///
/// With each of them [`Domain::barrier`](crate::Domain::barrier) and the end of the domain do the
/// work that is left.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub enum Runner {
    /// One background thread for all such domains (`urcu-callbacks`), which starts when it is first
    /// needed; and threads that retire values drop some of those that were retired before them (not
    /// those that call [`Domain::call`](crate::Domain::call) or
    /// [`Domain::try_call`](crate::Domain::try_call)).
    #[default]
    Shared,
    /// A background thread for this domain alone.
    OwnThread,
    /// Whoever calls [`Domain::run_callbacks`](crate::Domain::run_callbacks), and nobody else.
    Caller,
    /// An executor of the program's.
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
    /// Has [`Job::run`] called, again and again, until there is nothing left; not in this call,
    /// which comes from a thread that queues callbacks, perhaps inside a read-side section and with
    /// locks of the program's held; none of this library's is. A job that is dropped, also because this panics, is done later, with the next one.
    fn execute(&self, job: Job);
}

/// What a domain has to do.
#[derive(Debug)]
pub struct Job(Option<Arc<Tasks>>);

impl Job {
    pub(crate) fn new(tasks: Arc<Tasks>) -> Self {
        Job(Some(tasks))
    }

    /// Does what can be done without waiting, about a thousand callbacks at most. Call it again
    /// after the time that it answers; `None`: there is nothing left, and will be another job.
    pub fn run(&mut self) -> Option<Duration> {
        /// Nobody is told when a reader ends its section.
        const LOOK_AGAIN: Duration = Duration::from_millis(1);
        match self.0.as_ref()?.turn() {
            Turn::More => Some(Duration::ZERO),
            Turn::Waiting { patience } => Some(patience.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)),
            Turn::Over => {
                self.0 = None;
                None
            }
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(tasks) = &self.0 {
            tasks.unschedule();
        }
    }
}
