//! liburcu's hash table and queue, inlined from its headers (`c/cds.c`).

use std::ffi::c_void;
use std::hash::BuildHasher;
use std::ptr::NonNull;

use super::hash::map::{Table as HashTable, hasher};
use super::line::Line;
use crate::memb;

unsafe extern "C" {
    fn urcu_benches_lfht_new() -> Option<NonNull<c_void>>;
    fn urcu_benches_lfht_destroy(table: NonNull<c_void>);
    fn urcu_benches_lfht_get(table: NonNull<c_void>, hash: u64, key: u64, value: *mut u64) -> i32;
    fn urcu_benches_lfht_get_all(
        table: NonNull<c_void>,
        keys: *const u64,
        count: usize,
        hash: extern "C" fn(u64) -> u64,
    ) -> u64;
    fn urcu_benches_lfht_insert(table: NonNull<c_void>, hash: u64, key: u64, value: u64) -> i32;
    fn urcu_benches_lfht_remove(table: NonNull<c_void>, hash: u64, key: u64);
    fn urcu_benches_wfcq_new() -> Option<NonNull<c_void>>;
    fn urcu_benches_wfcq_destroy(queue: NonNull<c_void>);
    fn urcu_benches_wfcq_push(queue: NonNull<c_void>, value: u64) -> i32;
    fn urcu_benches_wfcq_pop(queue: NonNull<c_void>, value: *mut u64) -> i32;
}

/// `struct cds_lfht`. Every thread that uses it is registered with liburcu-memb.
pub(crate) struct Table(NonNull<c_void>);

// SAFETY: the functions may be called by any thread that is registered, at the same time.
unsafe impl Send for Table {}
// SAFETY: all functions take the table by a shared pointer, and may be called by many threads at once.
unsafe impl Sync for Table {}

#[inline(always)]
fn hash_of(key: u64) -> u64 {
    hasher().hash_one(key)
}

extern "C" fn hash_for_c(key: u64) -> u64 {
    hash_of(key)
}

impl Table {
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        let mut value = 0;
        // SAFETY: the table lives as long as `self`; `value` may be written to. The thread is registered, as
        // the benches register every thread of theirs.
        let found = unsafe { urcu_benches_lfht_get(self.0, hash_of(key), key, &raw mut value) };
        (found != 0).then_some(value)
    }
}

impl HashTable<u64, u64> for Table {
    fn new() -> Self {
        // SAFETY: makes a table; nothing is required.
        Self(unsafe { urcu_benches_lfht_new() }.expect("memory"))
    }

    #[inline(always)]
    fn look(&self, key: &u64) -> Option<u64> {
        self.find(*key)
    }

    fn get(&self, key: &u64) -> Option<u64> {
        self.find(*key)
    }

    #[inline(always)]
    fn insert(&self, key: u64, value: u64) {
        // SAFETY: the table lives as long as `self`; the thread is registered, as every thread of the benches.
        let inserted = unsafe { urcu_benches_lfht_insert(self.0, hash_of(key), key, value) };
        assert_eq!(inserted, 1, "no memory");
    }

    #[inline(always)]
    fn remove(&self, key: &u64) {
        // SAFETY: the table lives as long as `self`; the thread is registered, as every thread of the benches.
        unsafe { urcu_benches_lfht_remove(self.0, hash_of(*key), *key) }
    }

    #[inline(always)]
    fn look_all(&self, keys: &[u64]) -> u64 {
        // SAFETY: the table lives as long as `self`, and so many keys can be read; the thread is registered.
        unsafe { urcu_benches_lfht_get_all(self.0, keys.as_ptr(), keys.len(), hash_for_c) }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let _registration = memb::register();
        // SAFETY: `&mut self`: nobody uses the table; the thread is registered.
        unsafe { urcu_benches_lfht_destroy(self.0) }
    }
}

/// `struct cds_wfcq_head` and its tail.
pub(crate) struct WfQueue(NonNull<c_void>);

// SAFETY: enqueueing may be done by any thread; dequeueing takes the queue's mutex.
unsafe impl Send for WfQueue {}
// SAFETY: all functions take the queue by a shared pointer; of two that dequeue one waits for the other.
unsafe impl Sync for WfQueue {}

impl Line for WfQueue {
    fn new() -> Self {
        // SAFETY: makes a queue; nothing is required.
        Self(unsafe { urcu_benches_wfcq_new() }.expect("memory"))
    }

    #[inline(always)]
    fn push(&self, value: u64) {
        // SAFETY: the queue lives as long as `self`.
        let pushed = unsafe { urcu_benches_wfcq_push(self.0, value) };
        assert_eq!(pushed, 1, "no memory");
    }

    #[inline(always)]
    fn pop(&self) -> Option<u64> {
        let mut value = 0;
        // SAFETY: the queue lives as long as `self`, and `value` may be written to.
        let found = unsafe { urcu_benches_wfcq_pop(self.0, &raw mut value) };
        (found != 0).then_some(value)
    }
}

impl Drop for WfQueue {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: nobody uses the queue.
        unsafe { urcu_benches_wfcq_destroy(self.0) }
    }
}
