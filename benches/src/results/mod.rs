//! The measurements: what each finds, its table, and what the library aims at.

pub mod crowd;
pub mod domains;
pub mod grace;
pub mod memory;
pub mod mixed;
pub mod read_side;
pub mod reclaim;
pub mod reload;
pub mod scaling;
pub mod sharing;
pub mod updates;
