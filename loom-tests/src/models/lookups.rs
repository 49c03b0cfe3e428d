//! Lookups that are one sequence, in a structure on the public interface.

use std::sync::Arc;

use super::domains::{Owned, on_cpu};
use super::witness;
use crate::domain::Domain;
use crate::kernel::lookups::{Lookup, Tables, lookup};
use crate::kernel::{ALL_THREADS, AtomicUsize, Ordering, leave_unregistered};

/// The key that is always there.
const KEY: usize = 1;

/// As a map does it: one sequence, or else a section.
fn look(domain: &Domain, tables: &Tables, key: usize) -> Option<u32> {
    let looked = match domain.read_sequences() {
        // SAFETY: what is unlinked is reclaimed after a grace period of this domain.
        Some(handle) => unsafe { lookup(handle, tables, key) },
        None => Lookup::Aborted,
    };
    match looked {
        Lookup::Found(version) => Some(version),
        Lookup::Missing => None,
        Lookup::Inconclusive | Lookup::Aborted => {
            let _guard = domain.read_lock();
            match tables.read(key) {
                Lookup::Found(version) => Some(version),
                _ => None,
            }
        }
    }
}

/// Two lookups of a key that is there all the time see no older version after a newer one.
fn two_lookups(domain: &Domain, tables: &Tables) -> [u32; 2] {
    let look = || look(domain, tables, KEY).expect("a key that is always there");
    let versions = [look(), look()];
    assert!(versions[0] <= versions[1]);
    versions
}

/// Obligation 1 for lookups: nobody counts them, the restart ends them.
pub(super) fn lookups() {
    let domain = Owned::new(ALL_THREADS);
    let tables = Arc::new(Tables::new());
    let (theirs, place) = (Arc::clone(&tables), domain.get());
    let reader = on_cpu(0, move || {
        let [first, second] = two_lookups(place, &theirs);
        witness(0, first == 0);
        witness(1, (first, second) == (0, 1));
    });
    for version in [1, 2] {
        let old = tables.store(0, KEY, version);
        domain.get().synchronize();
        tables.end(old);
    }
    reader.join().expect("the reader");
}

/// The same on a thread without a registration, whose sequences nothing restarts.
pub(super) fn lookups_without_a_registration() {
    let domain = Owned::new(ALL_THREADS);
    let tables = Arc::new(Tables::new());
    let (theirs, place) = (Arc::clone(&tables), domain.get());
    let reader = on_cpu(0, move || {
        leave_unregistered();
        look(place, &theirs, KEY).expect("a key that is always there");
    });
    let old = tables.store(0, KEY, 1);
    domain.get().synchronize();
    tables.end(old);
    reader.join().expect("the reader");
}

/// A table is moved, the key is changed in the new one, and then the root leads there and the old one is
/// reclaimed: no lookup misses the key, or a change that its thread knows of.
pub(super) fn a_lookup_beside_a_move() {
    let domain = Owned::new(ALL_THREADS);
    let tables = Arc::new(Tables::new());
    let (theirs, place) = (Arc::clone(&tables), domain.get());
    let changed = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&changed);
    let reader = on_cpu(0, move || {
        let told = told.load(Ordering::Acquire);
        let [first, second] = two_lookups(place, &theirs);
        assert!(
            first as usize >= told,
            "an old version after the news of a new one"
        );
        witness(0, first == 0);
        witness(1, told == 1);
        witness(2, (first, second) == (0, 1));
    });
    tables.move_on();
    let old = tables.store(0, KEY, 1);
    changed.store(1, Ordering::Release);
    tables.leave();
    domain.get().synchronize();
    tables.end(old);
    tables.end_table();
    reader.join().expect("the reader");
}

/// A key goes, and another one takes its slot: whoever looks for either sees it or not, and nothing
/// else.
pub(super) fn a_slot_that_changes_its_key() {
    let domain = Owned::new(ALL_THREADS);
    let tables = Arc::new(Tables::new());
    let (theirs, place) = (Arc::clone(&tables), domain.get());
    let reader = on_cpu(0, move || {
        let other = look(place, &theirs, 2);
        let first = look(place, &theirs, KEY);
        assert!(first.is_none_or(|version| version == 0));
        assert!(other.is_none_or(|version| version == 7));
        assert!(other.is_none() || first.is_none(), "one after the other");
        witness(0, other.is_some());
        witness(1, first.is_some());
    });
    let old = tables.remove(0);
    tables.store(0, 2, 7);
    domain.get().synchronize();
    tables.end(old);
    reader.join().expect("the reader");
}
