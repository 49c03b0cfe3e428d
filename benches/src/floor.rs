//! The floor of a read-side section: two plain increments on two cache-hot words.
//!
//! Each increment waits for the store of the last increment of the same word. A section whose stores do not depend
//! on its loads, or whose loads the processor can predict, can take less time than this.

/// Adds one to the word, by one instruction without a lock prefix.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn increment(word: &mut u64) {
    // SAFETY: the instruction reads and writes the eight bytes of `word`, which is a live
    // exclusive reference, and changes nothing else but the flags.
    unsafe {
        std::arch::asm!("inc qword ptr [{}]", in(reg) std::ptr::from_mut(word), options(nostack));
    }
}

/// Adds one to the word, with a load and a store that the compiler keeps.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn increment(word: &mut u64) {
    // SAFETY: `word` is a live exclusive reference, so valid for a read and a write.
    unsafe {
        let old = std::ptr::read_volatile(word);
        std::ptr::write_volatile(word, old.wrapping_add(1));
    }
}

/// The two words that a section increments, a cache line each.
#[derive(Debug, Default)]
pub struct Words {
    lock: Line,
    unlock: Line,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line(u64);

impl Words {
    /// Stands for the lock.
    #[inline(always)]
    pub fn lock(&mut self) {
        increment(&mut self.lock.0);
    }

    /// Stands for the unlock.
    #[inline(always)]
    pub fn unlock(&mut self) {
        increment(&mut self.unlock.0);
    }

    /// Returns how often each of the two was called.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.lock.0, self.unlock.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn counts_both_words() {
        let mut words = Words::default();
        for _ in 0..3 {
            words.lock();
        }
        words.unlock();
        assert_eq!(words.counts(), (3, 1));
    }
}
