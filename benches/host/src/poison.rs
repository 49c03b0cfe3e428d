//! An allocator for tests. It overwrites freed memory at once, and keeps freed blocks of the sizes that
//! stress tests use for a while, so that a reader that comes too late sees the poison and not the next
//! value. It can also stop threads inside an allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, AtomicUsize};

/// The number of words in small watched values: 24 bytes, which a snapshot copies with three moves.
pub const SMALL: usize = 3;
/// The number of words in large watched values: 200 bytes, which a snapshot copies with a string
/// instruction.
pub const LARGE: usize = 25;

/// The object of a tortured pool. Nothing else has this layout, and the allocator counts its blocks.
#[derive(Debug)]
#[repr(align(64))]
pub struct Pooled(pub [u64; 24]);

const POOLED: Layout = Layout::new::<Pooled>();

static POOLED_BLOCKS: AtomicI64 = AtomicI64::new(0);

/// Returns the number of allocated blocks for a [`Pooled`], or 0 without [`Poisoning`].
pub fn pooled() -> i64 {
    POOLED_BLOCKS.load(Relaxed)
}

/// The value that fills freed memory.
pub const POISON: u64 = 0xDEAD_DEAD_DEAD_DEAD;

/// The greatest number of bytes of a block that are overwritten.
const OVERWRITTEN: usize = 4096;

/// The number of freed blocks of each kind that are kept.
const KEPT: usize = 4096;

/// The system's allocator, but it overwrites freed memory, and keeps freed blocks of the sizes of [`SMALL`]
/// and [`LARGE`] until some thousand further ones were freed.
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
/// True if [`Poisoning`] is the program's allocator.
static IN_FORCE: AtomicBool = AtomicBool::new(false);

/// From now on never frees blocks of these sizes, because the library is broken on purpose.
pub fn keep_for_ever() {
    FOR_EVER.store(true, Relaxed);
}

/// Returns whether freed values are poisoned in this process.
pub fn in_force() -> bool {
    drop(std::hint::black_box(Box::new([1u64; LARGE])));
    IN_FORCE.load(Relaxed)
}

/// Returns the number of freed values that were poisoned so far.
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

    /// Keeps this block, and returns the one that was kept longest. Returns null if there is none, or if
    /// blocks are kept for ever.
    fn exchange(&self, block: *mut u8) -> *mut u8 {
        let turn = self.next.fetch_add(1, Relaxed) % KEPT;
        // Only this thread frees the returned block; where blocks are kept for ever, it leaks.
        let oldest = self.kept[turn].swap(block, AcqRel);
        if FOR_EVER.load(Relaxed) {
            std::ptr::null_mut()
        } else {
            oldest
        }
    }
}

fn overwrite(block: *mut u8, size: usize) {
    if !block.addr().is_multiple_of(8) {
        return;
    }
    for word in 0..size.min(OVERWRITTEN) / 8 {
        // SAFETY: the word is aligned and within the block, which nobody owns any more. The store is
        // atomic because a reader that is too late may look at the word.
        unsafe { AtomicU64::from_ptr(block.cast::<u64>().add(word)) }.store(POISON, Relaxed);
    }
}

/// The calls in which threads stop: see [`hold`].
#[derive(Clone, Copy, Debug)]
pub enum Held {
    /// The allocation of so many bytes with alignment 1.
    Allocated(usize),
    /// The freeing of such an allocation.
    Freed(usize),
}

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Stops every thread that makes this call of the allocator, until `hold` is called again.
pub fn hold(held: Option<Held>) {
    STOPPED.store(false, SeqCst);
    let (allocated, freed) = match held {
        None => (0, 0),
        Some(Held::Allocated(size)) => (size, 0),
        Some(Held::Freed(size)) => (0, size),
    };
    ALLOCATED.store(allocated, SeqCst);
    FREED.store(freed, SeqCst);
}

impl Held {
    /// Returns whether a thread has stopped.
    #[must_use]
    pub fn is_anyone() -> bool {
        STOPPED.load(SeqCst)
    }

    fn stop(held: &AtomicUsize, layout: Layout) {
        let is_held = || layout.align() == 1 && held.load(Relaxed) == layout.size();
        while is_held() && layout.size() != 0 {
            STOPPED.store(true, SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

// SAFETY: every block comes from the system allocator, with the layout that was asked for. A freed block
// goes back there once, perhaps later, with the same layout, or never. `realloc` is the provided method,
// which uses these two.
unsafe impl GlobalAlloc for Poisoning {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Held::stop(&ALLOCATED, layout);
        if layout == POOLED {
            POOLED_BLOCKS.fetch_add(1, Relaxed);
        }
        // SAFETY: the layout is not empty, as the caller of `alloc` promises; `System` asks the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Held::stop(&ALLOCATED, layout);
        if layout == POOLED {
            POOLED_BLOCKS.fetch_add(1, Relaxed);
        }
        // SAFETY: the layout is not empty, as the caller of `alloc_zeroed` promises; `System` asks the
        // same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Held::stop(&FREED, layout);
        if layout == POOLED {
            POOLED_BLOCKS.fetch_sub(1, Relaxed);
        }
        overwrite(block, layout.size());
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
            // SAFETY: `System` made the block with this layout, and its owner has freed it: it is the
            // block passed in, or one of the same layout that was kept.
            unsafe { System.dealloc(freed, layout) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frees a block of `words` words through the allocator, and returns its address.
    fn freed(words: usize) -> *mut u64 {
        let layout = Layout::array::<u64>(words).unwrap();
        // SAFETY: the layout is not empty; the block is given back once, with its layout.
        unsafe {
            let block = Poisoning.alloc(layout);
            block.write_bytes(1, layout.size());
            Poisoning.dealloc(block, layout);
            block.cast()
        }
    }

    #[test]
    fn all_of_a_freed_block_is_overwritten_and_stays_so() {
        for words in [SMALL, LARGE] {
            let before = poisoned();
            let block = freed(words);
            assert!(poisoned() > before);
            for word in 0..words {
                // SAFETY: the block is kept, so it is still mapped: these tests free fewer than `KEPT`.
                let word = unsafe { block.add(word).read_volatile() };
                assert_eq!(word, POISON);
            }
        }
    }

    #[test]
    fn memory_is_overwritten_as_far_as_it_is_aligned_and_owned() {
        let mut memory = [1u64; 4];
        overwrite(memory.as_mut_ptr().cast(), 31);
        assert_eq!(memory, [POISON, POISON, POISON, 1]);
        overwrite(memory.as_mut_ptr().wrapping_byte_add(25).cast(), 7);
        assert_eq!(memory[3], 1);
    }

    #[test]
    fn a_thread_is_held_in_what_it_frees() {
        let layout = Layout::array::<u8>(12_345).unwrap();
        // SAFETY: the layout is not empty; the block is given back once, by the thread, with its layout.
        let block = unsafe { Poisoning.alloc(layout) }.expose_provenance();
        hold(Some(Held::Freed(12_345)));
        let frees = std::thread::spawn(move || {
            let block = std::ptr::with_exposed_provenance_mut(block);
            // SAFETY: the block is from this allocator with this layout, and is given back this once.
            unsafe { Poisoning.dealloc(block, layout) };
        });
        while !Held::is_anyone() {
            std::thread::yield_now();
        }
        assert!(!frees.is_finished());
        hold(None);
        frees.join().unwrap();
    }
}
