//! The C face of `urcu-percpu`: the functions of `include/urcu-percpu.h`, which documents them.
//!
//! A panic never leaves one of these functions. They are `extern "C"`, so a panic ends the process, with the panic's
//! message.

#![allow(
    clippy::missing_safety_doc,
    reason = "the header says what is required"
)]

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

// The crate is empty elsewhere: the thread-local word and its width are made for these processors and systems only.
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
