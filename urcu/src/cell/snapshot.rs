//! Copies of values and of parts of them, without a counter.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use core::ptr;

use super::{InDomain, OwningPtr, RcuCell};
use crate::sys;

/// The size in bytes of the largest value, or part, that [`RcuCell::snapshot`] and
/// [`RcuCell::snapshot_of`] copy without touching a counter.
pub const SNAPSHOT_MAX: usize = sys::COPY_MAX;

/// The place of an `Inner` in every `Outer`: made by [`part!`](crate::part), for
/// [`RcuCell::snapshot_of`].
pub struct Offset<Outer, Inner> {
    bytes: usize,
    leads: PhantomData<fn(&Outer) -> &Inner>,
}

impl<Outer, Inner> Offset<Outer, Inner> {
    /// Used by [`part!`](crate::part). `_field` tells the type of the part.
    ///
    /// # Safety
    /// `bytes` into every `Outer` lies, as a field of it or of a field, the `Inner` to which `_field` leads.
    #[doc(hidden)]
    pub const unsafe fn new(bytes: usize, _field: fn(&Outer) -> *const Inner) -> Self {
        Offset {
            bytes,
            leads: PhantomData,
        }
    }

    /// The part.
    #[inline(always)]
    fn of(self, whole: &Outer) -> &Inner {
        // SAFETY: by the promise of `new`.
        unsafe { &*ptr::from_ref(whole).byte_add(self.bytes).cast() }
    }
}

impl<Outer, Inner> Clone for Offset<Outer, Inner> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Outer, Inner> Copy for Offset<Outer, Inner> {}

impl<Outer, Inner> fmt::Debug for Offset<Outer, Inner> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Offset").field(&self.bytes).finish()
    }
}

/// Says which part of a value is meant: an [`Offset`](crate::Offset), a constant, for
/// [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of).
///
/// After the type comes the path of a field, as for [`offset_of!`](core::mem::offset_of): fields of fields,
/// of structures and tuples, as far as they are visible. What lies behind a pointer, in an `enum`, in a
/// `union` or, at an odd address, in a packed structure does not compile.
///
/// ```
/// use urcu::{Offset, Rcu, part};
///
/// struct Server { names: Vec<String>, place: (f64, f64) }
///
/// const EAST: Offset<Server, f64> = part!(Server, place.1);
///
/// let server = Rcu::new(Server { names: vec![], place: (1.0, 2.0) });
/// assert_eq!(server.snapshot_of(EAST), 2.0);
/// assert_eq!(server.snapshot_of(part!(Server, place)), (1.0, 2.0));
/// # assert!(server.read().names.is_empty());
/// ```
#[macro_export]
macro_rules! part {
    ($Outer:ty, $($field:tt).+ $(,)?) => {
        const {
            let bytes = ::core::mem::offset_of!($Outer, $($field).+);
            // A reference, which no field of a `union` gives, nor one of a packed structure.
            // And a raw pointer in the end, which is not made one to what a field points to, whatever type is
            // asked for.
            let field: fn(&$Outer) -> *const _ = |outer| {
                let field = &outer.$($field).+;
                &raw const *field
            };
            // SAFETY: `offset_of!` goes through no pointer, so that the path leads to the same field for
            // both.
            unsafe { $crate::Offset::new(bytes, field) }
        }
    };
}

impl<P: OwningPtr, D: InDomain> RcuCell<P, D> {
    /// Returns a copy of the current value.
    ///
    /// The copy is made in one restartable sequence, which touches no counter. No updater waits for it: a
    /// grace period makes the sequence start over.
    ///
    /// [`RcuOption`](crate::RcuOption) has no `snapshot`, because the sequence follows the pointer without
    /// looking at it.
    /// For a small `Copy` value that may be missing use `Rcu<Option<T>>`.
    ///
    /// # Cost
    /// Some plain instructions. Sizes of 1, 2 and 4 bytes, and multiples of 8 up to 64, are fastest.
    /// Values of more than [`SNAPSHOT_MAX`] bytes, threads without `rseq`, and copies that are
    /// interrupted again and again take a guard inside.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    ///
    /// ```
    /// let position = urcu::Rcu::new((1.0f64, 2.0f64));
    /// assert_eq!(position.snapshot(), (1.0, 2.0));
    /// ```
    #[inline(always)]
    pub fn snapshot(&self) -> <P as OwningPtr>::Target
    where
        <P as OwningPtr>::Target: Copy,
    {
        let size = size_of::<<P as OwningPtr>::Target>();
        let mut copy = MaybeUninit::<<P as OwningPtr>::Target>::uninit();
        // SAFETY: the word is the address of the value, as that has a size, and not null. It is to a value that is freed only after it was
        // replaced and a grace period has passed, or when the cell is dropped, which `&self`
        // excludes. A `Copy` type has no interior mutability: its bytes do not change.
        let copied = size <= SNAPSHOT_MAX
            && unsafe {
                self.domain.state().gp.readers.snapshot(
                    self.current.as_ptr().cast::<*const u8>().cast_const(),
                    copy.as_mut_ptr().cast(),
                    size,
                )
            };
        if copied {
            // SAFETY: all bytes were copied from a valid value.
            unsafe { copy.assume_init() }
        } else {
            self.snapshot_by_guard()
        }
    }

    #[cold]
    #[inline(never)]
    fn snapshot_by_guard(&self) -> <P as OwningPtr>::Target
    where
        <P as OwningPtr>::Target: Copy,
    {
        *self.read()
    }

    /// Returns a copy of a part of the current value, which need not be `Copy` as a whole, nor small.
    ///
    /// The part is said by [`part!`](crate::part); else as [`snapshot`](Self::snapshot).
    ///
    /// A part behind a pointer (in a `Box`, a `Vec`, an `Arc`) has no offset: read that by
    /// `cell.read().limits.rate`, at the price of a guard. It would be as sound, but the sequence follows one
    /// pointer.
    ///
    /// # Cost
    /// As `snapshot`, of the size of the part, and an addition. It is tried once: a copy that is interrupted
    /// takes a guard inside at once.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    ///
    /// ```
    /// struct Limits { rate: u64, burst: u32 }
    /// struct Config { name: String, limits: Limits }
    ///
    /// let limits = Limits { rate: 100, burst: 7 };
    /// let config = urcu::Rcu::new(Config { name: "a".into(), limits });
    /// assert_eq!(config.snapshot_of(urcu::part!(Config, limits.rate)), 100);
    /// # let read = config.read();
    /// # assert_eq!((read.name.as_str(), read.limits.burst), ("a", 7));
    /// ```
    #[inline(always)]
    pub fn snapshot_of<Inner: Copy>(&self, part: Offset<<P as OwningPtr>::Target, Inner>) -> Inner
    where
        <P as OwningPtr>::Target: Sized,
    {
        let mut copy = MaybeUninit::<Inner>::uninit();
        // SAFETY: the pointer is not null. It is to a value that is freed only after it was replaced and a grace
        // period has passed, or when the cell is dropped, which `&self` excludes. The part lies in the value, as
        // the maker of the offset promised; it is `Copy`, so its bytes do not change while the value is shared.
        let copied = size_of::<Inner>() <= SNAPSHOT_MAX
            && unsafe {
                self.domain.state().gp.readers.snapshot_part(
                    self.current.as_ptr().cast::<*const u8>().cast_const(),
                    part.bytes,
                    copy.as_mut_ptr().cast(),
                    size_of::<Inner>(),
                )
            };
        if copied {
            // SAFETY: all bytes were copied from a valid part.
            unsafe { copy.assume_init() }
        } else {
            self.part_by_guard(part)
        }
    }

    #[cold]
    #[inline(never)]
    fn part_by_guard<Inner: Copy>(&self, part: Offset<<P as OwningPtr>::Target, Inner>) -> Inner
    where
        <P as OwningPtr>::Target: Sized,
    {
        *part.of(&self.read())
    }
}
