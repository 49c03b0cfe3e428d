//! Testing a program that uses this library: sanitizers, interpreters, debuggers, models.
//!
//! Readers are counted in restartable sequences, which are assembly, and writers call
//! `membarrier(2)`. Some tools understand neither. Under those the library counts its readers with
//! atomics, as on a processor without sequences: your program is tested with the same promises, kept
//! by slower means. [`reader_mode`](crate::reader_mode()) says which it is, and why.
//!
//! "Found at build time" means that the library notices the tool by itself when it is compiled for it, and
//! "at run time", when the program runs:
//!
//! | tool | what to set | readers | what it finds |
//! |---|---|---|---|
//! | AddressSanitizer | nothing | sequences | uses after a grace period, of values that readers should have let go of |
//! | LeakSanitizer | [`barrier`](crate::barrier) at the end | sequences | what was retired and forgotten |
//! | ThreadSanitizer | a standard library that is built with it | atomics, found at build time | races in what the values contain |
//! | MemorySanitizer | a standard library that is built with it | atomics, found at build time | reads of uninitialised memory |
//! | Miri | `-Zmiri-disable-isolation` where time matters | atomics, found at build time | undefined behaviour in your own `unsafe` |
//! | valgrind | nothing | atomics, found at run time | as AddressSanitizer, and leaks |
//! | rr, gdb | nothing | sequences, each attempt of which single-stepping aborts | |
//! | loom, shuttle | a cell of your own in the place of this one | none | orders of events that tests do not meet |
//!
//! The library's own suites run under AddressSanitizer, LeakSanitizer, ThreadSanitizer, MemorySanitizer
//! (`.ci/sanitizers`), valgrind 3.19 and gdb 13 (`.ci/test`). Miri and rr were not at hand: what is said
//! of them follows from how they work.
//!
//! # AddressSanitizer
//! ```sh
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly test --target x86_64-unknown-linux-gnu
//! ```
//! (A stable toolchain takes the option with `RUSTC_BOOTSTRAP=1`. `--target` keeps it away from build
//! scripts.)
//!
//! A read of a value after its guard is reported, together with the stack that freed the value. That is
//! mostly the stack of a background thread, which does not show where the value was *retired*. To see
//! both at once, give the domain [`Runner::Caller`](crate::Runner::Caller) and call
//! [`run_callbacks`](crate::Domain::run_callbacks) in the test.
//!
//! The tool does not see loads and stores inside sequences. So it would not notice a
//! [`snapshot`](crate::RcuCell::snapshot) that copies from freed memory, which only `unsafe` code could
//! bring about.
//!
//! LeakSanitizer comes with it. It does not look for pointers in mappings, where per-CPU memory lies, so
//! it reports callbacks that have not run when the process ends. Before the end call
//! [`barrier`](crate::barrier) on each domain, and empty `static` cells that own values. A forked child
//! that ends with `exit` is looked at too, and whatever its parent's other threads and queued callbacks
//! own is a leak there: end it with `_exit`, or set `ASAN_OPTIONS=detect_leaks=0`.
//!
//! # ThreadSanitizer
//! ```sh
//! RUSTFLAGS=-Zsanitizer=thread cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu
//! ```
//! It has to see every lock and atomic, those of the standard library too: hence `-Zbuild-std`
//! (component `rust-src`). Without it, false reports come from channels, `Arc` and `Mutex`. The build
//! finds out by itself that it is one for this tool. If only C or C++ code is built with
//! `-fsanitize=thread`, and Rust code is not, the library cannot know: build it with
//! `RUSTFLAGS="--cfg rseq_ops_portable"`. Do not fork from several threads under it.
//!
//! # MemorySanitizer
//! ```sh
//! RUSTFLAGS=-Zsanitizer=memory cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu
//! ```
//! As above. C libraries must be built with it too, or what they return is reported as uninitialised.
//!
//! Under both tools set `RUST_BACKTRACE=0` where tests panic on purpose: reading the symbols of an
//! instrumented standard library takes minutes, which a test with a deadline takes for a hang.
//!
//! # Miri
//! ```sh
//! cargo +nightly miri test
//! ```
//! No system call of ours is made there: no `rseq`, no `membarrier`, no `mmap`, no futex; waits are short
//! sleeps. It runs hundreds of times slower, so give it few iterations. A stalled grace period that is
//! reported after ten seconds is a slow one there. Callbacks run on a background thread: call
//! [`barrier`](crate::barrier) at the end, or Miri says that the main thread ended before others.
//!
//! # valgrind
//! ```sh
//! valgrind --fair-sched=yes target/debug/my-program
//! ```
//! valgrind has no `rseq`, so libc registers no thread and readers use atomics. memcheck reports nothing
//! false, except two allocations that the standard library and glibc keep if the background thread still
//! runs at the end; this repository's `urcu/tests/leaks.supp` suppresses them. helgrind and drd do not
//! understand fences, and report false races. valgrind runs one thread at a time: a thread that spins
//! until another has done something needs `--fair-sched=yes`. 32-bit programs need the debug symbols of
//! their C library.
//!
//! # rr, gdb
//! A debugger that steps into a sequence aborts it each time. The library tries some times and then
//! uses atomics, so that stepping over a read ends. Do not set breakpoints inside a sequence. rr runs one
//! thread at a time. Versions that do not support `rseq` need `GLIBC_TUNABLES=glibc.pthread.rseq=0`.
//!
//! # loom
//! The library models its own orderings on an emulated kernel (`loom-tests`), which is not meant for use
//! elsewhere. To model an algorithm of *yours*, use this type instead of a cell. Readers see a version that
//! was current at some time since they began, and writers wait for readers that may see the old one:
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
//!     /// Keeps its version, as a guard does.
//!     fn read(&self) -> Arc<T> {
//!         self.0.read().unwrap().clone()
//!     }
//!
//!     /// `Err` where the real one waits: a reader of the old version is still there.
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
//! It orders more than a cell does, because a lock does: an algorithm that counts on two cells being
//! read in one order and written in the other passes there and is wrong here.
//!
//! # Delays and refusals
//! * `GLIBC_TUNABLES=glibc.pthread.rseq=0` makes this library register threads by itself.
//! * `cargo run -p rseq-ops --example refused -- rseq,membarrier PROGRAM` runs a program as a strict
//!   container would have it.
//! * `RUSTFLAGS="--cfg rseq_ops_portable"` builds without sequences anywhere.
