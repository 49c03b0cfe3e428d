//! `Default`, `From`, `Debug`; `serde` behind its feature.

use core::fmt::{self, Write};

use crate::cell::{InDomain, OwningPtr, Payload, RcuCell};

impl<P: Payload + Default> Default for RcuCell<P> {
    /// Returns a cell of the global domain that holds the default value, which is `None` for an `Option`.
    fn default() -> Self {
        RcuCell::new_boxed(P::default())
    }
}

/// Converts a `Box`, an `Arc`, or an `Option` of one, without another allocation.
impl<P: Payload> From<P> for RcuCell<P> {
    fn from(owned: P) -> Self {
        RcuCell::new_boxed(owned)
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

/// Formats the value into a buffer inside a read-side section, and writes the buffer to `f` after the section.
/// So a slow `f` delays no grace period, and an `f` that waits for a grace period does not deadlock.
fn debug<'a, P: Payload, D: InDomain>(
    cell: &'a RcuCell<P, D>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result
where
    P::Ref<'a>: fmt::Debug,
{
    let mut text = String::new();
    // Not `format!`, which panics if the value's `Debug` returns an error.
    if f.alternate() {
        write!(text, "{:#?}", cell.read())?;
    } else {
        write!(text, "{:?}", cell.read())?;
    }
    f.debug_tuple("Rcu").field(&format_args!("{text}")).finish()
}

/// The formatter may block, because it is written to after the read-side section. Of the formatting options only
/// `#` reaches the value.
impl<P: OwningPtr, D: InDomain> fmt::Debug for RcuCell<P, D>
where
    <P as OwningPtr>::Target: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self, f)
    }
}

/// As for a cell without an `Option`.
impl<P: OwningPtr, D: InDomain> fmt::Debug for RcuCell<Option<P>, D>
where
    P::Target: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self, f)
    }
}

#[cfg(feature = "serde")]
mod serde_impls {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use std::sync::Arc;

    use crate::cell::{InDomain, OwningPtr, RcuCell, Ref};

    impl<T: ?Sized + Serialize> Serialize for Ref<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            T::serialize(self, serializer)
        }
    }

    /// Serializes the value. The read-side section lasts until the serializer is done, so let it write to
    /// memory and not to a socket.
    impl<P: OwningPtr, D: InDomain> Serialize for RcuCell<P, D>
    where
        <P as OwningPtr>::Target: Serialize,
    {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.read().serialize(serializer)
        }
    }

    /// Serializes the `Option`.
    impl<P: OwningPtr, D: InDomain> Serialize for RcuCell<Option<P>, D>
    where
        P::Target: Serialize,
    {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.read().serialize(serializer)
        }
    }

    macro_rules! deserialized {
        ($($(#[$doc:meta])* $($size:ident)?, $payload:ty, $from:ty;)*) => {$(
            $(#[$doc])*
            impl<'de, T $(: ?$size)?> Deserialize<'de> for RcuCell<$payload>
            where
                $from: Deserialize<'de>,
            {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let value = <$from>::deserialize(deserializer)?;
                    Ok(RcuCell::new_boxed(value.into()))
                }
            }
        )*};
    }

    deserialized! {
        /// Deserializes a cell of the global domain.
        Sized, Box<T>, Box<T>;
        /// Deserializes a cell of the global domain, with a new `Arc`.
        , Arc<T>, T;
        /// As for a cell without an `Option`.
        Sized, Option<Box<T>>, Option<Box<T>>;
    }

    /// As for a cell without an `Option`.
    impl<'de, T: Deserialize<'de>> Deserialize<'de> for RcuCell<Option<Arc<T>>> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = Option::<T>::deserialize(deserializer)?;
            Ok(RcuCell::new_boxed(value.map(Arc::new)))
        }
    }
}
