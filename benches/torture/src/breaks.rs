//! The controls: faults made on purpose, which must be detected.
//!
//! A torture program that cannot fail is worthless. Each control breaks one promise. Most do it on this
//! program's side of the interface (reclaim too early, lose a callback), some inside the library, by
//! hooks that exist only in builds with `--cfg rseq_ops_delay_injection`. A process that is broken on
//! purpose never really frees memory that readers reach, so that its checks fail and it does not crash.
//! A control that breaks the library queues no callbacks: their memory is the library's own.

use serde::{Deserialize, Serialize};

/// A control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Break {
    /// Memory is reclaimed without a grace period.
    EarlyReclaim,
    /// An updater waits for a grace period that it asked for too early.
    WrongCookie,
    /// The future of a grace period is dropped and taken for complete.
    EarlyAwait,
    /// A callback runs without a grace period.
    CallbackEarly,
    /// A callback never runs.
    CallbackLost,
    /// A callback panics.
    CallbackPanics,
    /// A version is published before it is filled.
    PublishedEmpty,
    /// A reader goes on reading after its section.
    ReadsOn,
    /// A signal handler goes on reading after its sections.
    HandlerReadsOn,
    /// The depth of nested sections is lost.
    NestingLost,
    /// The process is killed.
    ProcessDies,
    /// A section never ends.
    ForgottenGuard,
    /// A domain has no budget.
    UnboundedMemory,
    /// A forked child waits for itself.
    ChildHangs,
    /// A node of a list is marked as freed without a grace period.
    NodeFreedEarly,
    /// A value of a list of safe links is marked as freed without a grace period.
    ItemFreedEarly,
    /// A value of a hash map is marked as freed without a grace period.
    EntryFreedEarly,
    /// A value of an ordered map is marked as freed without a grace period.
    LeafFreedEarly,
    /// A value of a list is marked as freed without a grace period.
    ElementFreedEarly,
    /// An element of a list is moved that readers take for one that stays.
    PostMoved,
    /// A value comes out of a queue twice.
    ValuePushedTwice,
    /// A value comes out of a queue of one consumer twice.
    ValueEnqueuedTwice,
    /// A value that went into a queue does not come out.
    ValueLost,
    /// A value of a hash map is marked as freed after a barrier that restarts no lookups.
    PlainBarrierLookups,
    /// An update of a cell is not atomic.
    LostUpdate,
    /// An addition to a CPU's word is not one sequence.
    SplitAddition,
    /// Grace periods restart no sequences.
    PlainMembarrier,
    /// Grace periods restart no sequences; snapshots must detect it.
    PlainMembarrierSnapshots,
    /// A CPU's readers are not counted.
    SkippedCpu,
    /// The end of a section is not counted.
    DroppedCounter,
}

/// The description of a control.
#[derive(Debug)]
pub struct Control {
    /// The control.
    pub is: Break,
    /// Its name on the command line.
    pub name: &'static str,
    /// The fault.
    pub about: &'static str,
    /// The scenario that runs by default.
    pub scenario: &'static str,
    /// True if the control needs a build with delays.
    pub delays: bool,
}

const fn control(
    is: Break,
    name: &'static str,
    scenario: &'static str,
    about: &'static str,
) -> Control {
    Control {
        is,
        name,
        about,
        scenario,
        delays: false,
    }
}

const fn hook(
    is: Break,
    name: &'static str,
    scenario: &'static str,
    about: &'static str,
) -> Control {
    Control {
        delays: true,
        ..control(is, name, scenario, about)
    }
}

/// All controls.
pub static ALL: &[Control] = &[
    control(
        Break::EarlyReclaim,
        "early-reclaim",
        "steady",
        "one in 64 updates reclaims without a grace period",
    ),
    control(
        Break::WrongCookie,
        "wrong-cookie",
        "update-flood",
        "updates reclaim after a grace period that began before they unpublished",
    ),
    control(
        Break::EarlyAwait,
        "early-await",
        "async-tasks",
        "one in 16 tasks drops the future of its grace period and reclaims",
    ),
    control(
        Break::CallbackEarly,
        "callback-early",
        "callback-flood",
        "one in 64 callbacks runs without a grace period",
    ),
    control(
        Break::CallbackLost,
        "callback-lost",
        "callback-flood",
        "one in 4096 callbacks never runs",
    ),
    control(
        Break::CallbackPanics,
        "callback-panics",
        "callback-flood",
        "one in 4096 callbacks panics",
    ),
    control(
        Break::PublishedEmpty,
        "published-empty",
        "steady",
        "versions are filled after they are published",
    ),
    control(
        Break::ReadsOn,
        "reads-on",
        "steady",
        "one in 64 long sections ends while its reader goes on reading",
    ),
    control(
        Break::HandlerReadsOn,
        "handler-reads-on",
        "signal-storm",
        "one in 8 signal handlers goes on reading after its sections",
    ),
    control(
        Break::NestingLost,
        "nesting-lost",
        "c-face",
        "one in 64 nested sections of the C face ends with its inner section",
    ),
    control(
        Break::ProcessDies,
        "process-dies",
        "steady",
        "the process is killed after a while",
    ),
    control(
        Break::ForgottenGuard,
        "forgotten-guard",
        "stalled-reader",
        "the stalled reader never ends its section",
    ),
    control(
        Break::UnboundedMemory,
        "unbounded-memory",
        "stalled-reader",
        "the domain's budget is practically unlimited",
    ),
    control(
        Break::ChildHangs,
        "child-hangs",
        "fork-generations",
        "a forked child waits for a section of its own, for ever",
    ),
    control(
        Break::NodeFreedEarly,
        "node-freed-early",
        "raw-list",
        "one in 16 nodes is freed without a grace period",
    ),
    control(
        Break::ItemFreedEarly,
        "item-freed-early",
        "links",
        "one in 16 values of a list is freed without a grace period",
    ),
    control(
        Break::EntryFreedEarly,
        "entry-freed-early",
        "hash-map",
        "one in 16 replaced values of a hash map is freed without a grace period",
    ),
    control(
        Break::LeafFreedEarly,
        "leaf-freed-early",
        "ordered-map",
        "one in 16 replaced values of an ordered map is freed without a grace period",
    ),
    control(
        Break::ElementFreedEarly,
        "element-freed-early",
        "list",
        "one in 16 removed values of a list is freed without a grace period",
    ),
    control(
        Break::PostMoved,
        "post-moved",
        "list",
        "one in 256 changes moves an element that readers take for one that stays",
    ),
    control(
        Break::ValuePushedTwice,
        "value-pushed-twice",
        "queues",
        "one in 256 popped values is pushed again",
    ),
    control(
        Break::ValueEnqueuedTwice,
        "value-enqueued-twice",
        "wfc-queue",
        "one in 256 dequeued values is enqueued again",
    ),
    control(
        Break::ValueLost,
        "value-lost",
        "wfc-queue",
        "one in 256 dequeued values is dropped unseen",
    ),
    Control {
        delays: true,
        ..control(
            Break::PlainBarrierLookups,
            "plain-barrier-lookups",
            "hash-map",
            "one in 4 replaced values is freed after a membarrier that restarts no lookups",
        )
    },
    control(
        Break::LostUpdate,
        "lost-update",
        "snapshots",
        "one in 256 updates of a cell is a load and a store, not atomic",
    ),
    control(
        Break::SplitAddition,
        "split-addition",
        "per-cpu",
        "one in 1024 additions to a CPU's word is a load and a store, not atomic",
    ),
    hook(
        Break::PlainMembarrier,
        "plain-membarrier",
        "delay-injection",
        "grace periods use a membarrier that restarts no sequences",
    ),
    hook(
        Break::PlainMembarrierSnapshots,
        "plain-membarrier-snapshots",
        "snapshots",
        "as plain-membarrier, to be detected by restartable snapshots",
    ),
    hook(
        Break::SkippedCpu,
        "skipped-cpu",
        "update-flood",
        "grace periods ignore one CPU's counters",
    ),
    hook(
        Break::DroppedCounter,
        "dropped-counter",
        "steady",
        "the end of one section is not counted",
    ),
];

/// Returns the control of that name.
pub fn named(name: &str) -> Option<&'static Control> {
    ALL.iter().find(|control| control.name == name)
}

impl Break {
    /// Returns whether the control breaks the library itself.
    pub fn is_inside(self) -> bool {
        self.control().delays && self != Break::PlainBarrierLookups
    }

    /// Returns the description of the control.
    ///
    /// # Panics
    /// Never: all controls are in [`ALL`].
    pub fn control(self) -> &'static Control {
        let found = ALL.iter().find(|control| control.is == self);
        found.expect("all are listed")
    }
}

/// Breaks the library if the control asks for it, in a process that will end soon.
///
/// # Safety
/// Nothing that readers reach may be freed from now on, and no callbacks may be queued.
pub(crate) unsafe fn break_library(which: Break) {
    #[cfg(rseq_ops_delay_injection)]
    // SAFETY: readers may miss a grace period from now on, and nothing that they reach is freed, as the
    // caller promises.
    unsafe {
        use urcu::testing;
        match which {
            Break::PlainMembarrier | Break::PlainMembarrierSnapshots => {
                testing::use_plain_membarrier(true);
            }
            Break::SkippedCpu => testing::skip_slot(0),
            Break::DroppedCounter => testing::lose_an_end(100),
            _ => {}
        }
    }
    #[cfg(not(rseq_ops_delay_injection))]
    let _ = which;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_have_names_of_their_own() {
        for (number, control) in ALL.iter().enumerate() {
            assert!(std::ptr::eq(named(control.name).unwrap(), control));
            assert!(
                ALL[..number]
                    .iter()
                    .all(|other| other.name != control.name && other.is != control.is)
            );
            assert_eq!(control.is.control().name, control.name);
            // Reports use the names of the command line.
            assert_eq!(serde_json::to_value(control.is).unwrap(), control.name);
        }
    }
}
