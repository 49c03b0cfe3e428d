//! The choice of who does a domain's work in the background.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use super::work::{Step, Work};
use crate::sys;

/// The choice of who runs a domain's callbacks, and drives the grace periods that nobody waits for: see
/// [`Domain::run_by`](crate::Domain::run_by).
///
/// Whichever it is, [`Domain::barrier`](crate::Domain::barrier), and dropping the domain, run callbacks
/// on the calling thread too.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Runner {
    /// One background thread, `urcu-callbacks`, for all domains with this runner. It starts when it is
    /// first needed. Besides, threads that retire values drop some of those that were retired earlier
    /// (threads that call [`Domain::call`](crate::Domain::call) or
    /// [`Domain::try_call`](crate::Domain::try_call) do not).
    ///
    /// Callbacks may block, and spawn processes. But callbacks of all these domains run one after the
    /// other, so one that blocks delays the rest. Grace periods and futures are not delayed: a second
    /// thread drives them meanwhile. (It starts when a callback runs while there is more to do, and mostly
    /// sleeps.)
    ///
    /// If the system refuses to start the thread, later calls on the domain that queue, wait or poll try
    /// again (not at once after a failed attempt, but after twice the time that it took). Without a later
    /// call, callbacks wait for [`Domain::barrier`](crate::Domain::barrier) or for the domain to be
    /// dropped.
    #[default]
    Shared,
    /// A background thread for this domain's callbacks alone, named after the domain. Its grace periods
    /// are driven by the thread of `Shared`, which also tries again if the domain's own thread cannot be
    /// started.
    OwnThread,
    /// Threads that call [`Domain::run_callbacks`](crate::Domain::run_callbacks). No thread is started.
    /// Grace periods are driven by those calls, and by threads that wait for, poll or await one.
    Caller,
    /// An executor that the program provides. No thread is started.
    Executor(&'static dyn Executor),
    /// An executor that the program provides and of which the domain is one owner. Use it for an executor that
    /// is created at run time and ends before the process does. No thread is started.
    ///
    /// The domain gives up its `Arc` when it is dropped, and a [`Job`] gives up its own when it has returned
    /// `None` or is dropped. So an executor that owns its queue of jobs is not dropped while jobs are in the
    /// queue: let the executor own a sender, and the thread that runs the jobs the receiver. The last `Arc` may
    /// be dropped on any of these threads.
    ///
    /// ```
    /// use std::sync::{Arc, mpsc};
    /// use std::thread;
    /// use urcu::{Domain, Executor, Job, Runner};
    ///
    /// struct Jobs(mpsc::Sender<Job>);
    ///
    /// impl Executor for Jobs {
    ///     fn execute(&self, job: Job) {
    ///         let _ = self.0.send(job);
    ///     }
    /// }
    ///
    /// let (sender, jobs) = mpsc::channel::<Job>();
    /// let domain = Domain::new().run_by(Runner::SharedExecutor(Arc::new(Jobs(sender))));
    /// let worker = thread::spawn(move || {
    ///     for mut job in jobs {
    ///         while let Some(pause) = job.run() {
    ///             thread::sleep(pause);
    ///         }
    ///     }
    /// });
    /// domain.call(|| println!("a grace period has passed"));
    /// drop(domain);
    /// worker.join().unwrap(); // The sender went with the domain and its last job.
    /// ```
    SharedExecutor(Arc<dyn Executor + Send>),
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Runner::Shared => "Shared",
            Runner::OwnThread => "OwnThread",
            Runner::Caller => "Caller",
            Runner::Executor(_) => "Executor",
            Runner::SharedExecutor(_) => "SharedExecutor",
        })
    }
}

/// An executor that the program provides, which runs a domain's [`Job`]s: see [`Runner::Executor`]
/// and, where it is to have an end, [`Runner::SharedExecutor`].
///
/// ```
/// use std::sync::{Mutex, mpsc};
/// use std::thread;
/// use urcu::{Domain, Executor, Job, Runner};
///
/// /// Hands jobs to a thread.
/// struct Jobs(Mutex<Option<mpsc::Sender<Job>>>);
///
/// impl Executor for Jobs {
///     fn execute(&self, job: Job) {
///         if let Some(sender) = &*self.0.lock().unwrap() {
///             let _ = sender.send(job);
///         }
///     }
/// }
///
/// static JOBS: Jobs = Jobs(Mutex::new(None));
/// static DOMAIN: Domain = Domain::named("jobs").run_by(Runner::Executor(&JOBS));
///
/// let (sender, jobs) = mpsc::channel::<Job>();
/// *JOBS.0.lock().unwrap() = Some(sender);
/// thread::spawn(move || {
///     for mut job in jobs {
///         while let Some(pause) = job.run() {
///             thread::sleep(pause);
///         }
///     }
/// });
///
/// let (sender, receiver) = mpsc::channel();
/// DOMAIN.call(move || sender.send("a grace period has passed").unwrap());
/// assert_eq!(receiver.recv().unwrap(), "a grace period has passed");
/// ```
///
/// The example `tokio_executor` in the repository does it with tokio.
pub trait Executor: Sync {
    /// Arranges for [`Job::run`] to be called, again and again, until it returns `None`.
    ///
    /// It must not call it itself: this is called by threads that queue callbacks, which may be inside a
    /// read-side section and hold locks of the program. (No lock of this library is held.) For the same
    /// reason it should not block.
    ///
    /// A job must be able to run while a callback of another domain blocks, because that callback may be
    /// waiting for it. If a job is dropped, or if this panics, the work is done with the next job.
    fn execute(&self, job: Job);
}

/// Work of a domain, for an [`Executor`].
#[derive(Debug)]
pub struct Job(Option<Arc<dyn Work>>);

impl Job {
    pub(crate) fn new(work: Arc<dyn Work>) -> Self {
        work.begin_driving();
        Job(Some(work))
    }

    /// Does the work that can be done without waiting, about a thousand callbacks at most.
    ///
    /// Returns the time after which to call it again, or `None` if nothing is left to do. The domain then
    /// hands out another job when there is more.
    ///
    /// # Panics
    /// Panics if the kernel begins to refuse `membarrier(2)`; see
    /// [`Domain::synchronize`](crate::Domain::synchronize).
    #[track_caller]
    pub fn run(&mut self) -> Option<Duration> {
        /// Polled, because the end of a reader's section notifies no executor.
        const LOOK_AGAIN: Duration = Duration::from_millis(1);
        match Arc::clone(self.0.as_ref()?).drive_and_run() {
            Step::More | Step::Ready => Some(Duration::ZERO),
            Step::Waiting { patience } => Some(patience.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)),
            Step::Refused(refused) => sys::cannot_end(refused),
            Step::Over => {
                self.0.take()?.end_driving();
                None
            }
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(work) = &self.0 {
            work.unschedule();
            work.end_driving();
        }
    }
}

/// The settings of a domain, given when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: Option<&'static str>,
    pub(crate) runner: Runner,
}

impl Settings {
    pub(crate) const DEFAULT: Settings = Settings {
        name: None,
        runner: Runner::Shared,
    };
}
