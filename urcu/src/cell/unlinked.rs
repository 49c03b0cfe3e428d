//! A value that has been replaced and that readers may still see.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll};

use super::in_domain::InDomain;
use super::payload::{ByValue, OwningPtr, Payload, Retired};
use crate::domain::Domain;
use crate::polling::SynchronizeAsync;

/// A value that was taken out of a cell or a [list](crate::link), and that earlier readers may still see.
///
/// New readers do not find the value any more. The owner of the `Unlinked` decides what becomes of it:
///
/// | | the value | the caller |
/// |---|---|---|
/// | [`retire`](Self::retire), or dropping the `Unlinked` | is dropped after a grace period | continues at once |
/// | [`wait`](Self::wait) | is returned | waits for a grace period |
/// | [`wait_async`](Self::wait_async) | is returned | awaits a grace period |
/// | keeping the `Unlinked` | can be read | continues at once; no section is open |
///
/// ```
/// use urcu::{Rcu, Unlinked};
///
/// let names = Rcu::new(vec!["a"]);
/// let old: Unlinked<Box<Vec<&str>>> = names.unlink(vec!["b"]);
/// assert_eq!(*old, ["a"]); // Readers may still see it.
/// let mut old: Vec<&str> = old.wait();
/// old.push("nobody else sees it");
/// ```
///
/// An `Unlinked` may be kept anywhere, even in another cell, and may be sent to another thread. If it is forgotten
/// ([`core::mem::forget`]), the value leaks.
///
/// # What runs where
/// Retiring may run destructors of values that were replaced earlier on the calling thread, as
/// [`RcuCell::store`](crate::RcuCell::store) may.
pub struct Unlinked<P: Payload + Send + 'static, D: InDomain = super::Global> {
    /// A word from `P::into_raw` that this `Unlinked` owns, and that sections beginning from now on do not find.
    raw: *mut (),
    owns: PhantomData<P>,
    domain: D,
}

// SAFETY: it owns a `P`, for which `P: Send` is enough; readers on other threads may hold references to it, for
// which `P: Sync` is enough.
unsafe impl<P: Payload + Send + Sync + 'static, D: InDomain + Send> Send for Unlinked<P, D> {}
// SAFETY: a shared `Unlinked` only gives out shared references.
unsafe impl<P: Payload + Send + Sync + 'static, D: InDomain + Sync> Sync for Unlinked<P, D> {}

impl<P: Payload + Send + 'static, D: InDomain> Unlinked<P, D> {
    /// # Safety
    /// `raw` is from `P::into_raw` and owned by nobody else. Only sections of `domain` see it, and none that begins
    /// after the start of the next grace period.
    #[inline(always)]
    pub(super) unsafe fn new(raw: *mut (), domain: D) -> Self {
        Unlinked {
            raw,
            owns: PhantomData,
            domain,
        }
    }

    /// Returns the value: `&T`, or `Option<&T>` if it came from an [`RcuOption`](crate::RcuOption).
    pub fn get(&self) -> P::View<'_> {
        // SAFETY: `self` owns the value, which is not freed as long as `self` lives.
        unsafe { P::view(self.raw) }
    }

    /// Returns the domain whose sections may see the value.
    pub fn domain(&self) -> &Domain {
        self.domain.domain()
    }

    /// Drops the value after a grace period, as dropping the `Unlinked` does.
    ///
    /// Returns at once, unless the domain's [`Budget`](crate::Budget) is exceeded.
    pub fn retire(self) {
        drop(self);
    }

    /// Waits for a grace period and returns the value, which no reader sees any more.
    ///
    /// A call inside a read-side section of the same domain waits for ever, which is
    /// [reported](crate::stall). If there is no value (`None`), it does not wait.
    ///
    /// # Panics
    /// Panics where [`Domain::synchronize`] does; the value is then retired.
    #[track_caller]
    pub fn wait(self) -> P::Value
    where
        P: ByValue,
    {
        P::disown(self.wait_boxed())
    }

    /// Waits for a grace period and returns the value in its `Box` (or as the `Arc`, or the `Option` of one), as
    /// [`wait`](Self::wait) does. This is the only way to get values without a size back.
    ///
    /// ```
    /// let name = urcu::Rcu::<str>::new_boxed("a".into());
    /// let old: Box<str> = name.unlink_boxed("b".into()).wait_boxed();
    /// assert_eq!(&*old, "a");
    /// ```
    ///
    /// # Panics
    /// Panics where [`Domain::synchronize`] does; the value is then retired.
    #[track_caller]
    pub fn wait_boxed(self) -> P {
        if !self.raw.is_null() {
            self.domain().synchronize();
        }
        // SAFETY: a grace period has passed since the value was unlinked.
        unsafe { self.into_boxed() }
    }

    /// Waits for a grace period, without blocking the thread, and returns the value.
    ///
    /// If the future is dropped before it is ready, the value is retired. Do not await it while you hold a
    /// guard of the same domain: it would wait for ever.
    ///
    /// ```
    /// # struct Noop;
    /// # impl std::task::Wake for Noop { fn wake(self: std::sync::Arc<Self>) {} }
    /// # fn block_on<F: Future>(future: F) -> F::Output {
    /// #     let mut future = std::pin::pin!(future);
    /// #     let waker = std::sync::Arc::new(Noop).into();
    /// #     let mut context = std::task::Context::from_waker(&waker);
    /// #     loop {
    /// #         if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) { return output }
    /// #         std::thread::yield_now()
    /// #     }
    /// # }
    /// # block_on(async {
    /// let routes = urcu::Rcu::new(vec!["/"]);
    /// let old: Vec<&str> = routes.unlink(vec![]).wait_async().await;
    /// assert_eq!(old, ["/"]);
    /// # });
    /// ```
    pub fn wait_async(self) -> WaitAsync<P, D>
    where
        P: ByValue,
    {
        let over = (!self.raw.is_null()).then(|| self.domain().synchronize_async());
        WaitAsync {
            over,
            unlinked: Some(self),
        }
    }

    /// Does what [`wait_boxed`](Self::wait_boxed) does, without blocking the thread, as
    /// [`wait_async`](Self::wait_async).
    pub async fn wait_boxed_async(self) -> P {
        if !self.raw.is_null() {
            self.domain().synchronize_async().await;
        }
        // SAFETY: a grace period has passed since the value was unlinked.
        unsafe { self.into_boxed() }
    }

    /// # Safety
    /// A grace period has begun since the value was unlinked, and is over; or nobody has seen the value.
    pub(super) unsafe fn into_boxed(self) -> P {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so the value is taken once. Nobody else sees it, as the caller promises.
        // The domain, which may be dropped here, is dropped after the value was taken.
        unsafe {
            let _domain = ptr::read(&raw const this.domain);
            P::from_raw(this.raw)
        }
    }
}

impl<P: OwningPtr + Send + 'static, D: InDomain> Deref for Unlinked<P, D> {
    type Target = <P as OwningPtr>::Target;

    fn deref(&self) -> &Self::Target {
        self.get()
    }
}

impl<P: Payload + Send + 'static, D: InDomain> Drop for Unlinked<P, D> {
    fn drop(&mut self) {
        if self.raw.is_null() {
            return;
        }
        // SAFETY: the value was unlinked before, by the contract of `new`; the domain calls back after a
        // grace period that begins from now on.
        let callback = unsafe { Retired::<P>::new(self.raw).callback() };
        self.domain.domain().enqueue(callback, true);
    }
}

impl<P: OwningPtr + Send + 'static, D: InDomain> fmt::Debug for Unlinked<P, D>
where
    <P as OwningPtr>::Target: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unlinked").field(&&**self).finish()
    }
}

/// The future of [`Unlinked::wait_async`].
#[must_use = "futures do nothing unless awaited"]
pub struct WaitAsync<P: Payload + Send + 'static, D: InDomain = super::Global> {
    /// The end of the grace period; `None` if there is no value to wait for.
    over: Option<SynchronizeAsync>,
    /// The value, until the future is ready.
    unlinked: Option<Unlinked<P, D>>,
}

// The future pins nothing structurally.
impl<P: Payload + Send + 'static, D: InDomain> Unpin for WaitAsync<P, D> {}

impl<P: ByValue + Send + 'static, D: InDomain> Future for WaitAsync<P, D> {
    type Output = P::Value;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<P::Value> {
        if let Some(over) = &mut self.over
            && Pin::new(over).poll(context).is_pending()
        {
            return Poll::Pending;
        }
        let unlinked = self.unlinked.take().expect("polled after it was ready");
        // SAFETY: the grace period was asked for after the value had been unlinked, and is over.
        Poll::Ready(P::disown(unsafe { unlinked.into_boxed() }))
    }
}

impl<P: Payload + Send + 'static, D: InDomain> fmt::Debug for WaitAsync<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitAsync").finish_non_exhaustive()
    }
}
