//! The traits of the standard library.

use core::fmt;

use urcu::InDomain;

use super::iter::IntoIter;
use super::ops::List;

impl<T, D: Default> Default for List<T, D> {
    fn default() -> Self {
        List::new_in(D::default())
    }
}

impl<T: fmt::Debug, D: InDomain> fmt::Debug for List<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pin().fmt(f)
    }
}

impl<T, D: InDomain> Extend<T> for &List<T, D> {
    /// Appends the values, one after the other.
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        for value in values {
            self.push_back(value, &self.guard());
        }
    }
}

impl<T, D: InDomain> Extend<T> for List<T, D> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        (&*self).extend(values);
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let list = List::new();
        (&list).extend(values);
        list
    }
}

impl<T, const N: usize> From<[T; N]> for List<T> {
    fn from(values: [T; N]) -> Self {
        values.into_iter().collect()
    }
}

impl<T, D> IntoIterator for List<T, D> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter::new(self.into_links())
    }
}
