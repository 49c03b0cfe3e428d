//! Panics that are part of a program.

use std::any::Any;
use std::cell::Cell as Flag;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;
use std::thread;

use crate::check::{check, fail};

/// The payload of panics that are part of a program.
pub struct Expected;

/// One whose drop panics too.
pub struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            resume_unwind(Box::new(Expected));
        }
    }
}

thread_local! {
    static QUIET: Flag<u32> = const { Flag::new(0) };
}

/// Runs what should panic: whether it did.
pub fn panics<R>(f: impl FnOnce() -> R) -> bool {
    QUIET.set(QUIET.get() + 1);
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(f()))).is_err();
    QUIET.set(QUIET.get() - 1);
    panicked
}

/// Panics that nobody expects end the process.
pub fn set_hooks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            if QUIET.get() == 0 {
                fail!("{info}");
            }
        }));
        urcu::set_callback_panic_hook(|payload: &(dyn Any + Send)| {
            check!(
                payload.is::<Expected>() || payload.is::<Bomb>(),
                "a callback panicked"
            );
            if payload.is::<Bomb>() {
                resume_unwind(Box::new(Expected)); // The hook may panic too.
            }
        });
    });
}
