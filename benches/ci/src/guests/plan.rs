//! What all guests share.

use std::path::PathBuf;

/// The plan that all guests share.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) short: bool,
    /// The guests' output.
    pub(crate) logs: PathBuf,
    /// The folder of the programs that are built for them.
    pub(crate) target: PathBuf,
}
