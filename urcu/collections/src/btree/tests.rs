//! The shape of trees.

use core::cell::Cell;
use core::cmp::Ordering as Order;

use core::ptr::NonNull;

use super::map::BTreeMap;
use super::node::{Kind, Node, Pair};
use super::tree::for_all;
use crate::sync::Ordering;

/// Returns the number of nodes, and the number of entries of the smallest leaf that is not the root.
fn shape(map: &BTreeMap<u64, u64>) -> (usize, usize) {
    let (mut nodes, mut least) = (0, usize::MAX);
    let root = map.root.load(Ordering::Acquire);
    // SAFETY: nobody else uses the map.
    unsafe {
        for_all(root, &mut |_| {}, &mut |node| {
            nodes += 1;
            if node.as_ptr() != root && node.as_ref().height == 0 {
                least = least.min(node.as_ref().len());
            }
        });
    }
    (nodes, least)
}

#[test]
fn nodes_that_become_small_are_joined() {
    let map = BTreeMap::new();
    (0..5000).for_each(|key| assert_eq!(map.pin().insert(key, key), None));
    let (full, least) = shape(&map);
    assert!(least >= 4 && full > 5000 / 16, "{full} {least}");
    for key in (0..5000).filter(|key| key % 50 != 0) {
        map.pin().remove(&key);
        let (_, least) = shape(&map);
        assert!(least >= 4, "{key}: {least}");
    }
    let (few, _) = shape(&map);
    assert!(few <= 100 / 4 + 3, "{few}");
    map.pin().clear();
    assert_eq!(shape(&map).0, 0);
}

/// Checks that every separator is an entry of the leftmost leaf behind it.
///
/// # Safety
/// Nobody else uses the tree.
unsafe fn check_separators<K, V>(node: NonNull<Node<K, V>>) -> Vec<NonNull<Pair<K, V>>> {
    // SAFETY: nobody else uses the tree.
    unsafe {
        match Node::kind(node) {
            Kind::Leaf(leaf) => (0..leaf.node.len()).map(|index| leaf.pair(index)).collect(),
            Kind::Inner(inner) => {
                let child = |index| check_separators(NonNull::new(inner.child(index)).unwrap());
                let first = child(0);
                for index in 1..inner.node.len() {
                    assert!(child(index).contains(&inner.separator(index)));
                }
                first
            }
        }
    }
}

thread_local!(static LIES: Cell<u64> = const { Cell::new(0) });

/// A number whose order is arbitrary from time to time.
#[derive(Debug)]
struct Liar(u64);

impl Ord for Liar {
    fn cmp(&self, other: &Self) -> Order {
        LIES.set(
            LIES.get()
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1),
        );
        match LIES.get() >> 58 {
            0 => Order::Less,
            1 => Order::Equal,
            2 => Order::Greater,
            _ => self.0.cmp(&other.0),
        }
    }
}
impl PartialOrd for Liar {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Liar {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Liar {}

#[test]
fn every_separator_is_an_entry_behind_it_even_if_comparisons_lie() {
    let map = BTreeMap::new();
    let mut random = 1u64;
    for step in 0..20_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let key = Liar((random >> 33) % 700);
        // Growing and shrinking, in turns.
        let grows = step / 2500 % 2 == 0;
        let pinned = map.pin();
        match random >> 61 {
            0 => _ = pinned.update(key, |number| number + 1),
            1 => _ = pinned.pop_first(),
            2 => _ = pinned.insert(key, step),
            _ if grows => _ = pinned.insert(key, step),
            _ => _ = pinned.remove(&key),
        }
        if let Some(root) = NonNull::new(map.root.load(Ordering::Acquire)) {
            // SAFETY: nobody else uses the map.
            unsafe { check_separators(root) };
        }
    }
}

#[test]
fn a_child_takes_over_the_locks_of_lost_threads() {
    let map: BTreeMap<u64, u64> = (0..1000).map(|key| (2 * key, key)).collect();
    // SAFETY: nobody else uses the map.
    unsafe fn abandon(node: NonNull<Node<u64, u64>>) {
        // SAFETY: nobody else uses the map.
        if let Kind::Inner(inner) = unsafe { Node::kind(node) } {
            inner.node.abandon();
            for index in 0..inner.node.len() {
                // SAFETY: nobody else uses the map.
                unsafe { abandon(NonNull::new(inner.child(index)).unwrap()) };
            }
        }
    }
    // SAFETY: nobody else uses the map.
    unsafe { abandon(NonNull::new(map.root.load(Ordering::Acquire)).unwrap()) };
    let pinned = map.pin();
    for key in 0..2000 {
        assert_eq!(pinned.insert(key, 0).is_some(), key % 2 == 0);
    }
    (0..1990).for_each(|key| assert!(pinned.remove(&key).is_some()));
    assert!(pinned.keys().copied().eq(1990..2000));
}
