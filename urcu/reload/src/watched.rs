//! [`Watched`]: the handle of a watched configuration.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};

use urcu::{ReadGuard, Ref};

use crate::Changes;
use crate::error::Error;
use crate::part::Part;
use crate::shared::{HookId, Requests, Shared};
use crate::status::Status;
use crate::version::{Change, Reload, Version};
use crate::watch::Watcher;

/// A configuration that reloads itself. Start one with [`watch`](crate::watch).
///
/// Clones are handles of the same configuration. The watch ends when the last of them is dropped, together with all
/// values that [`part`](Self::part) and [`changes`](Self::changes) have returned. A hook that has captured one of these
/// keeps the watch alive.
///
/// # After a fork
/// A child process can still read the version that was in force at the fork. It has no watching thread, and
/// [`reload_now`](Self::reload_now) reloads for the child alone.
pub struct Watched<T: Send + Sync + 'static> {
    pub(crate) shared: Arc<Shared<T>>,
    watching: Arc<Watching<T>>,
}

/// Ends the watch with the last handle.
struct Watching<T: Send + Sync + 'static> {
    shared: Arc<Shared<T>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    id: ThreadId,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Starts the watching thread.
    pub(crate) fn start(shared: Shared<T>, watcher: Watcher) -> std::io::Result<Self> {
        let shared = Arc::new(shared);
        shared.requests.open();
        let (name, its) = ("urcu-reload".to_owned(), Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || run(&its, watcher))?;
        let watching = Watching {
            shared: Arc::clone(&shared),
            id: thread.thread().id(),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Self {
            shared,
            watching: Arc::new(watching),
        })
    }

    /// Returns the configuration in force, with the read-side section that keeps it valid.
    ///
    /// # Cost
    /// The same as [`urcu::Rcu::read`].
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    #[inline]
    pub fn read(&self) -> Ref<'_, T> {
        Ref::map(self.shared.cell.read(), Version::value)
    }

    /// Returns the configuration in force. It stays valid as long as the section of `guard` lasts.
    ///
    /// # Panics
    /// Panics if `guard` is not of the global domain.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    #[inline]
    pub fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g T {
        self.shared.cell.load(guard).value()
    }

    /// Returns the version in force. It may be kept as long as one likes, because it delays no grace period.
    ///
    /// # Cost
    /// An atomic increment of a cache line that all callers share.
    pub fn load_full(&self) -> Arc<Version<T>> {
        self.shared.cell.load_full()
    }

    /// Returns the number of the version in force. The first is 1.
    pub fn version(&self) -> u64 {
        self.shared.cell.load(&urcu::read_lock()).number()
    }

    /// Makes the watching thread read the files now. Returns the outcome after the hooks have been called.
    ///
    /// If somebody is writing to a file at the moment, this waits until the file is complete. In a hook, in a child
    /// process, and after the watch has ended, the reload happens on the calling thread.
    ///
    /// # Errors
    /// Fails if the files are refused. The version in force then stays, and the error is also reported to the hooks and
    /// in [`status`](Self::status).
    ///
    /// # Deadlocks
    /// Must not be called inside a read-side section if a hook waits for readers.
    pub fn reload_now(&self) -> Result<Reload, Error> {
        let is_watching = self.watching.id == thread::current().id();
        let request = if is_watching {
            None
        } else {
            self.shared.requests.add()
        };
        if let Some(answer) = request {
            self.shared.ringer.ring();
            if let Ok(answer) = answer.recv() {
                return answer;
            }
        }
        let result = self.shared.reload(None, true, || true);
        result.unwrap_or(Ok(Reload::Unchanged))
    }

    /// Calls `hook` after every change of version, on the thread that reloaded. No lock is held meanwhile.
    ///
    /// Hooks are called in the order of the versions, one at a time. A panic of a hook is counted, and the hook is
    /// called again at the next change. While a hook runs, changes of the files are not noticed, so long work belongs
    /// on a thread of its own.
    pub fn on_change(&self, hook: impl Fn(&Change<T>) + Send + Sync + 'static) -> HookId {
        self.shared.add_change_hook(Arc::new(hook))
    }

    /// Calls `hook` whenever files are refused, once for each refused content.
    ///
    /// Without such a hook, errors are written to standard error.
    pub fn on_error(&self, hook: impl Fn(&Error) + Send + Sync + 'static) -> HookId {
        self.shared.add_error_hook(Arc::new(hook))
    }

    /// Removes a hook. Returns whether there was such a hook. A call of the hook that has begun is not interrupted.
    pub fn remove_hook(&self, id: HookId) -> bool {
        self.shared.remove_hook(id)
    }

    /// Returns the versions that are published from now on, for asynchronous code or for a loop that blocks.
    pub fn changes(&self) -> Changes<T> {
        Changes::new(self.clone())
    }

    /// Returns a part of the configuration, for a component that needs only that part.
    ///
    /// ```no_run
    /// # struct Database { url: String }
    /// # struct Config { database: Database }
    /// # fn start(config: &urcu_reload::Watched<Config>) {
    /// let database = config.part(|config| &config.database);
    /// println!("{}", database.read().url);
    /// # }
    /// ```
    pub fn part<U>(&self, part: fn(&T) -> &U) -> Part<T, U> {
        Part::new(self.clone(), part)
    }

    /// Returns the state of the watch: the version in force, the last error, and counts of events.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Ends the watch and waits for its thread. The configuration can still be read.
    ///
    /// Returns at once if it is called in a hook.
    pub fn stop(&self) {
        self.watching.stop();
        let thread = self
            .watching
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // If the thread has panicked, that was reported already.
            let _ = thread.join();
        }
    }
}

impl<T: Send + Sync + 'static> Watching<T> {
    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.ringer.ring();
    }
}

impl<T: Send + Sync + 'static> Drop for Watching<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The body of the watching thread.
fn run<T: Send + Sync + 'static>(shared: &Shared<T>, mut watcher: Watcher) {
    let _closes = CloseOnDrop(&shared.requests);
    let is_stopped = || shared.stop.load(Ordering::Relaxed);
    loop {
        shared.set_status(|status| {
            status.polling = watcher.polling();
            status.counts.notifications = watcher.counts.notifications;
            status.counts.looks = watcher.counts.looks;
        });
        let noticed = watcher.wait(|| shared.is_called());
        if is_stopped() {
            return;
        }
        if noticed.is_some() {
            // If somebody has begun to write, the next wait is for that. Errors are reported to the hooks.
            let _ = shared.reload(noticed, false, || watcher.is_undisturbed());
            continue;
        }
        let signals = u64::from(shared.signalled.swap(false, Ordering::Relaxed));
        shared.set_status(|status| status.counts.signals += signals);
        let requests = shared.requests.take();
        let result = loop {
            watcher.wait_for_writers(is_stopped);
            match shared.reload(None, true, || watcher.is_undisturbed() || is_stopped()) {
                Some(result) => break result,
                None => continue,
            }
        };
        for request in requests {
            let _ = request.send(result.clone());
        }
    }
}

/// Answers all waiting callers when the thread ends, so that nobody waits for a thread that is gone.
struct CloseOnDrop<'a>(&'a Requests);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T: Send + Sync + 'static> Clone for Watched<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            watching: Arc::clone(&self.watching),
        }
    }
}

impl<T: Send + Sync + fmt::Debug + 'static> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&*self.read()).finish()
    }
}
