//! The examples, and the last line that each printed (release builds on an AMD EPYC, Zen 5, with 2 virtual CPUs
//! that were busy with other work: on a quiet machine the figures are better).
//!
//! # Programs to start from
//! `cargo run --release -p PACKAGE --example NAME`, in a checkout. Continuous integration runs each of them for a
//! moment and checks that its last line reports no error.
//!
//! | example (package) | shows | printed here |
//! |---|---|---|
//! | `minimal_reload` (`urcu-reload`) | a configuration that reloads itself, to copy | `version 1 in force, 0 reloads, 0 refused` |
//! | `config_reload` (`urcu-reload`) | a service under load whose file is rewritten in many ways, correctly and wrongly | `config_reload: reads=N reloads=N stale=0 errors=0` |
//! | `feature_flags` (`urcu-reload`) | flags that are on for a share of the users or for named users, with an emergency switch | `37.6 ns a question, on 2 threads` |
//! | `web` (a workspace of its own: `--manifest-path urcu/reload/examples/web/Cargo.toml`) | an axum service whose routes are reloaded, under load over the loopback device | 58,000 requests a second while the file is written 20 times a second, none stale |
//! | `own_structure` (`urcu-percpu`) | a structure of one's own in 80 lines, without `unsafe`: the subscribers of a topic | `own_structure: messages=3583213 changes=674121 errors=0` |
//! | `dns_cache` (`urcu-collections`) | records that expire, looked up by all threads | `dns_cache: lookups=33885696 hits=33272107 queries=613589 swept=181555 errors=0` |
//! | `routing_table` (`urcu-collections`) | longest-prefix match among 40,000 routes, changed one by one and reloaded as a whole | `routing_table: packets=33967616 reloads=26 changes=10400 errors=0` |
//! | `session_store` (`urcu-collections`) | sessions that are opened, renewed, closed, and expire | `session_store: requests=51030016 opened=100781 closed=50019 expired=43731 logged=194531 open=7031 errors=0` |
//! | `tokio_executor` (`urcu-percpu`) | dropping retired values on a tokio runtime | `1000 sessions were dropped on the runtime` |
//! | `trace_timeline` (`rseq-ops`) | a tracer on `rseq_ops::percpu::Ring`: which thread or signal handler did what, and when | `201 records in 10 polls, 0 dropped (Libc)` |
//! | `memory_pool` (`rseq-ops`) | buffers from per-CPU caches, from a pool behind a lock, and from the allocator | `given back to the global allocator: 67 buffers` |
//!
//! For C, `urcu/capi/README.md` has a whole program, and `urcu/capi/tests/c` has more.
//!
//! # What does this machine do?
//! | example (package) | |
//! |---|---|
//! | `reader_mode` (`urcu-percpu`) | which kind of reader is in force here, and why |
//! | `where_am_i` (`rseq-ops`) | which features of restartable sequences the kernel has, and what asking for the CPU costs |
//! | `aborts` (`rseq-ops`) | how often sequences are aborted |
//! | `vcpu_addressing` (`rseq-ops`) | the cost of several ways to find a CPU's memory |
//! | `percpu_compare` (`rseq-ops`) | per-CPU counters and lists beside atomic ones |
//! | `refused` (`rseq-ops`) | what still works when a filter refuses system calls one by one |
//! | `compare` (`urcu-collections`) | the collections beside their peers |
//! | `plugin` (`urcu-percpu`) | a shared object that is loaded at run time (for a test) |
