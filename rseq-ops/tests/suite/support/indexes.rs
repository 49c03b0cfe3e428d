//! Words for each index, and what is counted there.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use rseq_ops::ops::Outcome;
use rseq_ops::percpu::possible_cpus;
use rseq_ops::{Handle, Owner};

/// The kinds of index that this machine has. Empty without sequences.
pub(crate) fn kinds() -> Vec<Kind> {
    [
        Kind("CPU number", Handle::by_cpu),
        Kind("concurrency id", Handle::by_concurrency_id),
    ]
    .into_iter()
    .filter(|kind| (kind.1)().is_some())
    .collect()
}

#[derive(Clone, Copy)]
pub(crate) struct Kind(pub(crate) &'static str, fn() -> Option<Handle>);

impl Kind {
    /// The calling thread's handle and index.
    pub(crate) fn here(self) -> (Handle, u32) {
        let handle = (self.1)().expect("every thread is registered");
        // SAFETY: this thread's handle.
        let index = unsafe { handle.current_index() };
        (handle, index.expect("memory for every CPU"))
    }
}

/// Says why a test proves nothing here, where that is right.
pub(crate) fn nothing_to_test() -> bool {
    if !kinds().is_empty() {
        return false;
    }
    assert_eq!(rseq_ops::process().owner, Owner::Nobody);
    println!("no restartable sequences here");
    true
}

/// Words for each index, two cache lines apart, so that an offset of 128 bytes leads to the next.
pub(crate) struct PerIndex(Vec<Slot>);

#[repr(C, align(128))]
pub(crate) struct Slot(pub(crate) [AtomicUsize; 16]);

impl PerIndex {
    pub(crate) fn new() -> Self {
        let slot = || Slot([const { AtomicUsize::new(0) }; 16]);
        PerIndex((0..possible_cpus()).map(|_| slot()).collect())
    }

    pub(crate) fn word(&self, index: u32, n: usize) -> *mut usize {
        self.0[index as usize].0[n].as_ptr()
    }

    pub(crate) fn at(&self, index: u32, n: usize) -> &AtomicUsize {
        &self.0[index as usize].0[n]
    }

    pub(crate) fn sum(&self, n: usize) -> usize {
        let words = self.0.iter().map(|slot| slot.0[n].load(Ordering::SeqCst));
        words.fold(0, usize::wrapping_add)
    }

    pub(crate) fn base(&self) -> usize {
        self.0.as_ptr().expose_provenance()
    }
}

/// Items that are in one place at a time, and a count of violations.
pub(crate) struct Items {
    held: Vec<AtomicU8>,
    wrong: AtomicUsize,
}

impl Items {
    pub(crate) const COUNT: usize = 12;

    pub(crate) fn new() -> Self {
        Items {
            held: (0..Self::COUNT).map(|_| AtomicU8::new(0)).collect(),
            wrong: AtomicUsize::new(0),
        }
    }

    pub(crate) fn take(&self, item: usize) -> bool {
        let fine = self
            .held
            .get(item)
            .is_some_and(|held| held.swap(1, Ordering::SeqCst) == 0);
        if !fine {
            self.wrong.fetch_add(1, Ordering::SeqCst);
        }
        fine
    }

    pub(crate) fn put(&self, item: usize) {
        self.held[item].store(0, Ordering::SeqCst);
    }

    /// Makes attempts until one commits. In a broken build that may be never.
    pub(crate) fn until_committed(&self, mut attempt: impl FnMut() -> Outcome) {
        for _ in 0..1_000_000 {
            if attempt() == Outcome::Committed {
                return;
            }
        }
        self.wrong.fetch_add(1, Ordering::SeqCst);
    }

    /// Nothing went wrong, and these are all the items.
    pub(crate) fn check(&self, mut found: Vec<usize>) {
        found.sort_unstable();
        assert_eq!(self.wrong.load(Ordering::SeqCst), 0, "{found:?}");
        assert_eq!(found, (0..Self::COUNT).collect::<Vec<_>>());
    }
}

/// A pseudo-random sequence (xorshift), so that a test needs no crate for it.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % n
    }
}

/// The calling thread, as the kernel numbers it.
pub(crate) fn thread_id() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::gettid() }
}

/// Interrupts a thread of this process with a signal whose handler was set by [`on_signal`].
pub(crate) fn interrupt(thread: i32) {
    // SAFETY: a signal that has a handler; a thread that is gone makes it fail, without harm.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR1) };
}

/// Makes [`interrupt`] run `handler` in the thread.
pub(crate) fn on_signal(handler: extern "C" fn(i32)) {
    // SAFETY: the handler is async-signal-safe, as all callers' are, and lives for ever.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()),
            0
        );
    }
}
