//! Pages to read; nothing to call.
//!
//! | page | for |
//! |---|---|
//! | [`choosing`] | choosing a collection by what it does and what it costs |
//! | [`does_not_compile`] | understanding the compiler, and a way out |
//! | [`papaya`] | coming from `papaya` |
//! | [`dashmap`] | coming from `dashmap` |
//! | [`rwlock`] | coming from a map, list or set behind an `RwLock` or a `Mutex` |
//! | [`crossbeam_queue`] | coming from `crossbeam-queue` or `std::sync::mpsc` |
//! | [`liburcu`] | coming from liburcu's `wfcqueue`, `rculist` and their kin |
//!
//! The code on these pages is compiled and run with the tests.

pub mod choosing;
pub mod crossbeam_queue;
pub mod dashmap;
pub mod does_not_compile;
pub mod liburcu;
pub mod papaya;
pub mod rwlock;
