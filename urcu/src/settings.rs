//! What is said about a domain when it is made.

use crate::callbacks::Runner;

/// What is said about a domain when it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) name: Option<&'static str>,
    pub(crate) runner: Runner,
}

impl Settings {
    pub(crate) const DEFAULT: Settings = Settings {
        name: None,
        runner: Runner::Shared,
    };
}
