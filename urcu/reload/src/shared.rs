//! The state that all handles of a watched configuration share with its thread, and the reload itself.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use urcu::RcuArc;

use crate::changes::Waiters;
use crate::error::{Error, ErrorKind};
use crate::sources::{SourceFile, Sources};
use crate::status::{Counts, Status};
use crate::version::{Change, Reload, Version};
use crate::watch::Ringer;

/// Makes a value from the content of the files. The other argument is the value in force.
pub(crate) type Build<T> = Box<dyn Fn(&[SourceFile], Option<&T>) -> Result<T, Error> + Send + Sync>;

type ChangeHook<T> = Arc<dyn Fn(&Change<T>) + Send + Sync>;
type ErrorHook = Arc<dyn Fn(&Error) + Send + Sync>;

/// The name of a hook, with which it can be [removed](crate::Watched::remove_hook).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HookId(u64);

pub(crate) struct Shared<T> {
    pub(crate) cell: RcuArc<Version<T>>,
    pub(crate) sources: Sources,
    pub(crate) build: Build<T>,
    pub(crate) ringer: Ringer,
    pub(crate) stop: AtomicBool,
    /// Set by the signal handler.
    pub(crate) signalled: Arc<AtomicBool>,
    pub(crate) waiters: Waiters,
    pub(crate) requests: Requests,
    turn: Turn,
    /// Used only by the thread that has the turn. The lock is there only to satisfy the compiler.
    read: Mutex<LastRead>,
    status: Mutex<Status>,
    hooks: Mutex<Hooks<T>>,
    events: Mutex<Events<T>>,
}

/// The content that was read last, and the part of it that is in force.
struct LastRead {
    /// The content in force, or `None` for the value to start with, which comes from no file.
    in_force: Option<Vec<SourceFile>>,
    /// The content that was read last, if it was refused.
    refused: Option<(Result<Vec<SourceFile>, Error>, Error)>,
}

struct Hooks<T> {
    next: u64,
    change: Vec<(HookId, ChangeHook<T>)>,
    error: Vec<(HookId, ErrorHook)>,
}

enum Event<T> {
    Changed(Change<T>),
    Refused(Error),
}

struct Events<T> {
    queue: VecDeque<Event<T>>,
    is_delivering: bool,
}

fn paths(files: &[SourceFile]) -> Vec<PathBuf> {
    files.iter().map(|file| file.path().to_owned()).collect()
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// Creates the state with its first version, which comes from these files.
    pub(crate) fn new(
        first: Version<T>,
        files: Option<Vec<SourceFile>>,
        sources: Sources,
        build: Build<T>,
        ringer: Ringer,
    ) -> Self {
        let status = Status {
            version: first.number(),
            files: files.as_deref().map(paths).unwrap_or_default(),
            published: first.published(),
            error: None,
            polling: None,
            counts: Counts::default(),
            last_reload: Duration::ZERO,
        };
        Self {
            cell: RcuArc::new(Arc::new(first)),
            sources,
            build,
            ringer,
            stop: AtomicBool::new(false),
            signalled: Arc::default(),
            waiters: Waiters::default(),
            requests: Requests::new(),
            turn: Turn::default(),
            read: Mutex::new(LastRead {
                in_force: files,
                refused: None,
            }),
            status: Mutex::new(status),
            hooks: Mutex::new(Hooks {
                next: 0,
                change: Vec::new(),
                error: Vec::new(),
            }),
            events: Mutex::new(Events {
                queue: VecDeque::new(),
                is_delivering: false,
            }),
        }
    }

    /// Reads the files, and publishes their content if it is new and valid. With `is_forced`, content that was refused
    /// before is checked and reported again. `is_undisturbed` is called when all files have been
    /// read. If it returns false, nothing is published.
    pub(crate) fn reload(
        &self,
        noticed: Option<Instant>,
        is_forced: bool,
        is_undisturbed: impl FnOnce() -> bool,
    ) -> Option<Result<Reload, Error>> {
        let result = match self.turn.take() {
            Ok(_turn) => self.reload_in_turn(noticed, is_forced, is_undisturbed),
            Err(error) => Some(Err(error)),
        };
        self.deliver();
        result
    }

    fn reload_in_turn(
        &self,
        noticed: Option<Instant>,
        is_forced: bool,
        is_undisturbed: impl FnOnce() -> bool,
    ) -> Option<Result<Reload, Error>> {
        let begun = Instant::now();
        let (read, reread) = self.sources.read();
        let is_undisturbed = is_undisturbed();
        self.count(|counts| counts.reread += reread + u64::from(!is_undisturbed));
        if !is_undisturbed {
            return None;
        }
        if let Some(known) = self.known(&read, is_forced) {
            return Some(known);
        }
        let current = self.cell.load_full();
        let built = match &read {
            Ok(files) => run(|| (self.build)(files, Some(&current))),
            Err(error) => Err(error.clone()),
        };
        Some(match (built, read) {
            (Ok(value), Ok(files)) => Ok(self.publish(&current, value, files, noticed, begun)),
            (Err(error), read) => {
                self.refuse(read, &error);
                Err(error)
            }
            (Ok(_), Err(error)) => Err(error),
        })
    }

    /// Returns the answer of the last reload, if the same content was read then.
    fn known(
        &self,
        read: &Result<Vec<SourceFile>, Error>,
        is_forced: bool,
    ) -> Option<Result<Reload, Error>> {
        let mut last = lock(&self.read);
        let is_in_force = read
            .as_ref()
            .is_ok_and(|files| last.in_force.as_ref() == Some(files));
        let known = if is_in_force {
            // If there was a mistake, it has been undone.
            last.refused = None;
            Ok(Reload::Unchanged)
        } else {
            match &last.refused {
                Some((files, error)) if !is_forced && files == read => Err(error.clone()),
                _ => return None,
            }
        };
        drop(last);
        let mut status = lock(&self.status);
        status.counts.unchanged += 1;
        if is_in_force {
            status.error = None;
        }
        Some(known)
    }

    fn publish(
        &self,
        current: &Arc<Version<T>>,
        value: T,
        files: Vec<SourceFile>,
        noticed: Option<Instant>,
        begun: Instant,
    ) -> Reload {
        let number = current.number() + 1;
        let new = Arc::new(Version::new(value, number, noticed.unwrap_or(begun), begun));
        let paths = paths(&files);
        *lock(&self.read) = LastRead {
            in_force: Some(files),
            refused: None,
        };
        {
            // This is set before the publication, so that a thread that sees the version finds it here.
            let mut status = lock(&self.status);
            status.version = number;
            status.files = paths;
            status.published = new.published();
            status.error = None;
            status.counts.reloads += 1;
            status.last_reload = begun.elapsed();
        }
        let swapping = Instant::now();
        let old = self.cell.swap(Arc::clone(&new));
        let publication = swapping.elapsed();
        self.waiters.wake(number);
        lock(&self.events).queue.push_back(Event::Changed(Change {
            old,
            new,
            publication,
        }));
        Reload::Published(number)
    }

    fn refuse(&self, read: Result<Vec<SourceFile>, Error>, error: &Error) {
        lock(&self.read).refused = Some((read, error.clone()));
        {
            let mut status = lock(&self.status);
            status.error = Some(error.clone());
            status.counts.refused += 1;
        }
        lock(&self.events)
            .queue
            .push_back(Event::Refused(error.clone()));
    }

    /// Records that the files were refused at the start, when there is another value to start with.
    pub(crate) fn refuse_first(&self, read: Result<Vec<SourceFile>, Error>, error: &Error) {
        self.refuse(read, error);
        self.deliver();
    }

    /// Calls the hooks, one event after the other, without holding a lock. If hooks are already being called, on
    /// another thread or further out on this one, the remaining events are left to that call.
    fn deliver(&self) {
        loop {
            let event = {
                let mut events = lock(&self.events);
                if events.is_delivering {
                    return;
                }
                let Some(event) = events.queue.pop_front() else {
                    return;
                };
                events.is_delivering = true;
                event
            };
            match event {
                Event::Changed(change) => self.call_change_hooks(&change),
                Event::Refused(error) => self.call_error_hooks(&error),
            }
            lock(&self.events).is_delivering = false;
        }
    }

    fn call_change_hooks(&self, change: &Change<T>) {
        let hooks = lock(&self.hooks).change.clone();
        for (_, hook) in hooks {
            self.call(|| hook(change));
        }
    }

    fn call_error_hooks(&self, error: &Error) {
        let hooks = lock(&self.hooks).error.clone();
        if hooks.is_empty() {
            let version = lock(&self.status).version;
            eprintln!("{error}; version {version} stays in force");
        }
        for (_, hook) in hooks {
            self.call(|| hook(error));
        }
    }

    fn call(&self, hook: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(hook)).is_err() {
            self.count(|counts| counts.hook_panics += 1);
        }
    }

    pub(crate) fn add_change_hook(&self, hook: ChangeHook<T>) -> HookId {
        let mut hooks = lock(&self.hooks);
        let id = hooks.next_id();
        hooks.change.push((id, hook));
        id
    }

    pub(crate) fn add_error_hook(&self, hook: ErrorHook) -> HookId {
        let mut hooks = lock(&self.hooks);
        let id = hooks.next_id();
        hooks.error.push((id, hook));
        id
    }

    pub(crate) fn remove_hook(&self, id: HookId) -> bool {
        let mut hooks = lock(&self.hooks);
        let change = hooks
            .change
            .extract_if(.., |(hook, _)| *hook == id)
            .collect::<Vec<_>>();
        let error = hooks
            .error
            .extract_if(.., |(hook, _)| *hook == id)
            .collect::<Vec<_>>();
        // No lock is held while the hooks' captures are dropped.
        drop(hooks);
        !change.is_empty() || !error.is_empty()
    }

    pub(crate) fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    pub(crate) fn set_status(&self, set: impl FnOnce(&mut Status)) {
        set(&mut lock(&self.status));
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut lock(&self.status).counts);
    }

    pub(crate) fn is_called(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.signalled.load(Ordering::Relaxed)
            || self.requests.is_any.load(Ordering::Relaxed)
    }
}

impl<T> Hooks<T> {
    fn next_id(&mut self) -> HookId {
        self.next += 1;
        HookId(self.next)
    }
}

/// Runs the user's parser or validation. A panic counts as a refusal.
pub(crate) fn run<T>(build: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(build)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|message| message.to_string());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        let message = message.unwrap_or_else(|| "it does not say why".into());
        let reason = format!("the parser or the validation panicked: {message}");
        Err(Error::new(ErrorKind::Panicked, reason))
    })
}

type Answer = SyncSender<Result<Reload, Error>>;

/// The callers that wait for the watching thread to reload.
pub(crate) struct Requests {
    /// The process of the thread, while it runs.
    process: AtomicU32,
    is_any: AtomicBool,
    waiting: Mutex<Vec<Answer>>,
}

impl Requests {
    fn new() -> Self {
        Self {
            process: AtomicU32::new(0),
            is_any: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    /// Records that the thread runs, or is about to.
    pub(crate) fn open(&self) {
        self.process.store(std::process::id(), Ordering::Relaxed);
    }

    /// Records that the thread ends. No caller is answered after that.
    pub(crate) fn close(&self) {
        let mut waiting = lock(&self.waiting);
        self.process.store(0, Ordering::Relaxed);
        waiting.clear();
    }

    /// Adds a caller, if there is a thread to answer it.
    pub(crate) fn add(&self) -> Option<Receiver<Result<Reload, Error>>> {
        // In a child process there is no thread, and the lock may have been held.
        if self.process.load(Ordering::Relaxed) != std::process::id() {
            return None;
        }
        let mut waiting = lock(&self.waiting);
        if self.process.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let (sender, receiver) = sync_channel(1);
        waiting.push(sender);
        self.is_any.store(true, Ordering::Relaxed);
        Some(receiver)
    }

    pub(crate) fn take(&self) -> Vec<Answer> {
        self.is_any.store(false, Ordering::Relaxed);
        std::mem::take(&mut lock(&self.waiting))
    }
}

/// The turn to reload: one thread reloads at a time. No lock is held meanwhile, because parsers and validations are the
/// user's code.
#[derive(Debug, Default)]
struct Turn {
    /// The thread that has the turn. In a forked child, that thread may not exist.
    holder: Mutex<Option<(ThreadId, u32)>>,
    free: Condvar,
}

struct TurnGuard<'a>(&'a Turn);

impl Turn {
    fn take(&self) -> Result<TurnGuard<'_>, Error> {
        let me = (thread::current().id(), std::process::id());
        let mut holder = lock(&self.holder);
        while let Some(other) = *holder {
            if other == me {
                let reason = "a parser or a validation asked for a reload";
                return Err(Error::new(ErrorKind::Nested, reason));
            }
            if other.1 != me.1 {
                break;
            }
            holder = self
                .free
                .wait(holder)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *holder = Some(me);
        Ok(TurnGuard(self))
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        *lock(&self.0.holder) = None;
        self.0.free.notify_one();
    }
}
