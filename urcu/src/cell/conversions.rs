//! `Default`, `From`, `Debug`; `serde` behind its feature.

use core::fmt::{self, Write};

use crate::cell::{Global, InDomain, OwningPtr, Payload, RcuCell, Thin};

impl<P: Payload> Default for RcuCell<P>
where
    P::Value: Default,
{
    /// Returns a cell of the global domain: of the default value; of `None`, where it takes an `Option`.
    fn default() -> Self {
        RcuCell::new(P::Value::default())
    }
}

/// From a `Box`, an `Arc`, or an `Option` of one: it is taken as it is, nothing is allocated.
impl<P: Payload> From<P> for RcuCell<P> {
    fn from(owned: P) -> Self {
        RcuCell::from_owned_in(owned, Global)
    }
}

impl<T> From<T> for RcuCell<Box<T>> {
    fn from(value: T) -> Self {
        RcuCell::new(value)
    }
}

impl<T> From<Option<T>> for RcuCell<Option<Box<T>>> {
    fn from(value: Option<T>) -> Self {
        RcuCell::new(value)
    }
}

/// The value is written to memory inside of a read-side section, and given to `f` after it. So a
/// slow `f` delays no grace period, and one that waits for a grace period, or for a lock whose
/// holder does, does not wait for itself.
fn debug<'a, P: Payload, D: InDomain>(
    cell: &'a RcuCell<P, D>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result
where
    P::Ref<'a>: fmt::Debug,
{
    let mut text = String::new();
    // Not `format!`, which panics where a value's `Debug` gives an error.
    if f.alternate() {
        write!(text, "{:#?}", cell.read())?;
    } else {
        write!(text, "{:?}", cell.read())?;
    }
    f.debug_tuple("Rcu").field(&format_args!("{text}")).finish()
}

/// The formatter is written to after the read-side section, so it may block. Of the format's options
/// only `#` reaches the value.
impl<P: OwningPtr, D: InDomain> fmt::Debug for RcuCell<P, D>
where
    <P as OwningPtr>::Target: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self, f)
    }
}

/// As without `Option`.
impl<P: OwningPtr, D: InDomain> fmt::Debug for RcuCell<Option<P>, D>
where
    P::Target: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self, f)
    }
}

/// As the value.
impl<T: ?Sized + fmt::Debug, D: InDomain> fmt::Debug for RcuCell<Thin<T>, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self, f)
    }
}

#[cfg(feature = "serde")]
mod serde_impls {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::cell::{Global, InDomain, OwningPtr, RcuCell, Ref, Thin};

    impl<T: ?Sized + Serialize> Serialize for Ref<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            T::serialize(self, serializer)
        }
    }

    /// As the value. The read-side section lasts as long as the serializer takes: give it memory
    /// to write to, not a socket.
    impl<P: OwningPtr, D: InDomain> Serialize for RcuCell<P, D>
    where
        <P as OwningPtr>::Target: Serialize,
    {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.read().serialize(serializer)
        }
    }

    /// As the `Option`.
    impl<P: OwningPtr, D: InDomain> Serialize for RcuCell<Option<P>, D>
    where
        P::Target: Serialize,
    {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.read().serialize(serializer)
        }
    }

    /// As the value.
    impl<T: ?Sized + Serialize, D: InDomain> Serialize for RcuCell<Thin<T>, D> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.read().serialize(serializer)
        }
    }

    /// A cell of the global domain.
    impl<'de, T: ?Sized> Deserialize<'de> for RcuCell<Thin<T>>
    where
        Box<T>: Deserialize<'de>,
    {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Box::<T>::deserialize(deserializer).map(RcuCell::from)
        }
    }

    /// A cell of the global domain. An `Arc` is a new one.
    impl<'de, P: OwningPtr + From<<P as OwningPtr>::Target>> Deserialize<'de> for RcuCell<P>
    where
        <P as OwningPtr>::Target: Deserialize<'de>,
    {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = <P as OwningPtr>::Target::deserialize(deserializer)?;
            Ok(RcuCell::from_owned_in(P::from(value), Global))
        }
    }

    /// As without `Option`.
    impl<'de, P: OwningPtr + From<<P as OwningPtr>::Target>> Deserialize<'de> for RcuCell<Option<P>>
    where
        <P as OwningPtr>::Target: Deserialize<'de>,
    {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = Option::<<P as OwningPtr>::Target>::deserialize(deserializer)?;
            Ok(RcuCell::from_owned_in(value.map(P::from), Global))
        }
    }
}
