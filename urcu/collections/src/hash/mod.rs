//! The hash map and the hash set.

mod apart;
mod bucket;
mod builder;
mod entries;
mod entry;
mod iter;
mod kind;
mod many;
mod map;
mod outcome;
mod pair;
mod pairs;
mod parts;
mod pinned;
mod plain;
mod raw;
mod raw_iter;
#[cfg(feature = "rayon")]
mod rayon;
mod remove;
mod restartable;
mod seen;
#[cfg(feature = "serde")]
mod serde;
mod set;
mod table;
mod traits;
mod write;

pub use apart::Apart;
pub use builder::{HashMapBuilder, HashSetBuilder, ResizeMode};
pub use entry::{Entry, Modified};
pub use iter::{IntoIter, Iter, IterMut, Keys, Values};
pub use map::HashMap;
pub use outcome::{Compute, OccupiedError, Operation};
pub use pinned::HashMapRef;
#[cfg(feature = "rayon")]
pub use rayon::ParIter;
pub use set::{HashSet, HashSetRef, SetIter};

/// The default hasher of maps and sets: [foldhash](https://docs.rs/foldhash). It is fast, and seeded at random for
/// each map, so that an attacker who only chooses keys cannot make them collide.
pub type DefaultHashBuilder = foldhash::fast::RandomState;
