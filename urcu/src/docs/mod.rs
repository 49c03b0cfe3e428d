//! Pages to read; nothing to call.

pub mod arc_swap;
pub mod reliability;
pub mod sanitizers;
