//! Waiting for grace periods without blocking: cookies to poll, and futures.

use core::cmp;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;

use crate::domain::Domain;
use crate::driver::Driver;
use crate::driver::futures::Place;
use crate::gp::sequence::Round;
use crate::sync::fork;
use crate::sync::{self, AtomicU32, Instant, Ordering, fence};
use crate::sys;

/// A grace period that [`Domain::start_poll`] asked for.
///
/// It may be kept for any time, and may outlive its domain: when a domain is dropped, all its grace periods are
/// over. Grace periods of one domain are ordered by time; those of different domains are not comparable.
///
/// ```
/// let domain = urcu::Domain::new();
/// let guard = domain.read_lock();
/// let grace_period = domain.start_poll();
/// assert!(!domain.poll(&grace_period));
/// drop(guard);
/// grace_period.wait();
/// assert!(domain.poll(&grace_period));
/// ```
#[derive(Clone)]
pub struct GracePeriod {
    driver: Arc<Driver>,
    round: Round,
}

impl GracePeriod {
    /// Begins a grace period of the driver's domain.
    pub(crate) fn start(driver: &Arc<Driver>) -> Self {
        let round = driver.progress.sequence.snap();
        driver.want(round);
        GracePeriod {
            driver: Arc::clone(driver),
            round,
        }
    }

    /// Returns whether the grace period is over. Does not wait, but may take a step of the work, as
    /// [`Domain::poll`] does.
    ///
    /// In a forked child, a grace period that was asked for before the fork is over: the parent's
    /// threads, and their sections, do not exist there.
    ///
    /// # Panics
    /// Panics if the kernel's filters forbid `membarrier(2)`; see [`Domain::synchronize`].
    #[track_caller]
    pub fn is_over(&self) -> bool {
        if !self.driver.is_current_process() {
            return true;
        }
        let (driver, round) = (&self.driver, self.round);
        let observer = driver.passing();
        let over = driver.with_gp(|gp| {
            // A bounded step, so that there is progress even if the worker cannot start.
            if driver.progress.sequence.is_done(round) {
                return Ok(true);
            }
            driver.advance_to(gp, round, &observer)
        });
        // Outside of `with_gp`, because the hook may drop the domain.
        observer.tell();
        let over = match over {
            None => true,
            Some(Ok(over)) => over,
            Some(Err(refused)) if refused.is_passing() => false,
            Some(Err(refused)) => sys::cannot_end(refused),
        };
        if over {
            self.driver.tell(self.round);
        }
        over
    }

    /// Waits until the grace period is over, and helps to drive it.
    ///
    /// If the calling thread is inside a read-side section that began before this grace period, this call waits
    /// for ever, which is [reported](crate::stall).
    ///
    /// # Panics
    /// Panics where [`Domain::synchronize`] does.
    #[track_caller]
    pub fn wait(&self) {
        let (driver, round) = (&self.driver, self.round);
        if driver.is_current_process() {
            let observer = driver.blocking();
            let waited = driver.wait_with(&observer, || {
                // Looked up each time, because the hook may drop the domain, and then the grace period is over.
                let waited = driver.with_gp(|gp| gp.wait(&driver.progress, round, &observer));
                waited.unwrap_or(Ok(true))
            });
            if let Err(refused) = waited {
                sys::cannot_end(refused);
            }
            driver.tell(round);
        }
    }

    /// Waits until the grace period is over, for `timeout` at most, and returns whether it is over.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let domain = urcu::Domain::new();
    /// let guard = domain.read_lock();
    /// let grace_period = domain.start_poll();
    /// assert!(!grace_period.wait_timeout(Duration::from_millis(1)));
    /// drop(guard);
    /// assert!(grace_period.wait_timeout(Duration::from_secs(60)));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.driver
            .driving(|| self.wait_until(Instant::now().checked_add(timeout)))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let sleeper = Arc::new(Sleeper(AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&sleeper));
        let mut future = SynchronizeAsync(Wait::of(self.clone()));
        loop {
            if future.0.poll(&waker).is_ready() {
                return true;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return self.is_over();
            }
            // Without a worker, the waiting thread drives the grace period.
            let worker = self.driver.is_the_workers() && self.driver.is_driven();
            let most = if worker { fork::LOOK_AGAIN } else { STEP };
            sleeper.sleep(left.map_or(most, |left| left.min(most)));
        }
    }

    /// Returns the grace period's number, for [`Domain::grace_period`]. This is for interfaces that have room for
    /// only one word, such as C's.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// let number = domain.start_poll().number();
    /// domain.synchronize();
    /// assert!(domain.poll(&domain.grace_period(number)));
    /// ```
    pub fn number(&self) -> u64 {
        self.round.number()
    }

    pub(crate) fn is_of(&self, driver: &Arc<Driver>) -> bool {
        Arc::ptr_eq(&self.driver, driver)
    }

    pub(crate) fn is_current_process(&self) -> bool {
        self.driver.is_current_process()
    }

    /// Returns the name of the domain, for messages.
    pub(crate) fn domain(&self) -> Option<&'static str> {
        self.driver.settings.name
    }
}

/// The time for which a thread sleeps before it checks again, if no worker would wake it.
const STEP: Duration = Duration::from_millis(1);

/// The word on which a thread sleeps: 1 once it has been woken. Not `std::thread::park`, whose token belongs to the
/// user, and which cannot be used while a thread ends.
struct Sleeper(AtomicU32);

impl Sleeper {
    fn sleep(&self, most: Duration) {
        sync::futex_wait(&self.0, 0, Some(most));
        self.0.store(0, Ordering::Relaxed);
    }
}

impl std::task::Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.store(1, Ordering::Release);
        sync::futex_wake(&self.0, 1);
    }
}

impl PartialEq for GracePeriod {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(cmp::Ordering::Equal)
    }
}

impl Eq for GracePeriod {}

impl PartialOrd for GracePeriod {
    /// Compares the numbers. Returns `None` for grace periods of different domains.
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        self.is_of(&other.driver)
            .then(|| self.round.cmp(&other.round))
    }
}

impl fmt::Debug for GracePeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GracePeriod")
            .field("domain", &self.domain())
            .field("number", &self.round.number())
            .finish_non_exhaustive()
    }
}

/// The future that [`Domain::synchronize_async`] returns. If it is dropped, its grace period continues.
///
/// # Who drives and wakes the future
/// With [`Runner::Shared`](crate::Runner::Shared) and [`Runner::OwnThread`](crate::Runner::OwnThread)
/// a background thread drives the grace period and wakes the future, even while a callback, a destructor
/// or another waker blocks. So a waker never runs under a lock that a caller of this library holds. If no
/// thread can be started, polling drives the grace period: the future then wakes itself each time it is
/// polled, until it is ready.
///
/// With [`Runner::Caller`](crate::Runner::Caller) and [`Runner::Executor`](crate::Runner::Executor) no thread is
/// started. The thread that ends the grace period wakes the future: a thread inside [`Domain::synchronize`],
/// [`Domain::barrier`], [`Domain::run_callbacks`], [`Domain::poll`] or [`GracePeriod::wait`], **under whatever lock
/// that thread holds**, or the one that runs the executor's [`Job`](crate::Job). (Threads that queue callbacks or
/// store to cells wake nobody.) If there is no such thread, or if the future is polled inside a callback, polling
/// drives as above, which keeps the program's executor busy as long as a section is open.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct SynchronizeAsync(Wait);

impl SynchronizeAsync {
    pub(crate) fn new(grace_period: GracePeriod) -> Self {
        SynchronizeAsync(Wait::of(grace_period))
    }
}

impl Future for SynchronizeAsync {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll(context.waker())
    }
}

/// A grace period, and the place of this future among those of the domain.
#[derive(Debug)]
struct Wait {
    grace_period: GracePeriod,
    place: Option<Place>,
}

impl Wait {
    fn of(grace_period: GracePeriod) -> Self {
        Wait {
            grace_period,
            place: None,
        }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let GracePeriod { driver, round } = &self.grace_period;
        if !self.grace_period.is_over() {
            let place = driver.futures.register(self.place, *round, waker);
            self.place = Some(place);
            // Pairs with O: the thread that ends the grace period finds the waker, or we find it over.
            fence(Ordering::SeqCst);
            if !self.grace_period.is_over() {
                if !driver.is_driven() {
                    // Nobody else drives the grace period, so the awaiting task does.
                    waker.wake_by_ref();
                }
                return Poll::Pending;
            }
        }
        self.leave();
        Poll::Ready(())
    }

    fn leave(&mut self) {
        // In a forked child the waker stays, because the place belongs to the parent.
        if let Some(place) = self.place.take()
            && self.grace_period.driver.is_current_process()
        {
            self.grace_period.driver.futures.remove(place);
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Domain {
    /// Requests a grace period that begins after this call, without waiting for it.
    ///
    /// The domain's [`Runner`](crate::Runner) drives it. [`Domain::poll`] returns whether it is over, and
    /// drives it too.
    ///
    /// # Cost
    /// Two atomic read-modify-writes, and a wake-up of the background thread if it sleeps.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    pub fn start_poll(&self) -> GracePeriod {
        let (_, driver) = self.driver();
        GracePeriod::start(driver)
    }

    /// Returns the grace period with this [number](GracePeriod::number), which has to be from this domain in this
    /// process. For any other number, the result may be over already, or last for many grace periods.
    pub fn grace_period(&self, number: u64) -> GracePeriod {
        let (_, driver) = self.driver();
        GracePeriod {
            driver: Arc::clone(driver),
            round: Round::of_number(number),
        }
    }

    /// Returns the number of the next grace period to begin.
    pub(crate) fn next_grace_period(&self) -> Round {
        let (_, driver) = self.driver();
        driver.progress.sequence.snap()
    }

    /// Returns the number of the next grace period to begin. Memory that was unlinked before this call may be
    /// reused once [`Domain::last_grace_period_number`] is at least this number. Does not request a grace period.
    ///
    /// This is for structures that store a number beside unlinked memory, and reuse the memory when it is
    /// convenient. A forked child counts its own grace periods from 0, so numbers from its parent mean nothing
    /// there.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// let number = domain.next_grace_period_number();
    /// assert!(domain.last_grace_period_number() < number);
    /// domain.synchronize();
    /// assert!(domain.last_grace_period_number() >= number);
    /// ```
    ///
    /// # Cost
    /// One atomic read-modify-write.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    pub fn next_grace_period_number(&self) -> u64 {
        self.next_grace_period().number()
    }

    /// Returns the number of the last grace period that is over: see [`Domain::next_grace_period_number`].
    ///
    /// # Cost
    /// Two loads.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    #[inline]
    pub fn last_grace_period_number(&self) -> u64 {
        let (_, driver) = self.driver();
        driver.progress.sequence.done().number()
    }

    /// Returns the same as [`Domain::last_grace_period_number`]; or `None`, if in this process something would
    /// have to be allocated first. For callers that hold locks.
    #[doc(hidden)]
    #[inline]
    pub fn known_grace_period_number(&self) -> Option<u64> {
        let driver = self.state().existing_driver()?;
        Some(driver.progress.sequence.done().number())
    }

    /// Returns a value that identifies this process, and how many grace periods have begun in it.
    pub(crate) fn grace_periods_begun(&self) -> (usize, Round) {
        self.state()
            .existing_driver()
            .map_or((0, Round::NONE), |driver| {
                let sequence = &driver.progress.sequence;
                (Arc::as_ptr(driver).addr(), sequence.begun())
            })
    }

    /// Returns whether the grace period of a number from [`Self::next_grace_period`] is over. Takes no step of the
    /// work. In a forked child, a number of the parent stands for a later grace period of the child.
    pub(crate) fn is_over(&self, number: Round) -> bool {
        let (_, driver) = self.driver();
        driver.progress.sequence.is_done(number)
    }

    /// Returns whether a grace period of this domain is over. Does not wait, but may take a step of the
    /// work: one system call at most.
    ///
    /// # Panics
    /// Panics if the grace period belongs to another domain, and where [`GracePeriod::is_over`] does.
    #[track_caller]
    pub fn poll(&self, grace_period: &GracePeriod) -> bool {
        if grace_period.is_current_process() {
            let (_, driver) = self.driver();
            assert!(
                grace_period.is_of(driver),
                "{self} was asked for a grace period of another domain ({}); ask the domain whose \
                 `start_poll` gave it",
                grace_period.domain().unwrap_or("without a name"),
            );
        }
        grace_period.is_over()
    }

    /// Requests a grace period, and returns a future that is ready when it is over.
    ///
    /// The grace period begins after this call, not after the first poll. The future needs no particular runtime,
    /// borrows nothing, and may be dropped at any time. Do not await it while you hold a guard of this domain: it
    /// would wait for ever. [`SynchronizeAsync`] says who drives it and on which thread its waker is called.
    ///
    /// ```
    /// # struct Noop;
    /// # impl std::task::Wake for Noop { fn wake(self: std::sync::Arc<Self>) {} }
    /// # fn block_on(future: impl Future) {
    /// #     let mut future = std::pin::pin!(future);
    /// #     let waker = std::sync::Arc::new(Noop).into();
    /// #     let mut context = std::task::Context::from_waker(&waker);
    /// #     while future.as_mut().poll(&mut context).is_pending() { std::thread::yield_now() }
    /// # }
    /// # block_on(async {
    /// let domain = urcu::Domain::new();
    /// domain.synchronize_async().await;
    /// # });
    /// ```
    pub fn synchronize_async(&self) -> SynchronizeAsync {
        SynchronizeAsync::new(self.start_poll())
    }
}
