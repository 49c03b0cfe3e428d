//! Orderings, and changes, that no model notices, and why.

use super::{CALLBACKS, DOMAIN, FORK, POLLING, QUEUE, READERS, ROUNDS, STACK, TASKS, WORKER};

/// Orderings that no model needs, in the form of [`Edit::text`], and why they are there.
#[rustfmt::skip]
pub const KEPT: &[(&str, &str, &str)] = &[
    (CALLBACKS, "queue.installed.load(«SeqCst») || queue",
        "the fences of `tasks` order it; once for each chunk, so it may cost something"),
    (CALLBACKS, "tasks.queue().installed.store(true, «SeqCst»);",
        "as where a chunk is given; in the middle of a `call` no model forks"),
    (CALLBACKS, "self.wanted.fetch_max(join(), «Release»);",
        "as `Tasks::want`"),
    (QUEUE, "the word, or we find it done.\n        «fence(SeqCst);»",
        "a barrier's look takes the lock that whoever seals or finishes a chunk has just given back; the \
         fence is for the counters of the budget, which are not modelled, and where a sleep ends after \
         a millisecond anyway"),
    (QUEUE, "Pairs with the fence in `wait`.\n        «fence(SeqCst);»",
        "as above"),
    (DOMAIN, "address.store(name.as_ptr().expose_provenance(), «Ordering::Release»);",
        "for messages alone; the models' domains have no names"),
    (DOMAIN, "let address = address.load(«Ordering::Acquire»);",
        "as above"),
    (FORK, "let known = process().incarnation.load(«Ordering::Acquire»);",
        "the number stands for itself; who knows it may rely on the kernel's having been told to wipe, \
         which no model sees"),
    (FORK, ".compare_exchange(0, next, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above"),
    (CALLBACKS, "queue.installed.store(false, «SeqCst»);",
        "the grace period that it is before begins with a flip, which whoever installs a chunk later acquires"),
    (POLLING, "or we find it over.\n            «fence(Ordering::SeqCst);»",
        "the look behind it takes the lead, and with it what the leader before did, or has a fence (N)"),
    (POLLING, "self.0.store(1, «Ordering::Release»);",
        "who wakes up asks whether the grace period is over, which acquires (M)"),
    (READERS, "NonZeroUsize::new(self.period.load(«Ordering::Acquire»))",
        "whoever flips, or looks for chunks, has set the readers up or acquired them with the tasks"),
    (READERS, ".compare_exchange(0, base, Ordering::AcqRel, «Ordering::Acquire»)",
        "who loses uses the other's counters only after another load of the period"),
    (READERS, "let cs = self.cs.load(«Ordering::Acquire»);\n        if cs == 0 {\n            return Outcome",
        "whoever replaces a chunk has tried to append, which acquires"),
    (READERS, "let cs = self.cs.load(«Ordering::Acquire»);\n        if cs == 0 {\n            return false;",
        "copies use neither the index nor the period"),
    (READERS, "counter.fetch_sub(1, «Ordering::Release»);\n            self.wake();",
        "no access of a section lies before the addition that is taken back"),
    (ROUNDS, "let turn = turns.fetch_or(1, «Ordering::Acquire») | 1;",
        "the fences N and O order it already"),
    (TASKS, "self.wanted.fetch_max(round, «Ordering::Release»);",
        "who sees the number and not yet that the round before has begun takes one turn more"),
    (TASKS, "let wanted = self.wanted.load(«Ordering::Acquire»);\n        !state",
        "as above"),
    (TASKS, "let wanted = self.wanted.load(«Ordering::Acquire»);\n        state",
        "as above"),
    (WORKER, "process().poked.fetch_add(1, «Ordering::Release»);",
        "what it is poked for has orderings of its own, or is ordered by the fences in `poke` and `work`, \
         F and G, N and O"),
    (WORKER, "let poked = process().poked.load(«Ordering::Acquire»);",
        "as above"),
    (WORKER, "(last, given, «Ordering::Release», Ordering::Relaxed)",
        "what is given is plain memory, which loom does not see"),
    (WORKER, "process().handed.swap(ptr::null_mut(), «Ordering::Acquire»);",
        "as above"),
    (STACK, "list.compare_exchange(seen, next, «Ordering::Acquire», Ordering::Acquire)",
        "the load before it acquires"),
    (STACK, "slot.banks[bank].load(«Ordering::Acquire»)",
        "the restart has fenced every CPU that uses the bank, and the caller's"),
];

/// What no model can notice, and why.
pub const UNSEEN: &[(&str, &str)] = &[
    (
        "not settled",
        "harmless: the sum is right either way; it is for speed",
    ),
    (
        "the mark left when nothing is open, or when the leader wakes up",
        "harmless: one wake-up or poke too many",
    ),
    (
        "no second look at the round with the lead taken",
        "harmless: one grace period too many",
    ),
    (
        "the flip that is taken back relaxed",
        "harmless: the bank was not touched",
    ),
    (
        "H as a SeqCst read-modify-write",
        "wrong on AArch64; loom takes SeqCst accesses for AcqRel and would reject it on x86-64 too: \
         litmus/dekker-rmw.litmus",
    ),
    (
        "load buffering: a section's load that returns a store from after the grace period",
        "loom never makes a load return a later store: litmus/section-lb.litmus",
    ),
    (
        "whoever comes second to a new domain keeps a state of its own",
        "three preemptions, with which the model takes too long",
    ),
    (
        "what callbacks queue while their domain ends is not looked for again",
        "only unsafe code has a domain then",
    ),
    (
        "a barrier that does not look for a chunk that was sealed, right before it sleeps",
        "four preemptions, with which `a_barrier_waits_for_a_chunk_on_its_way` takes half a minute, and \
         notices",
    ),
    (
        "one of those is woken who wait for a chunk",
        "no model has two barriers that sleep at once; a sleep ends after a millisecond",
    ),
    (
        "an update without a section, so that an address is used again (ABA)",
        "addresses are the allocator's; the section is what keeps the old value, and mutants of that \
         are above",
    ),
];
