//! Orderings and changes that no model notices: the reasons, and the evidence that takes the models' place.

use super::{
    CACHE, CALLBACKS_ENQUEUE, CALLBACKS_OF_DOMAIN, COLL_LOCKED, DRIVER, EXCHANGE, FORK, PARKER,
    POLLING, QUEUE, READERS, SYNC_ATOMIC, WIPED, WORKER,
};

/// The evidence for an ordering that no model shows.
#[derive(Clone, Copy, Debug)]
pub enum Cover {
    /// A test in `litmus` that forbids the outcome, and one without the ordering, which allows it.
    Litmus(&'static str, &'static str),
    /// A test of the library: its file and its name.
    Test(&'static str, &'static str),
    /// No caller can find a difference.
    Harmless,
}

/// An ordering that no model needs.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The name of the file.
    pub file: &'static str,
    /// As in [`Edit::text`](super::Edit::text).
    pub text: &'static str,
    /// Why no model notices.
    pub why: &'static str,
    /// The evidence for it.
    pub cover: Cover,
}

/// A change that no model notices.
#[derive(Clone, Copy, Debug)]
pub struct Unseen {
    /// The change.
    pub change: &'static str,
    /// Why no model notices.
    pub why: &'static str,
    /// The evidence that notices it.
    pub cover: Cover,
}

const fn kept(file: &'static str, text: &'static str, why: &'static str, cover: Cover) -> Kept {
    Kept {
        file,
        text,
        why,
        cover,
    }
}

const fn unseen(change: &'static str, why: &'static str, cover: Cover) -> Unseen {
    Unseen { change, why, cover }
}

/// A thread that sleeps and one that wakes it, each with a fence.
const HANDSHAKE: Cover = Cover::Litmus("handshake", "handshake-relaxed");
/// A release whose partner acquires.
const RELEASES: Cover = Cover::Litmus("publication", "publication-unreleased");
/// An acquire whose partner releases.
const ACQUIRES: Cover = Cover::Litmus("publication", "publication-relaxed");

/// Orderings that no model needs, and why they are there.
#[rustfmt::skip]
pub const KEPT: &[Kept] = &[
    kept(SYNC_ATOMIC, "«compiler_fence(Ordering::SeqCst);»",
        "the models have the fence of the other processors; the locked instruction before it is the barrier",
        Cover::Litmus("dekker-locked", "dekker-unlocked")),
    kept(SYNC_ATOMIC, "} else {\n        «fence(Ordering::SeqCst);»",
        "the models have the same one, and mutants of G and H drop it where it is called",
        Cover::Litmus("dekker-fence", "dekker-rmw")),
    kept(
        COLL_LOCKED,
        "self.pairs.list.store(next, «Ordering::Release»);",
        "the node behind the pointer was published before the fork",
        RELEASES,
    ),
    kept(
        COLL_LOCKED,
        "link.store(next, «Ordering::Release»);",
        "another store has published the next node; a retirement after it has a fence",
        RELEASES,
    ),
    kept(CACHE, "let address = self.cell.current.load(«Ordering::Acquire»).addr();",
        "only an allocator puts a value at the address of an earlier one, and no model has one",
        ACQUIRES),
    kept(EXCHANGE, "|| self.current.load(«Ordering::Acquire»)",
        "only for unsized values, whose pointers are plain memory, which no model watches",
        ACQUIRES),
    kept(CALLBACKS_OF_DOMAIN, "queue.installed.load(«SeqCst») || queue.has_waiting",
        "the fences of `driver` order it; it happens once for each chunk, so its cost does not matter",
        Cover::Litmus("installed", "installed-unfenced")),
    kept(CALLBACKS_OF_DOMAIN, "queue.installed.load(«SeqCst») || queue.has_unready",
        "the fences of `driver` order it; it happens once for each chunk, so its cost does not matter",
        Cover::Litmus("installed", "installed-unfenced")),
    kept(QUEUE, "self.installed.store(false, «SeqCst»);",
        "the next grace period begins with a flip, which a thread that installs a chunk later acquires",
        Cover::Litmus("collected", "collected-relaxed")),
    kept(CALLBACKS_ENQUEUE, "host.callbacks().queue().installed.store(true, «SeqCst»);\n                host.schedule",
        "the reason is that of the load of `installed`; besides, no model forks in the middle of a `call`",
        Cover::Litmus("installed", "installed-unfenced")),
    kept(QUEUE, "the word, or we find it done.\n        «fence(SeqCst);»",
        "the look of a barrier takes the lock that the thread that sealed or finished a chunk has just \
         released; the fence is for the counters of the budget, which are not modelled, and where a sleep \
         ends after a millisecond anyway",
        HANDSHAKE),
    kept(QUEUE, "Pairs with the fence in `wait`.\n        «fence(SeqCst);»",
        "as above",
        HANDSHAKE),
    kept(WIPED, "self.advised.load(«Ordering::Acquire»)",
        "the number is all that readers of it use, except that the kernel was told to wipe the page, which \
         no model sees", ACQUIRES),
    kept(WIPED, "self.advised.store(1, «Ordering::Release»);",
        "as above", RELEASES),
    kept(FORK, "let known = GENERATION.get().0.load(«Ordering::Acquire»);",
        "the number is all that readers of it use, except that the kernel was told to wipe the page, which \
         no model sees",
        ACQUIRES),
    kept(FORK, ".compare_exchange(0, next, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above",
        RELEASES),
    kept(POLLING, "or we find it over.\n            «fence(Ordering::SeqCst);»",
        "the look after it takes the lead, which acquires what the last leader did, or has a fence (N)",
        HANDSHAKE),
    kept(POLLING, "self.0.store(1, «Ordering::Release»);",
        "a thread that wakes up asks whether the grace period is over, which acquires (M)",
        Cover::Harmless),
    kept(READERS, "Phase::of_word(self.phase.load(«Ordering::Acquire»))",
        "a thread that flips or looks for chunks has set the readers up, or acquired them with the driver",
        ACQUIRES),
    kept(READERS, "let cs = self.cs.load(«Ordering::Acquire»);\n        (cs != 0).then_some",
        "copies use neither the bound nor the phase, and the loaded value is the same in the whole process",
        Cover::Harmless),
    kept(DRIVER, "self.wanted.fetch_max(number.number(), «Ordering::Release»);",
        "a thread that sees the number, but not yet that the last round has begun, takes one turn more",
        Cover::Harmless),
    kept(DRIVER, "let wanted = Round::of_number(self.wanted.load(«Ordering::Acquire»));\n        !self",
        "as above",
        Cover::Harmless),
    kept(DRIVER, "let wanted = Round::of_number(self.wanted.load(«Ordering::Acquire»));\n        self.advance_to",
        "as above",
        Cover::Harmless),
    kept(PARKER, "self.unparked.fetch_add(1, «Ordering::Release»);",
        "the work for which it is poked has orderings of its own, or the fences in `poke` and `work` order \
         it, F and G, N and O",
        RELEASES),
    kept(PARKER, "self.unparked.load(«Ordering::Acquire»)",
        "as above",
        ACQUIRES),
    kept(WORKER, "(last, given, «Ordering::Release», Ordering::Relaxed)",
        "the work that is handed over is plain memory, which loom does not see",
        RELEASES),
    kept(WORKER, "shared().handed.swap(ptr::null_mut(), «Ordering::Acquire»);",
        "as above",
        ACQUIRES),
    kept(WORKER, ".compare_exchange(0, 1, «Ordering::Acquire», Ordering::Relaxed)",
        "the state of the driving thread is plain memory too",
        ACQUIRES),
    kept(WORKER, "shared().driving.store(0, «Ordering::Release»);",
        "as above",
        RELEASES),
    kept(WORKER, "whoever wants it sees that nobody drives.\n        «fence(Ordering::SeqCst);»",
        "in the models, locks order it that each requesting thread takes: those of the queue, of futures \
         and of a domain's end",
        HANDSHAKE),
    kept(WORKER, "shared().relief.fetch_add(1, «Ordering::Release»);",
        "a thread that stands by takes the role by a read-modify-write, which in loom always sees the last \
         value",
        RELEASES),
    kept(WORKER, "let seen = shared().relief.load(«Ordering::Acquire»);",
        "as above",
        ACQUIRES),
    kept(WORKER, "the fence in `stand_by`.\n    «fence(Ordering::SeqCst);»",
        "a sleep without a limit needs a third thread that has stood by once before, which is beyond the \
         bounds",
        HANDSHAKE),
    kept(WORKER, "or we see its change.\n        «fence(Ordering::SeqCst);»",
        "as above",
        HANDSHAKE),
    kept(DRIVER, "or it sees that nobody\n            // drives.\n            «fence(Ordering::SeqCst);»",
        "a thread that awaits and drives polls again and again, which no model can do; besides, a thread \
         that has waited is past the fence of a leader (O)",
        HANDSHAKE),
];

/// Changes that no model can notice, and why.
#[rustfmt::skip]
pub const UNSEEN: &[Unseen] = &[
    unseen("the way published before the bound",
        "no CPU number is below a bound of 0, so until the bound is set, sections begin with atomics",
        Cover::Harmless),
    unseen("not settled",
        "the sum is right either way; settling only saves time",
        Cover::Harmless),
    unseen("the mark left when nothing is open, or when the leader wakes up",
        "it costs one wake-up or poke too many",
        Cover::Harmless),
    unseen("no second look at the round with the lead taken",
        "it costs one grace period too many",
        Cover::Harmless),
    unseen("the flip that is taken back relaxed",
        "nothing has used the bank",
        Cover::Harmless),
    unseen("H as a SeqCst read-modify-write",
        "wrong on AArch64; loom takes SeqCst accesses for AcqRel and would reject it on x86-64 too",
        Cover::Litmus("dekker-fence", "dekker-rmw")),
    unseen("load buffering: a section's load that returns a store from after the grace period",
        "loom never makes a load return a later store",
        Cover::Litmus("section-lb", "section-lb-relaxed")),
    unseen("a store in a section that comes after the grace period's in the order of changes",
        "in loom the store that runs last is always the last in the order of changes",
        Cover::Litmus("section-s", "section-s-relaxed")),
    unseen("what callbacks queue while their domain ends is not looked for again",
        "only unsafe code can use a domain at that time",
        Cover::Harmless),
    unseen("a barrier that does not look for a chunk that was sealed, right before it sleeps",
        "it sleeps a millisecond for nothing; `a_barrier_waits_for_a_chunk_on_its_way` notices this with \
         four preemptions, which take half a minute",
        Cover::Harmless),
    unseen("one of those is woken who wait for a chunk",
        "no model has two barriers that sleep at once; a sleep ends after a millisecond",
        Cover::Harmless),
    unseen("an update without a section, so that an address is used again (ABA)",
        "only an allocator reuses addresses, and no model has one",
        Cover::Test("urcu/tests/suite/cells/exchange.rs", "an_update_mistakes_no_other_value_for_the_one_it_saw")),
];
