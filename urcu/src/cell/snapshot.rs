//! Copies of values, and of parts of values, without a counter.

use core::mem::{MaybeUninit, size_of};

use super::part::PartOf;
use super::{InDomain, OwningPtr, RcuCell};
use crate::sys;

/// The size in bytes of the largest value, or part, that [`RcuCell::snapshot`] and
/// [`RcuCell::snapshot_of`] copy without touching a counter.
pub const SNAPSHOT_MAX: usize = sys::COPY_MAX;

impl<P: OwningPtr, D: InDomain> RcuCell<P, D> {
    /// Returns a copy of the current value.
    ///
    /// The copy is made in one restartable sequence, which touches no counter. No updater waits for it: a grace
    /// period makes the sequence start over.
    ///
    /// [`RcuOption`](crate::RcuOption) has no `snapshot`, because the sequence follows the pointer without checking
    /// it for null. For a small `Copy` value that may be missing, use `Rcu<Option<T>>`.
    ///
    /// # Cost
    /// A few plain instructions. Sizes of 1, 2 and 4 bytes, and multiples of 8 up to 64, are fastest. The method
    /// takes a guard inside for values of more than [`SNAPSHOT_MAX`] bytes, on threads without `rseq`, and if the
    /// copy is interrupted again and again.
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
        // SAFETY: the word is not null, and is the address of the value, which has a size. The value is freed only a
        // grace period after it was replaced, or when the cell is dropped, which `&self` excludes. A `Copy` type has
        // no interior mutability, so its bytes do not change.
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

    /// Returns a copy of a part of the current value. The value as a whole need not be `Copy` or small.
    ///
    /// Name the part with [`part!`](crate::part). Otherwise the same as [`snapshot`](Self::snapshot).
    ///
    /// If a field is a `Box` or a reference, a part of its target can be copied too: see
    /// [`Offset::then`](crate::Offset::then).
    ///
    /// # Cost
    /// That of `snapshot` for the size of the part, and an addition. A part behind a pointer takes another,
    /// dependent load. The sequence is tried once: a copy that is interrupted takes a guard inside at once.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    ///
    /// ```
    /// use urcu::{Rcu, part};
    ///
    /// struct Limits { rate: u64, burst: u32 }
    /// struct Config { name: String, limits: Limits, more: Box<Limits> }
    ///
    /// let config = Rcu::new(Config {
    ///     name: "a".into(),
    ///     limits: Limits { rate: 100, burst: 7 },
    ///     more: Box::new(Limits { rate: 200, burst: 8 }),
    /// });
    /// assert_eq!(config.snapshot_of(part!(Config, limits.rate)), 100);
    /// assert_eq!(config.snapshot_of(part!(Config, more).then(part!(Limits, burst))), 8);
    /// # let read = config.read();
    /// # assert_eq!((read.name.as_str(), read.limits.burst, read.more.rate), ("a", 7, 200));
    /// ```
    #[inline(always)]
    pub fn snapshot_of<Part>(&self, part: Part) -> Part::Inner
    where
        <P as OwningPtr>::Target: Sized,
        Part: PartOf<<P as OwningPtr>::Target>,
    {
        let size = size_of::<Part::Inner>();
        let mut copy = MaybeUninit::<Part::Inner>::uninit();
        let source = self.current.as_ptr().cast::<*const u8>().cast_const();
        let target = copy.as_mut_ptr().cast();
        let readers = &self.domain.state().gp.readers;
        let (offset, behind) = part.way();
        // SAFETY: the pointer is not null. Its target is freed only a grace period after it was replaced, or when the
        // cell is dropped, which `&self` excludes. The part lies where `way` says, in the value or behind a pointer
        // in the value. The part is `Copy`, so its bytes do not change while the value is shared. Such a pointer does
        // not change either, and its target lives at least as long as the value.
        let copied = size <= SNAPSHOT_MAX
            && unsafe {
                match behind {
                    None => readers.snapshot_part(source, offset, target, size),
                    Some(behind) => readers.snapshot_behind(source, [offset, behind], target, size),
                }
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
    fn part_by_guard<Part>(&self, part: Part) -> Part::Inner
    where
        <P as OwningPtr>::Target: Sized,
        Part: PartOf<<P as OwningPtr>::Target>,
    {
        *part.of(&self.read())
    }
}
