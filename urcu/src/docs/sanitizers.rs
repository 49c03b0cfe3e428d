//! Testing a program that uses this library: sanitizers, interpreters, debuggers, models.
//!
//! Readers are counted in restartable sequences, which are assembly, and writers call `membarrier(2)`. Some tools
//! understand neither. Under such tools the library counts its readers with atomics, as on a processor without
//! sequences: it keeps the same promises to your program, by slower means. [`reader_mode`](crate::reader_mode())
//! says which kind of readers is in use, and why.
//!
//! "Found at build time" means that the library detects the tool when it is compiled for it; "found at run time"
//! means that it detects the tool when the program runs:
//!
//! | tool | what to set | readers | what it finds |
//! |---|---|---|---|
//! | AddressSanitizer | nothing | sequences | uses of values after their grace period |
//! | LeakSanitizer | [`barrier`](crate::barrier) at the end | sequences | values that were retired and never freed |
//! | ThreadSanitizer | a standard library that is built with it | atomics, found at build time | races on the content of values |
//! | MemorySanitizer | a standard library that is built with it | atomics, found at build time | reads of uninitialised memory |
//! | Miri | `-Zmiri-disable-isolation` where time matters | atomics, found at build time | undefined behaviour in your own `unsafe` |
//! | valgrind | nothing | atomics, found at run time | the same as AddressSanitizer, and leaks |
//! | rr, gdb | nothing | sequences; single-stepping aborts each attempt | |
//! | loom, shuttle | your own cell type instead of this library's | none | orders of events that tests do not meet |
//!
//! The library's own suites run under AddressSanitizer, LeakSanitizer, ThreadSanitizer, MemorySanitizer
//! (`.ci/sanitizers`), under valgrind 3.19 (`.ci/environments`), and single-stepped by gdb 13 (`.ci/test`, where gdb is
//! installed). Miri and rr were not at hand: the statements about them follow from how they work. What Miri would
//! compile compiles (`.ci/environments`), and a workflow for a forge runs the suites under Miri, but has never run
//! itself.
//!
//! # AddressSanitizer
//! ```sh
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly test --target x86_64-unknown-linux-gnu
//! ```
//! (A stable toolchain takes the option with `RUSTC_BOOTSTRAP=1`. `--target` keeps it away from build
//! scripts.)
//!
//! AddressSanitizer reports a read of a value after its guard was dropped, together with the stack that freed the
//! value. That is mostly the stack of a background thread, which does not show where the value was *retired*. To
//! see both at once, give the domain [`Runner::Caller`](crate::Runner::Caller) and call
//! [`run_callbacks`](crate::Domain::run_callbacks) in the test.
//!
//! The tool does not see loads and stores inside sequences. So it would not notice a
//! [`snapshot`](crate::RcuCell::snapshot) that copies from freed memory, which only `unsafe` code could cause.
//!
//! LeakSanitizer comes with it. It does not look for pointers in mappings, where per-CPU memory lies, so it reports
//! callbacks that have not run when the process ends. Before the end call [`barrier`](crate::barrier) on each
//! domain, and empty `static` cells that own values. It also checks a forked child that ends with `exit`, and
//! reports the memory of its parent's other threads and queued callbacks as leaks: end the child with `_exit`, or
//! set `ASAN_OPTIONS=detect_leaks=0`.
//!
//! # ThreadSanitizer
//! ```sh
//! RUSTFLAGS=-Zsanitizer=thread cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu
//! ```
//! ThreadSanitizer has to see every lock and atomic, including those of the standard library: hence `-Zbuild-std`
//! (component `rust-src`). Without it, channels, `Arc` and `Mutex` cause false reports. The library detects such a
//! build by itself. If only C or C++ code is built with `-fsanitize=thread`, and Rust code is not, the library
//! cannot know: build it with `RUSTFLAGS="--cfg rseq_ops_portable"`. Do not fork from several threads under it.
//!
//! # MemorySanitizer
//! ```sh
//! RUSTFLAGS=-Zsanitizer=memory cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu
//! ```
//! It needs `-Zbuild-std`, too. C libraries must also be built with it; otherwise the data that they return is
//! reported as uninitialized.
//!
//! Under both tools set `RUST_BACKTRACE=0` where tests panic on purpose: reading the symbols of an
//! instrumented standard library takes minutes, which a test with a deadline takes for a hang.
//!
//! # Miri
//! ```sh
//! cargo +nightly miri test
//! ```
//! Under Miri the library makes no system calls: no `rseq`, no `membarrier`, no `mmap`, no futex. Waits are short
//! sleeps. Programs run hundreds of times slower, so use few iterations. A grace period that is reported as stalled
//! after ten seconds is usually just slow. Callbacks run on a background thread: call [`barrier`](crate::barrier)
//! at the end, or Miri says that the main thread ended before others.
//!
//! # valgrind
//! ```sh
//! valgrind --fair-sched=yes target/debug/my-program
//! ```
//! valgrind has no `rseq`, so libc registers no thread and readers use atomics. memcheck makes no false reports,
//! except for two allocations that the standard library and glibc keep if the background thread still runs at the
//! end; this repository's `urcu/tests/leaks.supp` suppresses them. helgrind and drd do not understand fences, and
//! report false races. valgrind runs one thread at a time: a thread that spins until another has done something
//! needs `--fair-sched=yes`. 32-bit programs need the debug symbols of their C library.
//!
//! # rr, gdb
//! A debugger that steps into a sequence aborts it each time. The library tries some times and then
//! uses atomics, so that stepping over a read ends. Do not set breakpoints inside a sequence. rr runs one
//! thread at a time. Versions that do not support `rseq` need `GLIBC_TUNABLES=glibc.pthread.rseq=0`.
//!
//! # loom
//! The library models its own orderings on an emulated kernel (`loom-tests`), which is not meant for use elsewhere.
//! To model your *own* algorithm, use the following type instead of a cell. Readers see a version that was current
//! at some time since they began, and writers wait for readers that may see the old one:
//! ```
//! # mod loom { pub mod sync { pub use std::sync::{Arc, RwLock}; } }
//! use loom::sync::{Arc, RwLock}; // Under `cfg(loom)`; else `urcu::Rcu`.
//!
//! struct Rcu<T>(RwLock<Arc<T>>);
//!
//! impl<T> Rcu<T> {
//!     fn new(value: T) -> Self {
//!         Rcu(RwLock::new(Arc::new(value)))
//!     }
//!
//!     /// Returns the current version and keeps it alive, as a guard does.
//!     fn read(&self) -> Arc<T> {
//!         self.0.read().unwrap().clone()
//!     }
//!
//!     /// Returns an error where the real cell waits, because a reader of the old version is still there.
//!     fn replace(&self, value: T) -> Result<T, Arc<T>> {
//!         let old = std::mem::replace(&mut *self.0.write().unwrap(), Arc::new(value));
//!         Arc::try_unwrap(old)
//!     }
//! }
//!
//! let cell = Rcu::new(1);
//! let seen = cell.read();
//! assert!(cell.replace(2).is_err());
//! assert_eq!((*seen, *cell.read()), (1, 2));
//! ```
//! This type orders more than a cell does, because it uses a lock. An algorithm that relies on the order in which
//! two cells are read and written may pass with this type, and be wrong with cells.
//!
//! # Delays and refusals
//! * `GLIBC_TUNABLES=glibc.pthread.rseq=0` makes this library register threads by itself.
//! * `cargo run -p rseq-ops --example refused -- rseq,membarrier PROGRAM` runs a program as a strict
//!   container would have it.
//! * `RUSTFLAGS="--cfg rseq_ops_portable"` builds without sequences anywhere.
