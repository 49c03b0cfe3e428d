//! Pages to read; nothing to call.
//!
//! | page | for whom |
//! |---|---|
//! | [`patterns`] | what to write for what you have, and mistakes that look right |
//! | [`arc_swap`] | coming from `arc-swap`: their methods and ours |
//! | [`crossbeam_epoch`] | coming from `crossbeam-epoch`: their items and ours, four structures in both |
//! | [`hazard_pointers`] | coming from `seize` or `haphazard`, in short |
//! | [`liburcu`] | coming from C's liburcu: its calls and ours |
//! | [`maps`] | coming from papaya, dashmap or a locked `HashMap`, in short |
//! | [`own_structure`] | a structure of your own: safe links first, then raw ones |
//! | [`bring_your_own`] | authors of lock-free structures: the face of `crossbeam-epoch`, or `urcu::raw` |
//! | [`gallery`] | the examples, and what each printed |
//! | [`performance`] | what things cost, on which processors, and where others are faster |
//! | [`troubleshooting`] | what you see, what it means, and what to do |
//! | [`limitations`] | what this library does not do, and what happens then |
//! | [`reliability`] | what is promised, and what tests it |
//! | [`sanitizers`] | your own tests under sanitizers, Miri, valgrind and loom |
//! | [`internals`] | how it works |
//! | [`lineage`] | which steps led here, and what each became |
//! | [`glossary`] | the words of this documentation |

pub mod arc_swap;
pub mod bring_your_own;
pub mod crossbeam_epoch;
pub mod gallery;
pub mod glossary;
pub mod hazard_pointers;
pub mod internals;
pub mod liburcu;
pub mod limitations;
pub mod lineage;
pub mod maps;
pub mod own_structure;
pub mod patterns;
pub mod performance;
pub mod reliability;
pub mod sanitizers;
pub mod troubleshooting;
