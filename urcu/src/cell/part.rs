//! Where parts of values lie, for copies of them.

use core::fmt;
use core::marker::PhantomData;
use core::ptr;

/// The place of an `Inner` in every `Outer`: made by [`part!`](crate::part), for
/// [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of).
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

    /// Returns the part.
    #[inline(always)]
    fn in_whole(self, whole: &Outer) -> &Inner {
        // SAFETY: by the promise of `new`.
        unsafe { &*ptr::from_ref(whole).byte_add(self.bytes).cast() }
    }
}

/// Where, behind a field of every `Outer` that points to something, an `Inner` lies: made by
/// [`Offset::then`] and [`Offset::target`], for [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of).
pub struct Behind<Outer, Inner> {
    /// Of the pointer, a thin one that is not null and whose target lives as long as the `Outer`, in that.
    bytes: usize,
    /// Of the `Inner` from where that points.
    behind: usize,
    leads: PhantomData<fn(&Outer) -> &Inner>,
}

/// The pointers that may lie between: those that are an address in memory, as the language promises of them,
/// and that keep what they point to for as long as the value that they are in lives.
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

            /// Returns the whole of the value that this field points to.
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
    /// Returns a part of the value that this field, a `Box`, points to. The sequence follows both pointers.
    ///
    /// `Box` and references alone lead on: what they point to neither changes nor ends before the value that they
    /// are in. An `Arc` would do as well, but what it looks like in memory is nowhere promised; put the value into
    /// a `Box`, or the `Arc` into an [`RcuArc`](crate::RcuArc). An `Option` may be null, and other pointers promise
    /// nothing of their target.
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
    /// The part of what this field, a reference, points to: as with a `Box`.
    ['a] &'a Target;
}

/// Parts of every `Outer` that [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of) copies: an [`Offset`], or
/// [`Behind`] one. Sealed.
pub trait PartOf<Outer>: sealed::Sealed + Copy {
    /// The type that is copied.
    type Inner: Copy;
    /// Returns where the part lies, in bytes: in the `Outer`; or behind a pointer that lies there.
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
        // SAFETY: `leads_on` makes these of offsets of pointers that are an address in memory, whose target has the
        // part where its own offset says, and is there, and shared, as long as the value.
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

/// Says which part of a value is meant: an [`Offset`](crate::Offset), a constant, for
/// [`RcuCell::snapshot_of`](crate::RcuCell::snapshot_of).
///
/// After the type comes the path of a field, as for [`offset_of!`](core::mem::offset_of): fields of fields,
/// of structures and tuples, as far as they are visible. What lies in an `enum`, in a `union` or, at an odd
/// address, in a packed structure does not compile; what lies behind a pointer is a part of its own: see
/// [`Offset::then`](crate::Offset::then).
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
