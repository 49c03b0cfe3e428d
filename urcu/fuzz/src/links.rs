//! Lists of the safe links, and raw links.

use urcu::link::{Chain, Link, Removed};
use urcu::raw::Atomic;

use crate::ledger::Value;

/// Links of the global domain.
#[derive(Default)]
pub struct Links {
    pub lists: [Link<Value>; 2],
    pub raw: [Atomic<Value>; 2],
}

/// Nodes and chains that were taken out of a list and are kept.
#[derive(Default)]
pub struct Cut {
    pub nodes: Vec<Removed<Value>>,
    pub chains: Vec<Chain<Value>>,
}

impl Drop for Links {
    fn drop(&mut self) {
        for link in &mut self.raw {
            // SAFETY: all threads of the run are over, and the links go: nobody else has the nodes, each of
            // which is owned by its link.
            drop(unsafe { std::mem::take(link).into_owned() });
        }
    }
}

impl Cut {
    /// Retires the oldest of what is kept.
    pub fn end(&mut self) {
        drop(self.nodes.pop());
        drop(self.chains.pop());
    }
}
