//! An ordered map: a B+-tree in which only the pointer to the root changes.
//!
//! A writer loads the root inside a section, copies the nodes on the path from the root to the leaf, and exchanges
//! the root if it is still the same. Otherwise the writer starts over. So a reader that has loaded the root sees
//! the whole map as it was at that moment, for as long as its section lasts. There is no lock: the user's
//! comparisons and closures run wherever they are needed, and may panic or use the same map.
//!
//! Entries are not copied: a leaf holds their addresses, and an inner node holds the address of the least entry
//! below each child. A change of a leaf copies all nodes above it anyway, so these addresses never lead to an entry
//! that was removed.

mod edit;
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
