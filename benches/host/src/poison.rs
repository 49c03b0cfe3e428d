//! An allocator: what cells free is overwritten at once and stays out of circulation for a while, so
//! that who copies it too late copies the poison. For values of `Rcu`, which the library frees itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, AtomicUsize};

/// Words of the values whose memory is watched: 24 bytes, which a snapshot copies with three moves,
/// and 200, which it copies with a string instruction.
pub const SMALL: usize = 3;
/// See [`SMALL`].
pub const LARGE: usize = 25;

/// What a tortured pool holds; nothing else has this layout, and blocks of it are counted.
#[derive(Debug)]
#[repr(align(64))]
pub struct Pooled(pub [u64; 24]);

const POOLED: Layout = Layout::new::<Pooled>();

static POOLED_BLOCKS: AtomicI64 = AtomicI64::new(0);

/// Returns how many blocks for a [`Pooled`] there are. 0 where no [`Poisoning`] is at work.
pub fn pooled() -> i64 {
    POOLED_BLOCKS.load(Relaxed)
}

/// What freed memory holds.
const POISON: u64 = 0xDEAD_DEAD_DEAD_DEAD;

/// Freed blocks of each kind that rest.
const KEPT: usize = 4096;

/// The system's allocator, but for blocks of the sizes of [`SMALL`] and [`LARGE`].
#[derive(Debug)]
pub struct Poisoning;

#[derive(Debug)]
struct Quarantine {
    words: usize,
    next: AtomicUsize,
    kept: [AtomicPtr<u8>; KEPT],
}

static QUARANTINES: [Quarantine; 2] = [Quarantine::new(SMALL), Quarantine::new(LARGE)];
static FOR_EVER: AtomicBool = AtomicBool::new(false);
/// Whether a [`Poisoning`] is at work.
static IN_FORCE: AtomicBool = AtomicBool::new(false);

/// Keeps such blocks for ever from now on, because the library is wrong on purpose.
pub fn keep_for_ever() {
    FOR_EVER.store(true, Relaxed);
}

/// Returns whether freed values are poisoned in this process.
pub fn in_force() -> bool {
    drop(std::hint::black_box(Box::new([1u64; LARGE])));
    IN_FORCE.load(Relaxed)
}

/// Returns how many freed values were poisoned so far.
pub fn poisoned() -> usize {
    let counts = QUARANTINES.iter().map(|one| one.next.load(Relaxed));
    counts.sum()
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

    /// The block in, the one that rested longest out; null if there is none, or none is to go.
    fn exchange(&self, block: *mut u8) -> *mut u8 {
        for word in 0..self.words {
            // SAFETY: aligned, within the block, which nobody owns any more. Atomic, because who is
            // too late looks at it.
            unsafe { AtomicU64::from_ptr(block.cast::<u64>().add(word)) }.store(POISON, Relaxed);
        }
        let turn = self.next.fetch_add(1, Relaxed) % KEPT;
        // What fell out is freed by us alone. Where blocks stay for ever it is leaked.
        let oldest = self.kept[turn].swap(block, AcqRel);
        if FOR_EVER.load(Relaxed) {
            std::ptr::null_mut()
        } else {
            oldest
        }
    }
}

// SAFETY: every block is the system allocator's, with the layout that was asked for; one that is
// given back is given back there once, later, with the same layout, or never. `realloc` is the
// provided one, which uses these.
unsafe impl GlobalAlloc for Poisoning {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout == POOLED {
            POOLED_BLOCKS.fetch_add(1, Relaxed);
        }
        // SAFETY: the layout is not empty, as the caller of `alloc` promises; `System` asks the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is not empty, as the caller of `alloc_zeroed` promises; `System` asks the
        // same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout == POOLED {
            POOLED_BLOCKS.fetch_sub(1, Relaxed);
        }
        let quarantine = QUARANTINES
            .iter()
            .find(|quarantine| quarantine.is_for(layout));
        let freed = match quarantine {
            Some(quarantine) => {
                IN_FORCE.store(true, Relaxed);
                quarantine.exchange(block)
            }
            None => block,
        };
        if !freed.is_null() {
            // SAFETY: `System` made the block with this layout, and its owner has given it back: it
            // is the one handed in, or one of the same layout that has rested.
            unsafe { System.dealloc(freed, layout) }
        }
    }
}
