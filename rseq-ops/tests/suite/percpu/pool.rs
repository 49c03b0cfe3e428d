//! The pool: an object has one owner, the cache has its bound, and memory goes back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

use crate::support::alone;
use crate::support::disturbed::disturbed;
use rseq_ops::percpu::{Pool, PoolBox, possible_cpus};

/// Of a size that nothing else in this program has.
type Object = [usize; 77];

/// Counts the `Object`s that the global allocator has given out.
struct Counting;
static OUT: AtomicIsize = AtomicIsize::new(0);

fn counted(layout: Layout, change: isize) {
    if layout.size() == size_of::<Object>() {
        OUT.fetch_add(change, Relaxed);
    }
}

// SAFETY: the system's, with a look at the layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        counted(layout, 1);
        // SAFETY: the caller gives a layout that is not empty, as `System` demands.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        counted(layout, -1);
        // SAFETY: the block is from `alloc` above, so from `System`, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

#[test]
fn the_cache_is_bounded_and_goes_back_when_idle() {
    let _alone = alone();
    let before = OUT.load(Relaxed);
    let out = || (OUT.load(Relaxed) - before) as usize;
    let pool = Pool::<Object>::with_capacity_per_cpu(10).unwrap();
    assert_eq!(pool.capacity_per_cpu(), 10);
    let held: Vec<_> = (0..100).map(|n| pool.alloc([n; 77])).collect();
    assert!(held.iter().enumerate().all(|(n, object)| object[76] == n));
    assert_eq!(out(), 100);
    drop(held);
    let kept = out();
    assert!((1..=10 * possible_cpus()).contains(&kept), "{kept} kept");
    // Not idle yet, then idle, then empty.
    assert_eq!(pool.release_idle().unwrap(), 0);
    assert_eq!(pool.release_idle().unwrap(), kept);
    assert_eq!(out(), 0);
    drop(pool.alloc([0; 77]));
    drop(pool.alloc([0; 77]));
    assert!(out() <= 2);
    let kept = out();
    assert_eq!(pool.release().unwrap(), kept);
    drop(pool.alloc([0; 77]));
    drop(pool);
    assert_eq!(out(), 0);
}

#[test]
fn a_pool_that_is_dropped_gives_back_what_it_keeps_in_either_bank() {
    let _alone = alone();
    let before = OUT.load(Relaxed);
    for flips in 0..4 {
        let pool = Pool::<Object>::new().unwrap();
        for _ in 0..flips {
            pool.release().unwrap();
        }
        // More than the single one.
        drop([(); 5].map(|()| pool.alloc([0; 77])));
        assert_ne!(OUT.load(Relaxed), before, "kept");
        drop(pool);
        assert_eq!(OUT.load(Relaxed), before, "after {flips}");
    }
}

#[test]
fn an_object_has_one_owner_and_none_is_lost() {
    let _alone = alone();
    let before = OUT.load(Relaxed);
    let pool = Pool::<Object>::new().unwrap();
    let sent: Mutex<Vec<PoolBox<'_, Object>>> = Mutex::default();
    let rounds = AtomicUsize::new(0);
    disturbed(4, Some(|| ()), |thread, running| {
        let mut round = thread;
        while running() {
            round += 4;
            if thread == 0 && round % 64 == 0 {
                pool.release().unwrap();
            }
            let mut held: [_; 5] = std::array::from_fn(|n| pool.alloc([round * 8 + n; 77]));
            held[0][76] += 1;
            std::hint::black_box(&mut held);
            for (n, object) in held.iter().enumerate().skip(1) {
                assert!(
                    object.iter().all(|word| *word == round * 8 + n),
                    "two own it"
                );
            }
            assert_eq!(held[0][76], round * 8 + 1);
            // Some are freed elsewhere.
            let mut sent = sent.lock().unwrap();
            sent.extend(held.into_iter().take(2));
            if sent.len() > 64 {
                let all = std::mem::take(&mut *sent);
                drop(sent);
                drop(all);
            }
            rounds.fetch_add(1, Relaxed);
        }
    });
    assert!(rounds.load(Relaxed) > 100);
    drop(sent);
    drop(pool);
    assert_eq!(OUT.load(Relaxed), before);
}

#[test]
fn values_are_dropped_once_and_memory_goes_back_whatever_panics() {
    struct Panics<'d>(&'d AtomicUsize, bool);
    impl Drop for Panics<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            assert!(!self.1, "made up");
        }
    }
    let drops = AtomicUsize::new(0);
    let pool = Pool::new().unwrap();
    let object = pool.alloc(Panics(&drops, true));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(object))).is_err());
    assert_eq!(drops.load(Relaxed), 1);
    assert_eq!(pool.release().unwrap(), 1);
    let moved = pool.alloc(Panics(&drops, false)).into_inner();
    assert_eq!(drops.load(Relaxed), 1);
    drop(moved);
    assert_eq!(drops.load(Relaxed), 2);
    std::mem::forget(pool.alloc(Panics(&drops, false)));
}

#[test]
fn objects_without_a_size_or_with_a_large_alignment() {
    #[repr(align(4096))]
    struct Aligned(u8);
    let (nothing, aligned) = (Pool::new().unwrap(), Pool::new().unwrap());
    let unit = nothing.alloc(());
    assert_eq!(*unit, ());
    for n in 0..10 {
        let object = aligned.alloc(Aligned(n));
        assert_eq!(std::ptr::from_ref(&*object).addr() % 4096, 0);
        assert_eq!(object.0, n);
    }
}
