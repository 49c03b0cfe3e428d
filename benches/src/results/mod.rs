//! The measurements, with their tables and the library's aims.

pub mod constants;
pub mod crowd;
pub mod domains;
pub mod figures;
pub mod grace;
pub mod hash_map;
pub mod idle;
pub mod memory;
pub mod mixed;
pub mod ordered_map;
pub mod queues;
pub mod read_side;
pub mod reclaim;
pub mod reload;
pub mod scaling;
pub mod sharing;
pub mod updates;
