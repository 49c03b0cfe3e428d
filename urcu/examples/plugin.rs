//! A plugin with the library inside: a shared object that a running program loads.
//!
//! ```text
//! cargo build -p urcu-percpu --example plugin      # target/debug/examples/libplugin.so
//! ```
//!
//! A program may load any number of such plugins, each with its own copy or version of the library, and may use
//! the library itself; `urcu/tests/suite/plugins.rs` is such a program. The copies' domains are independent. Under
//! glibc a plugin with the library inside stays loaded until the program ends (`rseq_ops`, "In shared objects").
#![allow(missing_docs)]

use std::cell::Cell;

use urcu::RcuOption;

static NUMBERS: RcuOption<Vec<u64>> = RcuOption::empty();

thread_local! {
    /// Much more than libc reserves for thread-local data that must exist from a thread's start.
    static BUFFER: Cell<[u64; 512]> = const { Cell::new([0; 512]) };
}

/// Retires a value, and returns the last number of the new one.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_update(number: u64) -> u64 {
    NUMBERS.store(Some(vec![number; 4]));
    BUFFER.with(|buffer| {
        let mut numbers = buffer.get();
        numbers[511] = NUMBERS.read().map_or(0, |numbers| numbers[3]);
        buffer.set(numbers);
        numbers[511]
    })
}

/// Begins and ends some read-side sections.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_read() -> u64 {
    let empty = (0..100).filter(|_| NUMBERS.read().is_none()).count();
    empty as u64
}

/// Waits until all that was retired is dropped.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_wait() {
    urcu::barrier();
}
