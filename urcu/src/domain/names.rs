//! The names of domains.

use core::fmt;

use super::Domain;
use crate::sync::Ordering;

impl fmt::Display for Domain {
    /// Writes the name, or an address if the domain has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.settings.name {
            Some(name) => write!(f, "RCU domain \"{name}\""),
            None => write!(f, "RCU domain at {:p}", self.state.load(Ordering::Relaxed)),
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain")
            .field("name", &self.settings.name)
            .finish_non_exhaustive()
    }
}
