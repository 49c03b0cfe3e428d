//! The entries that a search has seen.

use core::ptr::NonNull;

use super::bucket::Node;

const INLINE: usize = 2;

/// The entries that a search found to have the right hash but another key. Usually there are none.
#[derive(Debug)]
pub(crate) struct Seen {
    number: usize,
    first: [Option<NonNull<Node>>; INLINE],
    /// Used only if several keys have the same 64-bit hash.
    more: Vec<NonNull<Node>>,
}

impl Seen {
    #[inline]
    pub(crate) fn new() -> Self {
        Seen {
            number: 0,
            first: [None; INLINE],
            more: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, node: NonNull<Node>) {
        if let Some(place) = self.first.get_mut(self.number) {
            *place = Some(node);
        } else {
            self.more.push(node);
        }
        self.number += 1;
    }

    fn get(&self, number: usize) -> Option<NonNull<Node>> {
        if number < INLINE {
            self.first[number]
        } else {
            self.more.get(number - INLINE).copied()
        }
    }

    /// Returns a check for whether entries were seen, to be called in the order in which they were seen.
    #[inline]
    pub(crate) fn checker(&self) -> Checker<'_> {
        Checker {
            seen: self,
            next: 0,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Checker<'a> {
    seen: &'a Seen,
    next: usize,
}

impl Checker<'_> {
    /// Returns whether the entry was seen after those of the previous calls. Skips entries that were removed since.
    /// All calls together take as many steps as there are entries.
    #[inline]
    pub(crate) fn has(&mut self, node: NonNull<Node>) -> bool {
        while let Some(seen) = self.seen.get(self.next) {
            self.next += 1;
            if seen == node {
                return true;
            }
        }
        false
    }
}
