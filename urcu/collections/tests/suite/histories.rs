//! Histories of several threads, recorded and checked for linearizability: there must be an order of the
//! operations, in which each takes effect between its call and its return, that one thread could have
//! carried out with these answers.

use std::collections::HashSet;
use std::hash::Hash;

/// Wing and Gong's search, which remembers where it was (Lowe): a set of events that are done, as bits, and
/// the state.
///
/// `span` says when an event was called and when it returned; `apply` returns the state after an event, if its
/// answer can be right.
pub(crate) fn is_linearizable<E, S: Clone + Eq + Hash>(
    events: &[E],
    span: impl Fn(&E) -> (u64, u64),
    start: S,
    apply: impl Fn(&S, &E) -> Option<S>,
) -> bool {
    assert!((1..=64).contains(&events.len()));
    let all = u64::MAX >> (64 - events.len() as u32);
    let mut seen = HashSet::new();
    let mut open = vec![(0u64, start)];
    while let Some((done, state)) = open.pop() {
        if done == all {
            return true;
        }
        let left = || (0..events.len()).filter(|number| done >> number & 1 == 0);
        // Whatever comes next was called before any other that is left had returned.
        let first_return = left().map(|number| span(&events[number]).1).min().unwrap();
        for number in left().filter(|&number| span(&events[number]).0 < first_return) {
            if let Some(next) = apply(&state, &events[number])
                && seen.insert((done | 1 << number, next.clone()))
            {
                open.push((done | 1 << number, next));
            }
        }
    }
    false
}
