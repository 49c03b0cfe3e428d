//! Domains as types: cells and links of such a domain need no pointer to it, and guards of other domains do not
//! compile.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;

use super::domain::Domain;
use super::guard::ReadGuard;

/// A domain as a type, made by [`domain!`](crate::domain!).
///
/// # Safety
/// [`domain`](Self::domain) always returns the same domain. No other type of this trait that returns
/// another one is a subtype or a supertype of this type.
pub unsafe trait DomainType: Copy + Send + Sync + 'static {
    #[doc(hidden)]
    const THIS: Self;
    /// Returns the domain.
    fn domain() -> &'static Domain;
}

/// Makes a type that stands for a domain of its own.
///
/// A cell of such a domain ([`Rcu<T, Requests>`](crate::Rcu)) is one word, and takes only guards from
/// [`Requests.read_lock()`](GuardOf): the guard of another domain does not compile. The type is zero-sized and
/// dereferences to its [`Domain`], so all of the domain's methods can be called on it.
///
/// ```
/// use urcu::Rcu;
///
/// urcu::domain! {
///     /// The data that requests read.
///     pub Requests = "requests";
/// }
///
/// let routes = Rcu::new_in(vec!["/"], Requests);
/// assert_eq!(size_of_val(&routes), size_of::<usize>());
/// let guard = Requests.read_lock();
/// assert_eq!(routes.load(&guard).len(), 1);
/// drop(guard);
/// Requests.synchronize();
/// ```
///
/// A guard of another domain does not compile:
///
/// ```compile_fail,E0308
/// urcu::domain!(Requests = "requests");
/// let routes = urcu::Rcu::new_in(vec!["/"], Requests);
/// let guard = urcu::read_lock();
/// routes.load(&guard);
/// ```
///
/// Settings that a [`Domain`] takes when it is made follow its name:
///
/// ```
/// use urcu::{Budget, Runner};
///
/// urcu::domain!(Jobs = "jobs", run_by: Runner::OwnThread, with_budget: Budget::new(10_000, 1 << 20));
///
/// Jobs.call(|| println!("a grace period has passed"));
/// Jobs.barrier();
/// ```
#[macro_export]
macro_rules! domain {
    ($(#[$attribute:meta])* $visibility:vis $name:ident = $text:literal
        $(, $setting:ident: $value:expr)* $(,)? $(;)?) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default)]
        $visibility struct $name;

        // SAFETY: the method always returns the same static. The type has no parameters, so it has no subtypes.
        unsafe impl $crate::DomainType for $name {
            const THIS: Self = $name;
            #[inline(always)]
            fn domain() -> &'static $crate::Domain {
                static DOMAIN: $crate::Domain = $crate::Domain::named($text)$(.$setting($value))*;
                &DOMAIN
            }
        }

        impl $name {
            /// Begins a read-side section, which ends when the guard is dropped.
            #[inline(always)]
            #[track_caller]
            #[allow(dead_code, reason = "for whoever reads")]
            $visibility fn read_lock(self) -> $crate::GuardOf<$name> {
                $crate::GuardOf::new()
            }
        }

        impl ::core::ops::Deref for $name {
            type Target = $crate::Domain;
            #[inline(always)]
            fn deref(&self) -> &$crate::Domain {
                <$name as $crate::DomainType>::domain()
            }
        }
    };
}

/// An open read-side section of a domain that is a type (see [`domain!`](crate::domain!)). It dereferences
/// to a [`ReadGuard`]; the compiler knows which domain it belongs to.
///
/// ```
/// urcu::domain!(Requests = "requests");
///
/// let limit = urcu::Rcu::new_in(3, Requests);
/// let mut guard = Requests.read_lock();
/// assert_eq!(*limit.load(&guard), 3);
/// guard.refresh();
/// // It can also be passed where a guard of any domain is taken.
/// Requests.check(&guard);
/// ```
#[must_use = "the read-side section ends when the guard is dropped"]
pub struct GuardOf<D: DomainType> {
    guard: ReadGuard<'static>,
    /// Makes `D` invariant, so that the domain cannot be lost by subtyping.
    domain: PhantomData<fn(D) -> D>,
}

impl<D: DomainType> GuardOf<D> {
    /// Begins a read-side section.
    #[inline(always)]
    #[track_caller]
    pub fn new() -> Self {
        GuardOf {
            guard: D::domain().read_lock(),
            domain: PhantomData,
        }
    }

    /// Ends the section and begins another, if a grace period has begun since: see
    /// [`ReadGuard::refresh`].
    #[inline(always)]
    #[track_caller]
    pub fn refresh(&mut self) {
        self.guard.refresh();
    }

    /// Returns the guard as a plain [`ReadGuard`], whose domain the compiler does not know.
    pub fn into_guard(self) -> ReadGuard<'static> {
        self.guard
    }
}

impl<D: DomainType> Clone for GuardOf<D> {
    /// Begins another section, which protects everything that this one protects: see [`ReadGuard::clone`].
    #[track_caller]
    fn clone(&self) -> Self {
        GuardOf {
            guard: self.guard.clone(),
            domain: PhantomData,
        }
    }
}

impl<D: DomainType> Default for GuardOf<D> {
    #[track_caller]
    fn default() -> Self {
        GuardOf::new()
    }
}

impl<D: DomainType> TryFrom<ReadGuard<'static>> for GuardOf<D> {
    type Error = ReadGuard<'static>;

    /// Converts a guard of this domain. Returns the guard as the error if it belongs to another domain.
    fn try_from(guard: ReadGuard<'static>) -> Result<Self, ReadGuard<'static>> {
        if guard.is_of(D::domain()) {
            Ok(GuardOf {
                guard,
                domain: PhantomData,
            })
        } else {
            Err(guard)
        }
    }
}

impl<D: DomainType> From<GuardOf<D>> for ReadGuard<'static> {
    fn from(guard: GuardOf<D>) -> Self {
        guard.guard
    }
}

impl<D: DomainType> Deref for GuardOf<D> {
    type Target = ReadGuard<'static>;

    #[inline(always)]
    fn deref(&self) -> &ReadGuard<'static> {
        &self.guard
    }
}

impl<'d, D: DomainType> AsRef<ReadGuard<'d>> for GuardOf<D> {
    fn as_ref(&self) -> &ReadGuard<'d> {
        &self.guard
    }
}

impl<D: DomainType> fmt::Debug for GuardOf<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.guard, f)
    }
}
