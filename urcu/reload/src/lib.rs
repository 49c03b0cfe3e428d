//! Configuration that reloads itself.
#![forbid(unsafe_code)]

mod builder;
mod changes;
mod error;
mod part;
mod shared;
mod sources;
mod status;
#[cfg(feature = "serde")]
mod tree;
mod version;
mod watch;
mod watched;

pub use builder::{Builder, Custom, Formats, watch};
pub use changes::Changes;
pub use error::{Error, ErrorKind, Invalid};
pub use part::{Access, Part};
pub use shared::HookId;
pub use sources::SourceFile;
pub use status::{Counts, Polling, Status};
pub use version::{Change, Reload, Version};
pub use watched::Watched;
