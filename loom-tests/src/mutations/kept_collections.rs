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
/// One who sees that another has written, and overwrites what was written.
const WRITTEN_BEFORE: Cover = Cover::Litmus("section-s", "section-s-relaxed");

/// Why each ordering is there.
#[rustfmt::skip]
pub const KEPT_COLLECTIONS: &[Kept] = &[
    kept(COLL_FORK, "match NonNull::new(PAGE.load(«Ordering::Acquire»)) {",
        "the page is zero, by the kernel", ACQUIRES),
    kept(COLL_FORK, "page.as_ptr(),\n            «Ordering::AcqRel,\n            Ordering::Acquire»,",
        "as above", RELEASES),
    kept(COLL_BUCKET, ".filter_map(|slot| NonNull::new(slot.load(«Ordering::Acquire»)))",
        "called under the bucket's lock, or by who has the map for itself", Cover::Harmless),
    kept(COLL_QUEUE, "let emptied = self.emptied.0.load(«Ordering::Acquire»);",
        "what is read next is not older on any processor; who pushed before that knows it by coherence", Cover::Harmless),
    kept(COLL_NODE, "NonNull::new(self.home.load(«Ordering::Acquire»))",
        "under the list's lock, or for a node that the caller has seen", ACQUIRES),
    kept(COLL_NODE, "let home = self.home.load(«Ordering::Acquire»);\n        home.map_addr",
        "as above", ACQUIRES),
    kept(COLL_WFC, "if self.generation.load(«Ordering::Acquire») != fork::generation()",
        "what a repair has done in a child is seen by its other threads; models of forks have one", ACQUIRES),
    kept(COLL_WFC, "self.generation.store(now, «Ordering::Release»);",
        "as above", RELEASES),
    kept(COLL_WFC, "let first = match head.load(«Ordering::Acquire») {",
        "as above", ACQUIRES),
    kept(COLL_WFC, "while let Some(next) = NonNull::new(unsafe { last.as_ref() }.next.load(«Ordering::Acquire»)) {",
        "as above", ACQUIRES),
    kept(COLL_WFC, "«compiler_fence(Ordering::Release);»\n        Ok(first)",
        "a fork is no thread; of the compiler's order models know nothing", Cover::Harmless),
    kept(COLL_WFC, "«compiler_fence(Ordering::Release);»\n        // Before the exchange",
        "as above", Cover::Harmless),
    kept(COLL_WFC, "«compiler_fence(Ordering::Release);»\n        leaving.store",
        "as above", Cover::Harmless),
    kept(COLL_WFC, "ptr::null_mut(),\n            «Ordering::Release»,\n            Ordering::Relaxed,",
        "of two stores to the head loom takes the one that runs last for the last", WRITTEN_BEFORE),
    kept(COLL_WFC, "let last = self.tail.0.swap(ptr::null_mut(), «Ordering::AcqRel»);",
        "as above", WRITTEN_BEFORE),
];
