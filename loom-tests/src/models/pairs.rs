//! Lookups that are one sequence, among pairs that lie in their bucket.

use std::sync::Arc;

use super::domains::{Owned, on_cpu};
use super::witness;
use crate::domain::Domain;
use crate::kernel::lookups::Lookup;
use crate::kernel::pairs::{Pairs, lookup_inline};
use crate::kernel::{ALL_THREADS, leave_unregistered};

/// The key that is always there, and one that comes later.
const KEY: usize = 1;
const OTHER: usize = 2;

/// As a map does it: one sequence, or else a section.
fn look(domain: &Domain, pairs: &Pairs, key: usize) -> Option<u32> {
    let looked = match domain.read_sequences() {
        // SAFETY: slots are filled again after a grace period of this domain.
        Some(handle) => unsafe { lookup_inline(handle, pairs, key) },
        None => Lookup::Aborted,
    };
    let looked = match looked {
        Lookup::Aborted => {
            let _guard = domain.read_lock();
            pairs.read(key)
        }
        looked => looked,
    };
    match looked {
        Lookup::Found(version) => Some(version),
        _ => None,
    }
}

/// Two lookups of a key that is there all the time, while `change` replaces it once, waits, and gives the slot
/// in which it was to another key.
fn beside(change: impl Fn(&Domain, &Pairs), is_registered: bool) {
    let domain = Owned::new(ALL_THREADS);
    let pairs = Arc::new(Pairs::new(KEY));
    let (theirs, place) = (Arc::clone(&pairs), domain.get());
    let reader = on_cpu(0, move || {
        if !is_registered {
            leave_unregistered();
        }
        let look = || look(place, &theirs, KEY).expect("a key that is always there");
        let (first, second) = (look(), look());
        assert!(first <= second && second <= 1, "{first}, then {second}");
        witness(0, first == 0);
        witness(1, (first, second) == (0, 1));
    });
    change(domain.get(), &pairs);
    domain.get().synchronize();
    pairs.fill(0, OTHER, 7, None);
    reader.join().expect("the reader");
}

/// Obligation 1 for pairs in their buckets: a slot is used again after a grace period.
pub(super) fn a_slot_that_is_filled_again() {
    beside(|_, pairs| pairs.fill(1, KEY, 1, Some(0)), true);
}

/// The same on a thread without a registration, whose sequences nothing restarts.
pub(super) fn a_slot_that_is_filled_again_without_a_registration() {
    beside(|_, pairs| pairs.fill(1, KEY, 1, Some(0)), false);
}

/// A pair is replaced by one in the list, where readers look last.
pub(super) fn a_pair_that_moves_to_the_list() {
    let change = |_: &Domain, pairs: &Pairs| {
        pairs.push(KEY, 1);
        pairs.empty(0);
    };
    beside(change, true);
}
