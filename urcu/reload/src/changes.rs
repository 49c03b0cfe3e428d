//! [`Changes`]: waits for versions, in asynchronous code or by blocking.

use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::{Version, Watched};

/// The tasks that wait for the next version.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    state: Mutex<State>,
    published: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last version that was published while anybody could wait, or 0.
    number: u64,
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Waiters {
    /// Tells all waiting tasks that a version was published.
    pub(crate) fn wake(&self, number: u64) {
        let mut state = self.lock();
        state.number = number;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.published.notify_all();
        for (_, waker) in wakers {
            waker.wake();
        }
    }

    fn register(&self, id: &mut Option<u64>, waker: &Waker) {
        let mut state = self.lock();
        let id = *id.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        let known = state.wakers.iter_mut().find(|(known, _)| *known == id);
        let replaced = match known {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(std::mem::replace(known, waker.clone())),
            None => {
                state.wakers.push((id, waker.clone()));
                None
            }
        };
        drop(state);
        drop(replaced); // This runs the runtime's code, so no lock may be held.
    }

    fn forget(&self, id: u64) {
        let mut state = self.lock();
        let index = state.wakers.iter().position(|(known, _)| *known == id);
        let waker = index.map(|index| state.wakers.swap_remove(index));
        drop(state);
        drop(waker);
    }

    fn wait(&self, seen: u64, until: Instant) {
        let mut state = self.lock();
        while state.number <= seen {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let (next, _) = self
                .published
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The versions that are published from now on, one after the other. A slow task may miss versions, but never the
/// latest one.
///
/// With the feature `stream` this is a [`Stream`](https://docs.rs/futures-core), which never ends. A `Changes` keeps
/// the watch alive.
///
/// ```no_run
/// # async fn serve(config: urcu_reload::Watched<Vec<u8>>) {
/// let mut changes = config.changes();
/// loop {
///     let version = changes.next().await;
///     println!("version {} is in force", version.number());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Changes<T: Send + Sync + 'static> {
    watched: Watched<T>,
    seen: u64,
    waker: Option<u64>,
}

impl<T: Send + Sync + 'static> Changes<T> {
    pub(crate) fn new(watched: Watched<T>) -> Self {
        let seen = watched.version();
        Self {
            watched,
            seen,
            waker: None,
        }
    }

    /// Waits for a version that is newer than the last one returned.
    ///
    /// Cancel-safe: no version is lost if the future is dropped.
    pub async fn next(&mut self) -> Arc<Version<T>> {
        poll_fn(|context| self.poll_next_version(context)).await
    }

    /// Blocks until there is a version that is newer than the last one returned, but at most for `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Option<Arc<Version<T>>> {
        let until = Instant::now() + timeout;
        self.newer().or_else(|| {
            self.watched.shared.waiters.wait(self.seen, until);
            self.newer()
        })
    }

    /// Returns the version in force if it is newer than the last one returned.
    pub fn newer(&mut self) -> Option<Arc<Version<T>>> {
        // As long as nothing is new, this changes no reference count that all share.
        if self.watched.version() <= self.seen {
            return None;
        }
        let version = self.watched.load_full();
        self.seen = version.number();
        Some(version)
    }

    fn poll_next_version(&mut self, context: &Context<'_>) -> Poll<Arc<Version<T>>> {
        if let Some(version) = self.newer() {
            return Poll::Ready(version);
        }
        self.watched
            .shared
            .waiters
            .register(&mut self.waker, context.waker());
        // A version that was published before that has not woken this task.
        self.newer().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T: Send + Sync + 'static> Drop for Changes<T> {
    fn drop(&mut self) {
        if let Some(id) = self.waker {
            self.watched.shared.waiters.forget(id);
        }
    }
}

#[cfg(feature = "stream")]
impl<T: Send + Sync + 'static> futures_core::Stream for Changes<T> {
    type Item = Arc<Version<T>>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next_version(context).map(Some)
    }
}
