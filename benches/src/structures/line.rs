//! What is measured of a queue, whosever it is.

use std::fmt::{self, Debug, Formatter};
use std::hint::black_box;

use crate::structures::Named;

/// A queue.
pub(crate) trait Line: Send + Sync + Sized {
    fn new() -> Self;
    fn push(&self, value: u64);
    fn pop(&self) -> Option<u64>;
}

/// The loads of a queue that are measured, without a virtual call for each operation.
pub trait Queue: Send + Sync {
    /// Puts a value in.
    fn push(&self, value: u64);
    /// Takes the oldest out.
    fn pop(&self) -> Option<u64>;
    /// Puts so many values in and takes as many out, `batch` at a time. Returns the sum of what came out.
    fn rounds(&self, values: u64, batch: u64) -> u64;
    /// Puts so many values in.
    fn push_all(&self, values: u64);
    /// Takes so many values out, as they come. Returns their sum.
    fn pop_all(&self, values: u64) -> u64;
}

impl<T: Line> Queue for T {
    fn push(&self, value: u64) {
        Line::push(self, value);
    }

    fn pop(&self) -> Option<u64> {
        Line::pop(self)
    }

    #[inline(never)]
    fn rounds(&self, values: u64, batch: u64) -> u64 {
        let mut sum = 0u64;
        for round in 0..values / batch {
            for number in 0..batch {
                Line::push(self, round * batch + number);
            }
            for _ in 0..batch {
                sum = sum.wrapping_add(black_box(Line::pop(self)).unwrap_or(0));
            }
        }
        sum
    }

    #[inline(never)]
    fn push_all(&self, values: u64) {
        (0..values).for_each(|value| Line::push(self, value));
    }

    #[inline(never)]
    fn pop_all(&self, values: u64) -> u64 {
        let (mut left, mut sum) = (values, 0u64);
        while left > 0 {
            if let Some(value) = Line::pop(self) {
                sum = sum.wrapping_add(value);
                left -= 1;
            }
        }
        sum
    }
}

/// A kind of queue.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name and its use.
    pub named: Named,
    /// Makes an empty one.
    pub make: fn() -> Box<dyn Queue>,
}

impl Debug for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.named.fmt(f)
    }
}

pub(super) const fn kind<T: Line + 'static>(
    name: &'static str,
    package: &'static str,
    how: &'static str,
) -> Kind {
    Kind {
        named: Named { name, package, how },
        make: || Box::new(T::new()),
    }
}
