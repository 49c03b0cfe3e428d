//! A doubly linked list that readers walk in both directions while others change it.

mod cursor;
mod iter;
mod links;
mod node;
mod ops;
mod pinned;
mod position;
#[cfg(test)]
mod tests;
mod traits;

pub use cursor::Cursor;
pub use iter::{IntoIter, Iter, Positions};
pub use ops::List;
pub use pinned::ListRef;
pub use position::{NotInList, Position};
