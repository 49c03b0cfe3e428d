//! The allocator of this binary: freed memory is overwritten at once, and blocks of the sizes that
//! the stress tests use stay out of circulation for a while, so that whoever reads too late sees
//! the poison and not the next value.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use crate::stamped::{LARGE, SMALL};

/// What freed memory holds.
pub(crate) const POISON: u64 = 0xDEAD_DEAD_DEAD_DEAD;

/// Bytes of a block that are overwritten, at most.
const OVERWRITTEN: usize = 4096;
const KEPT: usize = 4096;

struct Poisoning;

#[global_allocator]
static ALLOCATOR: Poisoning = Poisoning;

/// Keeps freed blocks of one layout for the time of `KEPT` further ones.
struct Quarantine {
    words: usize,
    next: AtomicUsize,
    kept: [AtomicPtr<u8>; KEPT],
}

impl Quarantine {
    const fn new(words: usize) -> Self {
        Quarantine {
            words,
            next: AtomicUsize::new(0),
            kept: [const { AtomicPtr::new(std::ptr::null_mut()) }; KEPT],
        }
    }

    fn is_for(&self, layout: Layout) -> bool {
        layout.size() == self.words * 8 && layout.align() == 8
    }

    /// The block in, the oldest one out; it may be null.
    fn exchange(&self, block: *mut u8) -> *mut u8 {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % KEPT;
        let oldest = self.kept[turn].swap(block, Ordering::AcqRel);
        if FOR_EVER.load(Ordering::Relaxed) {
            std::ptr::null_mut()
        } else {
            oldest
        }
    }
}

static QUARANTINES: [Quarantine; 2] = [Quarantine::new(SMALL), Quarantine::new(LARGE)];

/// Blocks in quarantine are never freed: for the test of a library that is made wrong on purpose.
static FOR_EVER: AtomicBool = AtomicBool::new(false);

#[cfg(feature = "delay-injection")]
pub(crate) fn keep_for_ever() {
    FOR_EVER.store(true, Ordering::Relaxed);
}

fn overwrite(block: *mut u8, size: usize) {
    for word in 0..size.min(OVERWRITTEN) / 8 {
        if block.addr().is_multiple_of(8) {
            // SAFETY: aligned, within the block, which nobody uses any more. Atomic, because the
            // negative test makes somebody look at it.
            unsafe { AtomicU64::from_ptr(block.cast::<u64>().add(word)) }
                .store(POISON, Ordering::Relaxed);
        }
    }
}

/// What a thread stops in.
#[derive(Clone, Copy)]
pub(crate) enum Held {
    /// The allocation of so many bytes, aligned to one.
    Allocated(usize),
    /// That they are freed.
    Freed(usize),
}

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Stops every thread that comes to this, until it is called again.
pub(crate) fn hold(held: Option<Held>) {
    STOPPED.store(false, Ordering::SeqCst);
    let (allocated, freed) = match held {
        None => (0, 0),
        Some(Held::Allocated(size)) => (size, 0),
        Some(Held::Freed(size)) => (0, size),
    };
    ALLOCATED.store(allocated, Ordering::SeqCst);
    FREED.store(freed, Ordering::SeqCst);
}

impl Held {
    /// Whether a thread has stopped.
    pub(crate) fn is_anyone() -> bool {
        STOPPED.load(Ordering::SeqCst)
    }

    fn stop(held: &AtomicUsize, layout: Layout) {
        let is_held = || layout.align() == 1 && held.load(Ordering::Relaxed) == layout.size();
        while is_held() && layout.size() != 0 {
            STOPPED.store(true, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

// SAFETY: every block is the system allocator's, with the layout that it was asked for; a block is
// given back once, or kept.
unsafe impl GlobalAlloc for Poisoning {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Held::stop(&ALLOCATED, layout);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Held::stop(&FREED, layout);
        overwrite(block, layout.size());
        let block = QUARANTINES
            .iter()
            .find(|quarantine| quarantine.is_for(layout))
            .map_or(block, |quarantine| quarantine.exchange(block));
        if !block.is_null() {
            // SAFETY: the caller's block, or an earlier one of the same layout.
            unsafe { System.dealloc(block, layout) }
        }
    }
}

#[test]
fn freed_memory_is_poisoned_at_once() {
    let block = Box::into_raw(Box::new([1u64; LARGE]));
    // SAFETY: the box's own pointer.
    drop(unsafe { Box::from_raw(block) });
    // SAFETY: in quarantine, so mapped still (other tests free fewer than `KEPT` of these blocks
    // in between); volatile, because to the compiler it is gone.
    let word = unsafe { AtomicU64::from_ptr(block.cast::<u64>().add(LARGE - 1)) };
    assert_eq!(word.load(Ordering::Relaxed), POISON);
}
