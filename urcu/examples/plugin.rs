//! A plugin that has the library inside: a shared object that a program loads when it runs.
//!
//! ```text
//! cargo build -p urcu-percpu --example plugin      # target/debug/examples/libplugin.so
//! ```
//!
//! A program may load any number of such plugins, each with a copy or a version of the library of its
//! own, beside a library of its own; `urcu/tests/suite/plugins.rs` is such a program. Their domains know
//! nothing of one another. Under glibc a plugin with the library inside stays loaded, whatever the
//! program does (`rseq_ops`, "In shared objects").
#![allow(missing_docs)]

use std::cell::Cell;

use urcu::RcuOption;

static NUMBERS: RcuOption<Vec<u64>> = RcuOption::empty();

thread_local! {
    /// Much more than libc has in reserve for thread-local data that must be there from the start.
    static BUFFER: Cell<[u64; 512]> = const { Cell::new([0; 512]) };
}

/// Retires a value, and reads the new one: its last number.
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
