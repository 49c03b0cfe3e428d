//! What every value and callback of a run has gone through, and which sections are open: enough to
//! tell at each drop whether it may happen now.
//!
//! Time is a counter. A section that began before a value was unpublished may see it, so the value
//! may not be dropped before the section's end. Where two threads race, marks are set so that a
//! doubt is in the library's favour: a section's beginning is noted after it has begun, its end
//! before it ends, and an unpublishing before it happens.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize};

use crate::check::check;

/// Domains of a run: the global one, those that are there from the beginning, those made later.
pub const DOMAINS: usize = 8;
/// Sections that may be open at a time in one domain, for each of the threads.
pub const SECTIONS: usize = 16;
/// Values and callbacks of a run.
const ENTRIES: usize = 1024;

const NOT_YET: u64 = u64::MAX;
const NOBODY: u8 = u8::MAX;
const CANARY: u64 = 0x5AFE_C0DE_0BAD_F00D;

#[derive(Default)]
struct Entry {
    /// The domain in which it waits for a grace period.
    domain: AtomicUsize,
    /// When it was unpublished or queued; `NOT_YET`.
    since: AtomicU64,
    /// Which thread did, if it is sure; else `NOBODY`.
    owner: AtomicU8,
    /// The number of open sections that have looked at it.
    pins: AtomicU32,
    dropped: AtomicU32,
    /// Of a callback: how often it ran.
    ran: AtomicU32,
    callback: AtomicU8,
    /// Others have it too (an `Arc`): nobody knows when it is dropped.
    shared: AtomicU8,
}

pub struct Ledger {
    clock: AtomicU64,
    entries: Box<[Entry]>,
    next: AtomicUsize,
    /// When the open sections began; 0: none.
    sections: [[AtomicU64; 2 * SECTIONS]; DOMAINS],
}

impl Ledger {
    pub fn new() -> Arc<Ledger> {
        let entry = || Entry {
            since: AtomicU64::new(NOT_YET),
            owner: AtomicU8::new(NOBODY),
            ..Entry::default()
        };
        Arc::new(Ledger {
            clock: AtomicU64::new(1),
            entries: (0..ENTRIES).map(|_| entry()).collect(),
            next: AtomicUsize::new(0),
            sections: Default::default(),
        })
    }

    /// Returns whether a thread should not begin anything more.
    pub fn is_full(&self) -> bool {
        self.next.load(SeqCst) > ENTRIES - 128
    }

    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, SeqCst)
    }

    fn entry(&self) -> u32 {
        let id = self.next.fetch_add(1, SeqCst);
        check!(id < ENTRIES, "the program is too long for the ledger");
        id as u32
    }

    pub fn value(self: &Arc<Self>) -> Value {
        let id = self.entry();
        Value {
            canary: CANARY ^ u64::from(id),
            id,
            heap: Box::new([u64::from(id); 3]),
            ledger: Arc::clone(self),
        }
    }

    /// A section of a domain has begun: which one this is.
    pub fn begun(&self, domain: usize, thread: usize) -> Option<usize> {
        let now = self.now();
        let range = thread * SECTIONS..(thread + 1) * SECTIONS;
        range.into_iter().find(|number| {
            let free = self.sections[domain][*number].compare_exchange(0, now, SeqCst, SeqCst);
            free.is_ok()
        })
    }

    pub fn has_room(&self, domain: usize, thread: usize) -> bool {
        let range = thread * SECTIONS..(thread + 1) * SECTIONS;
        self.sections[domain][range]
            .iter()
            .any(|section| section.load(SeqCst) == 0)
    }

    /// It is about to end.
    pub fn ends(&self, domain: usize, section: usize) {
        self.sections[domain][section].store(0, SeqCst);
    }

    pub fn any_open(&self, domain: usize) -> bool {
        self.any_open_since(domain, NOT_YET)
    }

    /// Returns whether a section is open that began before that time.
    pub fn any_open_since(&self, domain: usize, time: u64) -> bool {
        let sections = self.sections[domain].iter();
        sections
            .map(|section| section.load(SeqCst))
            .any(|begun| begun != 0 && begun < time)
    }

    pub fn pin(&self, id: u32, pinned: bool) {
        let pins = &self.entries[id as usize].pins;
        if pinned {
            pins.fetch_add(1, SeqCst);
        } else {
            pins.fetch_sub(1, SeqCst);
        }
    }

    /// It is about to be unpublished, if it is not already; perhaps not by us.
    pub fn retires(&self, id: u32, domain: usize) {
        let entry = &self.entries[id as usize];
        entry.domain.store(domain, SeqCst);
        entry.since.fetch_min(self.now(), SeqCst);
    }

    /// It was, for sure and by this thread, which has handed it to the library.
    pub fn retired(&self, id: u32, thread: usize) {
        self.entries[id as usize].owner.store(thread as u8, SeqCst);
    }

    pub fn is_shared(&self, id: u32) {
        self.entries[id as usize].shared.store(1, SeqCst);
    }

    /// A callback is about to be queued. It owns the value of this number.
    pub fn queues(&self, id: u32, domain: usize) {
        self.entries[id as usize].callback.store(1, SeqCst);
        self.retires(id, domain);
    }

    /// It is only dropped, and does not run.
    pub fn only_drops(&self, id: u32) {
        self.entries[id as usize].callback.store(0, SeqCst);
    }

    /// It was not, after all: it came back, and goes without a grace period.
    pub fn came_back(&self, id: u32) {
        let entry = &self.entries[id as usize];
        entry.callback.store(0, SeqCst);
        entry.since.store(NOT_YET, SeqCst);
        entry.owner.store(NOBODY, SeqCst);
    }

    pub fn runs(&self, id: u32) {
        let before = self.entries[id as usize].ran.fetch_add(1, SeqCst);
        check!(before == 0, "callback {id} runs again");
        self.may_go(id, "callback", "runs");
    }

    fn may_go(&self, id: u32, what: &str, how: &str) {
        let entry = &self.entries[id as usize];
        let (domain, since) = (entry.domain.load(SeqCst), entry.since.load(SeqCst));
        check!(
            since == NOT_YET || !self.any_open_since(domain, since),
            "{what} {id} of domain {domain}, of time {since}, {how} while an older section is open"
        );
    }

    fn drops(&self, id: u32) {
        let entry = &self.entries[id as usize];
        check!(
            entry.dropped.fetch_add(1, SeqCst) == 0,
            "value {id} is dropped again"
        );
        check!(
            entry.pins.load(SeqCst) == 0,
            "value {id} is dropped while a section looks at it"
        );
        self.may_go(id, "value", "is dropped");
    }

    pub fn is_dropped(&self, id: u32) -> bool {
        self.entries[id as usize].dropped.load(SeqCst) != 0
    }

    /// A barrier that began at this time has ended: what these threads had handed to a domain
    /// before is gone.
    pub fn check_barrier(&self, domain: usize, began: u64, threads: &[usize]) {
        for id in 0..self.next.load(SeqCst).min(ENTRIES) {
            let entry = &self.entries[id];
            let theirs = threads.contains(&usize::from(entry.owner.load(SeqCst)));
            if theirs
                && entry.domain.load(SeqCst) == domain
                && entry.since.load(SeqCst) < began
                && entry.shared.load(SeqCst) == 0
            {
                check!(
                    entry.dropped.load(SeqCst) == 1,
                    "value {id} is there after a barrier of domain {domain}"
                );
            }
        }
    }

    /// Returns whether everything is over, as it must be in the end.
    pub fn is_settled(&self) -> bool {
        let made = self.next.load(SeqCst).min(ENTRIES);
        self.entries[..made]
            .iter()
            .all(|entry| entry.dropped.load(SeqCst) == 1)
    }

    pub fn check_settled(&self) {
        for id in 0..self.next.load(SeqCst).min(ENTRIES) {
            let entry = &self.entries[id];
            let dropped = entry.dropped.load(SeqCst);
            check!(
                dropped == 1,
                "value {id} was dropped {dropped} times in the end"
            );
            let (callback, ran) = (entry.callback.load(SeqCst), entry.ran.load(SeqCst));
            check!(callback == 0 || ran == 1, "callback {id} ran {ran} times");
        }
        for (domain, sections) in self.sections.iter().enumerate() {
            let open = sections
                .iter()
                .filter(|section| section.load(SeqCst) != 0)
                .count();
            check!(
                open == 0,
                "{open} sections of domain {domain} are open in the end"
            );
        }
    }
}

/// A value whose every look and whose drop are checked.
pub struct Value {
    canary: u64,
    pub id: u32,
    pub heap: Box<[u64; 3]>,
    pub ledger: Arc<Ledger>,
}

impl Value {
    pub fn look(&self) {
        let (id, canary) = (self.id, self.canary);
        check!(
            canary == CANARY ^ u64::from(id),
            "value {id} has the canary {canary:#x}"
        );
        check!(
            *self.heap == [u64::from(id); 3],
            "value {id} holds {:?}",
            self.heap
        );
        check!(
            !self.ledger.is_dropped(id),
            "value {id} is seen after its drop"
        );
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        check!(
            self.canary == CANARY ^ u64::from(self.id),
            "a value is dropped that has the canary {:#x}",
            self.canary
        );
        self.ledger.drops(self.id);
        // SAFETY: our own field. Volatile, so that it is done though nobody may look any more.
        unsafe { (&raw mut self.canary).write_volatile(0) };
    }
}

/// A small value that can be copied.
#[derive(Clone, Copy)]
pub struct Stamp<const N: usize>(pub [u64; N]);

impl<const N: usize> Stamp<N> {
    pub fn new(number: u64) -> Self {
        Stamp([number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1; N])
    }

    pub fn look(&self) -> u64 {
        let whole = self.0.iter().all(|word| *word == self.0[0]) && self.0[0] & 1 == 1;
        check!(whole, "a torn copy: {:x?}", self.0);
        self.0[0]
    }
}
