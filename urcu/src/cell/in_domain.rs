//! Which domain a cell belongs to.

use std::sync::Arc;

use crate::domain::{Domain, DomainType, GuardOf, ReadGuard, State};
use crate::global::{global, global_state};

mod sealed {
    use std::sync::Arc;

    pub trait Sealed {}
    impl Sealed for super::Global {}
    impl Sealed for &super::Domain {}
    impl Sealed for Arc<super::Domain> {}
    impl<D: super::DomainType> Sealed for D {}
}

/// Names the domain that a cell belongs to: [`Global`], `&Domain`, `Arc<Domain>`, or a type that
/// [`domain!`](crate::domain!) made. Sealed.
///
/// With `Arc<Domain>` a structure owns its domain together with its cells:
///
/// ```
/// use std::sync::Arc;
/// use urcu::{Domain, Rcu};
///
/// struct Table {
///     rows: Rcu<Vec<u32>, Arc<Domain>>,
///     names: Rcu<Vec<String>, Arc<Domain>>,
/// }
///
/// let domain = Arc::new(Domain::new());
/// let table = Table {
///     rows: Rcu::new_in(vec![], Arc::clone(&domain)),
///     names: Rcu::new_in(vec![], domain),
/// };
/// let table = std::thread::spawn(move || {
///     table.rows.store(vec![1]);
///     table
/// }).join().unwrap();
/// let guard = table.rows.read_lock();
/// assert_eq!((table.rows.load(&guard).len(), table.names.load(&guard).len()), (1, 0));
/// ```
#[expect(private_interfaces, reason = "sealed; only this crate calls `state`")]
pub trait InDomain: sealed::Sealed {
    /// The type of guards with which cells are read: [`ReadGuard`], or [`GuardOf`] the domain's type if the
    /// domain is a type.
    type Guard<'d>: AsRef<ReadGuard<'d>>
    where
        Self: 'd;

    /// Returns the domain.
    fn domain(&self) -> &Domain;
    #[doc(hidden)]
    fn begin(&self) -> Self::Guard<'_>;
    #[doc(hidden)]
    fn state(&self) -> &State;
    /// Returns whether a guard belongs to this domain.
    #[doc(hidden)]
    fn owns(&self, guard: &Self::Guard<'_>) -> bool;
}

/// An [`InDomain`] whose domain lives for ever and is known by its type: [`Global`], or one that
/// [`domain!`](crate::domain!) made.
pub trait StaticDomain: InDomain + Copy + Send + Sync + 'static {
    #[doc(hidden)]
    const THIS: Self;
    /// Returns the domain.
    fn get() -> &'static Domain;
}

/// Stands for the [`global`] domain in the type of a cell. Zero-sized.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

/// Implements `InDomain` for domains that are not types: guards are checked at run time.
macro_rules! told_by_guards {
    ($($this:ident: $domain:ty => $state:expr, $found:expr;)*) => {$(
        #[expect(private_interfaces, reason = "see the trait")]
        impl InDomain for $domain {
            type Guard<'d>
                = ReadGuard<'d>
            where
                Self: 'd;

            fn domain(&self) -> &Domain {
                let $this = self;
                $found
            }
            #[inline(always)]
            #[track_caller]
            fn begin(&self) -> ReadGuard<'_> {
                ReadGuard::begin(self.state())
            }
            #[inline(always)]
            fn state(&self) -> &State {
                let $this = self;
                $state
            }
            #[inline(always)]
            #[track_caller]
            fn owns(&self, guard: &ReadGuard<'_>) -> bool {
                guard.is_of_state(self.state())
            }
        }
    )*};
}

told_by_guards! {
    _global: Global => global_state(), global();
    this: &Domain => Domain::state(this), this;
    this: Arc<Domain> => Domain::state(this), this;
}

#[expect(private_interfaces, reason = "see the trait")]
impl<D: DomainType> InDomain for D {
    type Guard<'d>
        = GuardOf<D>
    where
        Self: 'd;

    fn domain(&self) -> &Domain {
        D::domain()
    }
    #[inline(always)]
    #[track_caller]
    fn begin(&self) -> GuardOf<D> {
        GuardOf::new()
    }
    #[inline(always)]
    fn state(&self) -> &State {
        D::domain().state()
    }
    /// Returns true: the guard's type proves it.
    #[inline(always)]
    #[track_caller]
    fn owns(&self, guard: &GuardOf<D>) -> bool {
        guard.used();
        true
    }
}

impl StaticDomain for Global {
    const THIS: Self = Global;
    #[inline(always)]
    fn get() -> &'static Domain {
        global()
    }
}

impl<D: DomainType> StaticDomain for D {
    const THIS: Self = D::THIS;
    #[inline(always)]
    fn get() -> &'static Domain {
        D::domain()
    }
}
