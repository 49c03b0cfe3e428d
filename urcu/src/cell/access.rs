//! Access to a part of a configuration, for components that need not know the whole.

use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;

use super::{InDomain, OwningPtr, RcuCell, Ref};
use crate::global::global;

/// A source from which a value can be read repeatedly: a cell, or a part of a cell's value. A component that
/// needs one part of a configuration takes an `Access` to that part and need not know the rest.
///
/// ```
/// use std::sync::Arc;
/// use urcu::{Access, Constant, Part, Rcu};
///
/// struct Config { limit: u32, name: String }
///
/// fn component(limit: impl Access<u32>) -> u32 { *limit.read() }
///
/// let config = Arc::new(Rcu::new(Config { limit: 3, name: "a".into() }));
/// let limit = Part::of(Arc::clone(&config), |config: &Config| &config.limit);
/// assert_eq!(component(&limit), 3);
/// config.store(Config { limit: 4, name: "b".into() });
/// assert_eq!(component(&limit), 4);
/// // In a test, or behind a pointer.
/// assert_eq!(component(Constant(5)), 5);
/// let name = Part::of(config, |config: &Config| config.name.as_str());
/// let any: Box<dyn Access<str> + Send + Sync> = Box::new(name);
/// assert_eq!(&*any.read(), "b");
/// ```
///
/// The idea is that of `Access` in `arc-swap`.
pub trait Access<T: ?Sized> {
    /// Returns the current value together with the read-side section that keeps it alive.
    fn read(&self) -> Ref<'_, T>;
}

impl<P: OwningPtr, D: InDomain> Access<<P as OwningPtr>::Target> for RcuCell<P, D> {
    #[track_caller]
    fn read(&self) -> Ref<'_, <P as OwningPtr>::Target> {
        RcuCell::read(self)
    }
}

macro_rules! through {
    ($($pointer:ty)*) => {$(
        impl<T: ?Sized, A: Access<T> + ?Sized> Access<T> for $pointer {
            #[track_caller]
            fn read(&self) -> Ref<'_, T> {
                (**self).read()
            }
        }
    )*};
}

through! { &A Box<A> Arc<A> }

/// An [`Access`] to a part of the value that another `Access` reads.
pub struct Part<A, F, T: ?Sized> {
    whole: A,
    part: F,
    of: PhantomData<fn(&T)>,
}

impl<A: Access<T>, F, T: ?Sized> Part<A, F, T> {
    /// Returns an access to the part of `whole` that the function `part` returns.
    pub fn of<U: ?Sized>(whole: A, part: F) -> Self
    where
        F: Fn(&T) -> &U,
    {
        Part {
            whole,
            part,
            of: PhantomData,
        }
    }
}

impl<A: Access<T>, F: Fn(&T) -> &U, T: ?Sized, U: ?Sized> Access<U> for Part<A, F, T> {
    #[track_caller]
    fn read(&self) -> Ref<'_, U> {
        Ref::map(self.whole.read(), &self.part)
    }
}

impl<A: Clone, F: Clone, T: ?Sized> Clone for Part<A, F, T> {
    fn clone(&self) -> Self {
        Part {
            whole: self.whole.clone(),
            part: self.part.clone(),
            of: PhantomData,
        }
    }
}

impl<A, F, T: ?Sized> fmt::Debug for Part<A, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").finish_non_exhaustive()
    }
}

/// An [`Access`] to a value that never changes, for tests and defaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Constant<T>(pub T);

impl<T> Access<T> for Constant<T> {
    #[track_caller]
    fn read(&self) -> Ref<'_, T> {
        // SAFETY: the result borrows the value, so the value outlives it.
        unsafe { Ref::from_parts(&self.0, global().read_lock()) }
    }
}
