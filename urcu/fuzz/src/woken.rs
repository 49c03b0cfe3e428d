//! The wakers of futures.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use crate::panics::Expected;
use crate::place::Place;

/// Remembers, and does what wakers should not.
pub struct Woken(AtomicBool, u8, Place);

impl Woken {
    pub fn new(how: u8, place: Place) -> Self {
        Woken(AtomicBool::new(false), how, place)
    }

    /// Returns whether those of this kind panic.
    pub fn panics(how: u8) -> bool {
        how.is_multiple_of(4)
    }

    pub fn was(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
        match self.1 % 4 {
            _ if Self::panics(self.1) => resume_unwind(Box::new(Expected)),
            1 => self.2.get().call(|| ()),
            _ => {}
        }
    }
}
