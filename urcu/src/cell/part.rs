//! The places of parts in values, for copying single parts.

use core::fmt;
use core::marker::PhantomData;
use core::ptr;

/// The place of an `Inner` in every `Outer`. [`part!`](crate::part) makes it, and
/// [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of) takes it.
pub struct Offset<Outer, Inner> {
    bytes: usize,
    leads: PhantomData<fn(&Outer) -> &Inner>,
}

impl<Outer, Inner> Offset<Outer, Inner> {
    /// Used by [`part!`](crate::part). `_field` determines the type of the part.
    ///
    /// # Safety
    /// In every `Outer` the `Inner` that `_field` returns is at offset `bytes`, as a field of the `Outer` or as a
    /// field of a field.
    #[doc(hidden)]
    pub const unsafe fn new(bytes: usize, _field: fn(&Outer) -> *const Inner) -> Self {
        Offset {
            bytes,
            leads: PhantomData,
        }
    }

    /// Returns the part of `whole`.
    #[inline(always)]
    fn in_whole(self, whole: &Outer) -> &Inner {
        // SAFETY: every `Outer` has an `Inner` at this offset, as `new` requires.
        unsafe { &*ptr::from_ref(whole).byte_add(self.bytes).cast() }
    }
}

/// The place of an `Inner` behind a pointer that is a field of every `Outer`. [`Offset::then`] and
/// [`Offset::target`] make it, and [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of) takes it.
pub struct Behind<Outer, Inner> {
    /// The offset of the pointer in the `Outer`. The pointer is thin and not null, and its target lives as long as
    /// the `Outer`.
    bytes: usize,
    /// The offset of the `Inner` in the pointer's target.
    behind: usize,
    leads: PhantomData<fn(&Outer) -> &Inner>,
}

/// Implements `then` and `target` for a kind of pointer. The language must promise that such a pointer is
/// represented as an address, and its target must live as long as the value that contains the pointer.
macro_rules! leads_on {
    ($($(#[$doc:meta])* [$($lifetime:lifetime)?] $pointer:ty;)*) => {$(
        impl<$($lifetime,)? Outer, Target> Offset<Outer, $pointer> {
            $(#[$doc])*
            #[inline(always)]
            pub const fn then<Inner>(self, part: Offset<Target, Inner>) -> Behind<Outer, Inner> {
                Behind {
                    bytes: self.bytes,
                    behind: part.bytes,
                    leads: PhantomData,
                }
            }

            /// Returns the place of the whole value that this field points to.
            ///
            /// ```
            /// use urcu::{Behind, Rcu, part};
            ///
            /// struct Place<'a> { at: Box<(f64, f64)>, name: &'a [u8; 2] }
            /// const AT: Behind<Place<'static>, (f64, f64)> = part!(Place<'static>, at).target();
            ///
            /// let place = Rcu::new(Place { at: Box::new((1.0, 2.0)), name: b"ab" });
            /// assert_eq!(place.snapshot_of(AT), (1.0, 2.0));
            /// assert_eq!(place.snapshot_of(part!(Place<'static>, name).target()), *b"ab");
            /// ```
            #[inline(always)]
            pub const fn target(self) -> Behind<Outer, Target> {
                Behind {
                    bytes: self.bytes,
                    behind: 0,
                    leads: PhantomData,
                }
            }
        }
    )*};
}

leads_on! {
    /// Returns the place of a part of the value that this field, a `Box`, points to. The restartable sequence
    /// follows both pointers.
    ///
    /// Only fields that are a `Box` or a reference have this method: their targets neither change nor end before
    /// the value that contains the field. An `Arc` would be as good, but its representation in memory is not
    /// documented: put the value into a `Box`, or the `Arc` into an [`RcuArc`](crate::RcuArc). An `Option` may be
    /// null, and other pointers promise nothing about their target.
    ///
    /// ```
    /// use urcu::{Rcu, part};
    ///
    /// struct Limits { rate: u64, burst: u32 }
    /// struct Config { name: String, limits: Box<Limits> }
    ///
    /// let limits = Box::new(Limits { rate: 100, burst: 7 });
    /// let config = Rcu::new(Config { name: "a".into(), limits });
    /// assert_eq!(config.snapshot_of(part!(Config, limits).then(part!(Limits, rate))), 100);
    /// # let read = config.read();
    /// # assert_eq!((read.name.as_str(), read.limits.burst), ("a", 7));
    /// ```
    [] Box<Target>;
    /// Returns the place of a part of the value that this field, a reference, points to. See the method for a
    /// field that is a `Box`.
    ['a] &'a Target;
}

/// A part of every `Outer` that [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of) can copy: an [`Offset`] or a
/// [`Behind`]. Sealed.
pub trait PartOf<Outer>: sealed::Sealed + Copy {
    /// The type that is copied.
    type Inner: Copy;
    /// Returns the place of the part, in bytes: in the `Outer`, or behind a pointer in the `Outer`.
    #[doc(hidden)]
    fn way(self) -> (usize, Option<usize>);
    #[doc(hidden)]
    fn of(self, whole: &Outer) -> &Self::Inner;
}

mod sealed {
    pub trait Sealed {}
    impl<Outer, Inner> Sealed for super::Offset<Outer, Inner> {}
    impl<Outer, Inner> Sealed for super::Behind<Outer, Inner> {}
}

impl<Outer, Inner: Copy> PartOf<Outer> for Offset<Outer, Inner> {
    type Inner = Inner;
    #[inline(always)]
    fn way(self) -> (usize, Option<usize>) {
        (self.bytes, None)
    }
    #[inline(always)]
    fn of(self, whole: &Outer) -> &Inner {
        self.in_whole(whole)
    }
}

impl<Outer, Inner: Copy> PartOf<Outer> for Behind<Outer, Inner> {
    type Inner = Inner;
    #[inline(always)]
    fn way(self) -> (usize, Option<usize>) {
        (self.bytes, Some(self.behind))
    }
    fn of(self, whole: &Outer) -> &Inner {
        // SAFETY: `leads_on` makes a `Behind` only for fields that are represented as an address. Their target
        // has the part at `behind`, and stays valid and shared as long as the value.
        unsafe {
            let pointer = ptr::from_ref(whole)
                .byte_add(self.bytes)
                .cast::<*const u8>();
            &*pointer.read().add(self.behind).cast()
        }
    }
}

impl<Outer, Inner> Clone for Behind<Outer, Inner> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Outer, Inner> Copy for Behind<Outer, Inner> {}

impl<Outer, Inner> fmt::Debug for Behind<Outer, Inner> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, behind) = (self.bytes, self.behind);
        f.debug_tuple("Behind")
            .field(&bytes)
            .field(&behind)
            .finish()
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

/// Names a part of a value for [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of). Expands to an
/// [`Offset`](crate::Offset), which can be a constant.
///
/// After the type comes the path of a field, as for [`offset_of!`](core::mem::offset_of): visible fields of
/// structures and tuples, and fields of these. A field of an `enum` or a `union`, or an unaligned field of a
/// packed structure, does not compile. To go on behind a pointer, use [`Offset::then`](crate::Offset::then).
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
            // First a reference, which cannot be made of a field of a `union` or of a packed structure. Then a
            // raw pointer, which does not coerce to a pointer to the field's target, whatever type is expected.
            let field: fn(&$Outer) -> *const _ = |outer| {
                let field = &outer.$($field).+;
                &raw const *field
            };
            // SAFETY: `offset_of!` does not follow pointers, so the path names the same field in both places.
            unsafe { $crate::Offset::new(bytes, field) }
        }
    };
}
