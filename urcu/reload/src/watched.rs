//! The handle of a watched configuration.

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

/// A configuration that reloads itself. Made by [`watch`](crate::watch).
///
/// Clones are handles of the same configuration. The watch ends with the last of them, and of what
/// [`part`](Self::part) and [`changes`](Self::changes) return; hooks that have captured one keep it alive.
///
/// # After a fork
/// A child process reads on, the version that was in force; it has no watching thread, and
/// [`reload_now`](Self::reload_now) reloads for it alone.
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
    /// Starts the thread.
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

    /// Returns the configuration in force, with the read-side section that keeps it.
    ///
    /// # Cost
    /// What [`urcu::Rcu::read`] costs.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    #[inline]
    pub fn read(&self) -> Ref<'_, T> {
        Ref::map(self.shared.cell.read(), Version::value)
    }

    /// Returns the configuration in force, for as long as the section of `guard` lasts.
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

    /// Returns the version in force, to keep as long as one likes: it delays no grace period.
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

    /// Makes the watching thread read the files now, and returns the outcome after the hooks have been called.
    ///
    /// Waits for whoever is writing to a file at the moment. A hook that calls this reloads on the spot; so
    /// does anybody when the watch has ended, and a child process.
    ///
    /// # Errors
    /// Returns why the files were refused; the version in force stays so. It is also told to the hooks,
    /// and in [`status`](Self::status).
    ///
    /// # Deadlocks
    /// Not to be called inside a read-side section, if a hook waits for readers.
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

    /// Calls `hook` after every change of version, on the thread that reloaded, under no lock.
    ///
    /// Hooks are called in the order of the versions, one at a time. One that panics is counted and called
    /// again the next time. As long as one runs, changes of the files are not noticed: hand long work to
    /// a thread of its own.
    pub fn on_change(&self, hook: impl Fn(&Change<T>) + Send + Sync + 'static) -> HookId {
        self.shared.add_change_hook(Arc::new(hook))
    }

    /// Calls `hook` whenever files are refused, once for each such content.
    ///
    /// As long as there is no such hook, errors are written to standard error.
    pub fn on_error(&self, hook: impl Fn(&Error) + Send + Sync + 'static) -> HookId {
        self.shared.add_error_hook(Arc::new(hook))
    }

    /// Removes a hook. Returns whether it was there. A call that has begun goes on.
    pub fn remove_hook(&self, id: HookId) -> bool {
        self.shared.remove_hook(id)
    }

    /// Returns the versions that are published from now on, for asynchronous code or for a loop that blocks.
    pub fn changes(&self) -> Changes<T> {
        Changes::new(self.clone())
    }

    /// Returns a part of the configuration, for a component that needs no more.
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

    /// Returns which version is in force, what was wrong last, and how often what happened.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Ends the watch and waits for its thread. The configuration can be read on.
    ///
    /// Returns at once if it is called by a hook.
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
            // If it has panicked, that was told.
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

/// The thread.
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
            // If somebody has begun to write, they will be waited for. What is wrong is told to the hooks.
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

/// Nobody waits for a thread that is not there.
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
