//! What domains are called.

use core::fmt;

use super::Domain;
use crate::sync::Ordering;

pub(super) const fn has_nul(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut number = 0;
    while number < bytes.len() {
        if bytes[number] == 0 {
            return true;
        }
        number += 1;
    }
    false
}

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
