//! An ordered map: a B+-tree of which nothing changes but the root.
//!
//! Whoever changes the map copies the nodes on the way from the root to the leaf, in the section in which it
//! has loaded the root, and exchanges the root if it is still the same; else it begins again. So a reader
//! that has loaded the root has the whole map as it was at that moment, for as long as its section lasts.
//! There is no lock: comparisons and closures of the user's run wherever they are needed, and may panic or
//! use the same map.
//!
//! Entries are not copied: a leaf has their addresses, an inner node the address of the least entry below
//! each child. Changing a leaf changes all nodes above it anyway, so what is there is never an entry that
//! was removed.

mod fresh;
mod iter;
mod map;
mod node;
mod order;
mod pinned;
mod search;
mod traits;
mod tree;

pub use iter::Range;
pub use map::BTreeMap;
pub use pinned::BTreeMapRef;
