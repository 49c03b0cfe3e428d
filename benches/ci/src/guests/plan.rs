//! What all guests share.

use std::path::PathBuf;

/// What all guests share.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) short: bool,
    /// The guests' output.
    pub(crate) logs: PathBuf,
    /// What is built for them.
    pub(crate) target: PathBuf,
}
