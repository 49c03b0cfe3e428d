//! The allocator of this binary.

use std::sync::atomic::{AtomicU64, Ordering};

use urcu_host::poison::{LARGE, POISON, Poisoning};

#[global_allocator]
static ALLOCATOR: Poisoning = Poisoning;

#[test]
fn freed_memory_is_poisoned_at_once() {
    let block = Box::into_raw(Box::new([1u64; LARGE]));
    // SAFETY: the box's own pointer.
    drop(unsafe { Box::from_raw(block) });
    // SAFETY: in quarantine, so mapped still (other tests free fewer of these blocks in between than
    // it holds); atomic, because to the compiler the block is gone.
    let word = unsafe { AtomicU64::from_ptr(block.cast::<u64>().add(LARGE - 1)) };
    assert_eq!(word.load(Ordering::Relaxed), POISON);
}
