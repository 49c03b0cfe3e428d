//! The sources of `rseq-ops` that no model compiles, and what of `urcu-percpu` the models replace, are
//! audited all the same: here is a reason for each of their orderings.

use super::{Cover, Kept};

/// Files that are audited and not compiled here: paths from `urcu/src`.
pub const AUDITED: &[&str] = &[
    ALLOC,
    AREA,
    COUNTER,
    CPUS,
    OPS_SYS,
    PER_CPU,
    POOL,
    RING,
    CONSUMER,
    RESERVATION,
    REGISTRATION,
    OWN,
    SLOTS,
];
const ALLOC: &str = "../../rseq-ops/src/percpu/alloc.rs";
const AREA: &str = "../../rseq-ops/src/percpu/area.rs";
const COUNTER: &str = "../../rseq-ops/src/percpu/counter.rs";
const CPUS: &str = "../../rseq-ops/src/possible_cpus.rs";
const OPS_SYS: &str = "../../rseq-ops/src/percpu/sys.rs";
const PER_CPU: &str = "../../rseq-ops/src/percpu/per_cpu.rs";
const POOL: &str = "../../rseq-ops/src/percpu/pool.rs";
const RING: &str = "../../rseq-ops/src/percpu/ring/writer.rs";
const CONSUMER: &str = "../../rseq-ops/src/percpu/ring/consumer.rs";
const RESERVATION: &str = "../../rseq-ops/src/percpu/ring/reservation.rs";
const REGISTRATION: &str = "../../rseq-ops/src/registration/mod.rs";
const OWN: &str = "../../rseq-ops/src/registration/own/mod.rs";
const SLOTS: &str = "../../rseq-ops/src/registration/own/slots.rs";
const MEMORY: &str = "sys/memory.rs";
const MODE: &str = "sys/mode.rs";
const BARRIER: &str = "sys/barrier.rs";

const fn kept(file: &'static str, text: &'static str, why: &'static str, cover: Cover) -> Kept {
    Kept {
        file,
        text,
        why,
        cover,
    }
}

/// Stored with release, and loaded with acquire.
const RELEASES: Cover = Cover::Litmus("publication", "publication-unreleased");
const ACQUIRES: Cover = Cover::Litmus("publication", "publication-relaxed");
/// One who sees that another has read, and overwrites what was read.
const READ_BEFORE: Cover = Cover::Litmus("section-lb", "section-lb-relaxed");
/// One who sees that another has written, and overwrites what was written.
const WRITTEN_BEFORE: Cover = Cover::Litmus("section-s", "section-s-relaxed");
/// A thread that searched and found nothing sees what became free behind the search.
const SEARCHED: Cover = Cover::Litmus("searched", "searched-relaxed");
const HANDSHAKE: Cover = Cover::Litmus("handshake", "handshake-relaxed");

/// Why each ordering is there.
#[rustfmt::skip]
pub const KEPT_OPS: &[Kept] = &[
    kept(ALLOC, "let newest = self.chunks.load(«Ordering::Acquire»);",
        "the chunk's number was stored before the chunk was published", ACQUIRES),
    kept(ALLOC, "let mut next = self.chunks.load(«Ordering::Acquire»);",
        "the whole header was stored before the chunk was published", ACQUIRES),
    kept(ALLOC, ".compare_exchange(newest, chunk, «Ordering::Release», Ordering::Relaxed);",
        "a thread that sees the chunk sees its header", RELEASES),
    kept(ALLOC, "chunk.given_back.load(«Ordering::Acquire»)",
        "a later search finds the objects free that were given back", ACQUIRES),
    kept(ALLOC, "chunk.given_back.fetch_add(1, «Ordering::Release»);",
        "as above", RELEASES),
    kept(ALLOC, "if self.free.load(«Ordering::Acquire») == 0 {",
        "a thread whose allocation left none free has given back earlier objects before it", SEARCHED),
    kept(ALLOC, "self.free.fetch_sub(1, «Ordering::Release»);",
        "as above", SEARCHED),
    kept(ALLOC, "let mut seen = bits.load(«Ordering::Acquire»);",
        "the thread that took an object that is found taken has given back earlier ones before", SEARCHED),
    kept(ALLOC, "(seen, taken, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above; besides, the object is zero again", SEARCHED),
    kept(ALLOC, "fetch_and(!(1 << (bit % 64)), «Ordering::Release»);",
        "the next thread that takes the object finds zeros", RELEASES),
    kept(COUNTER, "slot.shared.fetch_add(delta, «Ordering::Release»);",
        "a thread that sees an addition in a sum sees what was done before the addition", RELEASES),
    kept(COUNTER, "slot.net[0].load(«Ordering::Acquire»)",
        "as above; the sequences' commit is a release", ACQUIRES),
    kept(COUNTER, "slot.net[1].load(«Ordering::Acquire»)",
        "as above", ACQUIRES),
    kept(COUNTER, "slot.shared.load(«Ordering::Acquire»)",
        "as above", ACQUIRES),
    kept(OPS_SYS, "DECIDED.load(«Ordering::Acquire»);",
        "the number is all that readers of it use, except for memory of the kernel", ACQUIRES),
    kept(OPS_SYS, ".compare_exchange(0, found, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above", RELEASES),
    kept(POOL, "self.single.swap(0, «Ordering::Acquire»);",
        "a thread has a cache for itself by a lock or a restart, which has ordered this",
        Cover::Harmless),
    kept(POOL, "match self.count.load(«Ordering::Acquire») {",
        "as above", Cover::Harmless),
    kept(RING, "ops::compare_store_store(handle, cpu, word, first, new, «Release»)",
        "a reader that sees the end sees the headers before it", RELEASES),
    kept(RING, "ops::compare_copy_store(handle, cpu, word, copy, new, «Release»)",
        "as above", RELEASES),
    kept(RING, "control.reserved.store(new, «Ordering::Release»);",
        "a reader that sees the end sees the headers before it", RELEASES),
    kept(RING, "let end = control.reserved.load(«Ordering::Acquire»);",
        "the survey needs the headers before the end; and nothing may be stored behind an end that was not \
         seen",
        Cover::Litmus("ring-overtaken", "ring-overtaken-unfenced")),
    kept(RING, "control.reader.position.load(«Ordering::Acquire»)",
        "what is overwritten must have been read", READ_BEFORE),
    kept(RING, "word(self.0.at(control, start + offset)) }.load(«Ordering::Acquire»);",
        "what is overwritten must have been written", WRITTEN_BEFORE),
    kept(CONSUMER, "let until = control.reserved.load(«Ordering::Acquire»);",
        "the reader needs the headers before the end", ACQUIRES),
    kept(CONSUMER, "let end = control.reserved.load(«Ordering::Acquire»);",
        "as above", ACQUIRES),
    kept(CONSUMER, "reader.position.store(oldest, «Ordering::Release»);",
        "what is overwritten must have been read", READ_BEFORE),
    kept(CONSUMER, "reader.position.store(next, «Ordering::Release»);",
        "as above", READ_BEFORE),
    kept(CONSUMER, "let header = unsafe { word(at) }.load(«Ordering::Acquire»);",
        "a record that is not busy is whole", ACQUIRES),
    kept(CONSUMER, "«fence(Ordering::Acquire);»",
        "a reader that copied something stored later in this part sees that the end has passed the part. \
         This holds in the processors' models, in which all see a store at the same time; C11 would ask for \
         more",
        Cover::Litmus("ring-overtaken", "ring-overtaken-unfenced")),
    kept(RESERVATION, ".store(self.header & !BUSY | flags, «Ordering::Release»);",
        "a record that is not busy is whole", RELEASES),
    kept(REGISTRATION, "match OWNER.load(«Ordering::Acquire») {",
        "a thread that knows the owner must know the area and the size", ACQUIRES),
    kept(REGISTRATION, "let area = AREA.load(«Ordering::Acquire»);",
        "a thread that knows the area must know the size", ACQUIRES),
    kept(REGISTRATION, "AREA.store(area, «Ordering::Release»);",
        "as above", RELEASES),
    kept(REGISTRATION, "OWNER.store(word, «Ordering::Release»);",
        "a thread that knows the owner must know the area and the size", RELEASES),
    kept(SLOTS, "let mut next = PAGES.load(«Ordering::Acquire»);\n    // SAFETY",
        "the link behind the page and its used slots were stored before the page was published", ACQUIRES),
    kept(SLOTS, "PAGES.compare_exchange(page.next, page, «Ordering::Release», Ordering::Relaxed)",
        "as above", RELEASES),
    kept(SLOTS, ".compare_exchange(used, taken, «Ordering::Acquire», Ordering::Relaxed)",
        "the last thread must be done with the slot", ACQUIRES),
    kept(SLOTS, "fetch_and(!(1 << number), «Ordering::Release»);",
        "as above", RELEASES),
    kept(OWN, "let known = KEY.load(«Ordering::Acquire»);",
        "the number is all that readers of it use; it names libc's memory, which libc's lock protects", ACQUIRES),
    kept(OWN, "KEY.compare_exchange(0, key + 1, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above", RELEASES),
    kept(OWN, "let key = KEY.load(«Ordering::Acquire»).checked_sub(1)?;",
        "as above", ACQUIRES),
    kept(OWN, "let Some(key) = KEY.load(«Ordering::Acquire»).checked_sub(1) else {",
        "as above", ACQUIRES),
    kept(MEMORY, "let decided = DECIDED.load(«Ordering::Acquire»);\n    // SAFETY: null or one",
        "the allocator is a static, and publishes its chunks itself", ACQUIRES),
    kept(MEMORY, "«Ordering::AcqRel,\n        Ordering::Acquire,»",
        "as above", RELEASES),
    kept(MODE, "let decided = DECIDED.load(«Ordering::Acquire»);\n    if decided != 0",
        "the number is all that readers of it use, except for memory of the kernel", ACQUIRES),
    kept(MODE, ".compare_exchange(0, found, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above", RELEASES),
    kept(BARRIER, "to pair with this one.\n        «fence(Ordering::SeqCst);»",
        "the models have it in their stand-in for this file", HANDSHAKE),
];
