//! Testing a program that uses this library: sanitizers, interpreters, debuggers, models.
//!
//! Readers are counted in restartable sequences, which are assembly, and writers call
//! `membarrier(2)`. Some tools see neither. With those the library counts its readers by atomics, as on
//! a processor without sequences: what is tested is then your program, with the same promises kept
//! by slower means. [`reader_mode`](crate::reader_mode()) says which it is, and why:
//!
//! | tool | what to set | readers | what it finds |
//! |---|---|---|---|
//! | AddressSanitizer | nothing | sequences | uses after a grace period, of values that readers should have let go of |
//! | LeakSanitizer | [`barrier`](crate::barrier) at the end | sequences | what was retired and forgotten |
//! | ThreadSanitizer | a standard library that is built with it | atomics, found at build time | races in what the values contain |
//! | MemorySanitizer | the same | atomics, found at build time | reads of what nobody initialised |
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
//! scripts.) It does not look at the loads and stores of sequences, so it does not see a
//! [`snapshot`](crate::RcuCell::snapshot) that copies from freed memory: what does not follow this
//! library's rules to get there cannot do so in safe code. All else that reads a value after its
//! guard is reported, with the place that freed it: mostly a callback in the background, so the
//! place that *retired* it is not on that stack. [`Runner::Caller`](crate::Runner::Caller), and
//! [`run_callbacks`](crate::Domain::run_callbacks) where it suits the test, bring both together.
//!
//! LeakSanitizer comes with it, and does not look for pointers in mappings, in which per-CPU memory
//! is: callbacks that have not run when the process ends are leaks to it. Call
//! [`barrier`](crate::barrier) on each domain before the end, and leave no `static` cell to be its
//! value's only owner, or set `ASAN_OPTIONS=detect_leaks=0`.
//!
//! # ThreadSanitizer
//! ```sh
//! RUSTFLAGS=-Zsanitizer=thread cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu
//! ```
//! It has to see every lock and atomic, those of the standard library too: hence `-Zbuild-std`
//! (component `rust-src`). Without it, false reports come from channels, `Arc` and `Mutex`. The build
//! finds out by itself that it is one for this tool. Where C or C++ is built with
//! `-fsanitize=thread` and Rust is not, nothing tells: set the feature `portable`. Do not fork from
//! several threads under it.
//!
//! # MemorySanitizer
//! ```sh
//! RUSTFLAGS=-Zsanitizer=memory cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu
//! ```
//! As above. C libraries that are not built with it are said to return uninitialised memory.
//!
//! With either set `RUST_BACKTRACE=0` where tests panic on purpose: to read the symbols of an
//! instrumented standard library takes it minutes, and a test with a deadline takes that for a hang.
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
//! It has no `rseq`, so libc registers nobody and readers use atomics. memcheck follows all of it and
//! says nothing that is not so, but for two things that the standard library and glibc keep when the
//! background thread still runs at the end; this repository's `urcu/tests/leaks.supp` names them.
//! helgrind and drd know no fences and report what is not so. It runs one thread at a time: a reader
//! that waits for another by spinning needs `--fair-sched=yes`. 32-bit programs need the debug
//! symbols of their C library.
//!
//! # rr, gdb
//! A debugger that steps into a sequence aborts it each time. The library tries some times and then
//! uses atomics, so that stepping over a read ends. A breakpoint inside a sequence is no use. rr runs
//! one thread at a time and lets `rseq` through if it is new enough; where it is not, start the program
//! with `GLIBC_TUNABLES=glibc.pthread.rseq=0`.
//!
//! # loom
//! The library's own orderings are modelled (`loom-tests`), on an emulated kernel, with some
//! hundred lines of its own machinery: too much to hand on. For an algorithm of *yours*
//! put this in the place of a cell, which is what a cell promises and no more: readers see a version that
//! was current at some time since they began, and writers wait for those who may see the old one.
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
//! * The feature `portable` builds without sequences anywhere.
