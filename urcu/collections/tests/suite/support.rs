//! What the tests share.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// xorshift64*.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A hasher by which all keys collide, in all bits.
#[derive(Default)]
pub(crate) struct Same;

impl Hasher for Same {
    fn finish(&self) -> u64 {
        0
    }
    fn write(&mut self, _: &[u8]) {}
}

/// A hasher that is the identity, for integers: its high bits are zero.
#[derive(Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().rev() {
            self.0 = self.0 << 8 | u64::from(byte);
        }
    }
}

pub(crate) type AllSame = BuildHasherDefault<Same>;
pub(crate) type AsIs = BuildHasherDefault<Identity>;

/// Counts values, in the making and at their end.
#[derive(Clone, Default)]
pub(crate) struct Census {
    made: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Census {
    pub(crate) fn citizen(&self, value: u64) -> Citizen {
        self.made.fetch_add(1, Relaxed);
        Citizen {
            value,
            alive: ALIVE,
            census: self.clone(),
        }
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(Relaxed)
    }

    pub(crate) fn alive(&self) -> usize {
        self.made() - self.dropped.load(Relaxed)
    }

    /// Waits for the grace periods of what was retired, and says how many are left.
    pub(crate) fn settled(&self) -> usize {
        urcu::barrier();
        self.alive()
    }
}

const ALIVE: u64 = 0x00a1_1fe0_00a1_1fe0;

/// A value whose end is counted, and noticed if it comes twice or too early.
pub(crate) struct Citizen {
    pub(crate) value: u64,
    alive: u64,
    census: Census,
}

impl Citizen {
    pub(crate) fn get(&self) -> u64 {
        assert_eq!(self.alive, ALIVE, "a value was read after its end");
        self.value
    }
}

impl Clone for Citizen {
    fn clone(&self) -> Self {
        self.census.citizen(self.get())
    }
}

impl Drop for Citizen {
    fn drop(&mut self) {
        assert_eq!(self.alive, ALIVE, "a value was dropped twice");
        self.alive = 0;
        self.census.dropped.fetch_add(1, Relaxed);
    }
}

/// Returns how long a stress test lasts: `URCU_TEST_SECONDS`, or some tenths of a second.
pub(crate) fn lasts() -> Duration {
    let seconds = std::env::var("URCU_TEST_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(0.4))
}

/// Runs until the time is over.
pub(crate) fn for_a_while(mut work: impl FnMut()) {
    let end = Instant::now() + lasts();
    while Instant::now() < end {
        work();
    }
}

/// For what is not to be looked at, whatever it is: `drop` warns of what is `Copy`.
pub(crate) fn ignore<T>(_: T) {}

/// Runs `work` in a child, which must end well within ten seconds.
pub(crate) fn in_child(work: impl FnOnce() -> bool) {
    // SAFETY: the child does what the library promises there, and ends; glibc sees to the heap's locks.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: ends the process, should it hang; and then at once.
        unsafe {
            libc::alarm(10);
            libc::_exit(i32::from(!work()));
        }
    }
    let mut status = 0;
    // SAFETY: the status is valid for the write.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child hung, or found what it uses broken");
}
