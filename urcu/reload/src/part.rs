//! Parts of a configuration, for components that need only a part.

use std::fmt;
use std::sync::Arc;

use urcu::{ReadGuard, Ref};

use crate::{HookId, Watched};

/// Access to the part of a configuration that a component needs. The value may be another one at the next access.
///
/// [`Watched`], [`Part`] and a plain [`urcu::Rcu`] implement this. So a component can take an
/// `Arc<dyn Access<Database>>` or be generic, and its tests can pass it an `Rcu` of their own:
///
/// ```
/// use std::sync::Arc;
/// use urcu_reload::Access;
///
/// struct Pool { limits: Arc<dyn Access<u32>> }
/// impl Pool {
///     fn may_open(&self, open: u32) -> bool {
///         open < *self.limits.read()
///     }
/// }
/// let limit = Arc::new(urcu::Rcu::new(2));
/// let pool = Pool { limits: limit.clone() };
/// assert!(!pool.may_open(2));
/// limit.store(3);
/// assert!(pool.may_open(2));
/// ```
pub trait Access<U>: Send + Sync {
    /// Returns the value in force, with the read-side section that keeps it valid.
    fn read(&self) -> Ref<'_, U>;

    /// Returns the value in force. It stays valid as long as the section of `guard` lasts.
    ///
    /// # Panics
    /// Panics if `guard` is not of the global domain.
    fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g U;
}

impl<U: Send + Sync> Access<U> for urcu::Rcu<U> {
    fn read(&self) -> Ref<'_, U> {
        urcu::Rcu::read(self)
    }

    fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g U {
        urcu::Rcu::load(self, guard)
    }
}

impl<T: Send + Sync + 'static> Access<T> for Watched<T> {
    fn read(&self) -> Ref<'_, T> {
        Watched::read(self)
    }

    fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g T {
        Watched::load(self, guard)
    }
}

impl<U, A: Access<U> + ?Sized> Access<U> for Arc<A> {
    fn read(&self) -> Ref<'_, U> {
        (**self).read()
    }

    fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g U {
        (**self).load(guard)
    }
}

/// A part of a watched configuration, always that of the version in force. [`Watched::part`] returns it.
///
/// Reading a part costs the same as reading the whole configuration.
pub struct Part<T: Send + Sync + 'static, U> {
    watched: Watched<T>,
    part: fn(&T) -> &U,
}

impl<T: Send + Sync + 'static, U> Part<T, U> {
    pub(crate) fn new(watched: Watched<T>, part: fn(&T) -> &U) -> Self {
        Self { watched, part }
    }

    /// Returns the part of the version in force, with the read-side section that keeps it valid.
    #[inline]
    pub fn read(&self) -> Ref<'_, U> {
        Ref::map(self.watched.read(), self.part)
    }

    /// Returns the part of the version in force. It stays valid as long as the section of `guard` lasts.
    ///
    /// # Panics
    /// Panics if `guard` is not of the global domain.
    #[inline]
    pub fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g U {
        (self.part)(self.watched.load(guard))
    }

    /// Calls `hook` with the old and the new part after each reload that has changed the part. See
    /// [`Watched::on_change`].
    pub fn on_change(&self, hook: impl Fn(&U, &U) + Send + Sync + 'static) -> HookId
    where
        U: PartialEq + 'static,
    {
        let part = self.part;
        self.watched.on_change(move |change| {
            let (old, new) = (part(&change.old), part(&change.new));
            if old != new {
                hook(old, new);
            }
        })
    }

    /// Returns the configuration to which this part belongs.
    pub fn watched(&self) -> &Watched<T> {
        &self.watched
    }
}

impl<T: Send + Sync + 'static, U> Access<U> for Part<T, U> {
    fn read(&self) -> Ref<'_, U> {
        Part::read(self)
    }

    fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g U {
        Part::load(self, guard)
    }
}

impl<T: Send + Sync + 'static, U> Clone for Part<T, U> {
    fn clone(&self) -> Self {
        Self {
            watched: self.watched.clone(),
            part: self.part,
        }
    }
}

impl<T: Send + Sync + 'static, U: fmt::Debug> fmt::Debug for Part<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Part").field(&*self.read()).finish()
    }
}
