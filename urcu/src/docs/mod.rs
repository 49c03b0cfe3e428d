//! Pages to read; nothing to call.
//!
//! | page | for whom |
//! |---|---|
//! | [`patterns`] | what to write for what you have, and mistakes that look right |
//! | [`arc_swap`] | coming from `arc-swap`: their methods and ours |
//! | [`own_structures`] | authors of lock-free structures: the face of `crossbeam-epoch`, or `urcu::raw` |
//! | [`performance`] | what things cost, on which processors, and where others are faster |
//! | [`limitations`] | what this library does not do, and what happens then |
//! | [`reliability`] | what is promised, and what tests it |
//! | [`sanitizers`] | your own tests under sanitizers, Miri, valgrind and loom |
//! | [`internals`] | how it works |

pub mod arc_swap;
pub mod internals;
pub mod limitations;
pub mod own_structures;
pub mod patterns;
pub mod performance;
pub mod reliability;
pub mod sanitizers;
