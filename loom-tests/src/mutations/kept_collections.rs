//! Orderings of `urcu-collections` that no model needs, and why they are there.

use super::{COLL_BUCKET, COLL_FORK, COLL_NODE, COLL_QUEUE, COLL_WFC, Cover, Kept};

const fn kept(file: &'static str, text: &'static str, why: &'static str, cover: Cover) -> Kept {
    Kept {
        file,
        text,
        why,
        cover,
    }
}

const RELEASES: Cover = Cover::Litmus("publication", "publication-unreleased");
const ACQUIRES: Cover = Cover::Litmus("publication", "publication-relaxed");
/// A thread that sees another thread's store, and overwrites it.
const WRITTEN_BEFORE: Cover = Cover::Litmus("section-s", "section-s-relaxed");

/// Why each ordering is there.
#[rustfmt::skip]
pub const KEPT_COLLECTIONS: &[Kept] = &[
    kept(COLL_FORK, "match NonNull::new(PAGE.load(«Ordering::Acquire»)) {",
        "the kernel supplies the page zeroed", ACQUIRES),
    kept(COLL_FORK, "page.as_ptr(),\n            «Ordering::AcqRel,\n            Ordering::Acquire»,",
        "as above", RELEASES),
    kept(COLL_BUCKET, ".filter_map(|slot| NonNull::new(slot.load(«Ordering::Acquire»)))",
        "callers hold the bucket's lock, or have the map for themselves", Cover::Harmless),
    kept(COLL_QUEUE, "let emptied = self.emptied.load(«Ordering::Acquire»);",
        "on every processor the next read sees nothing older; coherence covers a thread that pushed before", Cover::Harmless),
    kept(COLL_NODE, "NonNull::new(self.home.load(«Ordering::Acquire»))",
        "callers hold the list's lock, or have seen the node", ACQUIRES),
    kept(COLL_NODE, "let home = self.home.load(«Ordering::Acquire»);\n        home.map_addr",
        "as above", ACQUIRES),
    kept(COLL_WFC, "if self.generation.load(«Ordering::Acquire») != fork::generation()",
        "the other threads of a child see what a repair has done; models of forks have one thread", ACQUIRES),
    kept(COLL_WFC, "self.generation.store(now, «Ordering::Release»);",
        "as above", RELEASES),
    kept(COLL_WFC, "let first = match head.load(«Ordering::Acquire») {",
        "as above", ACQUIRES),
    kept(COLL_WFC, "while let Some(next) = NonNull::new(unsafe { last.as_ref() }.next.load(«Ordering::Acquire»)) {",
        "as above", ACQUIRES),
    kept(COLL_WFC, "«compiler_fence(Ordering::Release);»\n        Ok(first)",
        "a fork is not a thread, and models know nothing of the compiler's order", Cover::Harmless),
    kept(COLL_WFC, "«compiler_fence(Ordering::Release);»\n        // Before the exchange",
        "as above", Cover::Harmless),
    kept(COLL_WFC, "«compiler_fence(Ordering::Release);»\n        leaving.store",
        "as above", Cover::Harmless),
    kept(COLL_WFC, "ptr::null_mut(),\n            «Ordering::Release»,\n            Ordering::Relaxed,",
        "of two stores to the head, the one that runs last is always the last in loom", WRITTEN_BEFORE),
    kept(COLL_WFC, "let last = self.tail.0.swap(ptr::null_mut(), «Ordering::AcqRel»);",
        "as above", WRITTEN_BEFORE),
];
