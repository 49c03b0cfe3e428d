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
        "its number was stored before it was published", ACQUIRES),
    kept(ALLOC, "let mut next = self.chunks.load(«Ordering::Acquire»);",
        "so was all of its header", ACQUIRES),
    kept(ALLOC, ".compare_exchange(newest, chunk, «Ordering::Release», Ordering::Relaxed);",
        "who sees the chunk sees its header", RELEASES),
    kept(ALLOC, "chunk.given_back.load(«Ordering::Acquire»)",
        "a search that comes later finds those free that were given back", ACQUIRES),
    kept(ALLOC, "chunk.given_back.fetch_add(1, «Ordering::Release»);",
        "as above", RELEASES),
    kept(ALLOC, "if self.free.load(«Ordering::Acquire») == 0 {",
        "whose taking left none has given back before what he did", SEARCHED),
    kept(ALLOC, "self.free.fetch_sub(1, «Ordering::Release»);",
        "as above", SEARCHED),
    kept(ALLOC, "let mut seen = bits.load(«Ordering::Acquire»);",
        "who took what is found taken has given back before what he did", SEARCHED),
    kept(ALLOC, "(seen, taken, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above; and the object is zero again", SEARCHED),
    kept(ALLOC, "fetch_and(!(1 << (bit % 64)), «Ordering::Release»);",
        "the next taker finds zeroes", RELEASES),
    kept(COUNTER, "slot.shared.fetch_add(delta, «Ordering::Release»);",
        "what was done before an addition that is in a sum is visible", RELEASES),
    kept(COUNTER, "slot.net[0].load(«Ordering::Acquire»)",
        "as above; the sequences' commit is a release", ACQUIRES),
    kept(COUNTER, "slot.net[1].load(«Ordering::Acquire»)",
        "as above", ACQUIRES),
    kept(COUNTER, "slot.shared.load(«Ordering::Acquire»)",
        "as above", ACQUIRES),
    kept(OPS_SYS, "DECIDED.load(«Ordering::Acquire»);",
        "the number stands for itself; what it may rely on is the kernel's memory", ACQUIRES),
    kept(OPS_SYS, ".compare_exchange(0, found, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above", RELEASES),
    kept(POOL, "self.single.swap(0, «Ordering::Acquire»);",
        "whoever has a cache alone has it by a lock, or by a restart, which ordered it before",
        Cover::Harmless),
    kept(POOL, "match self.count.load(«Ordering::Acquire») {",
        "as above", Cover::Harmless),
    kept(RING, "ops::compare_store_store(handle, cpu, word, first, new, «Release»)",
        "who sees the end sees the headers before it", RELEASES),
    kept(RING, "ops::compare_copy_store(handle, cpu, word, copy, new, «Release»)",
        "as above", RELEASES),
    kept(RING, "control.reserved.store(new, «Ordering::Release»);",
        "who sees the end sees the headers before it", RELEASES),
    kept(RING, "let end = control.reserved.load(«Ordering::Acquire»);",
        "the headers before the end, which are surveyed; and nothing is stored behind an end that was not seen",
        Cover::Litmus("ring-overtaken", "ring-overtaken-unfenced")),
    kept(RING, "control.reader.position.load(«Ordering::Acquire»)",
        "what is overwritten was read before", READ_BEFORE),
    kept(RING, "word(self.0.at(control, start + offset)) }.load(«Ordering::Acquire»);",
        "what is overwritten was written before", WRITTEN_BEFORE),
    kept(CONSUMER, "let until = control.reserved.load(«Ordering::Acquire»);",
        "the headers before the end", ACQUIRES),
    kept(CONSUMER, "let end = control.reserved.load(«Ordering::Acquire»);",
        "as above", ACQUIRES),
    kept(CONSUMER, "reader.position.store(oldest, «Ordering::Release»);",
        "what is overwritten was read before", READ_BEFORE),
    kept(CONSUMER, "reader.position.store(next, «Ordering::Release»);",
        "as above", READ_BEFORE),
    kept(CONSUMER, "let header = unsafe { word(at) }.load(«Ordering::Acquire»);",
        "a record that is not busy is whole", ACQUIRES),
    kept(CONSUMER, "«fence(Ordering::Acquire);»",
        "who copied what was stored in the part later on sees the end behind the part. By the processors' \
         models, in which all see a store at once; C11 would ask for more",
        Cover::Litmus("ring-overtaken", "ring-overtaken-unfenced")),
    kept(RESERVATION, ".store(self.header & !BUSY | flags, «Ordering::Release»);",
        "a record that is not busy is whole", RELEASES),
    kept(REGISTRATION, "match OWNER.load(«Ordering::Acquire») {",
        "who knows the owner knows the area and the size", ACQUIRES),
    kept(REGISTRATION, "let area = AREA.load(«Ordering::Acquire»);",
        "who knows the area knows the size", ACQUIRES),
    kept(REGISTRATION, "AREA.store(area, «Ordering::Release»);",
        "as above", RELEASES),
    kept(REGISTRATION, "OWNER.store(word, «Ordering::Release»);",
        "who knows the owner knows the area and the size", RELEASES),
    kept(SLOTS, "let mut next = PAGES.load(«Ordering::Acquire»);\n    // SAFETY",
        "what is behind the page, and what of it is in use, was stored before it was published", ACQUIRES),
    kept(SLOTS, "PAGES.compare_exchange(page.next, page, «Ordering::Release», Ordering::Relaxed)",
        "as above", RELEASES),
    kept(SLOTS, ".compare_exchange(used, taken, «Ordering::Acquire», Ordering::Relaxed)",
        "the thread before is done with the slot", ACQUIRES),
    kept(SLOTS, "fetch_and(!(1 << number), «Ordering::Release»);",
        "as above", RELEASES),
    kept(OWN, "let known = KEY.load(«Ordering::Acquire»);",
        "the number stands for itself; what it names is libc's memory, behind libc's lock", ACQUIRES),
    kept(OWN, "KEY.compare_exchange(0, key + 1, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above", RELEASES),
    kept(OWN, "let key = KEY.load(«Ordering::Acquire»).checked_sub(1)?;",
        "as above", ACQUIRES),
    kept(OWN, "let Some(key) = KEY.load(«Ordering::Acquire»).checked_sub(1) else {",
        "as above", ACQUIRES),
    kept(MEMORY, "let decided = DECIDED.load(«Ordering::Acquire»);\n    // SAFETY: null or one",
        "the allocator is a static; its chunks are published by themselves", ACQUIRES),
    kept(MEMORY, "«Ordering::AcqRel,\n        Ordering::Acquire,»",
        "as above", RELEASES),
    kept(MODE, "let decided = DECIDED.load(«Ordering::Acquire»);\n    if decided != 0",
        "the number stands for itself; what it may rely on is the kernel's memory", ACQUIRES),
    kept(MODE, ".compare_exchange(0, found, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above", RELEASES),
    kept(BARRIER, "to pair with this one.\n        «fence(Ordering::SeqCst);»",
        "the models have it in their own place of this file", HANDSHAKE),
];
