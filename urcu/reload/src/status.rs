//! [`Status`]: the state of a watched configuration.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::error::Error;

/// The reason why changes are polled for instead of being notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Polling {
    /// Polling was [asked for](crate::Builder::poll_only).
    Asked,
    /// A file is on a network file system, where changes by other hosts are not notified.
    Network,
    /// The user's limit of inotify instances or watches is reached: `fs.inotify.max_user_instances`,
    /// `fs.inotify.max_user_watches`.
    LimitReached,
    /// Something on the path cannot be watched, such as a directory that may be passed through but not read.
    Unwatchable,
    /// The system has no notifications that this crate can use, or refuses them.
    Unavailable,
}

impl fmt::Display for Polling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "as asked for",
            Self::Network => "a network file system notifies nothing",
            Self::LimitReached => "the limit of inotify instances or watches is reached",
            Self::Unwatchable => "a directory on the way cannot be watched",
            Self::Unavailable => "there are no notifications here",
        })
    }
}

/// The state of a watched configuration: the version in force, the last error, and counts of events.
///
/// `{}` shows the most important facts in one line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The number of the version in force. The first is 1.
    pub version: u64,
    /// The files that make up that version, in the order in which they were read. Empty if the program has started with a
    /// value of its own ([`start_or`](crate::Builder::start_or)).
    pub files: Vec<PathBuf>,
    /// When that version was published.
    pub published: SystemTime,
    /// The reason why the files as they are now were refused, if they were. The version in force is then older.
    pub error: Option<Error>,
    /// The reason why changes are polled for, if they are not notified.
    pub polling: Option<Polling>,
    /// The counts since the start.
    pub counts: Counts,
    /// The time that the last published reload took, from the start of reading to the publication.
    pub last_reload: Duration,
}

/// Counts of events since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Versions that were published, except the first one.
    pub reloads: u64,
    /// Versions that were refused.
    pub refused: u64,
    /// Reloads that found the same content as before.
    pub unchanged: u64,
    /// Times that all files were read again, because they changed while they were read.
    pub reread: u64,
    /// Notifications of the system about the files.
    pub notifications: u64,
    /// Polls of the files.
    pub looks: u64,
    /// Signals that asked for a reload. Several at once count as one.
    pub signals: u64,
    /// Hooks that panicked.
    pub hook_panics: u64,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            reloads, refused, ..
        } = self.counts;
        write!(
            f,
            "version {} in force, {reloads} reloads, {refused} refused",
            self.version
        )?;
        if let Some(error) = &self.error {
            write!(f, "; the files as they are now: {error}")?;
        }
        if let Some(polling) = &self.polling {
            write!(f, "; changes are looked for: {polling}")?;
        }
        Ok(())
    }
}
