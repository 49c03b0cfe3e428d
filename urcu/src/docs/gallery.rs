//! The examples, and the last line that each printed (release builds on an AMD EPYC of the Zen 5 kind with 2 virtual
//! CPUs, busy with other work: on a quiet machine they say more).
//!
//! # Programs to start from
//! `cargo run --release -p PACKAGE --example NAME`, in a checkout. All are checked in continuous integration: each
//! runs for a moment, and its last line has to say that nothing was wrong.
//!
//! | example (package) | shows | printed here |
//! |---|---|---|
//! | `minimal_reload` (`urcu-reload`) | a configuration that reloads itself, to copy | `version 1 in force, 0 reloads, 0 refused` |
//! | `config_reload` (`urcu-reload`) | a service under load whose file is rewritten in every way, well and badly | `config_reload: reads=N reloads=N stale=0 errors=0` |
//! | `feature_flags` (`urcu-reload`) | flags by share of the users, by name, with a switch for emergencies | `37.6 ns a question, on 2 threads` |
//! | `web` (a workspace of its own: `--manifest-path urcu/reload/examples/web/Cargo.toml`) | an axum service whose routes are reloaded, under load over the loopback device | 36,000 requests a second with 20 reloads a second, none stale |
//! | `own_structure` (`urcu-percpu`) | a structure of one's own in 80 lines, without `unsafe`: who subscribes to a topic | `own_structure: messages=3583213 changes=674121 errors=0` |
//! | `dns_cache` (`urcu-collections`) | records that expire, looked up by all threads | `dns_cache: lookups=33885696 hits=33272107 queries=613589 swept=181555 errors=0` |
//! | `routing_table` (`urcu-collections`) | longest prefixes of 40,000 routes, changed one by one and reloaded whole | `routing_table: packets=33967616 reloads=26 changes=10400 errors=0` |
//! | `session_store` (`urcu-collections`) | sessions that are opened, renewed, closed, and expire | `session_store: requests=51030016 opened=100781 closed=50019 expired=43731 logged=194531 open=7031 errors=0` |
//! | `tokio_executor` (`urcu-percpu`) | what is retired is dropped on a tokio runtime | `1000 sessions were dropped on the runtime` |
//! | `trace_timeline` (`rseq-ops`) | a tracer on `rseq_ops::percpu::Ring`: who did what when, signal handlers too | `201 records in 10 polls, 0 dropped (Libc)` |
//! | `memory_pool` (`rseq-ops`) | buffers from a cache for each CPU, from behind a lock, and from the allocator | `given back to the global allocator: 67 buffers` |
//!
//! In C: `urcu/capi/README.md` has a whole program, and `urcu/capi/tests/c` some more.
//!
//! # What does this machine do?
//! | example (package) | |
//! |---|---|
//! | `reader_mode` (`urcu-percpu`) | which kind of reader is in force here, and why |
//! | `where_am_i` (`rseq-ops`) | which features of restartable sequences the kernel has, and what asking for the CPU costs |
//! | `aborts` (`rseq-ops`) | how often sequences are aborted |
//! | `vcpu_addressing` (`rseq-ops`) | what the ways of finding a CPU's memory cost |
//! | `percpu_compare` (`rseq-ops`) | counters and lists for each CPU beside atomic ones |
//! | `refused` (`rseq-ops`) | what is left when a filter refuses system calls one by one |
//! | `compare` (`urcu-collections`) | the collections beside their peers |
//! | `plugin` (`urcu-percpu`) | a shared object that is loaded at run time (for a test) |
