//! The C face of `urcu-percpu`: the functions of `include/urcu-percpu.h`, which documents them.
//!
//! A panic never leaves one of these functions: they are `extern "C"`, so it ends the process, with the
//! panic's message.

#![allow(
    clippy::missing_safety_doc,
    reason = "the header says what is required"
)]

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

// Elsewhere there is nothing: neither the thread-local word nor its width have been thought through.
macro_rules! on_supported_targets {
    ($($item:item)+) => {
        $(
            #[cfg(all(
                target_os = "linux",
                target_env = "gnu",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            $item
        )+
    };
}

on_supported_targets! {
    mod callbacks;
    mod domains;
    mod errno;
    mod fast;
    mod fork;
    mod grace;
    mod heads;
    mod inline;
    mod nesting;
    mod reading;
    mod uncancelled;
    mod workers;
}
